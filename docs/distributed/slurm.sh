#!/bin/bash
# sbatch docs/distributed/slurm.sh    two nodes, four GPUs each: eight workers
#SBATCH --job-name=faces
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

# Two minutes before the time is up SLURM sends USR1: the run is saved, and the job goes
# back into the queue. So it does where a worker was lost (status 75), up to 20 times.
srun --wait=60 "${PYTHON:-.venv/bin/python}" main.py \
    --dataset celebA --train --epoch 100 --name faces "$@"
status=$?
if [ "$status" -eq 75 ] || [ "$status" -eq $((128 + $(kill -l USR1))) ]; then
    [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ] && scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
