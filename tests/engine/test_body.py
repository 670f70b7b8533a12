# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinematics against SciPy, the mannequin against its package, model files against the package smplx."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import roma
import smplx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mannequin import Mannequin
from scipy.spatial.transform import Rotation
from smplx.utils import Struct

from engine.body import Body, bundled, forward_kinematics, kinematic_levels, load, mean_offsets
from engine.errors import FileError
from engine.motion.joints import JOINTS, PARENTS

VERTICES = {24: 6890, 52: 6890, 55: 10475}  # the real counts: smplx picks vertices by number
BETAS = np.array([1.5, -0.7, 0.3, 0.9])


def chain(
    rotations: np.ndarray, offsets: np.ndarray, root: np.ndarray, parents: tuple[int, ...]
) -> np.ndarray:
    """Joints (J, 3) of one pose (J, 3), joint by joint with SciPy."""
    turned: list[Rotation] = []
    joints: list[np.ndarray] = []
    for j, parent in enumerate(parents):
        own = Rotation.from_rotvec(rotations[j])
        turned.append(own if parent < 0 else turned[parent] * own)
        joints.append(root if parent < 0 else joints[parent] + turned[parent].apply(offsets[j]))
    return np.array(joints)


@st.composite
def trees(draw: st.DrawFn) -> tuple[int, ...]:
    count = draw(st.integers(1, 30))
    return (-1, *(draw(st.integers(0, j - 1)) for j in range(1, count)))


@settings(max_examples=40, deadline=None)
@given(trees(), st.integers(0, 2**31), st.sampled_from([(), (3,), (2, 3), (0,)]), st.booleans())
def test_kinematics_of_any_tree_and_batch(
    parents: tuple[int, ...], seed: int, batch: tuple[int, ...], own_offsets: bool
) -> None:
    random = np.random.default_rng(seed)
    poses = random.normal(size=(*batch, len(parents), 3))
    offsets = random.normal(size=(*(batch if own_offsets else ()), len(parents), 3))
    root = random.normal(size=(*batch, 3))
    rotmats = roma.rotvec_to_rotmat(torch.tensor(poses))
    joints, rotations = forward_kinematics(rotmats, torch.tensor(offsets), torch.tensor(root), parents)
    assert joints.shape == poses.shape and rotations.shape == (*poses.shape, 3)
    for index in np.ndindex(batch):
        expected = chain(poses[index], np.broadcast_to(offsets, poses.shape)[index], root[index], parents)
        np.testing.assert_allclose(joints[index].numpy(), expected, atol=1e-10)


def test_levels_of_smpl() -> None:
    levels = kinematic_levels(PARENTS)
    assert levels[0] == (0,) and levels[1] == (1, 2, 3) and levels[-1] == (20, 21)
    assert sorted(j for level in levels for j in level) == list(range(22))


@pytest.mark.parametrize("parents", [(), (0,), (-1, -1), (-1, 2, 0), (-1, 1)])
def test_levels_refuse_what_is_no_tree(parents: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one tree"):
        kinematic_levels(parents)


def test_kinematics_are_differentiable_in_every_input() -> None:
    random = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(*shape, generator=random, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 22, 3, 3), (22, 3), (2, 3))
    ]
    assert torch.autograd.gradcheck(forward_kinematics, inputs, fast_mode=True)


def test_kinematics_first_used_without_gradients_serve_them_later() -> None:
    parents = (-1, 0, 1, 1, 0)  # a tree no other test uses
    rotmats = torch.eye(3).expand(2, 5, 3, 3).clone()
    with torch.inference_mode():
        forward_kinematics(rotmats, torch.ones(5, 3), torch.zeros(3), parents)
    joints, _ = forward_kinematics(rotmats.requires_grad_(), torch.ones(5, 3), torch.zeros(3), parents)
    joints.sum().backward()
    assert rotmats.grad is not None and rotmats.grad.abs().sum() > 0


