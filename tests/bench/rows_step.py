"""C10: an environment step as a client sees it: denoiser, heads, decoding, a picture of 128^2, the wire."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
from gwm._generated import scene_pb2, session_pb2, simulator_pb2_grpc, step_pb2, tensor_pb2
from numpy.typing import NDArray

from bench.ceilings import Ceilings
from bench.contest import Contest, Limit, Outputs, run
from bench.exact import psnr_db
from bench.processes import listening, model_server, python_server
from bench.result import Result
from bench.rows_model import flops_of
from bench.settings import SEED, Settings
from bench.torch_dynamics import Dynamics, load_config

_SIDE = 128
_CHECKED_STEPS = 5
_POOL_INDEX = 0
_MIN_PSNR_DB = 50.0  # of images in u8, after rounding
_LEVELS = 2
# Rounding swaps Gaussians of all but equal depth here and there, and the pixels before them differ: the Torch
# world in f32 against itself in f64 gives 59 dB and 99.7 % of the values within two levels.
_MIN_SHARE = 0.995
_MAX_REWARD_ERROR = 1e-3
_RENDER_LIMIT_S = 0.4e-3  # of the table, for 16k Gaussians
_SERVED_TARGET = 0.95
_TIMEOUT_S = 300.0


class Line:
    """A session of one environment on any Simulator; each step renders with one camera of 128^2."""

    def __init__(self, address: str, camera: Any, action_dim: int) -> None:
        self._stub = simulator_pb2_grpc.SimulatorStub(grpc.insecure_channel(address))  # type: ignore[no-untyped-call]
        request = session_pb2.CreateSessionRequest(num_envs=1, seed=1)
        self._session = self._stub.CreateSession(request).session_id
        self._camera, self._random = camera, np.random.default_rng([SEED, 10])
        self._action_dim = action_dim

    def reset(self) -> None:
        """Also starts the actions anew."""
        self._random = np.random.default_rng([SEED, 10])
        self._stub.Reset(step_pb2.ResetRequest(session_id=self._session, pool_indices=[_POOL_INDEX]))

    def step(self) -> tuple[float, NDArray[np.uint8]]:
        """Reward and picture [H, W, 3] after a random action."""
        action = self._random.uniform(-1, 1, (1, self._action_dim)).astype(np.float32)
        reply = self._stub.Step(
            step_pb2.StepRequest(
                session_id=self._session,
                actions=tensor_pb2.Tensor(
                    dtype=tensor_pb2.DTYPE_F32, shape=action.shape, data=action.tobytes()
                ),
                observations=["rgb"],
                camera=self._camera,
            )
        )
        rgb = np.frombuffer(reply.observations["rgb"].data, np.uint8).reshape(_SIDE, _SIDE, 3)
        return float(np.frombuffer(reply.reward.data, np.float32)[0]), rgb


def _camera(settings: Settings) -> Any:
    """The pool frame's own camera at twice the resolution."""
    from bench.torch_world import TorchWorld

    pool = TorchWorld(settings.checkpoint).pool
    intrinsics = pool["intrinsics"][_POOL_INDEX, 0].numpy().copy()
    intrinsics[:2] *= _SIDE / pool["rgb"].shape[-2]
    return scene_pb2.Camera(
        intrinsics=intrinsics.flatten().tolist(),
        world_from_cam=pool["world_from_cam"][_POOL_INDEX, 0].flatten().tolist(),
        width=_SIDE,
        height=_SIDE,
    )


