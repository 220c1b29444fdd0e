#!/bin/sh
# Runs the CUDA tests of the kernels under each tool of NVIDIA's compute-sanitizer.
# Exit: 0 no finding, 1 a tool found something, 2 wrong use, 77 no GPU or no compute-sanitizer (nothing was checked).
set -eu

usage() {
  cat <<TEXT
usage: $0 [--help] [PROGRAM [TEST FLAG...]]

Runs PROGRAM (build/release/tests/kernels_cuda_test) under memcheck, racecheck, initcheck and synccheck, one after
another, with the given flags, such as --gtest_filter=*Render*. Every tool runs even if one before it found something.
TEXT
}

if [ "${1:-}" = "--help" ] || [ "${1:-}" = "-h" ]; then
  usage
  exit 0
fi
program="${1:-build/release/tests/kernels_cuda_test}"
[ $# -gt 0 ] && shift
if [ ! -x "$program" ]; then
  echo "compute_sanitizer.sh: $program is not there; build it: cmake --build --preset release -t kernels_cuda_test" >&2
  usage >&2
  exit 2
fi

sanitizer="$(command -v compute-sanitizer || true)"
for folder in "${CUDA_HOME:-/usr/local/cuda}/bin" "${CUDA_HOME:-/usr/local/cuda}/compute-sanitizer"; do
  if [ -z "$sanitizer" ] && [ -x "$folder/compute-sanitizer" ]; then
    sanitizer="$folder/compute-sanitizer"
  fi
done
if [ -z "$sanitizer" ]; then
  echo "compute_sanitizer.sh: SKIPPED, no compute-sanitizer on PATH nor in the CUDA toolkit; nothing was checked" >&2
  exit 77
fi
if ! nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then
  echo "compute_sanitizer.sh: SKIPPED, no GPU (nvidia-smi -L lists none); nothing was checked" >&2
  exit 77
fi

failed=""
for tool in memcheck racecheck initcheck synccheck; do
  echo "== $tool"
  if ! "$sanitizer" --tool "$tool" --error-exitcode 1 "$program" "$@"; then
    failed="$failed $tool"
  fi
done
if [ -n "$failed" ]; then
  echo "compute_sanitizer.sh: findings or failed tests under:$failed" >&2
  exit 1
fi
echo "compute_sanitizer.sh: no findings"
