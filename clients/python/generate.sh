#!/usr/bin/env bash
# Generates the Python stubs of proto/gwm/v1 into src/gwm/_generated; does nothing when they are newer than the protos.
#
#   clients/python/generate.sh [--force]
#
# GWM_STUBS_PYTHON: a Python with grpcio-tools (default: build/stubs-python/bin/python of this repository).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
proto_root=$(cd "$here/../../proto" && pwd)
python=${GWM_STUBS_PYTHON:-$here/../../build/stubs-python/bin/python}
target=$here/src/gwm/_generated
names=(tensor timing scene spec session state step imagine observe run simulator perception policy models trainer server)

is_fresh() {
  local name
  for name in "${names[@]}"; do
    [ "$target/${name}_pb2_grpc.py" -nt "$proto_root/gwm/v1/$name.proto" ] || return 1
  done
  [ "$target/__init__.py" -nt "$here/generate.sh" ]
}
[ "${1:-}" != --force ] && is_fresh && exit 0

scratch=$(mktemp -d "$here/src/gwm/.generated.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
protos=()
for name in "${names[@]}"; do protos+=("$proto_root/gwm/v1/$name.proto"); done
"$python" -m grpc_tools.protoc -I"$proto_root" --python_out="$scratch" --pyi_out="$scratch" \
  --grpc_python_out="$scratch" "${protos[@]}"
# The generated modules import each other as gwm.v1; in the wheel they live in gwm._generated.
sed -i -E 's/^from gwm\.v1(\.| import )/from gwm._generated\1/' "$scratch"/gwm/v1/*.py "$scratch"/gwm/v1/*.pyi
printf '"""Generated from proto/gwm/v1 by generate.sh; not under version control."""\n' >"$scratch/gwm/v1/__init__.py"
mkdir -p "$target"
mv "$scratch"/gwm/v1/* "$target/"
touch "$target"/*