def _compare(ours: Line, theirs: Line) -> Outputs:
    """Step by step from the same frame under the same actions."""
    ours.reset()
    theirs.reset()
    psnr, share, reward_error = np.inf, 1.0, 0.0
    for _ in range(_CHECKED_STEPS):
        (reward, image), (other_reward, other) = ours.step(), theirs.step()
        psnr = min(psnr, psnr_db(image / np.float32(255), other / np.float32(255)))
        near = np.abs(image.astype(int) - other.astype(int)) <= _LEVELS
        share = min(share, float(near.mean()))
        reward_error = max(reward_error, abs(reward - other_reward) / max(abs(other_reward), 1.0))
    equal = psnr >= _MIN_PSNR_DB and share >= _MIN_SHARE and reward_error <= _MAX_REWARD_ERROR
    text = f"PSNR {psnr:.1f} dB, {share:.3%} within {_LEVELS} of 255 levels, reward within {reward_error:.1g}"
    return Outputs(equal, f"{_CHECKED_STEPS} steps: {text}")


def _limit_s(settings: Settings, ceilings: Ceilings) -> float:
    config = load_config(settings.checkpoint)
    flops = flops_of(Dynamics(config), config["tokenizer"]["tokens"])
    return ceilings.scaled(_RENDER_LIMIT_S) + flops / ceilings.best_flops


def measure_step(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """The real server beside a Python server; one Python client drives both in turn."""
    action_dim = json.loads((settings.checkpoint / "config.json").read_text())["action_dim"]
    with ExitStack() as stack:
        commands = model_server(settings), python_server("bench.python_world", str(settings.checkpoint))
        camera = _camera(settings)
        ours, theirs = (
            Line(stack.enter_context(listening(command)).address, camera, action_dim) for command in commands
        )
        result = run(
            Contest(
                row=row,
                case=f"1 session, 1 evaluation, decode, render {_SIDE}^2, reward",
                ours=ours.step,
                baseline=theirs.step,
                baseline_name="Python gRPC + torch eager",
                check=lambda: _compare(ours, theirs),
                target=5.0,
                limit=Limit(_limit_s(settings, ceilings), "a render of C5 and the products of C9"),
                reason="one evaluation a step as the model is shipped, not the table's three: decoding and "
                "the wire weigh more; both sides spend their time in the same matrix products",
                settings="one Python client, loopback TCP; each server with all cores",
            ),
            settings,
        )
        result.extra = {"steps_per_s": None if not result.ours else 1e3 / result.ours}
        yield result
    yield measure_served(row, settings)


def loop_times(settings: Settings, envs: str) -> dict[tuple[str, int], list[float]]:
    """Milliseconds a call by ("served" or "inProcess", environments), one entry per repetition.

    Of served_bench, the two forms interleaved; envs: a regular expression of their number.
    """
    command = [str(settings.program("served_bench", "bench")), "--benchmark_format=json"]
    command += [
        f"--benchmark_filter=/{envs}/",
        f"--benchmark_repetitions={2 if settings.quick else 10}",
        "--benchmark_enable_random_interleaving=true",
        f"--benchmark_min_time={0.05 if settings.quick else 0.2}",
    ]
    environment = {**os.environ, "GWM_CHECKPOINT": str(settings.checkpoint)}
    environment |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    output = subprocess.run(
        command, env=environment, capture_output=True, check=True, text=True, timeout=_TIMEOUT_S
    ).stdout
    times: dict[tuple[str, int], list[float]] = {}
    for one in json.loads(output)["benchmarks"]:
        if one["run_type"] == "iteration":
            _, kind, count, *_ = one["run_name"].split("/")
            times.setdefault((kind, int(count)), []).append(one["real_time"])
    return times


def measure_served(row: str, settings: Settings) -> Result:
    """Steps through a server beside steps in the same process."""
    times = loop_times(settings, envs="1")
    served, inside = (statistics.median(times[kind, 1]) for kind in ("served", "inProcess"))
    share = inside / served
    return Result(
        row=row,
        case="served rate / in-process rate, 1 environment",
        unit="ms",
        target=">= 95 %",
        ours=served,
        baseline=inside,
        baseline_name="the same world in the process",
        ratio=share,
        pairs=len(times["served", 1]),
        met=share >= _SERVED_TARGET,
        reason="" if share >= _SERVED_TARGET else "the wire's 0.1 ms beside a step of a few ms",
        settings="google-benchmark, interleaved at random; no observation",
    )
