"""The commands, against a server in this process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from conftest import DATA, REPOSITORY
from fakes import point_server
from gwm.cli.main import main, make_parser
from gwm.cli.serve_env import parse_options
from gwm.cli.target import environment_options
from gwm.evaluate import bootstrap_interval, score, wilson_interval
from gwm.png import encode_png, write_png
from gwm.policies import make_policy
from gwm.progress import Progress, format_duration
from gwm.rollout import RolloutPlan, rollouts

COMMANDS = ("ping", "spec", "step", "collect", "dataset", "serve-env", "eval", "models")


@pytest.fixture
def address() -> Iterator[str]:
    with point_server(horizon=20) as server:
        yield server.address


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "example" in capsys.readouterr().out


def test_ping_tells_who_and_how_far(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "--address", address, "--count", "3"]) == 0
    out = capsys.readouterr().out
    assert "fake:point" in out
    assert "p99" in out


def test_nobody_there_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "--address", "127.0.0.1:1", "--timeout", "1"]) == 1
    err = capsys.readouterr().err.strip()
    assert err.startswith("gwm ping: error: UNAVAILABLE: 127.0.0.1:1")
    assert "\n" not in err


def test_spec_prints_and_dumps(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "--address", address]) == 0
    assert "observation   depth: float32 [1, 64, 64]" in capsys.readouterr().out
    assert main(["spec", "--address", address, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["spec"]["model_id"] == "fake:point"
    assert document["limits"]["max_sessions"] == 8


def test_step_writes_a_picture(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "frames.png"
    assert main(["step", "--address", address, "--steps", "2", "--png", str(picture)]) == 0
    assert "step 2: reward" in capsys.readouterr().out
    image = np.asarray(pytest.importorskip("PIL.Image").open(picture))
    assert image.shape == (64, 3 * 64, 3)


def test_png_is_lossless(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(
        np.asarray(pytest.importorskip("PIL.Image").open(tmp_path / "a.png")), image
    )
    with pytest.raises(ValueError, match="expected uint8"):
        encode_png(image.astype(np.float32))


def test_collect_writes_episodes_and_keeps_those_that_are_there(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "collect",
        "--address",
        address,
        "--policy",
        "random",
        "--out",
        str(tmp_path),
        "--parallel",
        "2",
    ]
    assert main([*arguments, "--episodes", "2", "--seed", "5"]) == 0
    paths = gwm.find_episodes(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "point/random_5.safetensors.zst",
        "point/random_6.safetensors.zst",
    ]
    before = paths[0].read_bytes()
    assert main([*arguments, "--episodes", "3", "--seed", "5"]) == 0
    assert "2 of 3 episodes are there already" in capsys.readouterr().out
    assert paths[0].read_bytes() == before
    episode = gwm.read_episode(paths[0])
    assert episode.metadata["kind"] == "random"
    assert episode.metadata["source"] == "fake:point"
    assert episode.state is not None
    np.testing.assert_allclose(
        np.diff(episode.state, axis=0), 0.1 * episode.action[1:], atol=1e-5, rtol=0, err_msg="inner steps"
    )
    assert not episode.action[0].any()
    assert (episode.depth_mm == 1000).all()


def test_collect_gives_the_same_file_again(address: str, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        out = tmp_path / name
        assert (
            main(
                ["collect", "--address", address, "--policy", "random", "--episodes", "2", "--out", str(out)]
            )
            == 0
        )
        contents.append([path.read_bytes() for path in gwm.find_episodes(out)])
    assert contents[0] == contents[1]


def test_eval_scores_a_policy_of_ones_own(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "score.json"
    arguments = ["--policy", "own_policy:make", "--episodes", "6", "--steps", "30", "--json", str(report)]
    assert main(["eval", "--address", address, *arguments]) == 0
    assert "success   100 %" in capsys.readouterr().out
    document = json.loads(report.read_text())
    assert document["success_rate"] == 1.0
    assert document["success_interval"][0] < 0.7
    assert len(document["per_episode"]) == 6
    low, high = document["return_interval"]
    assert low <= document["return_mean"] <= high


def test_a_policy_that_needs_more_than_is_offered_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with point_server() as server:
        assert (
            main(["collect", "--address", server.address, "--policy", "noisy", "--out", "/nonexistent"]) == 1
        )
    assert "no scripted policy for task 'point'" in capsys.readouterr().err


def test_scores_have_honest_intervals() -> None:
    low, high = wilson_interval(10, 10)
    assert (low, high) == (pytest.approx(0.722, abs=1e-3), pytest.approx(1.0))
    low, high = wilson_interval(0, 10)
    assert (low, high) == (pytest.approx(0.0), pytest.approx(0.278, abs=1e-3))
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert score([1.0], [True], [3]).return_interval == (1.0, 1.0)
    with pytest.raises(ValueError, match="no episode"):
        score([], [], [])


def test_options_are_json_or_words() -> None:
    assert parse_options(["horizon=20", "camera=corner2", "reflections=true"]) == {
        "horizon": 20,
        "camera": "corner2",
        "reflections": True,
    }
    with pytest.raises(ValueError, match="expected NAME=VALUE"):
        parse_options(["horizon"])


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_moves_on_a_terminal_and_prints_lines_in_a_pipe() -> None:
    now_s = [0.0]
    for stream, newlines in ((FakeTerminal(), 1), (io.StringIO(), 3)):
        now_s[0] = 0.0
        with Progress(4, "work", stream=stream, clock_s=lambda: now_s[0]) as progress:
            for _ in range(4):
                now_s[0] += 3.0
                progress.advance()
        text = stream.getvalue()
        assert text.count("\n") == newlines
        assert "4/4 steps (100 %) 0.3 steps/s, ETA 0s" in text
        assert ("\r" in text) == (newlines == 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (75, "1m15s"), (3700, "1h01m"), (float("inf"), "?"), (float("nan"), "?")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def run_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "clients" / "python" / "src")}


def test_serve_env_runs_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "gwm", "serve-env", "--env", "Pendulum-v1", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=run_environment()) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("serving Pendulum-v1 on 127.0.0.1:")
        with (
            gwm.Client(line.rsplit(" ", 1)[1]) as client,
            client.create_session(2, observations=["state"]) as s,
        ):
            assert s.reset().observations["state"].shape == (2, 3)
            assert s.step(np.zeros((2, 1))).step_index.tolist() == [1, 1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_a_world_that_fails_ends_the_collection_and_its_session() -> None:
    with point_server(poison_at=3) as server, gwm.Client(server.address) as client:
        plan = RolloutPlan(
            [1], 10, 2, lambda seed: make_policy("random", "point", seed, action_size=2), ["rgb"]
        )
        with pytest.raises(gwm.GwmError, match="not finite"):
            list(rollouts(client, plan))
        assert client.server_info().sessions == 0


def test_longer_episodes_are_asked_for_at_the_start() -> None:
    def options(*arguments: str) -> dict:
        return environment_options(make_parser().parse_args(["eval", *arguments]))

    assert options("--env", "metaworld:hammer-v3", "--steps", "150") == {"horizon": 150}
    assert options("--env", "metaworld:hammer-v3", "--steps", "50") == {}
    assert options("--env", "Pendulum-v1", "--steps", "150") == {}


@pytest.mark.metaworld
def test_collect_repeats_a_published_episode(tmp_path: Path) -> None:
    published = gwm.read_episode(DATA / "episodes" / "hammer-v3" / "expert_004.safetensors.zst")
    arguments = [
        "--policy",
        "scripted",
        "--episodes",
        "1",
        "--steps",
        "8",
        "--seed",
        published.metadata["seed"],
    ]
    assert main(["collect", "--env", "metaworld:hammer-v3", "--out", str(tmp_path), *arguments]) == 0
    (path,) = gwm.find_episodes(tmp_path)
    collected = gwm.read_episode(path)
    metadata = {key: value for key, value in published.metadata.items() if key != "kind"}
    assert collected.metadata == {**metadata, "kind": "expert"}
    error = np.mean((collected.rgb.astype(np.float64) - published.rgb[:9]) ** 2) / 255**2
    assert error <= 10**-4.5
    np.testing.assert_allclose(collected.reward, published.reward[:9], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(collected.action, published.action[:9], atol=1e-3)
