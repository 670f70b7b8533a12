# SPDX-License-Identifier: GPL-3.0-or-later
"""Every package that the project brings along has a licence that is known, and one that goes with the project's own."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("requirements.txt", "requirements-dev.txt", "requirements-nodeps.txt", "requirements-ray.txt")

GOES_WITH_GPL = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "GPL-3.0-or-later", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0",
    "Apache-2.0 WITH LLVM-exception",
}  # fmt: skip
"""What may be part of a work under GPL-3.0-or-later, by SPDX's names."""

ALONE = {"smplx"}
"""Packages for research alone: used where a user has SMPL files of that licence, and never part of what we publish."""

TITLES = {
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GPL-3.0": "GPL-3.0-or-later",  # bpy: Blender is "version 2 or later", with parts that make it version 3
}
"""What packages call them that have no SPDX expression."""


def pins(*names: str) -> set[str]:
    """The packages that requirement files pin."""
    lines = [line for name in names for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    found = [re.match(r"[A-Za-z0-9._-]+(?===)", line) for line in lines]
    return {match[0] for match in found if match}


def brought() -> list[metadata.Distribution]:
    """The pinned packages that are installed here: all that are needed, others where something brings them along."""
    files = [path.name for path in sorted(ROOT.glob("requirements*.txt"))]
    others = pins("constraints.txt", *files) - pins(*NEEDED)
    found = [metadata.distribution(name) for name in sorted(pins(*NEEDED))]
    for name in sorted(others):
        try:
            found.append(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue
    return found


def licences(package: metadata.Distribution) -> list[set[str]]:
    """What a package's metadata says: licences that all hold, each as the choices it leaves; empty for nothing."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return [set(re.split(r"\s+OR\s+", part.strip("() "))) for part in re.split(r"\s+AND\s+", expression)]
    titles = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License")]
    named = [line for line in (about.get("License") or "").splitlines() if line not in ("", "UNKNOWN")][:1]
    texts = [file for file in package.files or [] if file.parts[0].endswith(".dist-info") and "LICENSE" in file.name]
    first = [file.read_text().strip().splitlines()[0] for file in texts[:1]]
    return [{TITLES.get(title, title)} for title in (*titles, *named, *first)][:1]


@pytest.mark.parametrize("package", brought(), ids=lambda package: package.name)
def test_a_package_goes_with_the_projects_licence(package: metadata.Distribution) -> None:
    found = licences(package)
    known = bool(found) and all(choices & GOES_WITH_GPL for choices in found)
    assert known != (package.name in ALONE), f"{package.name}: {found or 'its metadata names no licence'}"


def test_what_is_for_research_alone_is_in_no_package() -> None:
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    locks = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "wheels").glob("*.json"))]
    for name in ALONE:
        assert not re.search(rf'\b{name}[-"]', "\n".join([manifest, *locks])), name
