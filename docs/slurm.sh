#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#SBATCH --job-name=dposer
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
# Cleans this job's share of a folder of takes: sbatch --array=0-9 docs/slurm.sh IN OUT [options of clean]
# Submitted from the project's folder; DPOSER_PYTHON names another Python than the one that build.py made.
exec "${DPOSER_PYTHON:-.venv/bin/python}" -m engine clean "$@" \
    --share "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "${SLURM_CPUS_PER_TASK:-1}"
