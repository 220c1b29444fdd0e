"""What a server of real environments offers, as its SimulatorSpec."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gwm._generated import scene_pb2, simulator_pb2, tensor_pb2
from gwm.serving.backend import BackendSpec
from gwm.types import Camera

CONTRACT_VERSION = "1.0"
RPCS = (
    "Simulator.GetSpec",
    "Simulator.CreateSession",
    "Simulator.GetSession",
    "Simulator.RenewSession",
    "Simulator.ListSessions",
    "Simulator.CloseSession",
    "Simulator.Reset",
    "Simulator.Step",
    "Simulator.Render",
    "Server.GetServerInfo",
    "Server.GetLimits",
)
AUTO_RESETS = (
    simulator_pb2.AUTO_RESET_NONE,
    simulator_pb2.AUTO_RESET_NEXT_STEP,
    simulator_pb2.AUTO_RESET_SAME_STEP,
)
OUTPUT_NAMES = {scene_pb2.RENDER_OUTPUT_RGB: "rgb", scene_pb2.RENDER_OUTPUT_DEPTH: "depth"}


def spec_to_proto(spec: BackendSpec) -> simulator_pb2.SimulatorSpec:
    """What the environment offers, in the words of the wire."""

    def fields(items: Iterable[Any]) -> list[simulator_pb2.FieldSpec]:
        return [
            simulator_pb2.FieldSpec(
                name=item.name,
                dtype=tensor_pb2.DType.Value(f"DTYPE_{item.dtype}"),
                shape=item.shape,
                min=item.min,
                max=item.max,
                uid=uid,
                deterministic=True,
            )
            for uid, item in enumerate(items, start=1)
        ]

    outputs = [code for code, name in OUTPUT_NAMES.items() if spec.observation(name) is not None]
    rgb = spec.observation("rgb")
    return simulator_pb2.SimulatorSpec(
        model_id=spec.model_id,
        contract_version=CONTRACT_VERSION,
        device="cpu",
        actions=fields([spec.action]),
        observations=fields(spec.observations),
        horizon=spec.horizon,
        determinism=simulator_pb2.DETERMINISM_BATCH_INVARIANT,
        cameras=[
            Camera(view.intrinsics, view.world_from_cam, view.width, view.height).to_proto()
            for view in spec.views
        ],
        auto_resets=AUTO_RESETS,
        rpcs=[name for name in RPCS if name != "Simulator.Render" or outputs],
        inits=["pool"],
        views=rgb.shape[0] if rgb is not None else 0,
        height=spec.image_size[0],
        width=spec.image_size[1],
        control_dt_s=spec.control_dt_s,
        tasks=[spec.task],
        render_outputs=outputs,
        replays_calls=True,
    )
