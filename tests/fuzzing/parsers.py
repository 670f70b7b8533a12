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
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from fuzzing import shaped

ROOT = Path(__file__).resolve().parents[2]

Reader = Callable[[bytes, Path], object]

AMASS = ("poses", "trans", "root_orient", "pose_body", "betas", "gender", "mocap_framerate", "fps")
SMPL = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "hands_meanl")
JOINT_ARCHIVE = ("data",)
MATLAB = ("annot2", "cameras")
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


def _file(read: Callable[[Path], object], encode: Callable[[bytes], bytes] = bytes) -> Reader:
    def reader(data: bytes, path: Path) -> object:
        path.write_bytes(encode(data))
        return read(path)

    return reader


def _archive(names: tuple[str, ...], read: Callable[[Path], object]) -> Reader:
    return _file(read, lambda data: shaped.archive(data, names))


def _bvh(path: Path) -> object:
    from engine.motion import bvh

    return bvh.read(path)


def _amass(path: Path) -> object:
    from engine.motion import amass

    return amass.read(path)


def _smpl(path: Path) -> object:
    from engine.body import smpl

    return smpl.load(path)


def _points(path: Path) -> object:
    from engine.commands import fit

    return fit._points(path)


def _clip_targets(path: Path) -> object:
    from engine.commands import fit_clip

    return fit_clip._targets(path)


def _pose_targets(path: Path) -> object:
    from engine.commands import fit

    return fit._targets(path)


def _camera(path: Path) -> object:
    from engine.commands import view

    return view.camera(str(path))


def _keypoints(path: Path) -> object:
    from engine.motion import keypoints

    people = keypoints.read(path)
    if people.tracks:
        keypoints.to_h36m(people.choose())
    return people


def _keypoints_table(data: bytes, path: Path) -> object:
    path = path.with_suffix(".csv")
    path.write_bytes(data)
    return _keypoints(path)


def _joint_archive(path: Path) -> object:
    from engine.training.joint_sets import mpi_inf_3dhp_npz

    return list(mpi_inf_3dhp_npz.read_test(path))


def _mat5(path: Path) -> object:
    from engine.training.joint_sets import mat5

    return mat5.read(path, MATLAB)


def _room_cameras(path: Path) -> object:
    from engine.training.joint_sets import human36m_cameras

    return human36m_cameras.read(path)


def _calibration(path: Path) -> object:
    from engine.training.joint_sets import mpi_inf_3dhp_cameras

    return mpi_inf_3dhp_cameras.read(path)


def _bone_map(path: Path) -> object:
    from engine.motion import bone_map_file

    return bone_map_file.read_plain(path)


def _extension_bone_map(path: Path) -> object:
    extension("client")
    return importlib.import_module("installed_dposer.engine.motion.bone_map_file").read(path)


def _pose_prior(path: Path) -> object:
    from engine.priors.weights import load_pose_prior

    return load_pose_prior(path)


def _gaussian(path: Path) -> object:
    from engine.priors.pose_gaussian import PoseGaussian

    return PoseGaussian.load(path)


def _frame(data: bytes, path: Path) -> object:
    from engine import protocol

    stream, found = io.BytesIO(shaped.frame(data)), []
    while (frame := protocol.read_frame(stream, 1 << 20)) is not None:
        found.append(frame)
    return found


def _server(data: bytes, path: Path) -> object:
    """Requests that the engine's own server receives, computes without its solvers, and answers."""
    from engine import protocol
    from engine.errors import ProtocolError
    from engine.serve import Server

    frame = shaped.requested(data)
    if frame is None:
        raise ProtocolError("This is no request.")
    sink = io.BytesIO()
    server = Server(io.BytesIO(frame), sink)
    with without_solvers(), contextlib.redirect_stderr(io.StringIO()) as log:
        server._receive()
        while not server._queue.empty():
            server._compute(server._queue.get())
    sink.seek(0)
    answers = []
    while (answer := protocol.read_frame(sink)) is not None:
        answers.append(answer[0])
        message = str(answer[0].get("message", ""))
        if "unforeseen" in message and STOPPED not in message:
            places = re.findall(r"([\w/]+\.py)\", line \d+, in (\w+)", log.getvalue())
            ours = [place for place in places if "engine/" in place[0]]
            kind = re.search(r"\((\w+):", message)
            raise Unforeseen(f"{kind[1] if kind else message} in {ours[-1][0].rpartition('engine/')[2]}:{ours[-1][1]}")
        if len(message) > 4000:
            raise Unforeseen(f"A message of {len(message)} characters: {message[:100]}")
    return answers


def _client(data: bytes, path: Path) -> object:
    """An answer of the engine as Blender's end of the pipe takes it."""
    from engine import protocol

    module = extension("client")
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


def extension(name: str) -> types.ModuleType:
    """A module of the extension that needs no Blender, as in an installed one, where the engine lies beside it."""
    package = "installed_dposer"
    if package not in sys.modules:
        root = types.ModuleType(package)
        root.__path__ = [str(ROOT)]
        sys.modules[package] = root
    return importlib.import_module(f"{package}.dposer_blender.{name}")


def refusals() -> tuple[type[Exception], ...]:
    """The errors by which a parser may refuse, of the engine and of the engine in the extension."""
    from engine.errors import EngineError

    beside = sys.modules.get("installed_dposer.engine.errors")
    return (EngineError, beside.EngineError) if beside else (EngineError,)


PARSERS = {
    parser.name: parser
    for parser in (
        Parser("bvh", "BVH files", _file(_bvh)),
        Parser("amass", "AMASS .npz files", _archive(AMASS, _amass)),
        Parser("smpl", "SMPL model .npz files", _archive(SMPL, _smpl)),
        Parser("points", "3D points for fit, .npz", _archive(POINTS, _points)),
        Parser("clip_targets", "targets of a clip for fit, .npz", _archive(POINTS, _clip_targets)),
        Parser("pose_targets", "targets of a pose for fit, JSON", _file(_pose_targets)),
        Parser("camera", "cameras for fit, JSON", _file(_camera)),
        Parser("keypoints", "2D keypoints, JSON", _file(_keypoints)),
        Parser("joint_archive", "pickled arrays of joints, .npz", _archive(JOINT_ARCHIVE, _joint_archive)),
        Parser("mat5", "MATLAB files", _file(_mat5)),
        Parser("room_cameras", "Human3.6M's cameras, JSON", _file(_room_cameras)),
        Parser("calibration", "MPI-INF-3DHP's cameras", _file(_calibration)),
        Parser("keypoints_table", "2D keypoints, CSV", _keypoints_table),
        Parser("bone_map", "bone maps in the engine, JSON", _file(_bone_map)),
        Parser("extension_bone_map", "bone maps in Blender, JSON", _file(_extension_bone_map)),
        Parser("prior", "weights of networks, safetensors", _file(_pose_prior, shaped.safetensors)),
        Parser("arrays", "weights of other models, safetensors", _file(_gaussian, shaped.safetensors)),
        Parser("frame", "frames of the protocol", _frame),
        Parser("server", "requests to the engine", _server),
        Parser("client", "answers to Blender", _client),
    )
}
