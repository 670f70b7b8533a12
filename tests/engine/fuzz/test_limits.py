# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that ask for more memory or time than any should are refused before it is spent, in a sentence."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import physical_memory
from engine.commands import fit, fit_clip
from engine.errors import EngineError, FileError, MotionError, WeightsError
from engine.motion import amass, bone_map_file, bvh, files, intrinsics, keypoints, npz
from engine.motion.keypoints import csv_file, heatmap_file, sightings
from engine.motion.skeleton import MAX_NAME
from engine.priors.released import load_released
from fuzzing import shaped

SECONDS = 20.0  # of the processor, on a slow machine; what was wrong took minutes, or all memory
MEGABYTES = 100.0

READERS: dict[str, Callable[[Path], Any]] = {
    "bvh": bvh.read,
    "amass": amass.read,
    "points": fit._points,
    "clip targets": fit_clip._targets,
    "pose targets": fit._targets,
    "keypoints": keypoints.read,
    "heatmaps": heatmap_file.read,
    "intrinsics": intrinsics.read,
    "bone map": bone_map_file.read,
    "bone map by hand": bone_map_file.read_plain,
}


@contextmanager
def bounded(megabytes: float = MEGABYTES, seconds: float = SECONDS) -> Iterator[None]:
    """Fail where the block takes more memory, or more time of the processor, which others may keep busy."""
    tracemalloc.start()
    begin = time.process_time()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e6 * megabytes, f"{peak / 1e6:.0f} MB"
    assert time.process_time() - begin < seconds


def refused(read: Callable[[Path], Any], path: Path, says: str, megabytes: float = MEGABYTES) -> None:
    with bounded(megabytes), pytest.raises(EngineError, match=says) as caught:
        read(path)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 1000


# Special files


