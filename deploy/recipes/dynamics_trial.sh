#!/usr/bin/env bash
# One trial of the dynamics on the tokens of a finished recipe: a short training with other settings, then its figures on the six noisy
# held-out episodes. About 10 minutes on one core for 500 updates.
#
#   deploy/recipes/dynamics_trial.sh NAME [MODEL [LOSS]]
#     MODEL  JSON whose fields replace those of gwm-small.model.json, LOSS the same for "dynamics_loss" of gwm-small.train.json
#   FROM     finished run (default build/runs/gwm-small)      UPDATES  (default 500)
#
#   deploy/recipes/dynamics_trial.sh direct '{"dynamics": {"residual": false}}'
#   deploy/recipes/dynamics_trial.sh unweighted '{}' '{"changed_token_weight": 0}'
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:?a NAME for the trial is missing}
from=${FROM:-build/runs/gwm-small}
out=build/runs/trial-$name
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
mkdir -p "$out.work/episodes"
cp "$from.work/vae.state.safetensors" "$from.work/latents.safetensors" "$out.work/"
for task in tests/data/episodes/*/; do
  mkdir -p "$out.work/episodes/$(basename "$task")"
  ln -sf "$PWD/$task"noisy_* "$out.work/episodes/$(basename "$task")/"
done
python3 - "$out.work" "${2:-{\}}" "${3:-{\}}" "${UPDATES:-500}" <<'PYTHON'
import json, sys
from pathlib import Path
work, model_patch, loss_patch, updates = sys.argv[1:]
model, train = (json.loads(Path(f"deploy/recipes/gwm-small.{part}.json").read_text()) for part in ("model", "train"))
for group, fields in json.loads(model_patch).items():
    model.setdefault(group, {}).update(fields)
train["dynamics"].update(steps=int(updates), shards=1)
train["dynamics_loss"].update(json.loads(loss_patch))
Path(work, "model.json").write_text(json.dumps(model))
Path(work, "train.json").write_text(json.dumps(train))
PYTHON
for stage in vae dynamics; do
  build/release/bin/gwm-train $stage --threads=1 --data=data/gwm-small --out="$out" --model="$out.work/model.json" --train="$out.work/train.json"
done
build/release/bin/gwm-train eval --threads=1 --checkpoint="$out" --episodes="$out.work/episodes" --horizons=1,5,10,20 --json="$out.work/eval.json"
