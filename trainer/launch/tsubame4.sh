#!/usr/bin/env bash
# TSUBAME 4.0 (Altair Grid Engine), jobs chained under the time limit. From the checkout:
#   qsub -g GROUP -l node_f=2 -l h_rt=24:00:00 -v LIMIT=86400,CHAIN=7,GROUP=GROUP \
#        trainer/launch/tsubame4.sh --config 1.3b [--section.key=value …]
# MARGIN seconds before LIMIT the workers get SIGUSR1, save and end; then the job submits its
# successor, CHAIN times at most. A run that is done or that fails submits nothing.
# Output: inaho.oJOB and logs/inaho-JOB.log. VENV=.venv  GPUS=4
# DRY_RUN=1 bash trainer/launch/tsubame4.sh … prints everything. Not run on TSUBAME yet: run with Open
# MPI on one machine and a fake qsub.
#$ -cwd
#$ -N inaho
#$ -j y
#$ -l node_f=1
#$ -l h_rt=24:00:00
set -euo pipefail

GPUS=${GPUS:-4}
LIMIT=${LIMIT:-86400}
MARGIN=${MARGIN:-600}
CHAIN=${CHAIN:-0}
GROUP=${GROUP:-GROUP}
SCRIPT=${SCRIPT:-$PWD/trainer/launch/tsubame4.sh}
if [[ -n ${PE_HOSTFILE:-} ]]; then
    mapfile -t nodes < <(awk '!seen[$1]++ {print $1}' "$PE_HOSTFILE")
else
    nodes=(localhost)
fi
export MASTER_ADDR=${nodes[0]} MASTER_PORT=${MASTER_PORT:-29500}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
export PYTORCH_ALLOC_CONF=${PYTORCH_ALLOC_CONF:-expandable_segments:True}
if [[ -n ${IFNAME:-} ]]; then # the network the nodes talk over, where it is not the first one
    export GLOO_SOCKET_IFNAME=$IFNAME NCCL_SOCKET_IFNAME=$IFNAME
fi
ulimit -n "$(ulimit -Hn)" # a process of many has a socket to many; workers raise their own, too
passed=()
for name in PATH LD_LIBRARY_PATH PYTHONPATH MASTER_ADDR MASTER_PORT OMP_NUM_THREADS \
    PYTORCH_ALLOC_CONF WANDB_MODE GLOO_SOCKET_IFNAME NCCL_SOCKET_IFNAME TORCH_GLOO_LAZY_INIT; do
    [[ -z ${!name:-} ]] || passed+=(-x "$name")
done
command=(timeout --signal=USR1 "$(( LIMIT - MARGIN ))"
    mpirun -np "$(( ${#nodes[@]} * GPUS ))" --map-by "ppr:$GPUS:node" --bind-to none
    "${passed[@]}" python -m trainer train "$@")
successor=(qsub -g "$GROUP" -l "node_f=${#nodes[@]}"
    -l "h_rt=$(printf '%d:%02d:%02d' \
        $(( LIMIT / 3600 )) $(( LIMIT % 3600 / 60 )) $(( LIMIT % 60 )))"
    -v "LIMIT=$LIMIT,MARGIN=$MARGIN,CHAIN=$(( CHAIN - 1 )),GROUP=$GROUP" "$SCRIPT" "$@")

if [[ -n ${DRY_RUN:-} ]]; then
    echo "nodes: ${nodes[*]}; $CHAIN jobs may follow"
    printf '%q ' "${command[@]}"
    echo
    if (( CHAIN > 0 )); then
        printf '%q ' "${successor[@]}"
        echo
    fi
    exit 0
fi
if (( LIMIT <= MARGIN )); then
    echo "tsubame4.sh: LIMIT ($LIMIT s) leaves nothing beyond MARGIN ($MARGIN s)" >&2
    exit 2
fi
if [[ -f ${VENV:-.venv}/bin/activate ]]; then
    # shellcheck disable=SC1091
    source "${VENV:-.venv}/bin/activate"
fi

mkdir -p logs
log=logs/inaho-${JOB_ID:-$$}.log
status=0
"${command[@]}" 2>&1 | tee "$log" || status=$?
if grep -q "stopped by a signal; step [0-9]* is saved" "$log"; then
    if (( CHAIN > 0 )); then
        "${successor[@]}"
    else
        echo "tsubame4.sh: the run is not done and CHAIN is used up: submit again to go on" >&2
    fi
    exit 0
fi
exit "$status"
