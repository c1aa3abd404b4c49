#!/usr/bin/env bash
# TSUBAME 4.0 (Altair Grid Engine):
#   qsub -g GROUP -l node_f=2 -l h_rt=24:00:00 -v LIMIT=86400 trainer/launch/tsubame4.sh --config 1.3b
# MARGIN seconds before LIMIT the workers get SIGUSR1, save and end; submit the same line to go on.
# DRY_RUN=1 bash trainer/launch/tsubame4.sh … prints the command. Not run on TSUBAME yet.
#$ -cwd
#$ -N inaho
#$ -j y
#$ -l node_f=1
#$ -l h_rt=24:00:00
set -euo pipefail

GPUS=4
LIMIT=${LIMIT:-86400}
MARGIN=${MARGIN:-600}
if [[ -n ${PE_HOSTFILE:-} ]]; then
    mapfile -t nodes < <(awk '{print $1}' "$PE_HOSTFILE")
else
    nodes=(localhost)
fi
export MASTER_ADDR=${nodes[0]} MASTER_PORT=${MASTER_PORT:-29500}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
export PYTORCH_ALLOC_CONF=${PYTORCH_ALLOC_CONF:-expandable_segments:True}
command=(timeout --signal=USR1 "$(( LIMIT - MARGIN ))"
    mpirun -np "$(( ${#nodes[@]} * GPUS ))" -npernode "$GPUS"
    -x PATH -x MASTER_ADDR -x MASTER_PORT -x OMP_NUM_THREADS -x PYTORCH_ALLOC_CONF
    python -m trainer train "$@")

if [[ -n ${DRY_RUN:-} ]]; then
    echo "nodes: ${nodes[*]}"
    printf '%q ' "${command[@]}"
    echo
    exit 0
fi
exec "${command[@]}"
