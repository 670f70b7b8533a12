# SPDX-License-Identifier: GPL-3.0-or-later
"""Intact inputs to begin with: real files cut short, and what the project itself writes."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import joint_set_files
import numpy as np
from scipy.io import savemat

from fuzzing import shaped
from fuzzing.parsers import AMASS, HEATMAPS, JOINT_ARCHIVE, PICTURES, POINTS, ROOT, SMPL

DATA = ROOT.parent / "shared" / "data"
FRAMES = 2
MOST = 40_000  # bytes; a long input tells a fuzzer no more than a short one


@cache
def seeds(parser: str) -> list[bytes]:
    """The inputs of a parser."""
    return [data for data in _SEEDS[parser]() if len(data) <= MOST]


def _bvh() -> Iterator[bytes]:
    captures = sorted((DATA / "bvh_test").glob("*.bvh")) if DATA.is_dir() else []
    for path in (ROOT / "demo" / "sample.bvh", *captures[:2]):
        yield _shortened(path.read_bytes())
    yield (
        b"HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
        b"JOINT b\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n}\n"
        b"MOTION\nFrames: 2\nFrame Time: 0.033\n" + b"1 2 3 4 5 6 7 8 9\n" * 2
    )


def _shortened(content: bytes) -> bytes:
    head, _, rest = content.partition(b"MOTION")
    lines = rest.split(b"\n")
    start = next(n for n, line in enumerate(lines) if b"Frame Time" in line) + 1
    kept = b"\n".join(lines[start - 1 : start + FRAMES])
    return head + b"MOTION\nFrames: %d\n" % FRAMES + kept


def _archives(names: tuple[str, ...], arrays: dict[str, np.ndarray]) -> Iterator[bytes]:
    members = {name: shaped.npy(array) for name, array in arrays.items()}
    whole = shaped.parts(members, names)
    yield whole
    yield shaped.RAW + shaped.archive(whole, names)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    yield shaped.RAW + stream.getvalue()


def _amass() -> Iterator[bytes]:
    common = {"trans": np.zeros((FRAMES, 3)), "mocap_framerate": np.array(120.0), "gender": np.array("male")}
    rng = np.random.default_rng(0)
    yield from _archives(AMASS, {"poses": rng.normal(0, 0.3, (FRAMES, 156)), "betas": np.zeros(16)} | common)
    parts = {"root_orient": np.zeros((FRAMES, 3), "f4"), "pose_body": np.zeros((FRAMES, 63), "f4")}
    yield from _archives(AMASS, parts | common)


def _smpl() -> Iterator[bytes]:
    from engine.motion.joints import PARENTS

    vertices, joints = 3, 24
    rng = np.random.default_rng(0)
    yield from _archives(
        SMPL,
        {
            "v_template": rng.normal(size=(vertices, 3)).astype("f4"),
            "f": np.array([[0, 1, 2]], "u4"),
            "shapedirs": np.zeros((vertices, 3, 2), "f4"),
            "posedirs": np.zeros((vertices, 3, 9 * (joints - 1)), "f4"),
            "J_regressor": np.full((joints, vertices), 1 / vertices, "f4"),
            "weights": np.full((vertices, joints), 1 / joints, "f4"),
            "kintree_table": np.array([[-1, *PARENTS[1:], 20, 21], range(joints)], "i4"),
        },
    )


def _points() -> Iterator[bytes]:
    names = np.array(["left_wrist", "head"])
    yield from _archives(POINTS, {"points": np.zeros((FRAMES, 2, 3)), "joint_names": names, "places": np.zeros((2, 3))})
    yield from _archives(POINTS, {"joints": np.zeros((FRAMES, 22, 3))})


def _clip_targets() -> Iterator[bytes]:
    arrays = {"joint_names": np.array(["left_wrist"]), "places": np.zeros((FRAMES, 1, 3))}
    yield from _archives(POINTS, arrays)
    yield from _archives(POINTS, arrays | {"turns": np.tile([1.0, 0, 0, 0], (FRAMES, 1, 1))})


def _heatmaps() -> Iterator[bytes]:
    maps = np.random.default_rng(0).random((FRAMES, 17, 4, 3))
    yield from _archives(HEATMAPS, {"heatmaps": maps.astype("f2"), "size": np.array([640, 480]), "fps": np.array(25.0)})
    box = np.tile([1.0, 2.0, 30.0, 40.0], (FRAMES, 1))
    named = {"heatmaps": (255 * maps[:, 1:]).astype("u1"), "layout": np.array("mpii_16"), "box": box}
    yield from _archives(HEATMAPS, named)


def _pictures() -> Iterator[bytes]:
    poses = np.random.default_rng(0).normal(size=(FRAMES, 72))
    yield from _archives(PICTURES, {"pose_feats": np.ones((FRAMES, 4, 3), "f4"), "pose": poses})
    told = {"features": np.ones((FRAMES, 5)), "pose": poses.reshape(FRAMES, 24, 3), "has_smpl": np.ones(FRAMES, bool)}
    yield from _archives(PICTURES, told)


def _joint_archive() -> Iterator[bytes]:
    view = {"data_3d": np.ones((1, 17, 3), "f4"), "data_2d": np.ones((1, 17, 2), "f4"), "valid": np.ones(1)}
    box = np.array({"TS1": view, "TS5": view}, dtype=object)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    for protocol in (2, 4):
        yield shaped.parts({"data": head.getvalue() + pickle.dumps(box, protocol=protocol)}, JOINT_ARCHIVE)


def _mat5() -> Iterator[bytes]:
    cells = np.empty((2, 1), object)
    cells[:, 0] = [np.ones((2, 3)), np.ones((1, 1), "u1")]
    for packed in (False, True):
        stream = io.BytesIO()
        savemat(stream, {"annot2": cells, "cameras": np.arange(3)}, do_compression=packed)
        yield stream.getvalue()


def _made(make: Callable[[Path], Path]) -> Callable[[], Iterator[bytes]]:
    def seed() -> Iterator[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            yield make(Path(folder, "file")).read_bytes()

    return seed


def _json(*contents: Any) -> Callable[[], Iterator[bytes]]:
    return lambda: (json.dumps(content).encode() for content in contents)


_NAMED = {"left_wrist": [10.5, 20.0, 0.9], "nose": [1, 2]}
_COCO = {"image_id": 3, "score": 0.5, "keypoints": [float(n % 7) for n in range(51)]}
_OPENPOSE = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [0.5] * 75}]}
_HALPE = {"image_id": "3.jpg", "score": 2.5, "idx": [[1.0]], "keypoints": [float(n % 7) for n in range(78)]}
_LANDMARKS = [{"x": i / 40, "y": 0.5, "z": 0.1, "visibility": 0.9} for i in range(33)]
_IMAGES = {"images": [{"id": 3, "file_name": "a_000007.png", "width": 640, "height": 480}], "annotations": [_COCO]}
_VIEW = {"fps": 25, "camera": {"K": [[900, 0, 320], [0, 900, 240], [0, 0, 1]], "width": 640, "height": 480}}
_MAP = {"left_hip": "LThigh", "head": "Head", "neck": ""}


def _weights(name: str) -> Iterator[bytes]:
    """The bundled file's header with the tensors' ends cut off, and one as small as can be."""
    content = (ROOT / "engine" / "weights" / name).read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    yield shaped.from_safetensors(content[: 8 + size + 64])


def _prior() -> Iterator[bytes]:
    from engine.diffusion.networks import ScoreMLP
    from engine.priors.pose_prior import PosePrior
    from engine.priors.weights import save_pose_prior

    yield from _weights("dposer.safetensors")
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.safetensors")
        network = ScoreMLP(hidden=4, embed=4, blocks=1, groups=2, dropout=0.0)
        save_pose_prior(path, PosePrior(network, torch.zeros(63), torch.ones(63)), {"note": "small"})
        yield shaped.from_safetensors(path.read_bytes())


def _arrays() -> Iterator[bytes]:
    yield from _weights("gaussian.safetensors")
    yield shaped.from_safetensors((ROOT / "engine" / "weights" / "gaussian.safetensors").read_bytes())


def _framed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    from engine import protocol

    stream = io.BytesIO()
    protocol.write_frame(stream, header, arrays)
    return stream.getvalue()


def _frames() -> Iterator[bytes]:
    arrays = {"a": np.arange(4.0), "b": np.ones((2, 3), "int32"), "c": np.zeros((0, 3), "uint8")}
    one = _framed({"op": "clean", "id": 3, "params": {"x": [1, 2.5, None, "y"]}}, arrays)
    yield shaped.RAW + one + one
    yield shaped.from_frame(one)


def rig(frames: int = FRAMES) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Parameters and arrays of a rig with the body's own joints, as requests carry them."""
    from engine.motion.joints import JOINTS, PARENTS
    from engine.motion.tpose import OFFSETS

    heads = np.array(OFFSETS, float)
    for j, parent in enumerate(PARENTS[1:], start=1):
        heads[j] += heads[parent]
    rest = np.tile(np.eye(4), (22, 1, 1))
    rest[:, :3, 3] = heads
    params = {"fps": 30.0, "names": list(JOINTS), "scale": 1.0, "bone_map": None, "human_bones": None}
    return params, {
        "parents": np.array(PARENTS, "int32"),
        "rest": rest,
        "tails": np.full((22, 3), np.nan),
        "rotations": np.tile([1.0, 0, 0, 0], (frames, 22, 1)),
        "translations": np.zeros((frames, 22, 3)),
    }


