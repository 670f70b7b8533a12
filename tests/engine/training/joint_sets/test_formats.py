# SPDX-License-Identifier: GPL-3.0-or-later
"""One path is enough: each format is known by its files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from joint_set_files import (
    PLACES_OF_28,
    RELEVANT_OF_28,
    boxed,
    calibration,
    camera_numbers,
    json_of_cameras,
    person,
    seen_by,
    takes,
    xml_of_cameras,
)
from scipy.io import savemat

from engine.errors import FileError
from engine.training.joint_sets import formats, human36m


def test_archives_of_human36m(tmp_path: Path) -> None:
    room = takes(dict.fromkeys(human36m.TRAINING + human36m.TEST, ("Walking",)), 2)
    path = boxed(tmp_path / "data_3d_h36m.npz", positions_3d=room)
    with pytest.raises(FileError, match=r"no file of cameras beside data_3d_h36m\.npz"):
        formats.read(path, "test")
    json_of_cameras(tmp_path / "camera-parameters.json", *camera_numbers(0))
    by_json = list(formats.read(path, "test"))
    assert {one.subject for one in by_json} == {"S9", "S11"}
    assert {one.subject for one in formats.read(path, "training")} == set(human36m.TRAINING)
    xml_of_cameras(tmp_path / "metadata.xml", *camera_numbers(0))
    for one, other in zip(by_json, formats.read(path, "test"), strict=True):
        np.testing.assert_allclose(one.pixels, other.pixels, atol=1e-3)
    found = {
        subject: {"Walking": [np.full((2, 17, 2), 10.0 * n) for n in range(4)]} for subject in human36m.TEST
    }
    boxed(tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz", positions_2d=found)
    for number, one in enumerate(formats.read(path, "test", "cpn_ft_h36m_dbb")):
        assert (one.pixels == 10.0 * (number % 4)).all()
    with pytest.raises(FileError, match=r"^data_2d_h36m_other\.npz cannot be read"):
        next(formats.read(path, "test", "other"))


def test_archives_of_mpi_inf_3dhp(tmp_path: Path) -> None:
    points = person(0, 2)[:, RELEVANT_OF_28]
    view = {"data_3d": points, "data_2d": points[..., :2]}
    boxed(tmp_path / "data_train_3dhp.npz", data={"S1 Seq1": [{"0": view}, 25]})
    path = boxed(tmp_path / "data_test_3dhp.npz", data={"TS1": view | {"valid": np.ones(2)}})
    assert [one.subject for one in formats.read(path, "training")] == ["S1"]
    assert [one.subject for one in formats.read(path, "test")] == ["TS1"]
    with pytest.raises(FileError, match="leave them out"):
        formats.read(path, "test", "cpn_ft_h36m_dbb")


def test_folders_of_mpi_inf_3dhp(tmp_path: Path) -> None:
    points = person(0, 2)
    cells = np.empty((14, 2), object)
    for row in range(14):
        cells[row] = [seen_by(points, (1500, 1500), (1024, 1024)).reshape(2, -1), points.reshape(2, -1)]
    for number in range(1, 9):
        for take in ("Seq1", "Seq2"):
            place = tmp_path / f"S{number}" / take
            place.mkdir(parents=True)
            calibration(place / "camera.calibration", dict.fromkeys(range(14), (1500, 1500, 1024, 1024)))
            content = {"annot2": cells[:, :1], "annot3": cells[:, 1:], "cameras": np.arange(14)[None]}
            savemat(place / "annot.mat", content)
    assert len(list(formats.read(tmp_path, "training"))) == 8 * 2 * 8
    with pytest.raises(FileError, match="no test part"):
        formats.read(tmp_path, "test")


@pytest.mark.skipif(find_spec("h5py") is None, reason="h5py is not installed")
def test_folders_of_hdf5(tmp_path: Path) -> None:
    import h5py

    points = person(0, 2)
    for number in range(1, 7):
        (tmp_path / f"TS{number}").mkdir()
        with h5py.File(tmp_path / f"TS{number}" / "annot_data.mat", "w") as file:
            seen = seen_by(points, (1500, 1500), (1024, 1024))
            file["annot2"], file["annot3"] = (part[:, None, RELEVANT_OF_28] for part in (seen, points))
            file["valid_frame"] = file["activity_annotation"] = np.ones((2, 1))
    scenes = [one.scene for one in formats.read(tmp_path, "test")]
    assert scenes == ["GS", "GS", "noGS", "noGS", "outdoor", "outdoor"]
    for subject in human36m.TEST:
        (tmp_path / subject / "Walking-1").mkdir(parents=True)
        with h5py.File(tmp_path / subject / "Walking-1" / "annot.h5", "w") as file:
            joints = np.tile(points[:, [PLACES_OF_28["pelvis"]]], (1, 32, 1))
            file["pose/3d"], file["pose/2d"] = joints, joints[..., :2]
            file["camera"], file["frame"] = np.full(2, 54138969), np.arange(2)
            file["intrinsics/54138969"] = np.array([1100.0, 500.0, 1100.0, 500.0])
    assert [one.subject for one in formats.read(tmp_path, "test")] == ["S9", "S11"]


def test_other_paths_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.npz"):
        with pytest.raises(FileError, match=r"no training part .*; name a file or folder of docs/datasets\.md\.$"):
            formats.read(path, "training")
