#!/usr/bin/env bash
# Installs the client package, builds the project in consumer/ against it out of tree and runs it.
#   consumer_test.sh BUILD_FOLDER SOURCE_FOLDER
set -euo pipefail
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --component client --prefix "$work/prefix"
cp -r "$source" "$work/project"
cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/project/build"
"$work/project/build/consumer"

# The public headers must need nothing but the standard library.
if grep -rhE '#include [<"](grpc|google/|absl/|gwm/v1/|torch/)' "$work/prefix/include"; then
  echo "an installed header includes gRPC, protobuf, abseil or Torch" >&2
  exit 1
fi
