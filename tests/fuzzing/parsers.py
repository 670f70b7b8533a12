# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers of what others may have made: each reads any bytes to a value or refuses them by an `EngineError`.

Imports of the engine happen inside, so that a fuzzer can instrument it first.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

from installed_extension import PACKAGE, ROOT, installed

from fuzzing import shaped

Reader = Callable[[bytes, Path], object]

AMASS = ("poses", "trans", "root_orient", "pose_body", "betas", "gender", "mocap_framerate", "fps")
SMPL = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "hands_meanl")
JOINT_ARCHIVE = ("data",)
MATLAB = ("annot2", "cameras")
HEATMAPS = ("heatmaps", "layout", "size", "box", "fps")
PICTURES = ("features", "pose_feats", "pose", "has_smpl")
POINTS = ("points", "joint_names", "places", "joints", "turns")

HEAVY = (
    ("engine.tasks.complete", "complete_poses"),
    ("engine.tasks.complete_clip", "complete_clip"),
    ("engine.tasks.generate_like", "generate_like"),
    ("engine.tasks.idle", "idle"),
    ("engine.tasks.inbetween", "inbetween"),
    ("engine.tasks.score", "score"),
    ("engine.tasks.fit.rig_targets", "follow_on_rig"),
    ("engine.tasks.lift.animation", "lift"),
    ("engine.tasks.refine.animation", "refine_motion"),
    ("engine.tasks.clean", "clean_poses"),
    ("engine.tasks.check", "check"),
)
"""What requests come to in the end; see `without_solvers`."""


@dataclass(frozen=True)
class Parser:
    """One of them.

    Attributes:
        name: how it is asked for.
        reads: what it reads, in words.
        reader: reads bytes; may use a file of its own at the path that it is given.
    """

    name: str
    reads: str
    reader: Reader


class Unforeseen(Exception):
    """An answer that says of an error that nobody foresaw it."""


def _file(read: Callable[[Path], object], encode: Callable[[bytes], bytes] = bytes, ending: str = "") -> Reader:
    def reader(data: bytes, path: Path) -> object:
        path = path.with_suffix(ending) if ending else path
        path.write_bytes(encode(data))
        return read(path)

    return reader


def _archive(names: tuple[str, ...], read: Callable[[Path], object], ending: str = "") -> Reader:
    return _file(read, lambda data: shaped.archive(data, names), ending)


JOINT_SETS = "engine.training.joint_sets"


def _reads(module: str, name: str) -> Callable[[Path], object]:
    """What a function of the engine reads from a file."""
    return lambda path: attrgetter(name)(importlib.import_module(module))(path)


def _camera(path: Path) -> object:
    from engine.commands import view

    found = view.camera(str(path))
    view.stand(str(path))
    return found


def _keypoints(path: Path) -> object:
    from engine.motion import keypoints

    people = keypoints.read(path)
    if people.tracks:
        keypoints.to_h36m(people.choose())
    return people


def _heatmaps(path: Path) -> object:
    from engine.motion import keypoints

    keypoints.draw(path, count=3)
    return _keypoints(path)


def _pictures(path: Path) -> object:
    from engine.motion import features

    return features.read_features(path), features.read_image_poses(path)


def _joint_archive(path: Path) -> object:
    from engine.training.joint_sets import mpi_inf_3dhp_npz

    return list(mpi_inf_3dhp_npz.read_test(path))


def _mat5(path: Path) -> object:
    from engine.training.joint_sets import mat5

    return mat5.read(path, MATLAB)


def _extension_bone_map(path: Path) -> object:
    return installed("engine.motion.bone_map_file").read(path)


def _frame(data: bytes, path: Path) -> object:
    from engine import protocol

    stream, found = io.BytesIO(shaped.frame(data)), []
    while (frame := protocol.read_frame(stream, 1 << 20)) is not None:
        found.append(frame)
    return found


def _server(data: bytes, path: Path) -> object:
    """Requests that the engine's own server receives, computes without its solvers, and answers."""
    from engine.errors import ProtocolError

    frame = shaped.requested(data)
    if frame is None:
        raise ProtocolError("This is no request.")
    with without_solvers(), contextlib.redirect_stderr(io.StringIO()) as log:
        answers = served(io.BytesIO(frame))
    for answer in answers:
        message = str(answer.get("message", ""))
        if "unforeseen" in message and STOPPED not in message:
            places = re.findall(r"([\w/]+\.py)\", line \d+, in (\w+)", log.getvalue())
            ours = [place for place in places if "engine/" in place[0]]
            kind = re.search(r"\((\w+):", message)
            raise Unforeseen(f"{kind[1] if kind else message} in {ours[-1][0].rpartition('engine/')[2]}:{ours[-1][1]}")
        if len(message) > 4000:
            raise Unforeseen(f"A message of {len(message)} characters: {message[:100]}")
    return answers


