# SPDX-License-Identifier: GPL-3.0-or-later
"""From the request ``keypoints`` to the request ``lift``: DiffPose sets out from the whole of a file's heatmaps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from heatmap_files import two_minded
from seen_person import CAMERA, FPS, Knowing, person
from torch import Tensor

from engine.errors import FileError, MotionError, ProtocolError
from engine.motion import keypoints
from engine.motion.body_clip import body_rig
from engine.motion.h36m import JOINTS
from engine.priors.joint_prior import Seen
from engine.priors.prior_file import FOLDER
from engine.requests import TASKS
from engine.tasks.lift import animation, lifters
from engine.tasks.lift.camera_space import Sight

FRAMES, ASIDE = 12, (60.0, -100.0)  # pixels to the right and down: a forearm that is bent upwards
SOMEONE = person(FRAMES, seed=6)
WRIST = JOINTS.index("left_wrist")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return two_minded(tmp_path / "heat.npz", SOMEONE.pixels, WRIST, ASIDE, lower=0.9, fps=FPS)


class Watched:
    """A lifter that keeps what it was shown and what it drew."""

    def __init__(self, lifter: lifters.Lifter) -> None:
        self._lifter = lifter
        self.seen: Seen
        self.drawn: Tensor

    def __call__(self, seen: Seen, hypotheses: int, on_iteration: Any = None) -> Tensor:
        self.seen, self.drawn = seen, self._lifter(seen, hypotheses, on_iteration)
        return self.drawn


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """One who knows the person."""
    lifter = Watched(Knowing(SOMEONE, 0.01))
    monkeypatch.setattr(animation, "load_lifter", lambda prior, steps, seed, device: lifter)
    return lifter


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def request_of(
    path: Path, scale: float = 1.0, shift: np.ndarray | float = 0.0, **settings: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """To lift what a file holds, its pixels scaled and moved by (T, 2), or alike on all frames, as Blender does."""
    told, seen = TASKS["keypoints"]({"path": str(path)}, {}, silent)
    skeleton = body_rig(SOMEONE.motion).skeleton
    params = {
        "fps": FPS, "names": list(skeleton.names), "scale": 1.0, "bone_map": None, "focal": CAMERA.focal * scale,
        "centre_u": CAMERA.centre[0] * scale, "centre_v": CAMERA.centre[1] * scale, "heatmaps": told["heatmaps"],
        "settings": {"prior": "diffpose", "hypotheses": 3, "seed": 5, "device": "cpu"} | settings,
    }  # fmt: skip
    rotations = np.zeros((1, len(skeleton), 4))
    rotations[..., 0] = 1.0
    shift = np.broadcast_to(shift, (FRAMES, 2))
    return params, {
        "parents": np.array(skeleton.parents, "int32"), "rest": skeleton.rest, "tails": skeleton.tails,
        "rotations": rotations, "translations": np.zeros((1, len(skeleton), 3)),
        "pixels": scale * seen["pixels"] + shift[:, None], "confidence": seen["confidence"],
        "sigma": scale * seen["sigma"], "image": np.stack([shift, shift + scale], axis=1),
    }  # fmt: skip


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.5, np.linspace([0, 0], [60, -30], FRAMES))])
def test_draws_lie_over_the_keypoints(path: Path, watched: Watched, scale: float, shift: Any) -> None:
    """They are those of the command line, wherever Blender has the images."""
    params, arrays = request_of(path, scale, shift)
    TASKS["lift"](params, arrays, silent)
    draws = keypoints.draw(path, seed=5)
    assert draws is not None and watched.seen.draws is not None
    there = scale * draws + np.broadcast_to(shift, (FRAMES, 2))[:, None, None]
    camera = type(CAMERA)(CAMERA.focal * scale, (CAMERA.centre[0] * scale, CAMERA.centre[1] * scale))
    sight = Sight.of(arrays["pixels"], arrays["confidence"], arrays["sigma"], camera, FPS, there.astype("f4"))
    ratio = (watched.seen.joints[..., :2] / torch.from_numpy(sight.tangents)).flatten(1).median(dim=1).values
    wanted = sight.seen(ratio.double().numpy()).draws
    torch.testing.assert_close(watched.seen.draws, wanted, atol=1e-4, rtol=1e-4)


def test_what_has_no_use_for_heatmaps_does_not_ask_for_them(path: Path, watched: Watched) -> None:
    params, arrays = request_of(path, prior="gfpose")
    path.unlink()
    TASKS["lift"](params, arrays, silent)
    assert watched.seen.draws is None


@pytest.mark.skipif(
    not (FOLDER / "diffpose_clip.safetensors").exists(), reason="the weights of DiffPose are not in this checkout"
)
def test_hypotheses_visit_both_modes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lifter = Watched(lifters.load_lifter("diffpose", None, 5, "cpu"))
    monkeypatch.setattr(animation, "load_lifter", lambda prior, steps, seed, device: lifter)
    shares = []
    for change in ({}, {"heatmaps": None}):
        params, arrays = request_of(path, hypotheses=20)
        TASKS["lift"](params | change, arrays, silent)
        off = lifter.drawn[:, :, WRIST, :2] - lifter.seen.joints[:, None, WRIST, :2]
        way = torch.tensor(ASIDE) * torch.tensor([1.0, -1.0]) / CAMERA.focal  # tangents; metres are of some 4 m away
        along = (off @ way) / way.square().sum() / 4.0
        shares.append((along > 0.5).float().mean(dim=1))
    assert float(shares[0].min()) > 0.2 and float(shares[0].max()) < 0.7
    assert float(shares[1].max()) == 0.0


def test_a_file_that_is_gone_or_another_is_told(path: Path, watched: Watched, tmp_path: Path) -> None:
    params, arrays = request_of(path)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(FileError, match="not there any more"):
        TASKS["lift"](params, arrays, silent)
    path.write_bytes(kept)
    os.utime(path, ns=(0, params["heatmaps"]["state"][1] + 1))
    with pytest.raises(FileError, match=r"heat.npz has changed since it was read; animate from it again\."):
        TASKS["lift"](params, arrays, silent)
    os.utime(path, ns=(0, params["heatmaps"]["state"][1]))
    TASKS["lift"](params, arrays, silent)
    two_minded(path, SOMEONE.pixels[1:], WRIST, ASIDE)
    state = [path.stat().st_size, path.stat().st_mtime_ns]
    for told in (params["heatmaps"] | {"state": state}, params["heatmaps"] | {"state": state, "path": str(tmp_path)}):
        with pytest.raises(FileError, match="has changed"):
            TASKS["lift"](params | {"heatmaps": told}, arrays, silent)


@pytest.mark.parametrize(
    ("params", "arrays", "error", "word"),
    [
        ({"heatmaps": "heat.npz"}, {}, ProtocolError, "no table"),
        ({"heatmaps": {"path": 3}}, {}, ProtocolError, "no keypoint file"),
        ({"heatmaps": {}}, {}, ProtocolError, "lacks path"),
        ({"heatmaps": {"path": "a\0b", "state": []}}, {}, FileError, "not there"),
        ({}, {"image": None}, ProtocolError, "lacks image"),
        ({}, {"image": np.zeros((FRAMES, 2))}, MotionError, "each frame"),
        ({}, {"image": np.zeros((FRAMES - 1, 2, 2))}, MotionError, "each frame"),
        ({}, {"image": np.full((FRAMES, 2, 2), np.nan)}, MotionError, "outside"),
        ({}, {"image": np.full((FRAMES, 2, 2), 1e30)}, MotionError, "outside"),
    ],
)
def test_heatmaps_that_cannot_be(
    path: Path, watched: Watched, params: dict[str, Any], arrays: dict[str, Any], error: type[Exception], word: str
) -> None:
    asked, given = request_of(path)
    with pytest.raises(error, match=word):
        present = {key: array for key, array in (given | arrays).items() if array is not None}
        TASKS["lift"](asked | params, present, silent)


def test_other_files_have_no_heatmaps(tmp_path: Path) -> None:
    other = tmp_path / "seen.json"
    other.write_text('{"frames": [{"nose": [10, 20, 1]}], "width": 640, "height": 480}')
    for path in (other, tmp_path):
        answer, _ = TASKS["keypoints"]({"path": str(path)}, {}, silent)
        assert answer["heatmaps"] is None
