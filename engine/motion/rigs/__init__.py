# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of a rig is which joint of the body: one JSON table per naming convention, and how they are found."""

from engine.motion.rigs.find import find_map, restored_map
from engine.motion.rigs.rig_map import RigMap, Source, Switch

__all__ = ["RigMap", "Source", "Switch", "find_map", "restored_map"]
