#!/usr/bin/env bash
# Installs everything that gwm needs to build, run and test: Debian packages, a pinned Python environment and the
# environment that generates the Python stubs. Idempotent: a second run ends within a second.
#
#   deploy/setup.sh            everything (needs root, or the Debian packages already there)
#   deploy/setup.sh --compile  only what compiling the programs needs: no test and development tools of Python
#   deploy/setup.sh --runtime  only the Debian libraries that a finished server needs to run
#
# Environment variables:
#   GWM_CACHE_DIR   where the Python environments live (default ~/.cache/gwm), shared by all clones on a machine
#   GWM_TORCH_ROOT  an existing LibTorch or torch wheel folder (holds lib/ and include/) to link instead of the pinned one
#   PYTHON          the Python 3.11 interpreter (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."
exec 3>&1
say() { printf '[setup] %s\n' "$*" >&3; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

mode=all
case "${1:-}" in
  "") ;;
  --compile) mode=compile ;;
  --runtime) mode=runtime ;;
  -h | --help) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
  *) die "unknown option '$1'; see deploy/setup.sh --help" ;;
esac

runtime_packages=(ca-certificates libgrpc++1.51 libprotobuf32 libabsl20220623
  libprometheus-cpp-core1.0 libspdlog1.10 libpng16-16 libzstd1)
python_packages=(python3 python3-venv libosmesa6)
build_packages=(g++ cmake make ninja-build ccache git pkg-config libgrpc++-dev protobuf-compiler-grpc protobuf-compiler
  libprotobuf-dev libabsl-dev prometheus-cpp-dev libspdlog-dev nlohmann-json3-dev libpng-dev libzstd-dev zlib1g-dev
  libgtest-dev libgmock-dev libbenchmark-dev libnanoflann-dev valgrind clang-format clang-tidy shellcheck)

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || printf '%s\n' "$package"
  done
}

install_debian_packages() {
  command -v dpkg-query >/dev/null || die "this script knows Debian 12 only; install by hand: $*"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    die "not root, and these Debian packages are missing: ${missing[*]}
        Ask an administrator to run:  sudo apt-get install ${missing[*]}
        or run this script once as root:  sudo deploy/setup.sh"
  fi
  say "installing ${#missing[@]} Debian packages"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# make_environment NAME REQUIREMENTS_FILE -> prints the folder; complete exactly when the stamp file is there.
make_environment() {
  local name=$1 requirements=$2 key folder
  key=$(sha256sum "$requirements" | cut -c1-12)
  folder="${GWM_CACHE_DIR:-$HOME/.cache/gwm}/$name-$key"
  if [ ! -e "$folder/.complete" ]; then
    mkdir -p "$(dirname "$folder")"
    (
      flock 9
      [ -e "$folder/.complete" ] && exit 0
      say "installing the Python environment '$name' (first time only)"
      rm -rf "$folder"
      "${PYTHON:-python3}" -m venv "$folder"
      "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&3
      touch "$folder/.complete"
    ) 9>"$folder.lock"
  fi
  printf '%s\n' "$folder"
}

check_python() {
  "${PYTHON:-python3}" - <<'PY' || die "Python 3.11 is needed; set PYTHON to such an interpreter"
import sys
sys.exit(sys.version_info[:2] != (3, 11))
PY
}

# The LibTorch pin alone, for machines that only compile.
torch_requirement() {
  mkdir -p build
  grep '^torch==' requirements.txt >build/torch-requirement.txt
  printf 'build/torch-requirement.txt\n'
}

if [ "$mode" = runtime ]; then
  install_debian_packages "${runtime_packages[@]}"
  say "ready"
  exit
fi
install_debian_packages "${runtime_packages[@]}" "${python_packages[@]}" "${build_packages[@]}"
check_python
mkdir -p build
if [ "$mode" = compile ]; then
  [ -n "${GWM_TORCH_ROOT:-}" ] || ln -sfn "$(make_environment torch "$(torch_requirement)")" build/python
  say "ready: LibTorch in ${GWM_TORCH_ROOT:-build/python}"
  exit
fi
ln -sfn "$(make_environment python requirements.txt)" build/python
ln -sfn "$(make_environment stubs deploy/requirements-stubs.txt)" build/stubs-python
say "ready: build/python, build/stubs-python"
