# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file agrees with the requirements, with packages' declared needs, and with how Blender reads wheels."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from types import ModuleType

import pytest

import build
from wheels import lock, sizes
from wheels.steps import BuildError
from wheels.targets import ABIS, PLATFORMS, Target, targets
from wheels.variants import BUNDLED, FULL, LEFT_OUT, LITE

ROOT = Path(build.__file__).resolve().parent
TARGETS = targets(PLATFORMS, ABIS)
# Licences that may be combined with GPL-3.0-or-later.
COMPATIBLE = {
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-3-Clause-Open-MPI",
    "BSL-1.0",
    "GPL-3.0-or-later WITH GCC-exception-3.1",
    "LGPL-2.1-or-later",
    "MIT",
    "PSF-2.0",
}


@pytest.fixture(scope="module")
def locked() -> list[lock.Wheel]:
    return lock.read()


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_wheel_is_the_version_required(locked: list[lock.Wheel], target: Target) -> None:
    required = lock.versions(ROOT, target)
    found = {wheel.name: wheel.version.partition("+")[0] for wheel in lock.select(locked, target, FULL)}
    assert found == required


def test_what_is_locked_is_of_the_tested_version_but_where_it_is_said(locked: list[lock.Wheel]) -> None:
    pinned = lock.pins(ROOT)
    others = {wheel.name for wheel in locked if wheel.version.partition("+")[0] != pinned[wheel.name]}
    assert others == {name for target in TARGETS for name in target.versions}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_blender_takes_the_wheels_for_the_target(
    blender_ext: ModuleType, locked: list[lock.Wheel], target: Target
) -> None:
    python = tuple(int(number) for number in target.abi.python.split("."))
    for wheel in lock.select(locked, target, FULL):
        assert blender_ext.blender_platform_compatible_with_wheel_platform_from_filepath(
            target.platform.name, wheel.file
        )
        assert blender_ext.python_versions_from_wheel(wheel.file) & {python, python[:1]}, wheel.file


def test_no_wheel_is_for_nobody_or_twice(locked: list[lock.Wheel]) -> None:
    used = [wheel.file for target in TARGETS for wheel in lock.select(locked, target, FULL)]
    assert {wheel.file for wheel in locked} == set(used)
    assert len({wheel.file for wheel in locked}) == len(locked)
    for wheel in locked:
        assert re.fullmatch("[0-9a-f]{64}", wheel.sha256)


def test_licences_may_be_combined_with_ours(locked: list[lock.Wheel]) -> None:
    assert {part for wheel in locked for part in wheel.licence.split(" AND ")} <= COMPATIBLE


def test_declared_needs_are_bundled_or_left_out_for_a_reason() -> None:
    known = {*BUNDLED[FULL], *LEFT_OUT}
    for name in BUNDLED[FULL]:
        needs = [
            need for need in requires(name) or [] if "extra ==" not in need and "platform_system" not in need
        ]
        names = {lock.normalised(re.match(r"[\w.-]+", need)[0]) for need in needs}  # type: ignore[index]
        assert names <= known, name
    required = {
        lock.normalised(line.partition("==")[0])
        for file in ("requirements.txt", "requirements-nodeps.txt")
        for line in (ROOT / file).read_text().splitlines()
        if "==" in line
    }
    assert required <= known
    assert not set(BUNDLED[FULL]) & LEFT_OUT.keys()


def test_all_that_the_engine_imports_is_bundled_or_left_out() -> None:
    development = {"evaluation", "training"}
    imported = set()
    for path in (ROOT / "engine").rglob("*.py"):
        if development & set(path.relative_to(ROOT / "engine").parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    third_party = imported - set(sys.stdlib_module_names) - {"engine"}
    assert {"torch", "numpy", "scipy"} <= third_party
    owners = packages_distributions()
    for module in third_party - {"ray"}:  # clusters are no matter of Blender
        assert {lock.normalised(name) for name in owners[module]} & {*BUNDLED[FULL], *LEFT_OUT}, module


def test_a_lock_file_that_is_damaged_or_lacks_a_wheel_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    for text in ("", "{}", '{"wheels": [{"name": "scipy"}]}', "[]"):
        path.write_text(text)
        with pytest.raises(BuildError, match=r"write it anew: build\.py wheels --lock"):
            lock.read(path)
    with pytest.raises(BuildError, match=r"no wheel of scipy for linux-x64, Python 3\.11; refresh it"):
        lock.select([], TARGETS[0], LITE)


def test_paths_too_long_for_windows_are_refused(
    make_wheel: Callable[..., lock.Wheel], tmp_path: Path
) -> None:
    windows, linux = Target(PLATFORMS["windows-x64"], ABIS["3.11"]), TARGETS[0]
    # As a user of a name of 20 letters has it, to the last character that Windows takes.
    longest = (
        "C:/Users/"
        + "u" * 20
        + "/AppData/Roaming/Blender Foundation/Blender/5.2/extensions/.local/Lib/site-packages/"
    )
    room = 259 - len(longest)
    for extra, target, good in ((0, windows, True), (1, windows, False), (1, linux, True)):
        wheel = make_wheel(**{"x" * (room + extra): ""})
        if good:
            lock._check_paths(tmp_path / "index" / wheel.file, target)
        else:
            with pytest.raises(BuildError, match=f"paths of {room + 1} characters"):
                lock._check_paths(tmp_path / "index" / wheel.file, target)


def test_full_is_too_large_where_pytorch_has_cuda_inside(locked: list[lock.Wheel]) -> None:
    for target in TARGETS:
        bundled = lock.select(locked, target, FULL)
        if str(target) == "linux-x64, Python 3.13":
            with pytest.raises(
                BuildError, match=r"569 MB of wheels, more than 300 MB \(torch .* build the lite zip"
            ):
                sizes.check_wheels(bundled, FULL, target)
        else:
            sizes.check_wheels(bundled, FULL, target)
