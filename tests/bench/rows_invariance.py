"""C17: are the bits of an environment the same alone, in a batch and again? On the real checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gwm
import numpy as np
from numpy.typing import NDArray

from bench.ceilings import Ceilings
from bench.processes import listening, model_server
from bench.result import Result
from bench.settings import SEED, Settings

ENVS, STEPS, STEPS_QUICK = 16, 20, 4
# More than one, so that the noise is drawn and used.
_SAMPLER_CALLS = 3
_OBSERVATIONS = ("rgb", "latent")
_SESSION_SEED = 7

# Of one step: name -> [envs, ...]
Step = dict[str, NDArray[Any]]


def _roll_out(
    client: gwm.Client, actions: NDArray[np.float32], groups: Sequence[Sequence[int]]
) -> list[Step]:
    """actions [T, ENVS, A]; each call steps the environments of one group."""
    steps: list[Step] = []
    with client.create_session(
        num_envs=ENVS, seed=_SESSION_SEED, observations=_OBSERVATIONS, sampler_calls=_SAMPLER_CALLS
    ) as session:
        session.reset(pool_indices=[env % 4 for env in range(ENVS)])
        for action in actions:
            parts: dict[str, list[NDArray[Any]]] = {}
            for group in groups:
                result = session.step(action[list(group)], env_ids=list(group))
                for name, value in {**result.observations, "reward": result.reward}.items():
                    parts.setdefault(name, []).append(value)
            steps.append({name: np.concatenate(values) for name, values in parts.items()})
    return steps


def equal_share(a: list[Step], b: list[Step]) -> float:
    """Share of the values that have the same bits in both."""
    same = total = 0
    for x, y in zip(a, b, strict=True):
        for name, value in x.items():
            left, right = (np.ascontiguousarray(part).view(np.uint8) for part in (value, y[name]))
            same += int((left == right).sum())
            total += left.size
    return same / total


def measure_invariance(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """One batch of 16 against 16 batches of one, against batches of 1, 3, 5, 7, and against itself again."""
    steps = STEPS_QUICK if settings.quick else STEPS
    together = [range(ENVS)]
    others = {
        "alone": [[env] for env in range(ENVS)],
        "in ragged batches": [range(0, 1), range(1, 4), range(4, 9), range(9, 16)],
        "again": together,
    }
    with listening(model_server(settings)) as server, gwm.Client(server.address) as client:
        action_dim = int(client.spec().action.shape[-1])
        random = np.random.default_rng([SEED, 17])
        actions = random.uniform(-1, 1, (steps, ENVS, action_dim)).astype(np.float32)
        reference = _roll_out(client, actions, together)
        for name, groups in others.items():
            share = equal_share(reference, _roll_out(client, actions, groups))
            yield Result(
                row=row,
                case=f"batch of {ENVS} {name}",
                unit="% equal bytes",
                target="100 %",
                ours=100 * share,
                limit=100.0,
                limit_of="all",
                limit_percent=100 * share,
                met=share == 1,
                reason="" if share == 1 else "a kernel whose reduction order depends on the batch",
                outputs_equal=share == 1,
                state="measured" if share == 1 else "refused",
                outputs=f"{', '.join(_OBSERVATIONS)}, reward; {steps} steps, {_SAMPLER_CALLS} sampler calls",
                settings="gwm-server on the checkpoint, Python client",
            )
