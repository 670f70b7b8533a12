# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine lift`` from file to file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from heatmap_files import two_minded
from seen_person import CAMERA, FPS, Knowing, person
from torch import Tensor

from engine.body import bundled, posed
from engine.cli import main
from engine.commands.clip_file import ClipFile
from engine.diffusion.graph_network import ContextEncoder, PoseGraphNet
from engine.motion import amass, bvh
from engine.motion.h36m import JOINTS, PARENTS
from engine.motion.keypoints import heatmap_file as keypoints
from engine.priors.joint_prior import UNIT, Seen
from engine.priors.lifting_prior import LiftingPrior
from engine.priors.prior_file import FOLDER
from engine.tasks.lift import animation, lifters
from engine.tasks.lift.camera_space import Sight

SOMEONE = person(24, seed=2)
VIEW = {"fx": 1100, "fy": 1100, "cx": 640, "cy": 360, "width": 1280, "height": 720}
NAMES = ["neck" if name == "thorax" else name for name in JOINTS]
WEIGHTS = FOLDER / "gfpose.safetensors"


def keypoint_file(folder: Path, hidden: tuple[int, ...] = (), **about: Any) -> Path:
    frames = [
        {} if t in hidden else {name: [*map(float, SOMEONE.pixels[t, j]), 0.9, 2.0] for j, name in enumerate(NAMES)}
        for t in range(len(SOMEONE.pixels))
    ]
    path = folder / "keypoints.json"
    path.write_text(json.dumps({"fps": FPS, "frames": frames} | about))
    return path


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Knowing:
    """A lifter who knows the person stands for the networks."""
    someone = Knowing(SOMEONE, 0.01)
    monkeypatch.setattr(animation, "load_lifter", lambda prior, steps, seed, device: someone)
    return someone