def asked() -> Iterator[tuple[str, dict[str, Any], dict[str, np.ndarray]]]:
    """One intact request of each kind: its name, parameters and arrays."""
    params, arrays = rig(8)
    one = arrays | {name: arrays[name][:1] for name in ("rotations", "translations")}
    yield "map", params | {"bone_map": {"neck": ""}}, arrays
    yield "check", {"device": "cpu"}, {}
    yield "clean", params | {"settings": {"method": "gaussian", "frames": [1, 6], "bones": ["head"]}}, arrays
    yield "clean", params | {"settings": {"seed": 3, "feet": "never"}}, arrays
    yield "keypoints", {"path": "gone.json", "person": "1", "size": [640, 480], "layout": None}, {}
    seen = {"pixels": np.full((8, 17, 2), 300.0), "confidence": np.ones((8, 17)), "sigma": np.full((8, 17), np.nan)}
    view = {"focal": 900.0, "centre_u": 320.0, "centre_v": 240.0, "settings": {"hypotheses": 4, "keep": 2}}
    heatmaps = {"path": "gone.npz", "size": [640, 480], "layout": None, "state": [10, 10]}
    drawn = {"heatmaps": heatmaps, "settings": {"prior": "diffpose"}}
    yield "lift", params | view | drawn, one | seen | {"image": np.zeros((8, 2, 2))}
    yield "lift", params | view, one | seen | {"camera": np.eye(4)}
    film = {name: values[None] for name, values in seen.items()} | {"camera": np.eye(4)[None]}
    lens = {name: view[name] for name in ("focal", "centre_u", "centre_v")}
    refined = {"cameras": [lens], "bones": ["legs"], "settings": {"preset": "best", "smooth": 1.0, "rounds": 2}}
    yield "refine", params | refined, arrays | film
    missing = {"missing": ["left_arm"], "frames": [2, 5], "settings": {"hypotheses": 2, "seed": 1}}
    yield "complete", params | missing, arrays
    yield "generate", params | {"count": 2, "kept": ["legs"], "settings": {"temperature": 1.0}}, one
    yield "idle", params | {"seconds": 4.0, "variants": 2, "settings": {"amount": 1.0}}, one
    yield "inbetween", params | {"keys": [0, 7], "variants": 2, "settings": {"variation": 1.0}}, arrays
    yield "score", params | {"frames": [0, 8], "settings": {"method": "denoising"}}, arrays
    targets = params | {"targets": ["left_wrist"], "frames": [0, 8], "locked": ["head"], "settings": {"keep": 1.0}}
    yield "targets", targets, arrays | {"places": np.zeros((8, 1, 3))}


