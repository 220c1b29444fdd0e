#!/usr/bin/env bash
# One trial of the tokenizer, or of the dynamics on the tokenizer of a checkpoint: a short training with other settings, then its
# figures on the six noisy held-out episodes. On one quiet core 500 updates of the dynamics take 7 minutes (the first trial also
# encodes the episodes, about 4 minutes), 500 updates of the tokenizer 4.
#
#   deploy/recipes/trial.sh vae|dynamics NAME [MODEL [LOSS [STAGE]]]
#     MODEL  JSON whose fields replace those of gwm-small.model.json
#     LOSS   the same for "vae_loss" or "dynamics_loss" of gwm-small.train.json, STAGE for "vae" or "dynamics"
#   FROM     dynamics: checkpoint whose tokenizer is used (default checkpoints/gwm-small)
#   UPDATES  (default 500)      DATA  (default data/gwm-small)      TRAIN  program (default build/release/bin/gwm-train)
#
#   deploy/recipes/trial.sh dynamics direct '{"dynamics": {"residual": false}}'
#   deploy/recipes/trial.sh dynamics unweighted '{}' '{"changed_token_weight": 0}'
#   UPDATES=2000 deploy/recipes/trial.sh dynamics short-average '{}' '{}' '{"ema_decay": 0.99}'
#   deploy/recipes/trial.sh vae not-rendered '{}' '{"rendered": 0}'
set -euo pipefail
cd "$(dirname "$0")/../.."
stage=${1:?"vae or dynamics is missing"}
name=${2:?"a NAME for the trial is missing"}
case $stage in vae | dynamics) ;; *) echo "no stage '$stage': vae and dynamics are there" >&2; exit 2 ;; esac
data=${DATA:-data/gwm-small}
train=${TRAIN:-build/release/bin/gwm-train}
out=build/runs/trial-$stage-$name
latents=build/runs/trial-latents.safetensors
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
mkdir -p "$out.work/episodes"
if [ "$stage" = dynamics ]; then
  [ -e "$out" ] || cp -r "${FROM:-checkpoints/gwm-small}" "$out"
  [ ! -e "$latents" ] || ln -f "$latents" "$out.work/latents.safetensors"
fi
for task in tests/data/episodes/*/; do
  mkdir -p "$out.work/episodes/$(basename "$task")"
  ln -sf "$PWD/$task"noisy_* "$out.work/episodes/$(basename "$task")/"
done
python3 - "$out.work" "$stage" "${UPDATES:-500}" "${3:-{\}}" "${4:-{\}}" "${5:-{\}}" <<'PYTHON'
import json, sys
from pathlib import Path
work, stage, updates, model_patch, loss_patch, stage_patch = sys.argv[1:]
model, train = (json.loads(Path(f"deploy/recipes/gwm-small.{part}.json").read_text()) for part in ("model", "train"))
for group, fields in json.loads(model_patch).items():
    model.setdefault(group, {}).update(fields)
train[stage].update(steps=int(updates), shards=1, **json.loads(stage_patch))
train.setdefault(f"{stage}_loss", {}).update(json.loads(loss_patch))
Path(work, "model.json").write_text(json.dumps(model))
Path(work, "train.json").write_text(json.dumps(train))
PYTHON
"$train" "$stage" --threads=1 --data="$data" --out="$out" --model="$out.work/model.json" --train="$out.work/train.json"
[ "$stage" = vae ] || [ -e "$latents" ] || ln "$out.work/latents.safetensors" "$latents"
"$train" eval --threads=1 --checkpoint="$out" --episodes="$out.work/episodes" --horizons=1,5,10,20 --json="$out.work/eval.json"
