#!/usr/bin/env bash
# Builds the server and gathers what an image needs of it: bin/, lib/ (with the used part of LibTorch), checkpoints/.
#
#   deploy/image_files.sh cpu|cuda OUT_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
out=$2
case "$kind" in
  cpu) torch_cuda=OFF ;;
  cuda) torch_cuda=ON ;;
  *) echo "image_files.sh: kind '$kind'; expected cpu or cuda" >&2; exit 2 ;;
esac

build=build/image-$kind
cmake --preset release -B "$build" -DGWM_TESTS=OFF -DGWM_PARTS="kernels;io;engine;proto;server" \
  -DGWM_TORCH_CUDA=$torch_cuda
cmake --build "$build" --target gwm-server --parallel "$(nproc)"

mkdir -p "$out/bin" "$out/lib" "$out/checkpoints"
install -s "$build/bin/gwm-server" "$out/bin/"
cp -r checkpoints/gwm-small "$out/checkpoints/"
# Everything that is not a library of Debian: ours and those of the wheel.
ldd "$build/bin/gwm-server" | awk '$3 ~ /^\// && $3 !~ /^\/(usr\/)?lib\// {print $3}' |
  while read -r library; do cp -Lu "$library" "$out/lib/"; done
if [ "$kind" = cuda ]; then
  # cuDNN, cuBLAS and NVRTC load parts of themselves by name at run time.
  torch_root=$(sed -n 's/^GWM_TORCH_ROOT:PATH=//p' "$build/CMakeCache.txt")
  find "$torch_root/../nvidia" "$torch_root/lib" -name '*.so*' ! -name 'libtorch_python*' -exec cp -Lu {} "$out/lib/" \;
fi
du -sh "$out"
