# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels and reports say of the engine: which Python, with PyTorch or not, on which device, and what became."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

TESTS = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX scripts")


@pytest.fixture
def state(extension: Callable[[str], Any]) -> Iterator[Any]:
    module = extension("engine_state")
    module._lacking.clear()
    yield module
    module._lacking.clear()
    extension("session").stop()


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Makes the engine's Python one that imports a folder's ``sitecustomize`` first; gives its path."""

    def wrapped(folder: Path) -> str:
        program = tmp_path / folder.name
        python = shlex.quote(os.environ["DPOSER_PYTHON"])
        program.write_text(
            f'#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:"{shlex.quote(str(folder))}\nexec {python} "$@"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("DPOSER_PYTHON", str(program))
        return str(program)

    return wrapped


@pytest.fixture
def rig(rigs: Any) -> Any:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    return ob


def curves(ob: Any) -> np.ndarray:
    """Where the bones are on every frame."""
    places = []
    for frame in range(1, 41):
        bpy.context.scene.frame_set(frame)
        places.append([np.array(bone.matrix) for bone in ob.pose.bones])
    return np.array(places)


def test_without_pytorch_the_motion_prior_is_refused_and_the_others_run(
    state: Any, wrapped: Callable[[Path], str], rig: Any
) -> None:
    before, action, actions = curves(rig), rig.animation_data.action, set(bpy.data.actions)
    has_it = not state.lacks_torch(bpy.context), "nothing is known of a Python that never ran"
    assert has_it[0], has_it[1]
    wrapped(TESTS / "engine" / "without_torch")
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.dposer.clean_motion(method="prior")
    said = str(caught.value)
    assert "The Motion Prior needs PyTorch, which the engine's Python (" in said
    assert "choose the method Learned Smoother (wiener), which needs none, or a Python with PyTorch" in said
    assert set(bpy.data.actions) == actions and rig.animation_data.action == action
    np.testing.assert_array_equal(curves(rig), before)
    assert state.lacks_torch(bpy.context)
    for method in ("wiener", "median", "butterworth"):
        rig.animation_data.action = action
        assert bpy.ops.dposer.clean_motion(method=method) == {"FINISHED"}
        assert rig.animation_data.action != action
    assert state.device(bpy.context).startswith("CPU, ")
    with pytest.raises(RuntimeError, match="This tool needs PyTorch"):
        bpy.ops.dposer.generate_poses()
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    rows = {row.subject: row.state for row in sys.modules[state.__package__ + ".engine_check"].rows()}
    assert (rows["PyTorch"], rows["Packages"]) == ("bad", "good")


def test_what_one_python_lacks_says_nothing_of_another(
    state: Any, wrapped: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch, extension: Callable[[str], Any]
) -> None:
    path = os.environ["DPOSER_PYTHON"]
    wrapped(TESTS / "engine" / "without_torch")
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    assert state.lacks_torch(bpy.context)
    monkeypatch.setenv("DPOSER_PYTHON", path)
    assert not state.lacks_torch(bpy.context)
    monkeypatch.delenv("DPOSER_PYTHON")
    monkeypatch.setattr(state, "find_spec", lambda name: None)
    state._own_lacks_torch.cache_clear()
    extension("session").stop()
    assert state.lacks_torch(bpy.context), "of Blender's own, its folders tell before it is started"
    monkeypatch.setattr(state, "find_spec", lambda name: object())
    state._own_lacks_torch.cache_clear()
    assert not state.lacks_torch(bpy.context)
    state._own_lacks_torch.cache_clear()


def test_a_card_that_is_too_small_is_told_of(
    state: Any, wrapped: Callable[[Path], str], rig: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    wrapped(TESTS / "blender" / "small_card")
    assert bpy.ops.dposer.clean_motion(method="prior") == {"FINISHED"}
    assert "Computed on the CPU, as the graphics card's memory was too small." in capfd.readouterr().out
    assert rig.animation_data.action.name.endswith("_clean")


def test_the_interpreter_is_named_with_its_reason(
    extension: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session, preferences = extension("session"), extension("preferences")
    used = session.interpreter(bpy.context)
    assert (used.path, used.source) == (os.environ["DPOSER_PYTHON"], "named")
    monkeypatch.delenv("DPOSER_PYTHON")
    assert session.interpreter(bpy.context).source == "own"
    assert session.interpreter(bpy.context).path == sys.executable
    monkeypatch.setattr(preferences, "of", lambda context: (str(tmp_path), "auto"))
    with pytest.raises(RuntimeError, match=r"holds no Python environment"):
        bpy.ops.dposer.check_engine()
