# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/solvers.md: tasks hand their solving to the loops of `engine.diffusion`, and its names are where it says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[3] / "engine"
PAGE = (ENGINE.parent / "docs" / "solvers.md").read_text(encoding="utf-8")
SOLVING = [
    path
    for path in ENGINE.rglob("*.py")
    if "training" not in path.parts and not path.stem.endswith("training") and path.parent.name != "diffusion"
]


def test_no_task_has_an_optimiser_of_its_own() -> None:
    found = [path.name for path in SOLVING if re.search(r"torch\.optim\b|\.step\(\)", path.read_text(encoding="utf-8"))]
    assert found == [] and len(SOLVING) > 200


def test_no_task_takes_a_sampler_s_steps_itself() -> None:
    """They choose a step and hand it to `integrate`: nobody but the loop gives one two times."""
    calls = re.compile(r"(?:\bstep|\bddim\([^)]*\)|SAMPLERS\[[^]]*\])\((?:denoise|counted|prior)")
    found = [path.name for path in SOLVING if calls.search(path.read_text(encoding="utf-8"))]
    assert found == []
    assert calls.search((ENGINE / "diffusion" / "samplers.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:priors|tasks|diffusion)/[\w/]+\.py)", PAGE))))
def test_files_that_are_named_are_there(path: str) -> None:
    assert (ENGINE / path).is_file()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("samplers", ("integrate", "Denoise", "Step", "Project", "ddim", "ddim_inverse")),
        ("solvers", ("descend", "optimise", "proximal")),
        ("sde", ("SDE", "SubVP", "DiscreteVP", "CosineVP")),
        ("guidance", ("Guidance", "guided")),
        ("implicit_guidance", ("ImplicitGuidance", "implicitly_guided")),
        ("refinement", ("refine",)),
    ],
)
def test_names_that_are_named_are_there(module: str, names: tuple[str, ...]) -> None:
    for name in names:
        assert hasattr(import_module(f"engine.diffusion.{module}"), name) and name in PAGE