def test_kinematics_keep_the_precision_and_refuse_wrong_shapes() -> None:
    offsets, root = torch.zeros(22, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    joints, rotations = forward_kinematics(torch.eye(3).expand(4, 22, 3, 3), offsets, root)
    assert joints.dtype == rotations.dtype == torch.float32
    with pytest.raises(ValueError, match="22"):
        forward_kinematics(torch.eye(3).expand(4, 21, 3, 3), offsets, root)


def mannequin_pose(
    model: Mannequin, body: Body, poses: np.ndarray, transl: np.ndarray
) -> dict[str, np.ndarray]:
    pose = model.rest_pose(batch_dims=poses.shape[:-2], dtype=np.float64)
    pose["pelvis_rotation"], pose["body_pose"] = poses[:, 0], poses[:, 1:]
    pose["global_translation"] = transl - body.pelvis_offset
    return pose


def mannequin_joints(model: Mannequin) -> list[int]:
    wanted = [name.replace("left_", "l_").replace("right_", "r_") for name in JOINTS]
    names = [name.lower() for name in model.joint_names]
    return [names.index(name) for name in wanted]


@pytest.mark.parametrize("betas", [None, BETAS, np.arange(16.0) / 16.0])
def test_bundled_body_poses_as_its_package_does(betas: np.ndarray | None) -> None:
    shape = np.zeros(10)
    if betas is not None:
        shape[: len(betas)] = betas[:10]
    model, body = Mannequin("wooden", shape=shape.astype(np.float32)), bundled(betas)
    random = np.random.default_rng(3)
    poses, transl = random.normal(size=(3, 22, 3)), random.normal(size=(3, 3))
    pose = mannequin_pose(model, body, poses, transl)
    transforms = model.joint_transforms(pose)[:, mannequin_joints(model)]
    joints, rotations = forward_kinematics(
        roma.rotvec_to_rotmat(torch.tensor(poses)), torch.tensor(body.offsets), torch.tensor(transl)
    )
    np.testing.assert_allclose(joints.numpy(), transforms[..., :3, 3], atol=1e-6)
    np.testing.assert_allclose(rotations.numpy(), transforms[..., :3, :3], atol=1e-6)
    np.testing.assert_allclose(body.joints(poses, transl).numpy(), joints.numpy(), atol=1e-12)
    np.testing.assert_allclose(body.vertices(poses, transl).numpy(), model.vertices(pose), atol=2e-6)


def test_the_mean_shape_is_that_of_the_package() -> None:
    np.testing.assert_array_equal(mean_offsets(), bundled().offsets)


def test_bundled_body_stands_in_the_body_convention() -> None:
    body = bundled()
    rest = body.joints(np.zeros((22, 3)), np.zeros(3)).numpy()
    place = dict(zip(JOINTS, rest, strict=True))
    assert (place["pelvis"] == 0).all() and (body.offsets[0] == 0).all()
    assert place["head"][1] > 0.4 and place["left_ankle"][1] < -0.7, "Y is up"
    assert place["left_wrist"][0] > 0.6 and place["right_wrist"][0] < -0.6, "+X is the left"
    assert place["left_foot"][2] - place["left_ankle"][2] > 0.05, "it faces +Z"
    vertices = body.vertices(np.zeros((22, 3)), np.zeros(3)).numpy()
    assert body.faces.shape[1] == 3 and body.faces.max() < len(vertices)
    assert 1.5 < np.ptp(vertices[:, 1]) < 1.9


def test_vertices_in_chunks_equal_single_frames_and_follow_gradients() -> None:
    body = bundled()
    poses = torch.randn(2, 20, 22, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    transl = torch.zeros(2, 20, 3)
    vertices = body.vertices(poses, transl)
    assert vertices.shape == (2, 20, int(body.faces.max()) + 1, 3) and vertices.dtype == torch.float32
    torch.testing.assert_close(vertices[1, 17], body.vertices(poses[1, 17], transl[1, 17]), atol=1e-6, rtol=0)
    vertices[0, 0].square().sum().backward()
    assert poses.grad is not None and poses.grad[0, 0].abs().sum() > 0 and not poses.grad[1].any()


def test_no_frames_have_no_vertices() -> None:
    assert bundled().vertices(np.zeros((0, 22, 3)), np.zeros((0, 3))).shape[0] == 0


@pytest.mark.parametrize("betas", [np.zeros((1, 10)), np.array([np.nan])])
def test_wrong_shape_coefficients_are_refused(betas: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        bundled(betas)


def smpl_arrays(joints: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A model in SMPL's format: a cloud of vertices, each joint the mean of a few of them."""
    random = np.random.default_rng(seed)
    vertices = VERTICES[joints]
    regressor = np.zeros((joints, vertices))
    for row in regressor:
        row[random.choice(vertices, 6, replace=False)] = random.dirichlet(np.ones(6))
    weights = np.zeros((vertices, joints))
    for column in random.integers(joints, size=(4, vertices)):
        weights[np.arange(vertices), column] += random.random(vertices)
    beyond = [random.integers(0, j) for j in range(22, joints)]
    parents = np.array([2**32 - 1, *PARENTS[1:], *beyond], dtype=np.uint32)
    shapes = 20 if joints == 55 else 10
    arrays = {
        "v_template": random.normal(size=(vertices, 3)),
        "shapedirs": 0.1 * random.normal(size=(vertices, 3, shapes)),
        "posedirs": 0.01 * random.standard_normal((vertices, 3, 9 * (joints - 1)), dtype=np.float32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack([parents, np.arange(joints, dtype=np.uint32)]),
        "f": random.integers(vertices, size=(100, 3)).astype(np.uint32),
    }
    if joints > 24:
        for side in "lr":
            arrays[f"hands_mean{side}"] = 0.3 * random.normal(size=45)
            arrays[f"hands_components{side}"] = np.eye(45)
    if joints == 55:
        arrays["lmk_faces_idx"] = np.zeros(51, dtype=np.int64)
        arrays["lmk_bary_coords"] = np.full((51, 3), 1 / 3)
    return arrays


def saved(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def reference_model(path: Path, arrays: dict[str, np.ndarray]) -> smplx.SMPL:
    settings = {"dtype": torch.float64, "num_betas": 10}
    match len(arrays["J_regressor"]):
        case 24:
            return smplx.SMPL(str(path), data_struct=Struct(**arrays), **settings)
        case 52:
            return smplx.SMPLH(str(path), data_struct=Struct(**arrays), use_pca=False, **settings)
        case _:
            return smplx.SMPLX(str(path), use_pca=False, **settings)


@pytest.mark.parametrize("joints", [24, 52, 55])
def test_model_files_pose_as_smplx_does(tmp_path: Path, joints: int) -> None:
    arrays = smpl_arrays(joints)
    path = saved(tmp_path / "model.npz", arrays)
    body, model = load(path, BETAS), reference_model(path, arrays)
    random = torch.Generator().manual_seed(1)
    poses = torch.randn(2, 22, 3, generator=random, dtype=torch.float64)
    transl = torch.randn(2, 3, generator=random, dtype=torch.float64)
    beyond = 2 if joints == 24 else 0
    zeros = {} if joints == 24 else {key: torch.zeros(2, 45) for key in ("left_hand_pose", "right_hand_pose")}
    if joints == 55:
        zeros |= {key: torch.zeros(2, 3) for key in ("jaw_pose", "leye_pose", "reye_pose")}
        zeros["expression"] = torch.zeros(2, 10)
    with torch.no_grad():
        output = model(
            betas=torch.tensor(np.pad(BETAS, (0, 6)))[None].expand(2, -1),
            global_orient=poses[:, 0],
            body_pose=torch.cat([poses[:, 1:], torch.zeros(2, beyond, 3)], dim=1).flatten(1),
            transl=transl - torch.tensor(body.pelvis_offset),
            **{key: value.double() for key, value in zeros.items()},
        )
    torch.testing.assert_close(body.joints(poses, transl), output.joints[:, :22], atol=1e-6, rtol=0)
    torch.testing.assert_close(body.vertices(poses, transl), output.vertices, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(body.faces, arrays["f"])


def test_model_file_with_the_mannequins_shape_has_the_mannequins_joints(tmp_path: Path) -> None:
    """The first vertices of the file are the mannequin's joints, and move with the shape as those do."""
    arrays = smpl_arrays(55)

    def places(shape: np.ndarray) -> np.ndarray:
        model = Mannequin("wooden", shape=shape.astype(np.float32))
        return model.joint_transforms(model.rest_pose())[mannequin_joints(model)][:, :3, 3]

    mean = places(np.zeros(10))
    arrays["v_template"][:22] = mean
    arrays["shapedirs"][:22, :, :10] = np.stack([places(row) - mean for row in np.eye(10)], axis=-1)
    arrays["J_regressor"][:22] = np.eye(22, VERTICES[55])
    path = saved(tmp_path / "model.npz", arrays)
    poses, transl = np.random.default_rng(5).normal(size=(4, 22, 3)), np.ones((4, 3))
    for betas in (None, BETAS):
        ours, theirs = bundled(betas), load(path, betas)
        np.testing.assert_allclose(ours.offsets, theirs.offsets, atol=1e-6)
        np.testing.assert_allclose(ours.pelvis_offset, theirs.pelvis_offset, atol=1e-6)
        np.testing.assert_allclose(ours.joints(poses, transl), theirs.joints(poses, transl), atol=1e-5)


@pytest.fixture(scope="module")
def smpl() -> dict[str, np.ndarray]:
    return smpl_arrays(24)


def test_shape_coefficients_stop_before_expressions(tmp_path: Path) -> None:
    arrays = smpl_arrays(55)
    assert len(load(saved(tmp_path / "model.npz", arrays), np.ones(20)).betas) == 10


def test_pickled_arrays_that_are_not_needed_are_never_opened(
    tmp_path: Path, smpl: dict[str, np.ndarray]
) -> None:
    """As SMPL-X files from their authors hold them (joint2num)."""
    extra = np.array({"spine": 3}, dtype=object)
    assert load(saved(tmp_path / "model.npz", {**smpl, "joint2num": extra})).offsets.shape == (22, 3)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_pickles_are_refused_unopened(tmp_path: Path, smpl: dict[str, np.ndarray]) -> None:
    trace = tmp_path / "trace"
    bomb = np.array([Bomb(trace)], dtype=object)
    plain = tmp_path / "model.pkl"
    plain.write_bytes(pickle.dumps(Bomb(trace)))
    renamed = tmp_path / "renamed.npz"
    renamed.write_bytes(plain.read_bytes())
    member = saved(tmp_path / "member.npz", {**smpl, "J_regressor": bomb})
    for path in (plain, renamed, member):
        with pytest.raises(FileError, match=r"[Pp]ickle.*convert it to an \.npz of plain arrays"):
            load(path)
    assert not trace.exists()


def without(arrays: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name != key}


def replaced(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("key", "change", "says"),
    [
        ("weights", lambda a: a[:, :-1], "weights of the shape"),
        ("posedirs", lambda a: a[..., :-1], "posedirs of the shape"),
        ("v_template", lambda a: a[:-1], "v_template of the shape"),
        ("shapedirs", lambda a: a[..., 0], "shapedirs of the shape"),
        ("shapedirs", lambda a: np.float64(1.0), "shapedirs of the shape"),
        ("f", lambda a: a[:, :2], "f of the shape"),
        ("v_template", lambda a: replaced(a, (3, 1), np.nan), "NaN or infinite values in v_template"),
        ("f", lambda a: replaced(a, (0, 0), 6890), "faces of vertices"),
        ("kintree_table", lambda a: replaced(a, (0, 5), 1), "joint tree"),
        ("kintree_table", lambda a: replaced(a, (0, 23), 23), "joint tree"),
        ("J_regressor", lambda a: a[:16], "16 joints"),
        ("J_regressor", lambda a: a[0], "0 joints"),
        ("weights", lambda a: a.astype("U3"), "damaged array 'weights'"),
        ("weights", None, "no array 'weights'"),
    ],
)
def test_damaged_models_are_refused_in_one_sentence(
    tmp_path: Path, smpl: dict[str, np.ndarray], key: str, change, says: str
) -> None:
    arrays = without(smpl, key) if change is None else {**smpl, key: change(smpl[key])}
    with pytest.raises(FileError, match=says) as error:
        load(saved(tmp_path / "model.npz", arrays))
    assert str(error.value).startswith("model.npz") and str(error.value).endswith(".")


def test_files_that_are_no_models_are_refused(tmp_path: Path, smpl: dict[str, np.ndarray]) -> None:
    whole = saved(tmp_path / "whole.npz", smpl).read_bytes()
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("not a model")
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(flipped)
    (tmp_path / "folder.npz").mkdir()
    for name in ("empty", "text", "cut", "flipped", "folder", "absent"):
        with pytest.raises(FileError, match=rf"{name}\.npz"):
            load(tmp_path / f"{name}.npz")


def test_a_header_that_claims_more_than_the_file_holds_is_refused(
    tmp_path: Path, smpl: dict[str, np.ndarray]
) -> None:
    header = io.BytesIO()
    huge = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)}
    np.lib.format.write_array_header_1_0(header, huge)  # type: ignore[arg-type]
    path = saved(tmp_path / "model.npz", without(smpl, "v_template"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("v_template.npy", header.getvalue())
    with pytest.raises(FileError, match="damaged array 'v_template'"):
        load(path)
