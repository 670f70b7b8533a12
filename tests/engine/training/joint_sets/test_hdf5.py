# SPDX-License-Identifier: GPL-3.0-or-later
"""HDF5 files of both data sets, made here with h5py; and what is said where it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from joint_set_files import PLACES_OF_28, PLACES_OF_32, RELEVANT_OF_28, person, seen_by

from engine.errors import FileError, PackageError
from engine.motion.h36m import JOINTS
from engine.training.joint_sets import hdf5, human36m_h5, mpi_inf_3dhp

needs_h5py = pytest.mark.skipif(find_spec("h5py") is None, reason="h5py is not installed")
RELEVANT = [PLACES_OF_28[joint] for joint in JOINTS]
LENS, CENTRE = (1499.0, 1502.0), (1020.0, 1060.0)


def h5(path: Path, **arrays: Any) -> Path:
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file.create_dataset(key.replace("__", "/"), data=array)
    return path


def test_without_h5py_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Python that does not find it, whether it is installed or not."""
    finders = [_Lacking if finder is PathFinder else finder for finder in sys.meta_path]
    monkeypatch.setattr(sys, "meta_path", finders)
    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    (tmp_path / "TS1").mkdir()
    (tmp_path / "TS1" / "annot_data.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(PackageError, match=r"^annot_data\.mat is an HDF5 file, which needs the package h5py: "):
        next(mpi_inf_3dhp.read_test(tmp_path))


class _Lacking(PathFinder):
    """Finds all but h5py."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname == "h5py" else super().find_spec(fullname, path, target)


def made_test_set(folder: Path, **changes: Any) -> Path:
    """A test set of one person; the second of five frames does not count."""
    points = person(0, 5)[:, RELEVANT_OF_28]
    arrays: dict[str, Any] = {
        "annot2": seen_by(points, LENS, CENTRE)[:, None],
        "annot3": points[:, None],
        "univ_annot3": 0.9 * points[:, None] + 30.0,
        "valid_frame": np.array([[1], [0], [1], [1], [1]], np.float64),
        "activity_annotation": np.array([[1], [1], [4], [7], [7]], np.float64),
    }
    h5(folder / "TS5" / "annot_data.mat", **(arrays | changes))
    return folder


@needs_h5py
@pytest.mark.parametrize("universal", [False, True])
def test_the_test_set(tmp_path: Path, universal: bool) -> None:
    one = next(mpi_inf_3dhp.read_test(made_test_set(tmp_path), ("TS5",), universal))
    points = person(0, 5)[:, RELEVANT]
    expected = 0.9 * points + 30.0 if universal else points
    np.testing.assert_allclose(one.joints, expected / 1000 * [1, -1, -1], atol=1e-5)
    np.testing.assert_allclose(one.pixels, seen_by(points, LENS, CENTRE), atol=1e-2)
    assert one.scene == "outdoor" and one.size == (1920, 1080) and one.fps is None
    assert one.valid.tolist() == [True, False, True, True, True] and one.activity.tolist() == [1, 1, 4, 7, 7]
    assert one.lens is not None
    np.testing.assert_allclose([*one.lens.focal, *one.lens.centre], [*LENS, *CENTRE], rtol=1e-6)


@needs_h5py
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"valid_frame": np.ones((3, 1))}, "different numbers of frames"),
        ({"valid_frame": np.zeros((5, 1))}, "no lens"),
        ({"annot3": np.zeros((5, 1, 17, 3))}, "no lens"),
        ({"annot3": np.zeros((5, 1, 28, 3))}, "17 joints"),
        ({"annot3": np.zeros((5, 2, 17, 3))}, "17 joints"),
        ({"activity_annotation": np.full((5, 1), 9.0)}, "activity"),
        ({"annot2": np.array(b"text")}, "no array of numbers 'annot2'"),
        ({"annot2": np.full((5, 1, 17, 2), 1e9)}, "beyond"),
    ],
)
def test_damaged_annotations_are_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FileError, match=says) as caught:
        next(mpi_inf_3dhp.read_test(made_test_set(tmp_path, **changes), ("TS5",)))
    assert str(caught.value).startswith("annot_data.mat") and str(caught.value).endswith(".")


def prepared(path: Path, frames: list[int], cameras: tuple[str, ...], **changes: Any) -> Path:
    """annot.h5 of a few cameras, each of which sees another person."""
    rng = np.random.default_rng(0)
    lenses = {name: rng.uniform(400, 1200, 4) for name in cameras}  # across, u, down, v
    points = [rng.uniform([-500, -900, 3000], [500, 900, 4000], (len(frames), 32, 3)) for _ in cameras]
    seen = [seen_by(p, (lens[0], lens[2]), (lens[1], lens[3])) for p, lens in zip(points, lenses.values(), strict=True)]
    arrays = {
        "pose__2d": np.concatenate(seen),
        "pose__3d-univ": np.concatenate(points),
        "frame": np.tile(frames, len(cameras)),
        "camera": np.repeat([int(name) for name in cameras], len(frames)),
    } | {f"intrinsics__{name}": lens for name, lens in lenses.items()}
    return h5(path, **(arrays | changes))


@needs_h5py
@pytest.mark.parametrize("true_size", [False, True])
def test_human36m_as_it_is_prepared(tmp_path: Path, true_size: bool) -> None:
    import h5py

    cameras = ("54138969", "60457274")
    path = prepared(tmp_path / "S9" / "WalkingDog", [1, 6, 11], cameras)
    path.rename(tmp_path / "kept")
    (tmp_path / "S9" / "WalkingDog-2").mkdir()
    path = (tmp_path / "kept").rename(tmp_path / "S9" / "WalkingDog-2" / "annot.h5")
    with h5py.File(path, "a") as file:
        if true_size:
            file["pose/3d"] = 1.1 * file["pose/3d-univ"][()]  # along the rays: it projects alike
        pixels, points = file["pose/2d"][()], file["pose/3d" if true_size else "pose/3d-univ"][()]
    found = list(human36m_h5.read(tmp_path, ("S9",)))
    columns = [PLACES_OF_32[joint] for joint in JOINTS]
    assert [(one.camera, one.action, one.take, one.fps) for one in found] == [
        (name, "WalkDog", "WalkingDog-2", 10.0) for name in cameras
    ]
    for number, one in enumerate(found):
        rows = slice(3 * number, 3 * number + 3)
        np.testing.assert_allclose(one.joints, points[rows][:, columns] / 1000 * [1, -1, -1], atol=1e-5)
        np.testing.assert_allclose(one.pixels, pixels[rows][:, columns], atol=1e-2)
        assert one.lens is not None
        np.testing.assert_allclose(one.lens.project(one.joints), one.pixels, atol=1e-2)


@needs_h5py
def test_frames_that_were_chosen_have_no_rate(tmp_path: Path) -> None:
    prepared(tmp_path / "S1" / "Posing" / "annot.h5", [1, 6, 30], ("54138969",))
    assert next(human36m_h5.read(tmp_path, ("S1",))).fps is None


@needs_h5py
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"frame": np.arange(2)}, "32 joints"),
        ({"pose__2d": np.zeros((3, 17, 2))}, "32 joints"),
        ({"intrinsics__54138969": np.zeros(3)}, "lens of camera 54138969"),
        ({"pose__3d-univ": np.full((3, 32, 3), np.nan)}, "not finite"),
    ],
)
def test_damaged_files_of_human36m_are_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    prepared(tmp_path / "S1" / "Posing" / "annot.h5", [1, 6, 11], ("54138969",), **changes)
    with pytest.raises(FileError, match=says):
        list(human36m_h5.read(tmp_path, ("S1",)))


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no annot\.h5 in the folders of .*/S1; prepare it again\.$"):
        next(human36m_h5.read(tmp_path))


def _elsewhere(path: Path) -> None:
    import h5py

    secret = h5(path.parent / "secret.h5", numbers=np.arange(3.0))
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink(secret.name, "numbers")


def _outside(path: Path) -> None:
    import h5py

    (path.parent / "raw").write_bytes(np.arange(3.0).tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (3,), "f8", external=[(str(path.parent / "raw"), 0, 24)])


def _virtual(path: Path) -> None:
    import h5py

    source = h5(path.parent / "other.h5", numbers=np.arange(3.0))
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(source, "numbers", (3,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("a", layout)


def _huge(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("a", (10**6, 10**6), "f8", chunks=(1000, 1000))


def _cut(path: Path) -> None:
    path.write_bytes(h5(path.parent / "whole.h5", a=np.arange(1e4)).read_bytes()[:-100])


@needs_h5py
@pytest.mark.parametrize("make", [_elsewhere, _outside, _virtual, _huge, _cut])
def test_what_leads_elsewhere_or_is_too_large_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "annot.h5"
    make(path)
    with pytest.raises(FileError, match=r"^annot\.h5 .*\.$"), hdf5.opened(path) as file:
        hdf5.array(path, file, "a")
