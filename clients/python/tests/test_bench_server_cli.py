"""gwm bench-server: finds its program and hands the options over."""

from __future__ import annotations

from pathlib import Path

import pytest
from gwm.cli import bench_server
from gwm.cli.main import main, make_parser


def test_options_reach_the_program_as_they_were_given(tmp_path: Path) -> None:
    args = make_parser().parse_args(
        ["bench-server", "--address", "h:1", "--mode", "vector", "--deadline-ms", "20", "--program", "p"]
    )
    assert bench_server.command_of(args) == ["p", "--address=h:1", "--mode=vector", "--deadline_ms=20"]


def test_the_programs_exit_status_is_the_commands(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\n[ "$1" = "--address=h:1" ] && exit 7\nexit 0\n')
    program.chmod(0o755)
    assert main(["bench-server", "--address", "h:1", "--program", str(program)]) == 7


def test_a_program_that_is_nowhere_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("GWM_BUILD", "build/nowhere")
    assert main(["bench-server", "--address", "h:1"]) == 1
    assert "gwm-bench-server is not there" in capsys.readouterr().err
