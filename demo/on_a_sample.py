# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a session of Blender's on the sample file, as a user's first start, for those who photograph what it leaves."""

from __future__ import annotations

from pathlib import Path

from demo.__main__ import blender


def run(session: str, extension: Path, folder: Path, *more: Path) -> Path:
    """Make the sample in a folder and run a module with the extension, the sample, the folder and more; its log.

    Raises:
        DemoError: Blender ended otherwise than it should.
    """
    user, sample, log = str(folder), folder / "sample.blend", folder / "session.log"
    blender("demo.sample_blend", sample, log=folder / "sample.log", BLENDER_USER_RESOURCES=user)
    blender(session, extension.resolve(), sample, folder, *more, log=log, BLENDER_USER_RESOURCES=user)
    return log
