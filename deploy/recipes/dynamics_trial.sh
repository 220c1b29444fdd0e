#!/usr/bin/env bash
# One trial of the dynamics on the tokenizer of a checkpoint: a short training with other settings, then its figures on the six noisy
# held-out episodes. About 7 minutes on one quiet core for 500 updates; the first trial also encodes the episodes (about 4 minutes).
#
#   deploy/recipes/dynamics_trial.sh NAME [MODEL [LOSS [STAGE]]]
#     MODEL  JSON whose fields replace those of gwm-small.model.json
#     LOSS   the same for "dynamics_loss" of gwm-small.train.json, STAGE for "dynamics"
#   FROM     checkpoint whose tokenizer is used (default checkpoints/gwm-small)
#   UPDATES  (default 500)      DATA  (default data/gwm-small)
#
#   deploy/recipes/dynamics_trial.sh direct '{"dynamics": {"residual": false}}'
#   deploy/recipes/dynamics_trial.sh unweighted '{}' '{"changed_token_weight": 0}'
#   deploy/recipes/dynamics_trial.sh short-average '{}' '{}' '{"ema_decay": 0.99}'
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:?a NAME for the trial is missing}
from=${FROM:-checkpoints/gwm-small}
data=${DATA:-data/gwm-small}
out=build/runs/trial-$name
latents=build/runs/trial-latents.safetensors
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
mkdir -p "$out.work/episodes"
[ -e "$out" ] || cp -r "$from" "$out"
[ ! -e "$latents" ] || ln -f "$latents" "$out.work/latents.safetensors"
for task in tests/data/episodes/*/; do
  mkdir -p "$out.work/episodes/$(basename "$task")"
  ln -sf "$PWD/$task"noisy_* "$out.work/episodes/$(basename "$task")/"
done
python3 - "$out.work" "${UPDATES:-500}" "${2:-{\}}" "${3:-{\}}" "${4:-{\}}" <<'PYTHON'
import json, sys
from pathlib import Path
work, updates, model_patch, loss_patch, stage_patch = sys.argv[1:]
model, train = (json.loads(Path(f"deploy/recipes/gwm-small.{part}.json").read_text()) for part in ("model", "train"))
for group, fields in json.loads(model_patch).items():
    model.setdefault(group, {}).update(fields)
train["dynamics"].update(steps=int(updates), shards=1, **json.loads(stage_patch))
train["dynamics_loss"].update(json.loads(loss_patch))
Path(work, "model.json").write_text(json.dumps(model))
Path(work, "train.json").write_text(json.dumps(train))
PYTHON
build/release/bin/gwm-train dynamics --threads=1 --data="$data" --out="$out" --model="$out.work/model.json" --train="$out.work/train.json"
[ -e "$latents" ] || ln "$out.work/latents.safetensors" "$latents"
build/release/bin/gwm-train eval --threads=1 --checkpoint="$out" --episodes="$out.work/episodes" --horizons=1,5,10,20 --json="$out.work/eval.json"
