# SPDX-License-Identifier: GPL-3.0-or-later
"""The README and the pages in docs: links lead somewhere, pictures are small, what they call exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "docs" / "tools"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(TOOLS.glob("*.md"))]
LARGEST = 300_000  # bytes of a picture of a page
CALL = re.compile(r"bpy\.ops\.dposer\.(\w+)\((.*)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert not [target for target in targets if not (page.parent / target).exists()]
    for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text):
        other = (page.parent / target).read_text(encoding="utf-8") if target else text
        headings = [line.lstrip("# ").lower().replace(" ", "-") for line in other.splitlines() if line[:1] == "#"]
        assert heading in headings


def test_every_tool_has_a_page_that_the_readme_names() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in TOOLS.glob("*.md"):
        assert f"docs/tools/{page.name}" in readme


def test_pictures_are_small() -> None:
    pictures = [path for path in TOOLS.iterdir() if path.suffix in (".png", ".jpg", ".gif")]
    assert pictures
    assert not [path.name for path in pictures if path.stat().st_size > LARGEST]


@pytest.mark.parametrize("page", sorted(TOOLS.glob("*.md")), ids=lambda page: page.stem)
def test_calls_are_of_operators_and_settings_that_exist(page: Path) -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "dposer_blender").rglob("*.py"))
    found = CALL.findall(page.read_text(encoding="utf-8"))
    assert found
    for operator, arguments in found:
        assert f'bl_idname = "dposer.{operator}"' in source
        call = ast.parse(f"f({arguments.partition(');')[0].partition(')  #')[0]})", mode="eval").body
        assert isinstance(call, ast.Call)
        for keyword in call.keywords:
            assert re.search(rf'"{keyword.arg}"|\b{keyword.arg}: ', source), keyword.arg
