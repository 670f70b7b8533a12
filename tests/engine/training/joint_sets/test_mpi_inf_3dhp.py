# SPDX-License-Identifier: GPL-3.0-or-later
"""MPI-INF-3DHP's training set and the archives for lifters, made here by SciPy and NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joint_set_files import PLACES_OF_28, RELEVANT_OF_28, boxed, calibration, person, seen_by
from scipy.io import savemat

from engine.errors import FileError
from engine.motion.h36m import JOINTS
from engine.training.joint_sets import (
    mpi_inf_3dhp,
    mpi_inf_3dhp_cameras,
    mpi_inf_3dhp_joints,
    mpi_inf_3dhp_npz,
)

COLUMNS = [PLACES_OF_28[joint] for joint in JOINTS]
LENSES = {n: (1490.0 + n, 1500.0 - n, 1024.0 + 3 * n, 1051.0 - n) for n in range(14)}
FRAMES = 5


def points(camera: int) -> np.ndarray:
    return person(camera, FRAMES)


def pixels(camera: int) -> np.ndarray:
    fx, fy, u, v = LENSES[camera]
    return seen_by(points(camera), (fx, fy), (u, v))


def cells(parts: list[np.ndarray]) -> np.ndarray:
    box = np.empty((len(parts), 1), object)
    for row, part in enumerate(parts):
        box[row, 0] = part.reshape(len(part), -1)
    return box


def annotations(**other: Any) -> dict[str, Any]:
    """annot.mat of 14 cameras."""
    return {
        "annot2": cells([pixels(n) for n in range(14)]),
        "annot3": cells([points(n) for n in range(14)]),
        "univ_annot3": cells([0.9 * points(n) for n in range(14)]),
        "cameras": np.arange(14, dtype=np.uint8)[None],
        "frames": np.arange(FRAMES)[:, None],
    } | other


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for take in ("Seq1", "Seq2"):
        place = tmp_path / "S2" / take
        place.mkdir(parents=True)
        savemat(place / "annot.mat", annotations(), do_compression=True)
        calibration(place / "camera.calibration", LENSES)
    return tmp_path


def test_takes_by_camera_in_the_projects_axes(folder: Path) -> None:
    found = list(mpi_inf_3dhp.read_training(folder, ("S2",)))
    assert [(one.take, one.camera) for one in found] == [
        (take, str(camera)) for take in ("Seq1", "Seq2") for camera in (0, 1, 2, 4, 5, 6, 7, 8)
    ]
    for one in found:
        camera = int(one.camera)
        np.testing.assert_allclose(one.joints, points(camera)[:, COLUMNS] / 1000 * [1, -1, -1], atol=1e-5)
        np.testing.assert_allclose(one.pixels, pixels(camera)[:, COLUMNS], atol=1e-2)
        assert one.subject == "S2" and one.scene == "GS" and one.size == (2048, 2048) and one.fps == 25.0
        assert one.lens is not None
        np.testing.assert_allclose(one.lens.project(one.joints), one.pixels, atol=1e-2)


def test_cameras_in_another_order_are_found_by_number(folder: Path) -> None:
    turned = {"cameras": np.arange(13, -1, -1, dtype=np.uint8)[None]}
    for key, of in (("annot2", pixels), ("annot3", points)):
        turned[key] = cells([of(n) for n in range(13, -1, -1)])
    savemat(folder / "S2" / "Seq1" / "annot.mat", annotations(**turned))
    one = next(mpi_inf_3dhp.read_training(folder, ("S2",), (3,)))
    np.testing.assert_allclose(one.pixels, pixels(3)[:, COLUMNS], atol=1e-2)


def test_frames_without_an_image_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mpi_inf_3dhp.FRAMES, ("S2", "Seq1"), (3, 50.0))
    one, two = (next(mpi_inf_3dhp.read_training(folder, ("S2",), (n,))) for n in (0, 1))
    assert len(one) == len(two) == 3 and one.fps == 50.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"annot2": np.zeros((3, 56))}, "does not have annot2"),
        ({"cameras": np.arange(5)[None] + 5}, "does not have camera 0"),
        ({"annot3": cells([points(0)])}, "does not have camera 1"),
        ({"annot3": cells([points(n)[:, :17] for n in range(14)])}, "28 joints"),
        ({"annot3": cells([points(n)[:3] for n in range(14)])}, "no frames of 17 joints in 3D with as many in 2D"),
        ({"annot2": cells([pixels(n) * np.nan for n in range(14)])}, "not finite"),
        ({"annot3": cells([points(n) * 1e5 for n in range(14)])}, "beyond 1000"),
    ],
)
def test_damaged_annotations_are_refused(folder: Path, changes: dict[str, Any], says: str) -> None:
    savemat(folder / "S2" / "Seq1" / "annot.mat", annotations(**changes))
    with pytest.raises(FileError, match=says) as caught:
        list(mpi_inf_3dhp.read_training(folder, ("S2",)))
    assert str(caught.value).startswith("annot.mat") and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name          0", "nothing", "does not have camera 0"),
        ("2048 2048", "2048", "not told whole"),
        ("1490.0", "x", "not told whole"),
        ("1490.0", "nan", "that is none"),
        ("1490.0", "-1490.0", "that is none"),
        ("intrinsic ", "intrinsic 1 ", "that is none"),
        ("radial      0", "radial      0.1", "distortion"),
    ],
)
def test_damaged_calibrations_are_refused(folder: Path, old: str, new: str, says: str) -> None:
    path = folder / "S2" / "Seq1" / "camera.calibration"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FileError, match=says):
        next(mpi_inf_3dhp.read_training(folder, ("S2",)))


def test_a_calibration_without_cameras_is_refused(tmp_path: Path) -> None:
    (tmp_path / "camera.calibration").write_text("nothing of the kind\n")
    with pytest.raises(FileError, match="no cameras"):
        mpi_inf_3dhp_cameras.read(tmp_path / "camera.calibration")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^annot\.mat cannot be read"):
        next(mpi_inf_3dhp.read_training(tmp_path))


def packed(camera: int, **more: Any) -> dict[str, Any]:
    """A camera's part of the archives for lifters: joints of the skeleton of one size."""
    return {
        "data_3d": 0.9 * points(camera)[:, RELEVANT_OF_28],
        "data_2d": pixels(camera)[:, RELEVANT_OF_28],
    } | more


