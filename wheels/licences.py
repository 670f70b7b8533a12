# SPDX-License-Identifier: GPL-3.0-or-later
"""Licences of what the packages bundle: the expression of each wheel, and the texts that go into the zip."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wheels.steps import BuildError

if TYPE_CHECKING:
    from wheels.lock import Wheel

FILE = "THIRD_PARTY_LICENCES.txt"

# Read in their licence files, as their metadata name a family of licences, or a title that is no SPDX expression.
_READ = {
    "mpmath": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    "scipy": (  # with OpenBLAS, LAPACK, the runtime of GCC and libquadmath inside
        "BSD-3-Clause AND BSD-3-Clause-Open-MPI AND GPL-3.0-or-later WITH GCC-exception-3.1 AND LGPL-2.1-or-later"
    ),
    "sympy": "BSD-3-Clause",
    "torch": (  # 2.12, which has the same parts as 2.13
        "Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND BSL-1.0 AND MIT"
    ),
    "torchdiffeq": "MIT",
}
_TEXT = re.compile(r"(^|/)(licen[cs]e|copying|notice|authors)[^/]*$", re.IGNORECASE)
_RULE = "=" * 100


def metadata(wheel: Path) -> Message:
    """A wheel's core metadata; raises BuildError where the file is no wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (
                name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
            )
            return Parser().parsestr(archive.read(name).decode("utf-8", errors="replace"))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BuildError(f"{wheel.name} is no wheel ({error}); delete it and fetch it again.") from error


def expression(wheel: Path, name: str) -> str:
    """A wheel's licence as an SPDX expression.

    Args:
        wheel: the file.
        name: of the package, normalised.

    Raises:
        BuildError: the metadata has no expression and nobody has read the licence; or there is no text of it.
    """
    licence = metadata(wheel).get("License-Expression") or _READ.get(name)
    if not licence:
        raise BuildError(f"The licence of {name} is not known; read it and add it to wheels/licences.py.")
    if not texts(wheel):
        raise BuildError(f"{wheel.name} holds no licence text, so it must not be bundled.")
    return licence


def texts(wheel: Path) -> dict[str, str]:
    """The licence texts in a wheel's dist-info, by their path there."""
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = PurePosixPath(name)
            within = path.parts[0].endswith(".dist-info") and not name.endswith("/")
            inner = str(PurePosixPath(*path.parts[1:]))
            if within and (path.parts[1] == "licenses" or _TEXT.search(name)):
                text = archive.read(name).decode("utf-8", errors="replace")
                found[inner] = text.replace("\r\n", "\n").strip()
    return dict(sorted(found.items()))


def document(wheels: Iterable[Wheel], folder: Path) -> str:
    """What a package's licence file says: a list of all that is bundled, then every text, each once.

    Args:
        wheels: what is bundled.
        folder: where the files are.
    """
    wheels = list(wheels)
    lines = [
        "DPoser is licensed under GPL-3.0-or-later (see LICENSE). This package also holds the following, unmodified,",
        "each under its own licence; the texts follow, as the wheels bring them.",
        "",
    ]
    lines += [f"{wheel.name} {wheel.version}: {wheel.licence}\n    {wheel.file}" for wheel in wheels]
    places: dict[str, str] = {}
    for wheel in wheels:
        for inner, text in texts(folder / wheel.file).items():
            place = f"{wheel.name} {wheel.version}, {inner}"
            lines += ["", _RULE, place, _RULE, ""]
            known = places.setdefault(text, place)
            lines.append(text if known == place else f"The same text as of {known}.")
    return "\n".join(lines) + "\n"
