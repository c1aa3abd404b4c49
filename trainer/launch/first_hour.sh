#!/usr/bin/env bash
# What to see on new GPUs before a long run, in order, into one report. From the checkout:
#   trainer/launch/first_hour.sh [--short] [OUT]      OUT: a new folder, default first-hour
# --short: what matters most on one device, within ten minutes with the start. Without it also the
# larger shapes, and with 2 or 8 GPUs a resume over NCCL and replicas of shards.
# A step that fails does not end the others; the last lines say which did, and the status is 1.
# DRY_RUN=1 prints the commands; DEVICES=8 counts the GPUs by hand; SHAPE=tiny-cpu tries the script
# itself where there is none. Not run on a GPU yet.
set -uo pipefail

short=""
if [[ ${1:-} == --short ]]; then
    short=1
    shift
fi
out=${1:-first-hour}
devices=${DEVICES:-$(nvidia-smi --list-gpus 2>/dev/null | wc -l)}
shape=${SHAPE:-150m}
limit=1800 # seconds of one step
[[ -z $short ]] || limit=150
results=()
export PYTORCH_ALLOC_CONF=${PYTORCH_ALLOC_CONF:-expandable_segments:True}

# step NAME COMMAND…: run it, its output into the report, and keep how it ended.
step() {
    local name=$1 begin=$SECONDS status=0
    shift
    if [[ -n ${DRY_RUN:-} ]]; then
        printf '%s: ' "$name"
        printf '%q ' "$@"
        echo
        return
    fi
    printf '\n## %s\n\n$ %s\n' "$name" "$*"
    timeout "$limit" bash -c '"$@"' _ "$@" 2>&1 || status=$? # a function needs a shell of its own
    results+=("$(printf '%-9s %4d s  %s' "$( ((status)) && echo "FAILED $status" || echo ok)" \
        $((SECONDS - begin)) "$name")")
    return 0
}

skip() {
    results+=("$(printf '%-9s %6s  %s' skipped - "$1")")
}

train() { # train PROCESSES FOLDER SETTING…: steps of the shape that is checked
    local processes=$1 folder=$2
    shift 2
    python -m torch.distributed.run --standalone --nproc-per-node "$processes" -m trainer train --config "$shape" \
        --out="$out/$folder" --data.tokens="$out/tokens" --model.vocab_size=2048 \
        --train.tokens=0 --train.schedule=constant --train.warmup_steps=2 --train.batch_rows=32 \
        --checkpoint.every=5 --eval.rows=8 --log.every=1 --parallel.compile=false "$@"
}

same_curve() { # same_curve A B TOLERANCE: the same batches, losses as far apart as that at most
    python - "$out/$1/metrics.jsonl" "$out/$2/metrics.jsonl" "$3" << 'PYTHON'
import json
import sys

rows = [[json.loads(line) for line in open(path)] for path in sys.argv[1:3]]
a, b = ({r["step"]: (r["chain"], r["train"]["loss"]) for r in part if "train" in r} for part in rows)
apart = max(abs(a[s][1] - b[s][1]) for s in a)
print(f"{len(a)} steps, losses at most {apart:.2e} apart")
assert a.keys() == b.keys() and all(a[s][0] == b[s][0] for s in a), "other batches"
assert apart <= float(sys.argv[3]), "another curve"
PYTHON
}

resumes() { # resumes PROCESSES: 10 steps, saved and gone on with after 5, as 10 in one go
    train "$1" "whole-$1" --train.steps=10 --train.micro_rows=4 &&
        train "$1" "halves-$1" --train.steps=5 --train.micro_rows=4 &&
        train "$1" "halves-$1" --train.steps=10 --train.micro_rows=4 &&
        same_curve "whole-$1" "halves-$1" 1e-3
}

replicas() { # 2 replicas of 4 shards against 8 shards
    train 8 shards --train.steps=10 --train.micro_rows=1 &&
        train 8 replicas --train.steps=10 --train.micro_rows=1 --parallel.replicate=2 &&
        same_curve shards replicas 1e-2
}

speed() { # speed SHAPE FLAG…: tokens/s, MFU and memory beside transformers and a plain loop
    local steps=20
    [[ -z $short ]] || steps=10
    python benchmarks/trainer.py --steps "$steps" --shape "$@"
}

export short out shape
export -f train same_curve resumes replicas speed

main() {
    step device nvidia-smi
    step torch python -c 'import torch; print(torch.__version__, torch.version.cuda)'
    step tests python -m pytest -q tests/trainer/test_gpu.py
    local pages=tests/data/documents.parquet
    step tokenizer python -m trainer tokenizer "$pages" --out "$out/tok" --vocab-size 2048
    step tokens python -m trainer prepare "$pages" --tokenizer "$out/tok" --out "$out/tokens"
    step "resume, 1 process" resumes 1
    step "MFU of $shape, compiled, with and without walls between documents" \
        speed "$shape" --compile --document
    step "memory of $shape by the planner" \
        python -m trainer plan --config "$shape" --model.vocab_size=32000
    if [[ -n $short ]]; then
        skip "larger shapes, several GPUs (--short)"
        return
    fi
    step "MFU of $shape, not compiled" speed "$shape" --document
    for larger in 760m 1.3b; do
        step "MFU of $larger" speed "$larger" --compile --document
        step "memory of $larger by the planner" python -m trainer plan --config "$larger"
    done
    if (( devices >= 2 )); then
        step "resume over NCCL, 2 processes" resumes 2
        step "2 processes as 1" same_curve whole-1 whole-2 1e-2
    else
        skip "resume over NCCL (one GPU)"
    fi
    if (( devices >= 8 )); then
        step "HSDP, 2 replicas of 4 shards" replicas
    else
        skip "HSDP 2x4 (fewer than 8 GPUs)"
    fi
}

if [[ -n ${DRY_RUN:-} ]]; then
    main
    printf '%s\n' "${results[@]}"
    exit 0
fi
if [[ -e $out ]]; then
    echo "first_hour.sh: $out exists: give a new folder" >&2
    exit 2
fi
mkdir -p "$out"
main > >(tee "$out/report.md") 2>&1
{
    printf '\n## Result\n\n'
    printf '    %s\n' "${results[@]}"
} | tee -a "$out/report.md"
[[ ${results[*]} != *FAILED* ]]
