"""Generates the stubs before the package is put together; everything else is in pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto" / "gwm" / "v1"
GENERATED = HERE / "src" / "gwm" / "_generated"


class BuildWithStubs(build_py):
    """Runs generate.sh where the protos are; a source distribution carries the stubs instead."""

    def run(self) -> None:
        if PROTO.is_dir():
            default = HERE.parent.parent / "build" / "stubs-python" / "bin" / "python"
            python = os.environ.get("GWM_STUBS_PYTHON") or (
                str(default) if default.exists() else sys.executable
            )
            subprocess.run(
                [str(HERE / "generate.sh")], check=True, env={**os.environ, "GWM_STUBS_PYTHON": python}
            )
        elif not (GENERATED / "simulator_pb2.py").exists():
            raise SystemExit(f"no stubs in {GENERATED}, and no protos in {PROTO} to make them from")
        super().run()


setup(cmdclass={"build_py": BuildWithStubs})
