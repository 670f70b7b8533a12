# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that a zip needs nothing else: installed into a fresh Blender without network, it cleans a clip."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from pathlib import Path

from wheels.steps import BuildError, say
from wheels.targets import ABIS, Abi
from wheels.variants import FULL, LITE

_SCRIPT = Path(__file__).with_name("installed.py")
_LIMIT = 15 * 60.0  # seconds


def contents(path: Path) -> tuple[str, Abi]:
    """A zip's variant, and the Python it is for.

    Raises:
        BuildError: it is no package of ours with wheels.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = tomllib.loads(archive.read("blender_manifest.toml").decode("utf-8"))
        names = [Path(wheel).name for wheel in manifest["wheels"]]
        (abi,) = (abi for abi in ABIS.values() if abi.blender_min == manifest["blender_version_min"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BuildError(f"{path} is no full or lite zip ({error}); build one: build.py package.") from error
    return (FULL if any(name.startswith("torch-") for name in names) else LITE), abi


def check(python: Path, path: Path, root: Path) -> bool:
    """Install a zip into a Blender that has nothing else, clean the demo's clip, and print what came of it.

    Args:
        python: an interpreter with Blender as a module, NumPy, and neither PyTorch nor SciPy.
        path: the zip.
        root: the project's folder, which has the clip.

    Returns:
        Whether all was as it should be.
    """
    variant, _ = contents(path)
    clips = [root / "demo" / "sample.bvh", root / "demo" / "sample_truth.bvh"]
    words: list[str | Path] = [*_alone(), python, "-I", _SCRIPT, path.resolve(), variant, *clips]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "DPOSER", "BLENDER"))
    }
    say(f"{path.name}, installed into a fresh profile{'' if _alone() else ' (with the network as it is)'}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        try:
            status = subprocess.run(
                [os.fspath(word) for word in words],
                cwd=profile,
                env=kept | {"BLENDER_USER_RESOURCES": profile},
                timeout=_LIMIT,
            ).returncode
        except subprocess.TimeoutExpired:
            print(f"Stopped, still running after {_LIMIT:.0f} s", flush=True)
            return False
    return status == 0


def _alone() -> list[str]:
    """The command that takes the network from a program, where this system has one that works."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0:
        return [unshare, "-rn"]
    return []
