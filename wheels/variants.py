# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packages are: which wheels each variant bundles, and what its manifest and file are called."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import PurePath

from wheels.steps import BuildError
from wheels.targets import Target

FULL, LITE, BARE = "full", "lite", "bare"

# The engine without PyTorch: filters and the Learned Smoother. NumPy is Blender's.
_LITE = ("scipy",)
# PyTorch with what it needs for all that the engine does with it.
_TORCH = (
    "torch",
    "filelock",
    "mpmath",
    "sympy",
    "typing-extensions",
)
BUNDLED: dict[str, tuple[str, ...]] = {
    FULL: (*_LITE, *_TORCH, "roma", "safetensors", "torchdiffeq"),
    LITE: _LITE,
    BARE: (),
}
"""Packages of each variant, by their normalised names; all their needs are among them or in `LEFT_OUT`."""

LEFT_OUT = {
    "numpy": "Blender brings it; extensions share one folder, where a second one would replace Blender's for all.",
    "networkx": "PyTorch draws graphs of compiled programs with it; the engine compiles none.",
    "jinja2": "PyTorch writes compiled programs with it.",
    "markupsafe": "jinja2 alone uses it.",
    "fsspec": "PyTorch saves models of clusters with it.",
    "setuptools": "PyTorch wants it to compile extensions of its own, which the engine never does.",
    "smplx": "Its licence is for research alone. No tool in Blender uses it.",
    "mannequin-x": "Only the evaluation and the demo use it.",
    "nanomanifold": "mannequin-x alone uses it.",
    "jaxtyping": "mannequin-x alone uses it.",
}
"""Packages that the requirements name, or that a bundled one declares to need, and why no zip holds them."""

_MINIMUM = re.compile(r'^blender_version_min = ".*"$', re.MULTILINE)


def file_name(manifest: str, variant: str, target: Target | None) -> str:
    """Name of a package's zip, such as ``dposer-0.1.0-full-linux-x64-py311.zip``.

    Args:
        manifest: text of ``blender_manifest.toml``, which has id and version.
        variant, target: as for `with_wheels`.
    """
    data = tomllib.loads(manifest)
    words = [data["id"], data["version"]]
    if target:
        words += [variant, target.platform.name, f"py{target.abi.digits}"]
    return "-".join(words) + ".zip"


def with_wheels(manifest: str, target: Target | None, files: Sequence[str]) -> str:
    """The manifest of a package that is made for one kind of Blender and bundles wheels.

    Args:
        manifest: text of ``blender_manifest.toml``.
        target: what it is made for; None for every Blender, without wheels.
        files: names of the wheels, which lie in the package's folder ``wheels``.

    Raises:
        BuildError: the manifest has no line ``blender_version_min``, whose place the new lines take.
    """
    if target is None:
        return manifest
    fields: dict[str, str | list[str]] = {"blender_version_min": target.abi.blender_min}
    if target.abi.blender_max:
        fields["blender_version_max"] = target.abi.blender_max
    fields["platforms"] = [target.platform.name]
    fields["wheels"] = [str(PurePath("wheels", name).as_posix()) for name in sorted(files)]
    # Strings and lists of plain strings are written alike in JSON and TOML.
    lines = "\n".join(f"{key} = {json.dumps(value, indent=2)}" for key, value in fields.items())
    text, count = _MINIMUM.subn(lambda _: lines, manifest)
    if count != 1:
        raise BuildError("blender_manifest.toml must have one line blender_version_min; write it back.")
    return text
