#!/usr/bin/env bash
# The whole recipe of the shipped checkpoint: collect 456 Meta-World episodes of six tasks, train tokenizer, dynamics, reward head and
# error head, evaluate on held-out episodes, write the model card. Every part goes on where it stopped when the script is run again.
# Two hours on 2 cores without a GPU (docs/results/fidelity.md).
#
#   deploy/recipes/gwm-small.sh [OUT [MODEL]]
#     OUT    checkpoint folder (default build/runs/MODEL)
#     MODEL  gwm-small (default) or gwm-small-set, the same with the set tokenizer
set -euo pipefail
cd "$(dirname "$0")/../.."
model=${2:-gwm-small}
out=${1:-build/runs/$model}
recipe=deploy/recipes/$model
[ -f "$recipe.model.json" ] || { echo "no model '$model': gwm-small and gwm-small-set are there" >&2; exit 2; }
bin=build/release/bin
[ -x $bin/gwm-train ] || make build
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0

start=$SECONDS
collect() { # SHARD
  # The software renderer's own threads only get in each other's way here.
  LP_NUM_THREADS=0 OMP_NUM_THREADS=1 PYTHONPATH=clients/python/src build/python/bin/python -m gwm.dataset --out data/gwm-small --shard "$1"
}
collect 0/2 &
first=$!
collect 1/2
wait $first

"$bin/gwm-train" all --data=data/gwm-small --out="$out" \
  --model="$recipe.model.json" --train="$recipe.train.json"
"$bin/gwm-train" eval --checkpoint="$out" --episodes=tests/data/episodes \
  --novel_view=tests/data/novel_view --horizons=1,2,3,5,10,20 --json="$out.work/eval.json" --sheet="$out.work/contact_sheet.png" \
  --gifs="$out.work/gifs" --card="Figures on held-out episodes (tests/data/episodes)"
printf 'done in %d min; checkpoint: %s\n' $(((SECONDS - start) / 60)) "$out"