def served(source: BinaryIO) -> list[dict[str, Any]]:
    """The answers of the engine's own server to all that a stream asks, without its threads."""
    from engine import protocol
    from engine.serve import Server

    sink = io.BytesIO()
    server = Server(source, sink)
    while server._receive():
        while not server._queue.empty():
            server._compute(server._queue.get())
    sink.seek(0)
    answers = []
    while (answer := protocol.read_frame(sink)) is not None:
        answers.append(answer[0])
    return answers


def _client(data: bytes, path: Path) -> object:
    """An answer of the engine as Blender's end of the pipe takes it."""
    from engine import protocol

    module = installed("dposer_blender.client")
    read = module.protocol.read_frame(io.BytesIO(shaped.frame(data)), 1 << 20)
    assert protocol.VERSION == module.protocol.VERSION
    if read is None:
        return None
    process = module.EngineProcess(sys.executable, ROOT, path)
    process._jobs = {number: ({}, {}) for number in range(1, 4)}
    process._cancelled = {3}
    return process._receive(*read)


STOPPED = "the solver begins here"


@contextlib.contextmanager
def without_solvers() -> Iterator[None]:
    """Let requests end where their solvers begin."""
    with contextlib.ExitStack() as stack:
        for module, name in HEAVY:
            stack.enter_context(mock.patch.object(importlib.import_module(module), name, _stopped))
        yield


def _stopped(*arguments: object, **named: object) -> None:
    raise RuntimeError(STOPPED)


def refusals() -> tuple[type[Exception], ...]:
    """The errors by which a parser may refuse, of the engine and of the engine in the extension."""
    from engine.errors import EngineError

    beside = sys.modules.get(f"{PACKAGE}.engine.errors")
    return (EngineError, beside.EngineError) if beside else (EngineError,)


PARSERS = {
    parser.name: parser
    for parser in (
        Parser("bvh", "BVH files", _file(_reads("engine.motion.bvh", "read"))),
        Parser("amass", "AMASS .npz files", _archive(AMASS, _reads("engine.motion.amass", "read"))),
        Parser("smpl", "SMPL model .npz files", _archive(SMPL, _reads("engine.body.smpl", "load"))),
        Parser("points", "3D points for fit, .npz", _archive(POINTS, _reads("engine.commands.fit", "_points"))),
        Parser(
            "clip_targets", "targets of a clip for fit, .npz",
            _archive(POINTS, _reads("engine.commands.fit_clip", "_targets")),
        ),
        Parser("pose_targets", "targets of a pose for fit, JSON", _file(_reads("engine.commands.fit", "_targets"))),
        Parser("camera", "cameras for fit, JSON", _file(_camera)),
        Parser("keypoints", "2D keypoints, JSON", _file(_keypoints)),
        Parser("keypoints_table", "2D keypoints, CSV", _file(_keypoints, ending=".csv")),
        Parser("heatmaps", "heatmaps, .npz", _archive(HEATMAPS, _heatmaps, ".npz")),
        Parser("pictures", "features of pictures, .npz", _archive(PICTURES, _pictures, ".npz")),
        Parser("joint_archive", "pickled arrays of joints, .npz", _archive(JOINT_ARCHIVE, _joint_archive)),
        Parser("mat5", "MATLAB files", _file(_mat5)),
        Parser("room_cameras", "Human3.6M's cameras, JSON", _file(_reads(f"{JOINT_SETS}.human36m_cameras", "read"))),
        Parser("calibration", "MPI-INF-3DHP's cameras", _file(_reads(f"{JOINT_SETS}.mpi_inf_3dhp_cameras", "read"))),
        Parser("bone_map", "bone maps in the engine, JSON", _file(_reads("engine.motion.bone_map_file", "read_plain"))),
        Parser("extension_bone_map", "bone maps in Blender, JSON", _file(_extension_bone_map)),
        Parser(
            "prior", "weights of networks, safetensors",
            _file(_reads("engine.priors.weights", "load_pose_prior"), shaped.safetensors),
        ),
        Parser(
            "arrays", "weights of other models, safetensors",
            _file(_reads("engine.priors.pose_gaussian", "PoseGaussian.load"), shaped.safetensors),
        ),
        Parser("frame", "frames of the protocol", _frame),
        Parser("server", "requests to the engine", _server),
        Parser("client", "answers to Blender", _client),
    )
}  # fmt: skip
