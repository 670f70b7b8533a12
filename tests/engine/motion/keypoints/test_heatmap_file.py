# SPDX-License-Identifier: GPL-3.0-or-later
"""Heatmaps from files: points, and places drawn, in pixels."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heatmap_files import rendered

from engine import physical_memory
from engine.errors import FileError
from engine.motion.keypoints import LAYOUTS, draw, holds_heatmaps, read, to_h36m
from engine.motion.keypoints.layouts import H36M_17

FRAMES, HEIGHT, WIDTH = 5, 48, 36
SIZE = (720, 960)
CELL = 20.0  # pixels of that size
CELLS = np.random.default_rng(0).uniform((9.0, 9.0), (27.0, 39.0), (FRAMES, 17, 2))
MAPS = rendered(CELLS, HEIGHT, WIDTH)


def saved(folder: Path, *, packed: bool = False, **arrays: Any) -> Path:
    path = folder / "heat.npz"
    given = {"heatmaps": MAPS, "size": np.array(SIZE)} | arrays
    save = np.savez_compressed if packed else np.savez
    save(path, **{key: array for key, array in given.items() if array is not None})
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "uint8"])
def test_points_of_every_kind_of_number(tmp_path: Path, dtype: str, packed: bool) -> None:
    maps = np.round(255 * 0.8 * MAPS) if dtype == "uint8" else 0.8 * MAPS
    people = read(saved(tmp_path, heatmaps=maps.astype(dtype), fps=np.array(25.0), packed=packed))
    assert (people.fps, people.size, people.first, people.last, len(people.tracks)) == (25.0, SIZE, 0, FRAMES - 1, 1)
    pixels, confidence, sigma = to_h36m(people.choose())
    np.testing.assert_allclose(pixels, CELL * CELLS, atol=0.05 * CELL)
    np.testing.assert_allclose(confidence, 0.8 * MAPS.max(axis=(2, 3)), atol=0.004)
    # A Gaussian without what is below a hundredth of its peak, and a cell's own width.
    told = CELL * np.sqrt(4.0 * (1.0 - np.log(100.0) / 99.0) + 1.0 / 12.0)
    assert sigma is not None
    np.testing.assert_allclose(sigma, told, rtol=0.04)


def test_peaks_beyond_one_are_certain(tmp_path: Path) -> None:
    _, confidence, _ = to_h36m(read(saved(tmp_path, heatmaps=7.0 * MAPS)).choose())
    assert (confidence == 1.0).all()


def test_what_heatmaps_cover_is_told_by_boxes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    box = np.concatenate([rng.uniform(-50, 300, (FRAMES, 2)), rng.uniform(100, 400, (FRAMES, 2))], axis=1)
    path = saved(tmp_path, size=None, box=box.astype("f4"))
    pixels, _, sigma = to_h36m(read(path).choose())
    side = box[:, None, 2:] / (WIDTH, HEIGHT)
    np.testing.assert_allclose(pixels, box[:, None, :2] + CELLS * side, atol=0.05 * side.max())
    assert sigma is not None
    np.testing.assert_allclose(sigma, 1.975 * np.repeat(np.sqrt((side**2).mean(axis=2)), 17, axis=1), rtol=0.05)
    places = draw(path)
    assert places is not None
    away = (places - pixels[:, None]) / sigma[:, None, :, None]
    assert abs(float(away.mean())) < 0.05 and np.abs(away).max() < 5.0


def test_joints_that_are_not_seen(tmp_path: Path) -> None:
    maps = MAPS.copy()
    maps[:, 5], maps[2] = 0.0, 0.0
    path = saved(tmp_path, heatmaps=maps)
    pixels, confidence, sigma = to_h36m(read(path).choose())
    seen = np.ones((FRAMES, 17), bool)
    seen[:, 5], seen[2] = False, False
    np.testing.assert_array_equal(confidence > 0, seen)
    assert sigma is not None
    np.testing.assert_array_equal(np.isfinite(sigma), seen)
    places = draw(path)
    assert places is not None and not pixels[~seen].any()
    assert not places.swapaxes(1, 2)[~seen].any() and places.swapaxes(1, 2)[seen].all()


@pytest.mark.parametrize("layout", ["coco_17", "mpii_16", "halpe_26", "coco_133"])
@pytest.mark.parametrize("how", ["member", "option"])
def test_layouts(tmp_path: Path, layout: str, how: str) -> None:
    """By name; the joints that they lack are the middles of others, and so are places drawn."""
    order = LAYOUTS[layout]
    rng = np.random.default_rng(2)
    cells = rng.uniform((9.0, 9.0), (27.0, 39.0), (2, len(order), 2))
    given = {"layout": np.array(layout)} if how == "member" else {}
    path = saved(tmp_path, heatmaps=rendered(cells, HEIGHT, WIDTH).astype("f2"), **given)
    named = None if how == "member" else layout
    pixels, confidence, sigma = to_h36m(read(path, layout=named).choose())
    places = draw(path, layout=named, count=4000)
    assert places is not None and sigma is not None
    derived = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    for place, point in enumerate(H36M_17):
        parts = (point,) if point in order else derived.get(point, ())
        assert (confidence[:, place] > 0).all() == bool(parts)
        if parts:
            truth = CELL * np.mean([cells[:, order.index(part)] for part in parts], axis=0)
            np.testing.assert_allclose(pixels[:, place], truth, atol=0.05 * CELL)
            np.testing.assert_allclose(places[:, :, place].mean(axis=1), truth, atol=0.15 * CELL)
            spread = np.sqrt(places[:, :, place].var(axis=1).mean(axis=1))
            np.testing.assert_allclose(spread, sigma[:, place], rtol=0.05)


def test_draws_are_of_all_modes_while_the_point_is_in_the_strongest(tmp_path: Path) -> None:
    other = CELLS + np.where(CELLS[..., 1:] > 24.0, -12.0, 12.0) * [0.0, 1.0]
    path = saved(tmp_path, heatmaps=(MAPS + 0.5 * rendered(other, HEIGHT, WIDTH)).astype("f4"))
    pixels, _, _ = to_h36m(read(path).choose())
    np.testing.assert_allclose(pixels, CELL * CELLS, atol=0.1 * CELL)
    places = draw(path, count=3000)
    assert places is not None
    there = np.linalg.norm(places - CELL * other[:, None], axis=-1) < 6.0 * CELL
    np.testing.assert_allclose(there.mean(axis=1), 1.0 / 3.0, atol=0.03)
    # Each joint's by itself.
    assert np.abs(np.corrcoef(there[0].T) - np.eye(17)).max() < 0.1


def test_draws_repeat_by_seed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    first, again, other = draw(path), draw(path), draw(path, seed=1)
    assert first is not None and other is not None and first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > CELL


def test_other_files_have_no_draws(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"nose": [1, 2]}')
    np.savez(tmp_path / "joints.npz", joints=np.zeros((2, 22, 3)))
    for path in (tmp_path, tmp_path / "a.json", tmp_path / "joints.npz"):
        assert not holds_heatmaps(path) and draw(path) is None
    assert holds_heatmaps(saved(tmp_path))


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"heatmaps": None}, "no array 'heatmaps'"),
        ({"heatmaps": MAPS[0]}, r"\(T, J, H, W\)"),
        ({"heatmaps": MAPS[:, :, :0]}, r"\(T, J, H, W\)"),
        ({"heatmaps": MAPS[:0]}, "no frames"),
        ({"heatmaps": MAPS.astype("i4")}, "damaged array"),
        ({"heatmaps": MAPS.astype("u2")}, "uint8"),
        ({"heatmaps": MAPS.astype(object)}, "pickled"),
        ({"heatmaps": np.asfortranarray(MAPS)}, "ascontiguousarray"),
        ({"heatmaps": MAPS - 0.1}, "negative"),
        ({"heatmaps": np.where(MAPS > 0.9, np.nan, MAPS)}, "not finite"),
        ({"heatmaps": np.where(MAPS > 0.9, np.inf, MAPS)}, "not finite"),
        ({"heatmaps": MAPS[:, :15]}, "no layout has so many"),
        ({"heatmaps": np.zeros((1, 17, 1000, 1000), "u1")}, "cells a frame"),
        ({"heatmaps": np.zeros((100_001, 17, 1, 1), "u1")}, "more than 100000 frames"),
        ({"heatmaps": 0.0 * MAPS}, None),
        ({"layout": np.array("body_25")}, "has 25"),
        ({"layout": np.array("mine")}, "not known"),
        ({"layout": np.array(["h36m_17", "coco_17"])}, "not known"),
        ({"size": None}, "does not say what its heatmaps cover"),
        ({"size": np.array([0, 960])}, "image size"),
        ({"size": np.array([720, 960, 3])}, "shape"),
        ({"box": np.zeros((FRAMES, 4))}, "no part of an image"),
        ({"box": np.full((FRAMES, 4), 1e9)}, "no part of an image"),
        ({"box": np.full((FRAMES, 4), np.nan)}, "not finite"),
        ({"box": np.ones((FRAMES - 1, 4))}, "shape"),
        ({"fps": np.array(0.0)}, "frame rate"),
        ({"fps": np.array([25.0, 30.0])}, "shape"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, arrays: dict[str, Any], word: str | None) -> None:
    path = saved(tmp_path, packed=True, **arrays)
    with pytest.raises(FileError, match=word or "Nobody is seen") as caught:
        read(path).choose()
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and sentence.count(". ") == 0


def test_more_draws_than_there_is_memory_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    monkeypatch.setattr(physical_memory, "total", lambda: 500_000)
    with pytest.raises(FileError, match="memory"):
        draw(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_takes_no_more_memory_than_some_frames(tmp_path: Path, packed: bool) -> None:
    path = saved(tmp_path, heatmaps=np.tile(MAPS.astype("f4"), (36, 1, 1, 1)), packed=packed)
    tracemalloc.start()
    people = read(path)
    places = draw(path, count=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(people.choose()) == 180 and places is not None and places.shape == (180, 4, 17, 2)
    assert peak < 0.6 * 36 * 4 * MAPS.size, f"{peak / 1e6:.0f} MB"
    np.testing.assert_allclose(people.tracks[0].pixels[::5], people.tracks[0].pixels[:1].repeat(36, axis=0))
