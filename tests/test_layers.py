# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the code depends: two programs that share a protocol, and layers of which each knows those below."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLENDER, ENGINE = "dposer_blender", "engine"

IN_BLENDER = {"bl_operators", "bl_ui", "blf", "bpy", "bpy_extras", "gpu", "gpu_extras", "mathutils", "numpy"}
"""What Blender ships and the extension imports, beside Python's own library."""

SHARED = {
    ENGINE, f"{ENGINE}.errors", f"{ENGINE}.process", f"{ENGINE}.protocol", f"{ENGINE}.wording",
    f"{ENGINE}.motion", f"{ENGINE}.motion.bone_map_file", f"{ENGINE}.motion.files", f"{ENGINE}.motion.h36m",
    f"{ENGINE}.motion.joints", f"{ENGINE}.motion.keypoint_times",
}  # fmt: skip
"""All of the engine that runs in Blender's process, too."""

ON_TOP = {"__main__", "cli", "serve"}
"""Modules of the engine's own folder that use the layers; the others there are ground to all of them."""

BELOW = {
    "diffusion": set[str](),  # sees arrays and callables, no bodies, rigs or files
    "motion": {"ground"},
    "body": {"ground", "motion"},
    "priors": {"ground", "motion", "body", "diffusion"},
    "tasks": {"ground", "motion", "body", "diffusion", "priors"},
    "requests": {"ground", "motion", "body", "diffusion", "priors", "tasks"},
    "ground": set[str](),
}
"""Layer of the engine -> the layers it may know; a package that is not named sits on top."""


def sources(package: str) -> list[Path]:
    """Every file of a package."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) > 50, "the files are not where they were"
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names of all that a file imports, inside functions, too; of ``from a import b``, ``a.b``."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = path.relative_to(ROOT).parent.parts
            above = base[: len(base) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" if module else alias.name for alias in node.names)


def is_module(name: str) -> bool:
    """Whether a full name is a module or a package of the repository, and no name in one."""
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def modules(path: Path) -> set[str]:
    """The modules of the repository that a file imports."""
    return {
        name if is_module(name) else name.rpartition(".")[0]
        for name in imports(path)
        if name.partition(".")[0] in (BLENDER, ENGINE)
    }


def foreign(path: Path) -> set[str]:
    """The packages that a file imports and that are neither the repository's nor Python's own."""
    first = {name.partition(".")[0] for name in imports(path)}
    return first - {BLENDER, ENGINE} - sys.stdlib_module_names


def layer(module: str) -> str:
    """The layer of a module of the engine."""
    name = module.split(".")[1] if "." in module else "__init__"
    if (ROOT / ENGINE / name).is_dir():
        return name
    return "top" if name in ON_TOP else "ground"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_the_engine_knows_no_blender() -> None:
    for path in sources(ENGINE):
        assert not foreign(path) & (IN_BLENDER - {"numpy"}), path
        assert not any(name.startswith(BLENDER) for name in modules(path)), path


def test_the_extension_imports_what_blender_ships() -> None:
    """So neither PyTorch nor SciPy is ever loaded into Blender."""
    used = set[str]()
    for path in sources(BLENDER):
        used |= foreign(path)
        assert foreign(path) <= IN_BLENDER, path
        assert {name for name in modules(path) if name.startswith(ENGINE)} <= SHARED, path
    assert used == IN_BLENDER, "the list names what nothing imports"


def test_what_the_programs_share_runs_in_both() -> None:
    for name in SHARED:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert foreign(path) <= {"numpy"}, path
        assert modules(path) <= SHARED, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").partition(".")[0] != ENGINE, f"Blender knows no {node.module}: {path}"


@pytest.mark.parametrize("name", BELOW)
def test_a_layer_knows_those_below(name: str) -> None:
    files = [path for path in sources(ENGINE) if layer(module_of(path)) == name]
    assert files
    for path in files:
        known = {layer(module) for module in modules(path) if module != ENGINE}
        assert known <= BELOW[name] | {name}, path


def test_blenders_version_is_asked_for_in_one_place() -> None:
    """Elsewhere it is at most shown, as text."""
    asking = set()
    for path in sources(BLENDER):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"version", "version_file"}:
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if owner == "app":
                    asking.add(path.name)
            elif isinstance(node, ast.ImportFrom) and node.module == "bpy.app":
                asking |= {path.name for alias in node.names if alias.name.startswith("version")}
            elif isinstance(node, ast.Compare):
                asking |= {path.name for part in ast.walk(node) if getattr(part, "attr", "") == "version_string"}
    assert asking == {"compat.py"}


def test_every_file_names_its_licence() -> None:
    files = [*sources(BLENDER), *sources(ENGINE), *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py")]
    files += [*(ROOT / "demo").rglob("*.py"), *(ROOT / "wheels").rglob("*.py")]
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines()[:2]
        assert any(line == "# SPDX-License-Identifier: GPL-3.0-or-later" for line in lines), path
