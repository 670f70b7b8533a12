# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that tell how far each joint's rotation is known, frame by frame: `lift` writes them and `clean` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.commands.arguments import joint_names
from engine.errors import FileError
from engine.motion import npz
from engine.motion.files import replacing
from engine.motion.joints import JOINTS


def write(path: Path, confidence: np.ndarray) -> None:
    """Write confidences (T, 22) from 0 to 1 as an .npz; raises FileError where that cannot be done."""
    with replacing(path) as stream:
        np.savez_compressed(stream, joint_names=np.array(JOINTS), confidence=confidence.astype(np.float32))


def read(path: Path) -> np.ndarray:
    """(T, 22) from 0 to 1; joints that the file does not name are known.

    Raises:
        FileError: there is no such file, or it holds something else.
    """
    members = npz.read(path, keys=("joint_names", "confidence"))
    found = npz.array(path.name, members, "confidence", "f")
    names = joint_names(path.name, members)
    if found.ndim != 2 or found.shape[1] != len(names) or not ((found >= 0) & (found <= 1)).all():
        raise FileError(f"{path.name} must hold confidence (T, {len(names)}) from 0 to 1, one for each joint name.")
    result = np.ones((len(found), len(JOINTS)))
    result[:, [JOINTS.index(name) for name in names]] = found
    return result
