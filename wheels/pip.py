# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, which brings wheels of other platforms and Pythons, too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from wheels.targets import Abi


def download(
    python: Path, abi: Abi, tags: Iterable[str], folder: Path, *wanted: str | Path, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Download wheels, without what they need, into a folder.

    Args:
        python: an interpreter with pip.
        abi, tags: what the wheels are for; tags are platforms as wheels name them.
        folder: where they go.
        wanted: requirements and options that say more of them.
        quiet: keep what pip says, rather than show it.
    """
    options = ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
    options += [word for tag in dict.fromkeys(tags) for word in ("--platform", tag)]
    options += ["--python-version", abi.python, "--dest", os.fspath(folder)]
    command = [os.fspath(python), "-m", "pip", "download", *options, *(os.fspath(word) for word in wanted)]
    return subprocess.run(command, capture_output=quiet, text=True)