def _server() -> Iterator[bytes]:
    yield shaped.request({"op": "hello", "id": 0, "params": {"wait": False}}, {})
    yield shaped.request({"op": "cancel", "id": 1, "params": {"job": 3}}, {})
    for op, params, arrays in asked():
        yield shaped.request({"op": op, "id": 2, "params": params}, arrays)


def _client() -> Iterator[bytes]:
    _, arrays = rig(1)
    yield shaped.from_frame(_framed({"id": 1, "type": "progress", "done": 1, "total": 2, "stage": "Cleaning"}, {}))
    answer = {"id": 2, "type": "result", "result": {"scale": 1.0, "bones": {}, "joints": 22}}
    yield shaped.from_frame(_framed(answer, {"rotations": arrays["rotations"][None]}))
    yield shaped.from_frame(_framed({"id": 3, "type": "error", "kind": "MotionError", "message": "No."}, {}))
    yield shaped.from_frame(_framed({"id": None, "type": "error", "kind": "ProtocolError", "message": "No."}, {}))
    hello = {"engine": "0.1.0", "protocol": 1, "devices": ["cpu"], "weights": [], "pid": 1}
    yield shaped.from_frame(_framed({"id": 0, "type": "result", "result": hello}, {}))


_SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "bvh": _bvh,
    "amass": _amass,
    "smpl": _smpl,
    "points": _points,
    "clip_targets": _clip_targets,
    "pose_targets": _json(
        {"left_wrist": [0.1, 1.2, 0.3]}, {"head": {"position": [0, 1, 0], "rotation": [0.1, 0.0, 0.0]}}
    ),
    "camera": _json(
        {"focal": 1000.0, "centre": [320, 240]},
        {"fx": 900, "fy": 880.5, "cx": 320, "cy": 240, "width": 640, "height": 480},
        {"camera_matrix": {"rows": 3, "cols": 3, "data": [900, 0, 320, 0, 900, 240, 0, 0, 1]}, "dist_coeffs": [[0.1]]},
        _VIEW,
        {"fx": 900, "cx": 1, "cy": 2, "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "translation": [0, 0, 4.5]},
        {"camera": {"focal": 900, "center": [1, 2], "rvec": [[3.1], [0], [0]], "tvec": [[0], [1], [4]], "up": "z"}},
    ),
    "keypoints": _json(
        _NAMED,
        [_NAMED, {}],
        {"frames": [_OPENPOSE]},
        _OPENPOSE,
        [_COCO, _COCO],
        {"annotations": [_COCO]},
        [_HALPE, _HALPE | {"image_id": "4.jpg"}, _HALPE | {"idx": 2}],
        {"3.jpg": _OPENPOSE, "4.jpg": {"bodies": [{"joints": [0.5, 2, 1] * 18}]}},
        _IMAGES,
        _VIEW | {"frames": [{"frame": 2, "landmarks": _LANDMARKS}, {"frame": 4, "landmarks": [_LANDMARKS]}]},
        _VIEW | {"frames": [_LANDMARKS, None, []]},
        _VIEW | {"frames": [{"poseLandmarks": {"landmark": _LANDMARKS}}, {}]},
        [{"frame": 3, "person": 1, "neck": [5, 6, 0.5, 2.5]}, {"frame": 3, "person": 2, "neck": {"x": 5, "y": 6}}],
    ),
    "keypoints_table": lambda: iter(
        [
            b"frame,person,nose_x,nose_y,nose_c,neck_x,neck_y,neck_sigma\n1,a,2,3,0.5,4,5,1.5\n2,a,,,,4,5,\n2,b,9,9,1,8,8,2",
            b"frame_id;joint;x;y;score\r\n0;LWrist;1,5;2,5;0,5\r\n1;nose;2;3;1\r\n",
            b"frame\tlandmark_id\tx\ty\n" + b"".join(b"0\t%d\t%d\t3\n" % (i, i) for i in range(17)),
            (",".join(f"x{i},y{i},v{i}" for i in range(17)) + "\n" + ",".join(["3", "4", "0.5"] * 17)).encode(),
        ]
    ),
    "heatmaps": _heatmaps,
    "pictures": _pictures,
    "joint_archive": _joint_archive,
    "mat5": _mat5,
    "room_cameras": _made(lambda path: joint_set_files.json_of_cameras(path, *joint_set_files.camera_numbers(0))),
    "calibration": _made(lambda path: joint_set_files.calibration(path, {0: (1500.0, 1500.0, 1024.0, 1024.0)})),
    "bone_map": _json(_MAP, {"dposer_bone_map": 1, "rig": "Mixamo", "bones": _MAP}),
    "extension_bone_map": _json({"dposer_bone_map": 1, "rig": "Mixamo", "bones": _MAP}),
    "prior": _prior,
    "arrays": _arrays,
    "frame": _frames,
    "server": _server,
    "client": _client,
}


def words(parser: str) -> list[bytes]:
    """What a format's grammar is made of: the words, names and keys in its intact inputs."""
    found = {word for data in seeds(parser) for word in re.findall(rb"[A-Za-z_][A-Za-z_0-9]{2,30}", data[:20_000])}
    return sorted(found)[:400]
