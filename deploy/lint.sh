#!/usr/bin/env bash
# Checks the style of the tracked files: clang-format, clang-tidy, ruff, mypy, shellcheck.
#
#   deploy/lint.sh          clang-tidy on the C++ sources that differ from the main branch (or from the last commit)
#   deploy/lint.sh all      clang-tidy on every C++ source (minutes each where Torch is included)
#   deploy/lint.sh --fix    rewrites files instead: clang-format -i, ruff format, ruff check --fix
#
# clang-tidy needs build/release/compile_commands.json (make build); without it that step says so and is left out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

mode=${1:-changed}
python=build/python/bin
config=clients/python/pyproject.toml
failures=()

check() {
  local name=$1
  shift
  if "$@"; then printf '[lint] %-12s ok\n' "$name"; else
    printf '[lint] %-12s FAILED\n' "$name"
    failures+=("$name")
  fi
}

tracked() { git ls-files -- "$@" | while read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done; }

changed_sources() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD~1 2>/dev/null || git rev-parse HEAD)
  { git diff --name-only "$base" -- '*.cc'; git ls-files --others --exclude-standard -- '*.cc'; } | sort -u |
    while read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done
}

# Sources that the release build compiles: the others (a left-out part) have no compile command.
compiled() {
  while read -r file; do
    grep -q "\"file\": \"$PWD/$file\"" build/release/compile_commands.json && printf '%s\n' "$file"
  done
}

run_clang_tidy() {
  [ ${#tidy_sources[@]} -eq 0 ] && return 0
  # gcc's options for precompiled headers mean nothing to clang.
  local commands=build/lint
  mkdir -p "$commands"
  sed -E 's/ -include [^ ]*cmake_pch\.hxx//g; s/-fpch-preprocess//g; s/-Winvalid-pch//g' \
    build/release/compile_commands.json >"$commands/compile_commands.json"
  printf '%s\n' "${tidy_sources[@]}" |
    xargs -P "$(nproc)" -n 1 nice clang-tidy --quiet -p "$commands" 2> >(grep -v 'warnings generated' >&2)
}

mapfile -t cpp < <(tracked '*.cc' '*.h' '*.cu' '*.cuh')
mapfile -t python_folders < <(tracked '*.py' '*.pyi' | grep -v '_pb2' | cut -d/ -f1,2 | sort -u)
mapfile -t shell < <(tracked '*.sh' '.ci/run')

if [ "$mode" = --fix ]; then
  clang-format -i "${cpp[@]}"
  "$python/ruff" check --config "$config" --fix --quiet "${python_folders[@]}"
  "$python/ruff" format --config "$config" --quiet "${python_folders[@]}"
  exit
fi

[ ${#cpp[@]} -gt 0 ] && check clang-format clang-format --dry-run -Werror "${cpp[@]}"
check ruff "$python/ruff" check --config "$config" --quiet "${python_folders[@]}"
check mypy env MYPYPATH=clients/python/src:deploy "$python/mypy" --config-file "$config" -p gwm -p demo -p image_check
check "mypy (tools)" "$python/mypy" --config-file "$config" deploy/run_tests.py deploy/run_benchmarks.py
check shellcheck shellcheck "${shell[@]}"
if [ -e build/release/compile_commands.json ]; then
  if [ "$mode" = all ]; then mapfile -t tidy_sources < <(tracked '*.cc' | compiled); else
    mapfile -t tidy_sources < <(changed_sources | compiled)
  fi
  check "clang-tidy (${#tidy_sources[@]} files)" run_clang_tidy
else
  echo '[lint] clang-tidy   left out: no build/release/compile_commands.json (make build makes it)'
fi

if [ ${#failures[@]} -gt 0 ]; then
  printf '[lint] failed: %s\n' "${failures[*]}" >&2
  exit 1
fi