@pytest.mark.skipif(os.name != "posix", reason="needs devices and pipes")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["device", "pipe", "link to a pipe", "folder", "nothing", "broken link", "loop"])
def test_what_is_no_file_is_told(tmp_path: Path, reader: str, kind: str) -> None:
    path = tmp_path / "a.json"
    if kind == "device":
        path = Path("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "folder":
        path.mkdir()
    elif kind == "broken link":
        path.symlink_to(tmp_path / "gone")
    elif kind == "loop":
        path.symlink_to(path)
    says = "no .json files" if (reader, kind) == ("keypoints", "folder") else "cannot be read"
    refused(READERS[reader], path, says)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_larger_than_any_is_told_by_its_size(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as stream:
        stream.truncate(files.MAX_BYTES + 1)  # sparse: it takes no disk
    refused(READERS[reader], path, "is the most that is read")


# BVH


def hierarchy(*names: str, offset: str = "0 1 0", channels: int = 1) -> str:
    """A chain of joints."""
    text = "HIERARCHY\n"
    for number, name in enumerate(names):
        own = "CHANNELS 1 Xrotation" if number < channels else "CHANNELS 0"
        text += f"{'JOINT' if number else 'ROOT'} {name}\n{{\nOFFSET {offset}\n{own}\n"
    return text + "}\n" * len(names)


def motion(frames: int | str, values: str) -> str:
    return f"MOTION\nFrames: {frames}\nFrame Time: 0.03\n{values}\n"


BVH = {
    "frames": (hierarchy("a") + motion(999_999_999, "0"), "999999999 frames"),
    "many frames": (hierarchy("a") + motion(9_999_999, "0 " * 1000), "holds 1000 values"),
    "frames of many digits": (hierarchy("a") + motion("9" * 5000, "0"), "number of frames"),
    "frame time": (hierarchy("a") + "MOTION\nFrames: 1\nFrame Time: " + "1" * 100_000 + "\n0\n", "frame time"),
    "values": (hierarchy("a") + motion(1, "0 " * 1_000_000), "holds 1000000 values"),
    "nesting": (hierarchy(*(f"b{n}" for n in range(100_000))) + motion(1, "0"), "more than 5000 joints"),
    "open braces": ("HIERARCHY\n" + "ROOT a\n{\n" * 100_000, "a JOINT needs a ROOT"),
    "digits": (hierarchy("a", offset="1" * 200_000 + "x 0 0") + motion(1, "0"), "not part of a BVH"),
    "digits and points": (hierarchy("a", offset="1." * 100_000 + " 0 0") + motion(1, "0"), "not part of a BVH"),
    "blanks": (hierarchy("a", offset=" " * 200_000 + "x") + motion(1, "0"), "not part of a BVH"),
    "name": (hierarchy("a" * (MAX_NAME + 1)) + motion(1, "0"), f"more than {MAX_NAME} letters"),
    "channels": (f"HIERARCHY\nROOT a\n{{\nCHANNELS 999{' Xrotation' * 999}\n}}\n", "channels differ"),
}


@pytest.mark.parametrize("kind", BVH)
def test_bvh(tmp_path: Path, kind: str) -> None:
    text, says = BVH[kind]
    path = tmp_path / "a.bvh"
    path.write_text(text)
    refused(bvh.read, path, says)


def test_a_bvh_of_many_joints_and_few_channels_needs_no_more_memory_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 kB that would become a gigabyte and more."""
    monkeypatch.setattr(physical_memory, "total", lambda: 500_000_000)
    path = tmp_path / "a.bvh"
    path.write_text(hierarchy(*(f"b{n}" for n in range(1000))) + motion(13_000, "0 " * 13_000))
    refused(bvh.read, path, r"needs 1\.7 GB of memory and there are 0\.5 GB; cut it")
    path.write_text(hierarchy("a") + motion(13_000, "0 " * 13_000))
    assert len(bvh.read(path).motion) == 13_000


def test_two_hours_of_eighty_joints_need_no_more_than_computers_have() -> None:
    frames, joints, columns = 2 * 3600 * 120, 80, 243
    numbers = bvh.CHANNEL_COPIES * columns + bvh.JOINT_NUMBERS * joints
    assert frames < bvh.MAX_FRAMES and 8 * frames * numbers + 2 * frames * columns * 10 < 17e9
    assert frames * columns * 10 < files.MAX_BYTES


def test_memory_foretold_is_no_less_than_what_is_taken(tmp_path: Path) -> None:
    names = [f"b{n}" for n in range(80)]
    path = tmp_path / "a.bvh"
    path.write_text(hierarchy(*names, channels=80) + motion(4000, "12.3456 " * 80 * 4000))
    foretold = 2 * path.stat().st_size + 8 * 4000 * (80 * bvh.CHANNEL_COPIES + 80 * bvh.JOINT_NUMBERS)
    with bounded(foretold / 1e6):
        bvh.read(path)


@pytest.mark.parametrize(
    "names",
    [
        [f"n{n}:Hips" for n in range(700)],  # a name space for each bone
        [f"{'a|' * 400}{n}" for n in range(300)],
        [f"Bone{'1' * 900}{n}" for n in range(20)],  # int() refuses so many digits
    ],
    ids=["name spaces", "bars", "digits"],
)
def test_names_of_bones_take_no_time_that_grows_with_their_square(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "a.bvh"
    path.write_text(hierarchy(*names) + motion(1, "0"))
    with bounded():
        assert bvh.read(path).motion.skeleton.names == tuple(names)


def test_limbs_without_number_are_not_paired(tmp_path: Path) -> None:
    """A star of 500 limbs: all pairs of them would be compared, seven times."""
    limbs = "".join(
        f"JOINT a{n}\n{{\nOFFSET 0.3 -0.3 {n}e-5\nJOINT b{n}\n{{\nOFFSET 0.3 -0.3 0\nJOINT c{n}\n{{\n"
        "OFFSET 0.3 -0.3 0\n}\n}\n}\n"
        for n in range(500)
    )
    path = tmp_path / "a.bvh"
    path.write_text(f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{limbs}}}\n" + motion(1, "0"))
    with bounded():
        assert len(bvh.read(path).motion.skeleton) == 1501


# Archives


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def shaped_as(shape: str, descr: str = "<f8") -> bytes:
    return npy_header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")


def archived(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        shaped_as("(1000000000000,)"),
        shaped_as("(1000000, 1000000, 1000000, 1000000)"),
        shaped_as("(" + "9" * 150 + ",)"),
        shaped_as("(" + "1," * 90 + ")"),
        shaped_as("(-1,)"),
        shaped_as("(0,)", "V2147483647"),
        shaped_as("(1,)", "<U999999"),
        shaped_as("(2,)") + bytes(8),
        npy_header("(" * 5000),
        npy_header("{" * 9000),
        npy_header("-" * 9999),
        npy_header("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': ()}"),
        npy_header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}") + bytes(8),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"\x93NUMPY",
        b"",
    ],
)
def test_headers_of_arrays(tmp_path: Path, content: bytes) -> None:
    for name in ("poses", "points"):
        trans = shaped.npy(np.zeros((1, 3)))
        path = archived(tmp_path / f"{name}.npz", **{name: content, "trans": trans, "joint_names": trans})
        refused(amass.read if name == "poses" else fit._points, path, "damaged array")


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "|u1", "<U3", "|S5"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_reads_them(dtype: str, shape: tuple[int, ...], order: Any) -> None:
    """Whatever its version of the format."""
    size = int(np.prod(shape))
    array = np.arange(size).astype(dtype).reshape(shape, order=order)
    for version in ((1, 0), (2, 0), (3, 0)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version)
        found = npz.array("a.npz", {"a": stream.getvalue()}, "a", "fiuSU")
        np.testing.assert_array_equal(found, np.load(io.BytesIO(stream.getvalue()), allow_pickle=False))
        assert found.dtype == array.dtype
    if array.dtype.kind in "SU":
        assert npz.texts(array) == [str(text) for text in array.reshape(-1).astype(str)]


def test_letters_that_are_none_are_replaced() -> None:
    assert npz.texts(np.frombuffer(b"\xff\xff\xff\xffa\0\0\0", "<U2"))[0].endswith("a")


def test_bombs(tmp_path: Path) -> None:
    zeros = shaped_as("(10000000,)") + bytes(80_000_000)
    path = archived(tmp_path / "bomb.npz", poses=zeros)
    assert path.stat().st_size < 100_000
    refused(lambda file: npz.read(file, 10_000_000), path, "unpacks to 0.1 GB", 30.0)
    assert npz.read(path, keys=("trans",)) == {}
    many = archived(tmp_path / "many.npz", **{f"a{n}": b"" for n in range(npz.MAX_MEMBERS + 1)})
    refused(amass.read, many, "more than 1000 arrays")


def test_a_size_that_is_a_lie(tmp_path: Path) -> None:
    """Of a member, in the archive's directory: too small, it is cut; too large, no more is there than there is."""
    whole = shaped_as("(1000,)") + bytes(8000)
    path = archived(tmp_path / "lie.npz", poses=whole)
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02") + 24
    path.write_bytes(content[:at] + struct.pack("<I", 10) + content[at + 4 :])
    refused(amass.read, path, "damaged|intact")
    path.write_bytes(content[:at] + struct.pack("<I", 2**31) + content[at + 4 :])
    with bounded():
        assert npz.read(path) == {"poses": whole}


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compressions_that_no_archive_of_arrays_has(tmp_path: Path, compression: int) -> None:
    refused(amass.read, archived(tmp_path / "a.npz", compression, poses=shaped_as("(0,)")), "not an intact")


def test_members_become_no_files(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    whole = {"poses": np.zeros((2, 66)), "trans": np.zeros((2, 3)), "mocap_framerate": np.array(30.0)}
    members = {name: shaped.npy(array) for name, array in whole.items()}
    path = archived(folder / "a.npz", **members, **{"../escaped": shaped.npy(np.zeros(1)), "/escaped": b"x"})
    clip = amass.read(path)
    amass.write(folder / "b.npz", clip, clip.motion)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.npz", "b.npz", "inner"]


# JSON

JSON = {
    "nesting": ("[" * 100_000, "no JSON|not JSON|deep"),
    "nesting of objects": ('{"a":' * 100_000 + "1" + "}" * 100_000, "no JSON"),
    "digits": ('{"neck": [' + "9" * 5000 + ", 1]}", "no JSON"),
    "exponent": ('{"neck": [1e999, 1, 1]}', "finite|name of its bone|no bone map"),
    "great number": ('{"neck": [1' + "0" * 400 + ", 1, 1]}", "too large|finite|name of its bone|no bone map"),
    "twice": ('{"neck": "a", "neck": "b"}', "names neck twice"),
    "long name": (json.dumps({"x" * 500_000: "y"}), "x{60}|finite numbers|no bone map"),
    "letters": (b'{"neck\\ud800\\n\\u0007": "a"}'.decode(), r"neck|finite|no bone map"),
}


@pytest.mark.parametrize("reader", ["keypoints", "bone map", "bone map by hand", "pose targets"])
@pytest.mark.parametrize("kind", JSON)
def test_json(tmp_path: Path, reader: str, kind: str) -> None:
    text, says = JSON[kind]
    path = tmp_path / "a.json"
    path.write_text(text)
    refused(READERS[reader], path, says)


def test_keypoints_of_more_frames_than_any_clip_has(tmp_path: Path) -> None:
    """Three bytes a frame, of which each would become six hundred."""
    path = tmp_path / "a.json"
    path.write_text("[" + "{}," * 110_000 + "{}]")
    refused(keypoints.read, path, "more than 100000 frames")


def test_lists_in_such_numbers_are_no_keypoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_JSON_GROUPS", 1000)
    path = tmp_path / "a.json"
    path.write_text("[" + "[]," * 1000 + "[]]")
    refused(keypoints.read, path, "more than 1000 lists")


def test_a_folder_of_keypoints_is_counted_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MAX_FRAMES", 3)
    for number in range(4):
        (tmp_path / f"{number}.json").write_text('{"neck": [1, 2]}')
    with pytest.raises(FileError, match=r"3\.json comes to more than 3 frames"):
        keypoints.read(tmp_path)


def test_a_person_is_not_linked_with_very_many(tmp_path: Path) -> None:
    """A hundred people in each of many frames, everybody elsewhere in each: nobody is ever found again."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 10**6, (60, 100, 2)).tolist()
    people = [{"frame": t, "nose": [u, v], "neck": [u, v + 1]} for t in range(60) for u, v in places[t]]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(people))
    with bounded():
        assert len(keypoints.read(path).tracks) > 4000


def test_rows_of_a_table_are_counted_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_ROWS", 100)
    path = tmp_path / "a.csv"
    path.write_text("frame,joint,x,y\n" + "0,nose,1,2\n" * 200)
    refused(keypoints.read, path, "more than 100 rows")


def test_a_field_without_end_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('frame,nose_x,nose_y\n"' + "1" * 30_000_000)
    refused(keypoints.read, path, "no CSV file")


def test_tables_of_points_that_nobody_has(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("frame,joint,x,y\n" + "".join(f"0,n{i},1,2\n" for i in range(6000)))
    refused(keypoints.read, path, "too many people or points")


@pytest.mark.parametrize("score", [10**400, float("nan"), float("inf"), True, "x", None])
def test_scores_of_any_kind_order_keypoints(tmp_path: Path, score: Any) -> None:
    frame = {"image_id": 1, "keypoints": [1.0] * 51}
    path = tmp_path / "a.json"
    path.write_text(json.dumps([frame | {"score": 0.5}, frame | {"score": score}]))
    assert len(keypoints.read(path).choose()) == 1


# Motions


def test_amass_numbers_beyond_any_motion(tmp_path: Path) -> None:
    def saved(**changes: np.ndarray) -> Path:
        arrays = {"poses": np.zeros((2, 66)), "trans": np.zeros((2, 3)), "mocap_framerate": np.array(30.0)}
        return archived(tmp_path / "a.npz", **{key: shaped.npy(a) for key, a in (arrays | changes).items()})

    assert len(amass.read(saved()).motion) == 2
    assert amass.read(saved(gender=np.zeros(0, "U4"))).gender == "neutral"
    assert amass.read(saved(gender=np.array(b"female"))).gender == "female"
    for changes, says in (
        ({"poses": np.full((2, 66), 1e200)}, "rotation that is none"),
        ({"trans": np.full((2, 3), -1e200)}, "away"),
        ({"trans": np.full((2, 3), np.nan)}, "NaN or infinite positions"),
        ({"trans": np.full((2, 3), "1")}, "damaged array 'trans'"),
        ({"betas": np.full(10, np.nan)}, "betas"),
        ({"betas": np.zeros(100_000)}, "betas"),
        ({"mocap_framerate": np.array("x")}, "damaged array 'mocap_framerate'"),
        ({"mocap_framerate": np.array(np.nan)}, "frame rate"),
    ):
        with pytest.raises((FileError, MotionError), match=says):
            amass.read(saved(**changes))


# Weights


def safetensors(header: Any, content: bytes = b"", size: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + content


@pytest.fixture(scope="module")
def readers() -> tuple[Callable[[Path], Any], ...]:
    """Of weights; loaded, since PyTorch itself takes its time."""
    pytest.importorskip("torch")
    from engine.priors.pose_gaussian import PoseGaussian
    from engine.priors.weights import load_pose_prior

    load_pose_prior()
    return load_pose_prior, PoseGaussian.load


SETTINGS = {"dim": 63, "hidden": 4, "embed": 4, "blocks": 1, "groups": 2, "released_scaling": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": 8192, "embed": 8192},  # a gigabyte that the file does not hold
        {"hidden": 10**9},
        {"blocks": 10**9},
        {"blocks": 300},
        {"blocks": -1},
        {"groups": 0},
        {"embed": 0},
        {"hidden": 1e9},
        {"hidden": [4] * 1000},
        {"dim": True},
        {"dropout": 0.1},
    ],
)
def test_a_network_is_no_larger_than_its_file(
    tmp_path: Path, readers: tuple[Callable[[Path], Any], ...], changes: dict[str, Any]
) -> None:
    statistics = {
        name: {"dtype": "F32", "shape": [63], "data_offsets": [252 * n, 252 * n + 252]}
        for n, name in enumerate(("mean", "std"))
    }
    metadata = {"schema": "dposer-pose-prior/1", "network": json.dumps(SETTINGS | changes)}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({"__metadata__": metadata} | statistics, bytes(504)))
    refused(readers[0], path, "damaged or made for another network")


@pytest.mark.parametrize(
    "content",
    [
        safetensors({}, size=2**60),
        safetensors({}, size=2**64 - 1),
        safetensors({"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]}}, bytes(4)),
        safetensors({"__metadata__": {"schema": "dposer-pose-prior/1", "network": "[" * 100_000}}),
        safetensors({"__metadata__": {"schema": "dposer-pose-prior/1", "network": "[]"}}),
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        b"\x80\x04.",
    ],
)
def test_headers_of_weights(tmp_path: Path, readers: tuple[Callable[[Path], Any], ...], content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    for read in readers:
        with bounded(), pytest.raises(WeightsError):
            read(path)


# Memory


def test_the_memory_there_is() -> None:
    told = physical_memory.total()
    assert told is not None and told > 1e9
    if sys.platform == "linux":
        kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
        assert told <= 1024 * kilobytes * 1.01
    physical_memory.check("a.bvh", told)
    with pytest.raises(FileError, match="cut it into shorter clips"):
        physical_memory.check("a.bvh", told + 1)


@pytest.mark.parametrize(
    "body",
    [
        b"CHANNELS 6" + b" Xa" * 1_000_000,
        b"OFFSET 0 0 0\n" * 1_000_000,
        b"End Site\n{\n}\n" * 300_000,
    ],
)
def test_a_hierarchy_that_does_not_end_is_refused_before_it_is_read(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.bvh"
    path.write_bytes(b"HIERARCHY\nROOT a\n{\n" + body + b"\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0\n")
    tracemalloc.start()
    with pytest.raises(FileError):
        bvh.read(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * len(body) + (64 << 20)


def test_a_json_file_of_very_many_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'["' + b'ab","' * 20_000_001 + b'"]')
    with pytest.raises(FileError, match="more than 20000000 values"):
        files.read_json(path, 1 << 30, "write it again")


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".bvh")
    left = path.with_name(f"{files._prefix(path)}0123abcd.tmp")
    left.write_bytes(b"left by a killed process")
    with files.replacing(path) as stream:
        stream.write(b"whole")
    files.remove_leftovers(path)
    assert path.read_bytes() == b"whole" and [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [{"a": 1}, [1], 3, {"state_dict": None}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError):
        load_released(tmp_path / "a.pth", np.zeros(63), np.ones(63))


def test_a_checkpoint_that_unpacks_to_too_much_is_refused_before(tmp_path: Path) -> None:
    packed = zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED)
    with packed as archive, archive.open("a/data/0", "w") as member:
        for _ in range(501):
            member.write(bytes(1_000_000))
    with pytest.raises(WeightsError, match="unpacks to more"):
        load_released(tmp_path / "a.pth", np.zeros(63), np.ones(63))
