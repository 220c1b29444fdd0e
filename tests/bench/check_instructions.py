"""Counts the instructions of the CPU kernels under callgrind and compares them with instructions.json.

  check_instructions.py             exit status 1 when a kernel executes over 3 % more than written down
  check_instructions.py --update    writes the counts of now

Times depend on what else a machine does; these counts do not. They hold for one compiler and for the AVX2
level (valgrind knows no AVX-512); with another compiler, or without valgrind, the check says so and passes.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COUNTS = Path(__file__).with_name("instructions.json")
ALLOWED_GROWTH = 0.03
TIMEOUT_S = 300.0
# Kernel of kernel_once.cc -> the function whose instructions count.
FUNCTIONS = {
    "fps": "GwmBenchFps",
    "nearest": "GwmBenchNearest",
    "nearest_boxes": "GwmBenchNearest",
    "nearest_backward": "GwmBenchNearestBackward",
    "render": "GwmBenchRender",
    "render_backward": "GwmBenchRenderBackward",
    "norm_modulate": "GwmBenchNormModulate",
}


def count(program: Path, kernel: str) -> int:
    """Instructions that `kernel` executes. Raises RuntimeError when valgrind gives none."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [f"--toggle-collect={FUNCTIONS[kernel]}", str(program), kernel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"{kernel}: status {done.returncode}: {done.stderr[-500:]}")
    return int(found.group(1))


def compare(now: dict[str, int], written: dict[str, int]) -> list[str]:
    """One line for each kernel that executes too many instructions, or that is not written down."""
    lines = []
    for kernel, instructions in now.items():
        before = written.get(kernel)
        if before is None:
            lines.append(f"{kernel}: no count is written down (--update)")
        elif instructions > before * (1 + ALLOWED_GROWTH):
            lines.append(
                f"{kernel}: {instructions} instructions, {instructions / before - 1:+.1%} against {before}"
            )
    return lines


def compiler(build: Path) -> str:
    """Name and version of the compiler of a build folder."""
    cache = (build / "CMakeCache.txt").read_text()
    found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.MULTILINE)
    name = found.group(1) if found else "c++"
    return subprocess.run(
        [name, "-dumpfullversion"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _why_not(program: Path) -> str:
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (Debian: valgrind)"
    return "" if program.exists() else f"{program} is not built"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", help="build folder")
    parser.add_argument("--update", action="store_true", help="write the counts down instead")
    options = parser.parse_args()
    program = options.build / "bench/kernel_once"
    if reason := _why_not(program):
        print(f"[instructions] SKIPPED: {reason}")
        return 0
    ours = compiler(options.build)
    written = json.loads(COUNTS.read_text()) if COUNTS.exists() else {"compiler": "", "counts": {}}
    if not options.update and written["compiler"] != ours:
        print(f"[instructions] SKIPPED: counts are of compiler {written['compiler']}, not {ours}")
        return 0
    now = {}
    for kernel in FUNCTIONS:
        now[kernel] = count(program, kernel)
        before = written["counts"].get(kernel, "-")
        print(f"[instructions] {kernel:18} {now[kernel]:>12}  (written down: {before})", flush=True)
    if options.update:
        COUNTS.write_text(json.dumps({"compiler": ours, "counts": now}, indent=1) + "\n")
        return 0
    failures = compare(now, written["counts"])
    for line in failures:
        print(f"[instructions] FAILED {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
