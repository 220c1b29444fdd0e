"""The reader of Dockerfiles that `make image-check` replays, and the Dockerfile itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_check.dockerfile import (
    DockerfileError,
    command,
    health_command,
    ignored,
    needed,
    pairs,
    parse,
    substitute,
)

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
# comment
ARG BASE=debian:12-slim
ARG OTHER=${BASE}
FROM ${OTHER} AS build
RUN first \\
    # a comment within
    second
FROM build AS tool
FROM ${BASE} AS final
COPY --from=build /a /b
"""


def test_reads_stages_arguments_and_continuation_lines() -> None:
    stages = parse(TEXT)
    assert [(stage.name, stage.base) for stage in stages] == [
        ("build", "debian:12-slim"),
        ("tool", "build"),
        ("final", "debian:12-slim"),
    ]
    assert [item.text for item in stages[0].instructions] == ["first  second"]


def test_needs_base_stages_and_those_that_are_copied_from() -> None:
    assert [stage.name for stage in needed(parse(TEXT), "final")] == ["build", "final"]
    assert [stage.name for stage in needed(parse(TEXT), "tool")] == ["build", "tool"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RUN true", "before the first FROM"),
        ("FROM a AS", "expected IMAGE"),
        ("FROM a\nVOLUME /x", "'VOLUME' is not known"),
        ("FROM a\nRUN x \\", "ends within an instruction"),
    ],
)
def test_refuses_what_it_does_not_know(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        parse(text)


def test_refuses_an_unknown_target() -> None:
    with pytest.raises(DockerfileError, match="no stage 'x'"):
        needed(parse("FROM a AS b"), "x")


def test_reads_values() -> None:
    assert pairs('A=1 B="two words"') == {"A": "1", "B": "two words"}
    assert substitute("$A/${B}/${C}", {"A": "x", "B": "y"}) == "x/y/"
    assert command('["a", "b c"]') == ["a", "b c"]
    assert command("a | b") == ["/bin/sh", "-c", "a | b"]
    assert health_command('--interval=1s CMD ["probe"]') == ["probe"]


def test_ignores_what_dockerignore_names() -> None:
    patterns = ["build", "*.log", "**/__pycache__"]
    assert ignored("build/release/bin/x", patterns)
    assert ignored("a.log", patterns)
    assert ignored("a/b/__pycache__/c.pyc", patterns)
    assert not ignored("engine/build/x", patterns)
    assert not ignored("engine/a.cc", patterns)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_image_runs_unprivileged_with_health_check_and_stop_signal(target: str) -> None:
    stages = needed(parse((ROOT / "Dockerfile").read_text()), target)
    items = {item.name: item.text for stage in stages for item in stage.instructions}
    assert items["USER"] not in ("root", "0")
    assert items["STOPSIGNAL"] == "SIGTERM"
    assert health_command(items["HEALTHCHECK"])[:2] == ["gwm-server", "--health"]
    assert command(items["ENTRYPOINT"]) == ["gwm-server"]
    assert stages[-1].instructions[-1].name == "USER"


def test_image_is_built_by_the_set_up_script() -> None:
    stages = needed(parse((ROOT / "Dockerfile").read_text()), "cpu")
    runs = [item.text for stage in stages for item in stage.instructions if item.name == "RUN"]
    assert any(text.startswith("deploy/setup.sh --compile") for text in runs)
    assert any(text.startswith("deploy/setup.sh --runtime") for text in runs)