def test_keypoints_become_a_bvh_file(
    tmp_path: Path, knowing: Knowing, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, trust = keypoint_file(tmp_path, (7, 8), camera=VIEW), tmp_path / "a.bvh", tmp_path / "c.npz"
    arguments = ["lift", str(source), str(target), "--hypotheses", "3", "--confidences", str(trust), "--device", "cpu"]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "a.bvh: 24 frames (2 of them unseen)" in told.out and "pixels from the keypoints" in told.out
    assert "50 mm" not in told.err
    motion = bvh.read(target).motion
    assert len(motion) == 24 and motion.fps == FPS and motion.skeleton.scale == 1.0
    found = posed(ClipFile(target).body)[0]
    truth = posed(SOMEONE.motion)[0]
    apart = np.linalg.norm(found - found[:, :1] - truth + truth[:, :1], axis=-1)
    assert apart[:, [4, 5, 7, 8, 12, 18, 19, 20, 21]].mean() < 0.1
    with np.load(trust) as content:
        assert content["confidence"].shape == (24, 22) and content["joint_names"][4] == "left_knee"
        assert not content["confidence"][7:9].any() and content["confidence"][0].min() > 0.3


def test_keypoints_become_amass_files_of_one_body(tmp_path: Path, knowing: Knowing) -> None:
    source, target = keypoint_file(tmp_path, camera=VIEW), tmp_path / "a.npz"
    options = ["--keep", "2", "--hypotheses", "3", "--height", "1.6", "--world", "--fps", "50", "--device", "cpu"]
    assert main(["lift", str(source), str(target), *options]) == 0
    assert not target.exists()
    first, second = (amass.read(tmp_path / f"a.{number}.npz") for number in (1, 2))
    np.testing.assert_array_equal(first.betas, second.betas)
    assert first.motion.fps == 50.0 and len(second.motion) == 24
    joints = bundled(first.betas).joints(first.motion.poses, first.motion.transl).numpy()
    assert 1.3 < np.ptp(joints[..., 1]) < 1.6, "from the toes to the base of the skull"
    assert abs(joints[..., 1].min()) < 0.08


def test_a_lens_is_guessed_in_a_sentence(
    tmp_path: Path, knowing: Knowing, capsys: pytest.CaptureFixture[str]
) -> None:
    source = keypoint_file(tmp_path)
    assert main(["lift", str(source), str(tmp_path / "a.npz"), "--size", "1280,720", "--hypotheses", "2"]) == 0
    assert "taken to be a lens of 50 mm (1778 pixels)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "options", "word"),
    [
        ("a.fbx", [], "must end in .bvh or .npz"),
        ("gone/a.bvh", [], "does not exist"),
        ("a.bvh", [], "neither camera nor image size"),
        ("a.bvh", ["--camera", "-4,1,1"], "positive"),
        ("a.bvh", ["--camera", "1000,640,360", "--person", "Bob"], "Bob"),
        ("a.bvh", ["--camera", "1000,640,360", "--keep", "9", "--hypotheses", "3"], "fewer"),
        ("a.bvh", ["--camera", "1000,640,360", "--fps", "0"], "frame rate"),
        ("a.bvh", ["--camera", "1000,640,360", "--height", "170"], "tall"),
        ("a.bvh", ["--camera", "1000,640,360", "--confidences", "b.txt"], "must end in .npz"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    tmp_path: Path, knowing: Knowing, capsys: pytest.CaptureFixture[str], output: str, options: list[str], word: str
) -> None:
    source = keypoint_file(tmp_path)
    if options[:1] == ["--camera"]:
        options = [f"--camera={options[1]}", *options[2:]]
    assert main(["lift", str(source), str(tmp_path / output), *options]) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in sentence and sentence.endswith(".")
    assert not list(tmp_path.glob("*.bvh"))


def heatmap_file(folder: Path) -> Path:
    """The person's keypoints as heatmaps; 40 % of the left wrist's lie 150 pixels to the right, in a lower mode."""
    return two_minded(folder / "heat.npz", SOMEONE.pixels, JOINTS.index("left_wrist"), (150.0, 0.0), fps=FPS)


@pytest.mark.parametrize("prior", ["gfpose", "diffpose"])
def test_heatmaps_are_keypoints_and_diffpose_sees_all_of_them(
    tmp_path: Path, prior: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    knowing, shown = Knowing(SOMEONE, 0.01), []

    def lifter(seen: Seen, hypotheses: int, on_iteration: object = None) -> Tensor:
        shown.append(seen)
        return knowing(seen, hypotheses)

    monkeypatch.setattr(animation, "load_lifter", lambda prior, steps, seed, device: lifter)
    source, target = heatmap_file(tmp_path), tmp_path / "a.bvh"
    options = ["--prior", prior, "--camera", "1100,640,360", "--hypotheses", "3", "--device", "cpu"]
    assert main(["lift", str(source), str(target), *options]) == 0
    assert "24 frames," in capsys.readouterr().out
    assert bvh.read(target).motion.fps == FPS
    found, truth = posed(ClipFile(target).body)[0], posed(SOMEONE.motion)[0]
    apart = np.linalg.norm(found - found[:, :1] - truth + truth[:, :1], axis=-1)
    assert apart[:, [4, 5, 7, 8, 12, 18, 19, 20, 21]].mean() < 0.1
    last = shown[-1]
    if prior == "gfpose":
        assert last.draws is None
        return
    assert last.draws is not None and last.draws.shape == (24, keypoints.DRAWS, 17, 2)
    off = (last.draws - last.joints[:, None, :, :2]) / (last.doubt[:, None, :, :1])
    wrist = JOINTS.index("left_wrist")
    others = [j for j in range(17) if j != wrist]
    torch.testing.assert_close(off[:, :, others].std(dim=1), torch.ones(24, 16, 2), rtol=0.2, atol=0)
    there = off[:, :, wrist, 0] > 3.5
    torch.testing.assert_close(there.float().mean(dim=1), torch.full((24,), 0.4), atol=0.1, rtol=0)


def test_diffpose_s_own_way_from_heatmaps_to_an_animation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a network that knows how the person stands, and is told of nothing."""
    knowing = Knowing(SOMEONE)
    told = Sight.of(SOMEONE.pixels, np.ones((24, 17)), None, CAMERA, FPS).seen(knowing.distance)
    truth = knowing(told, 1)[12, 0] / UNIT

    class Oracle(PoseGraphNet):
        def forward(self, pose: Tensor, centre: Tensor, step: Tensor, context: Tensor | None) -> Tensor:
            return (truth - truth[:1]).expand_as(pose)

    torch.manual_seed(0)
    encoder = ContextEncoder(PARENTS, width=16, depth=1, frames=9)
    prior = LiftingPrior(encoder, Oracle(PARENTS, context=0, width=8, blocks=0)).eval()
    monkeypatch.setattr(lifters, "load_lifting_prior", lambda encoder: prior)
    target = tmp_path / "a.npz"
    options = ["--prior", "diffpose", "--camera", "1100,640,360", "--hypotheses", "3", "--device", "cpu"]
    assert main(["lift", str(heatmap_file(tmp_path)), str(target), *options]) == 0
    motion = amass.read(target).motion
    found, there = posed(motion)[0][12], posed(SOMEONE.motion)[0][12]
    apart = np.linalg.norm(found - found[0] - there + there[0], axis=-1)
    assert apart[[4, 5, 7, 8, 12, 18, 19, 20, 21]].mean() < 0.12


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of GFPose are not in this checkout")
def test_gfpose_s_own_draws_repeat_by_seed(tmp_path: Path) -> None:
    source = keypoint_file(tmp_path, camera=VIEW)
    made = []
    for name, number in (("a", "1"), ("b", "1"), ("c", "2")):
        options = ["--hypotheses", "3", "--steps", "4", "--seed", number, "--device", "cpu"]
        assert main(["lift", str(source), str(tmp_path / f"{name}.npz"), *options]) == 0
        made.append(amass.read(tmp_path / f"{name}.npz").motion.poses)
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-3
