# SPDX-License-Identifier: GPL-3.0-or-later
"""What DPoser is compared with, trained on the same poses. For evaluation only: no task of the engine uses them."""

from engine.evaluation.baselines.protocol import PoseBaseline
from engine.evaluation.baselines.trained import TRAINING_FOLDERS, load_baselines

__all__ = ["TRAINING_FOLDERS", "PoseBaseline", "load_baselines"]