def test_the_archive_of_the_training_set(tmp_path: Path) -> None:
    data = {f"S{n} Seq{m}": [{"0": packed(0), "4": packed(4)}, 25 * m] for n in (1, 2) for m in (1, 2)}
    found = list(mpi_inf_3dhp_npz.read_training(boxed(tmp_path / "data_train_3dhp.npz", data=data)))
    assert [(one.subject, one.take, one.camera, one.fps) for one in found] == [
        (f"S{n}", f"Seq{m}", camera, 25.0 * m) for n in (1, 2) for m in (1, 2) for camera in ("0", "4")
    ]
    for one in found:
        camera = int(one.camera)
        np.testing.assert_allclose(one.joints, 0.9e-3 * points(camera)[:, COLUMNS] * [1, -1, -1], atol=1e-5)
        np.testing.assert_allclose(one.pixels, pixels(camera)[:, COLUMNS], atol=1e-2)
        assert one.lens is None and one.size == (2048, 2048)


def test_the_archive_of_the_test_set(tmp_path: Path) -> None:
    valid = np.array([1, 0, 1, 1, 0], np.uint8)
    data = {f"TS{n}": packed(n, valid=valid) for n in range(1, 7)}
    data["TS3"]["data_3d"][1] = np.nan  # in a frame that does not count
    found = list(mpi_inf_3dhp_npz.read_test(boxed(tmp_path / "data_test_3dhp.npz", data=data)))
    assert [(one.subject, one.scene) for one in found] == [
        ("TS1", "GS"), ("TS2", "GS"), ("TS3", "noGS"), ("TS4", "noGS"), ("TS5", "outdoor"), ("TS6", "outdoor"),
    ]  # fmt: skip
    for number, one in enumerate(found, 1):
        np.testing.assert_array_equal(one.valid, valid == 1)
        expected = 0.9e-3 * points(number)[:, COLUMNS] * [1, -1, -1]
        np.testing.assert_allclose(one.joints[one.valid], expected[valid == 1], atol=1e-5)
        assert np.isfinite(one.joints).all()
        assert one.size == ((1920, 1080) if number > 4 else (2048, 2048))


@pytest.mark.parametrize(
    "data",
    [
        {}, {"TS1": packed(1)}, {"TS1": packed(1, valid=np.ones(3))}, {"TS9": packed(1, valid=np.ones(5))},
        {"TS1": {"data_3d": points(1)}}, {"TS1": packed(1, data_2d=points(1), valid=np.ones(5))}, {"TS1": []},
        {"TS1": packed(1, data_3d=points(1)[:, :17] * np.nan, valid=np.ones(5))},
    ],
)  # fmt: skip
def test_damaged_archives_are_refused(tmp_path: Path, data: Any) -> None:
    path = boxed(tmp_path / "data_test_3dhp.npz", data=data)
    with pytest.raises(FileError, match=r"^data_test_3dhp\.npz[^;]*; [^;]*\.$"):
        list(mpi_inf_3dhp_npz.read_test(path))
    with pytest.raises(FileError, match=r"^data_test_3dhp\.npz[^;]*; [^;]*\.$"):
        list(mpi_inf_3dhp_npz.read_training(path))


def test_the_joints_are_those_of_the_data_set() -> None:
    assert mpi_inf_3dhp_joints.columns(mpi_inf_3dhp_joints.ALL) == COLUMNS
    assert mpi_inf_3dhp_joints.columns(mpi_inf_3dhp_joints.RELEVANT) == [RELEVANT_OF_28.index(n) for n in COLUMNS]
    names = [mpi_inf_3dhp_joints.ALL[n] for n in RELEVANT_OF_28]
    assert tuple(names) == mpi_inf_3dhp_joints.RELEVANT
