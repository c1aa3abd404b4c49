#!/usr/bin/env bash
# One machine, all its GPUs (or two CPU processes):  launch/torchrun.sh --config 150m [--section.key=value …]
# A dead worker is restarted from the newest whole checkpoint, up to RESTARTS times.
# DRY_RUN=1 prints the command.
set -euo pipefail

gpus=$(nvidia-smi --list-gpus 2>/dev/null | wc -l || true)
processes=${PROCESSES:-$(( gpus > 0 ? gpus : 2 ))}
command=(torchrun --standalone --nproc-per-node "$processes" --max-restarts "${RESTARTS:-3}"
    -m trainer train "$@")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export PYTORCH_ALLOC_CONF=${PYTORCH_ALLOC_CONF:-expandable_segments:True}

if [[ -n ${DRY_RUN:-} ]]; then
    printf '%q ' "${command[@]}"
    echo
    exit 0
fi
exec "${command[@]}"
