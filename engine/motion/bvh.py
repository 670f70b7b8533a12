# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files (Biovision hierarchy; Meredith and Maddock, "Motion Capture File Formats Explained", 2001)."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine import physical_memory
from engine.errors import FileError, MotionError
from engine.motion import euler, files
from engine.motion.motion import Motion
from engine.motion.skeleton import MAX_BONES, MAX_NAME, Skeleton
from engine.motion.units import metres_per_unit

LARGEST = 1e7  # of a channel: degrees or the file's own length unit
MAX_FRAMES = 10_000_000
MAX_STATEMENTS = 20 * MAX_BONES  # of the hierarchy; a joint with an end site has nine
DEFAULT_FPS = 30.0

CHANNEL_COPIES, JOINT_NUMBERS = 2, 16
"""What a frame takes in memory at most while it is read: its channels twice, and for each joint a rotation and a
translation, more than twice, in double precision."""
_BLOCK = 1 << 24  # bytes of the motion block whose words are counted at once

_BROADCAST_RATES = np.array([24000 / 1001, 30000 / 1001, 60000 / 1001, 120000 / 1001])
# Possessive, since digits that could be divided in many ways would all be tried before a long row of them is refused.
_NUMBER = rb"[-+]?(?>\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
_HIERARCHY = re.compile(rb"\s*HIERARCHY\b", re.I)
_TOKEN = re.compile(
    rb"\s*(?:"
    rb"(?P<open>\{)|(?P<close>\})"
    rb"|(?P<kind>ROOT|JOINT)\s+(?P<name>[^\r\n{}]+)"
    rb"|(?P<end>END\s+SITE)[^\r\n{}]*"
    rb"|OFFSET(?P<offset>(?:\s+" + _NUMBER + rb"){3})"
    rb"|CHANNELS\s+(?P<count>\d{1,3})(?P<channels>(?:[^\S\r\n]+[XYZ][a-z]{1,16}){0,64})"
    rb"|(?P<motion>MOTION)\b"
    rb")",
    re.I,
)
_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.I)
_FRAMES = re.compile(rb"\s*Frames\s*:\s*(-?\d{1,18})(?!\d)", re.I)
_FRAME_TIME = re.compile(rb"\s*Frame\s*Time\s*:\s*(\S{1,64})(?!\S)", re.I)


@dataclass(frozen=True)
class Channels:
    """Columns of the motion block that belong to one joint.

    Attributes:
        order: rotation axes in the order of their channels, zero to three different letters of XYZ.
        rotation: columns of the rotation channels, one per letter of `order`.
        position: pairs of (axis 0-2, column) of the position channels.
    """

    order: str
    rotation: tuple[int, ...]
    position: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BvhClip:
    """A BVH file in memory: its animation, and what is needed to write back the rest as it was.

    Attributes:
        motion: the animation; identity rest rotations, translations relative to the joints' offsets.
        hierarchy: the file up to the word MOTION, as read.
        channels: one entry per joint.
        values: (T, C) float64, the motion block as read: degrees and rig units.
        frame_time: the text after "Frame Time:".
    """

    motion: Motion
    hierarchy: bytes
    channels: tuple[Channels, ...]
    values: np.ndarray
    frame_time: str


def read(path: str | Path) -> BvhClip:
    """Read a BVH file.

    Any white space and line ends, a byte order mark, any channel and rotation order, missing channels and position
    channels on any joint are accepted. A position channel replaces the joint's offset along its axis.

    Raises:
        FileError: the file is missing, empty, binary, truncated, damaged, or has several roots.
        MotionError: the file has no frames, or bones of the same name.
    """
    path = Path(path)
    content = files.read_bytes(path)
    parser = _Hierarchy(path.name, content)
    skeleton = parser.skeleton()
    values, frame_time = _motion_block(path.name, content, parser)
    rotations, translations = _decode(values, parser.channels, parser.offsets)
    motion = Motion(skeleton, rotations, translations, _frame_rate(path.name, frame_time, len(values)))
    return BvhClip(motion, content[: parser.end], tuple(parser.channels), values, frame_time)


def write(path: str | Path, clip: BvhClip, motion: Motion | None = None) -> None:
    """Write a clip, or another motion of its skeleton in its place.

    Values of joints and frames at which `motion` equals the clip's own are written as they were read; the others
    become Euler angles that continue their neighbours. The file appears whole or not at all.

    Args:
        path: target file; its folder must exist.
        clip: source of hierarchy, channels and unchanged values.
        motion: animation of the same bones; None writes the clip itself.

    Raises:
        FileError: the target cannot be written.
        MotionError: `motion` has other bones than the clip, or moves a joint that has no channels for it.
    """
    path = Path(path)
    values, frame_time = clip.values, clip.frame_time
    if motion is not None:
        values = _encode(clip, motion)
        if motion.fps != clip.motion.fps:
            frame_time = f"{1.0 / motion.fps:.10g}"
    newline = b"\r\n" if b"\r\n" in clip.hierarchy else b"\n"
    with files.replacing(path) as stream:
        stream.write(clip.hierarchy)
        for line in ("MOTION", f"Frames: {len(values)}", f"Frame Time: {frame_time}"):
            stream.write(line.encode() + newline)
        for row in values:
            stream.write(" ".join(map(repr, row.tolist())).encode() + newline)


def from_motion(motion: Motion, order: str = "ZXY") -> BvhClip:
    """A clip for a motion that was not read from a BVH file, e.g. a Blender armature's.

    BVH has no rest rotations: the joints keep their rest positions and their rotations are told in the rig's axes.
    Joints that move away from their rest position get position channels, as the root does.

    Args:
        motion: animation of a skeleton with one root.
        order: rotation order of all joints.

    Raises:
        MotionError: the skeleton has several roots.
    """
    skeleton = motion.skeleton
    if sum(parent < 0 for parent in skeleton.parents) != 1:
        raise MotionError(
            "A BVH file holds one skeleton, and this one has several roots; parent them to one bone."
        )
    rest = Rotation.from_matrix(skeleton.rest[:, :3, :3])
    heads = skeleton.rest[:, :3, 3]
    offsets = np.array([heads[j] - (heads[p] if p >= 0 else 0.0) for j, p in enumerate(skeleton.parents)])
    local = Rotation.from_quat(np.roll(motion.rotations, -1, axis=-1).reshape(-1, 4))
    bones = np.tile(np.arange(len(skeleton)), len(motion))
    rotations = np.roll((rest[bones] * local * rest[bones].inv()).as_quat(), 1, axis=-1)
    translations = np.einsum("jab,tjb->tja", rest.as_matrix(), motion.translations)

    channels = [Channels("", (), ())] * len(skeleton)
    column = 0
    for j, _ in _depth_first(skeleton.parents):
        positions = 3 if skeleton.parents[j] < 0 or np.any(translations[:, j]) else 0
        channels[j] = Channels(
            order,
            tuple(range(column + positions, column + positions + len(order))),
            tuple((axis, column + axis) for axis in range(positions)),
        )
        column += positions + len(order)
    plain = Skeleton(
        skeleton.names, skeleton.parents, _rest(skeleton.parents, offsets), skeleton.tails, skeleton.scale
    )
    result = Motion(plain, rotations.reshape(motion.rotations.shape), translations, motion.fps)
    blank = np.zeros((len(motion), column))
    clip = BvhClip(
        result, _hierarchy_text(plain, offsets, channels), tuple(channels), blank, f"{1 / motion.fps:.10g}"
    )
    everywhere = np.ones(motion.rotations.shape[:2], dtype=bool)
    values = _fill(clip, result, everywhere, everywhere)
    return BvhClip(result, clip.hierarchy, clip.channels, values, clip.frame_time)


class _Hierarchy:
    """The joints of a BVH file, read without recursion so that no file can exhaust the stack."""

    def __init__(self, name: str, content: bytes) -> None:
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[np.ndarray] = []
        self.channels: list[Channels] = []
        self.end_sites: list[list[np.ndarray]] = []
        self.columns = 0
        self._name = name
        self._content = content
        self._parse()

    def _fail(self, what: str, position: int) -> FileError:
        line = self._content.count(b"\n", 0, position) + 1
        return FileError(f"{self._name} is damaged in line {line}: {what}; export the clip again.")

    def _parse(self) -> None:
        content = self._content
        start = 3 if content.startswith(b"\xef\xbb\xbf") else 0
        begin = _HIERARCHY.match(content, start)
        if begin is None:
            binary = b"\0" in content[:4096]
            kind = "it holds binary data" if binary else "it does not begin with HIERARCHY"
            raise FileError(f"{self._name} is not a BVH file: {kind}; choose a .bvh text file.")
        position = begin.end()
        open_nodes: list[int | None] = []  # joint index, or None for an end site
        pending: int | None = None
        awaiting_brace = False
        statements = 0
        while True:
            statements += 1
            if statements > MAX_STATEMENTS:
                raise self._fail(f"its hierarchy has more than {MAX_STATEMENTS} parts", position)
            token = _TOKEN.match(content, position)
            if token is None:
                if not content[position:].strip():
                    raise FileError(
                        f"{self._name} is truncated: it ends within the hierarchy; export it again."
                    )
                raise self._fail("this is not part of a BVH hierarchy", position + 1)
            at, position = token.start(token.lastgroup or 0), token.end()
            if awaiting_brace != (token["open"] is not None):
                raise self._fail("an opening brace is missing or too many", at)
            if token["open"]:
                open_nodes.append(pending)
                awaiting_brace = False
            elif token["motion"]:
                if open_nodes:
                    raise self._fail(f"{len(open_nodes)} closing braces are missing", at)
                self.end = at
                break
            elif token["kind"]:
                pending, awaiting_brace = self._add_joint(token, at, open_nodes), True
            elif not open_nodes:
                raise self._fail("this stands outside of every joint", at)
            elif token["close"]:
                open_nodes.pop()
            elif token["end"]:
                if open_nodes[-1] is None:
                    raise self._fail("an end site stands within an end site", at)
                self.end_sites[open_nodes[-1]].append(np.zeros(3))
                pending, awaiting_brace = None, True
            elif token["offset"]:
                self._set_offset(token, at, open_nodes)
            else:
                self._set_channels(token, at, open_nodes[-1])
        if not self.names:
            raise FileError(f"{self._name} has no joints; export the clip again.")
        if self.columns == 0:
            raise FileError(f"{self._name} has no channels: it holds a skeleton without animation.")

    def _add_joint(self, token: re.Match[bytes], at: int, open_nodes: list[int | None]) -> int:
        is_root = token["kind"].upper() == b"ROOT"
        if is_root and self.names and not open_nodes:
            raise FileError(f"{self._name} holds several skeletons (roots); export one character per file.")
        if is_root == bool(open_nodes):
            raise self._fail("a JOINT needs a ROOT above it, a ROOT none", at)
        if len(self.names) >= MAX_BONES:
            raise FileError(
                f"{self._name} has more than {MAX_BONES} joints, too many for a character; export one character."
            )
        if len(token["name"]) > MAX_NAME:
            raise self._fail(f"a joint's name has more than {MAX_NAME} letters", at)
        parent = open_nodes[-1] if open_nodes else -1
        if parent is None:
            raise self._fail("a joint stands within an end site", at)
        raw = token["name"].strip()
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = raw.decode("latin-1")
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append(np.zeros(3))
        self.channels.append(Channels("", (), ()))
        self.end_sites.append([])
        return len(self.names) - 1

    def _set_offset(self, token: re.Match[bytes], at: int, open_nodes: list[int | None]) -> None:
        offset = np.array(token["offset"].split(), dtype=np.float64)
        if not (np.abs(offset) < 1e9).all():
            raise self._fail("an offset is beyond any skeleton's size", at)
        joint = open_nodes[-1]
        if joint is not None:
            self.offsets[joint] = offset
            return
        owner = next(node for node in reversed(open_nodes) if node is not None)
        self.end_sites[owner][-1] = offset

    def _set_channels(self, token: re.Match[bytes], at: int, joint: int | None) -> None:
        if joint is None:
            raise self._fail("an end site cannot have channels", at)
        words = token["channels"].decode().split()
        found = [_CHANNEL.fullmatch(word) for word in words]
        kinds = [(match[1].upper(), match[2].lower()) for match in found if match]
        if len(kinds) != int(token["count"]) or len(set(kinds)) != len(words):
            raise self._fail("the channels differ from the number given, repeat, or have unknown names", at)
        if self.channels[joint] != Channels("", (), ()):
            raise self._fail("a joint lists its channels twice", at)
        columns = range(self.columns, self.columns + len(kinds))
        rotation = [
            (axis, column) for (axis, kind), column in zip(kinds, columns, strict=True) if kind == "rotation"
        ]
        self.channels[joint] = Channels(
            "".join(axis for axis, _ in rotation),
            tuple(column for _, column in rotation),
            tuple(
                (euler.AXES.index(axis), column)
                for (axis, kind), column in zip(kinds, columns, strict=True)
                if kind == "position"
            ),
        )
        self.columns += len(kinds)

    def skeleton(self) -> Skeleton:
        """The joints as a rig; a tail is the only child, else the first end site, else unknown."""
        rest = _rest(self.parents, np.array(self.offsets))
        children: list[list[int]] = [[] for _ in self.names]
        for j, parent in enumerate(self.parents):
            if parent >= 0:
                children[parent].append(j)
        tails = np.full((len(self.names), 3), np.nan)
        for j, below in enumerate(children):
            if len(below) == 1:
                tails[j] = rest[below[0], :3, 3]
            elif not below and self.end_sites[j]:
                tails[j] = rest[j, :3, 3] + self.end_sites[j][0]
        skeleton = Skeleton(tuple(self.names), tuple(self.parents), rest, tails)
        return replace(skeleton, scale=metres_per_unit(skeleton))


def _rest(parents: tuple[int, ...] | list[int], offsets: np.ndarray) -> np.ndarray:
    """(J, 4, 4) rest transforms without rotation from (J, 3) offsets."""
    rest = np.tile(np.eye(4), (len(parents), 1, 1))
    for j, parent in enumerate(parents):
        rest[j, :3, 3] = offsets[j] + (rest[parent, :3, 3] if parent >= 0 else 0.0)
    return rest


def _motion_block(name: str, content: bytes, hierarchy: _Hierarchy) -> tuple[np.ndarray, str]:
    """(T, C) values of the motion block and the text of the frame time."""
    columns = hierarchy.columns
    frames_match = _FRAMES.match(content, hierarchy.end + len(b"MOTION"))
    time_match = _FRAME_TIME.match(content, frames_match.end()) if frames_match else None
    if frames_match is None or time_match is None:
        raise FileError(
            f"{name} is truncated: the number of frames or the frame time is missing; export it again."
        )
    frames = int(frames_match[1])
    if not 0 <= frames <= MAX_FRAMES:
        raise FileError(f"{name} claims to have {frames} frames; export the clip again.")
    if frames == 0:
        raise MotionError(f"{name} has no frames; export the clip with its animation.")
    # All of this comes before memory is taken for any value.
    count = _words(content, time_match.end())
    if count != frames * columns:
        fault = "is truncated: it holds" if count < frames * columns else "holds"
        raise FileError(
            f"{name} {fault} {count} values where {frames} frames of {columns} channels need {frames * columns}; "
            "export the clip again."
        )
    numbers = CHANNEL_COPIES * columns + JOINT_NUMBERS * len(hierarchy.names)
    physical_memory.check(name, 2 * len(content) + frames * numbers * 8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            values = np.fromstring(content[time_match.end() :], dtype=np.float64, sep=" ")
    except (DeprecationWarning, ValueError) as error:
        raise FileError(
            f"{name} holds something that is not a number in its motion block; export it again."
        ) from error
    if values.size != count:
        raise FileError(f"{name} holds something that is not a number in its motion block; export it again.")
    if not np.isfinite(values).all():
        frame = int(np.argmin(np.isfinite(values))) // columns
        raise FileError(
            f"{name} holds NaN or infinite values (first at frame index {frame}); remove those keys."
        )
    if np.abs(values).max(initial=0.0) > LARGEST:
        frame = int(np.abs(values).argmax()) // columns
        raise FileError(f"{name} holds a value beyond {LARGEST:g} (at frame index {frame}); remove that key.")
    return values.reshape(frames, columns), time_match[1].decode("latin-1")


def _words(content: bytes, start: int) -> int:
    """Number of words of a text from a place on, which is at the end of one."""
    letters = np.frombuffer(content, np.uint8, offset=start)
    count = 0
    for begin in range(0, len(letters), _BLOCK):
        blank = letters[begin : begin + _BLOCK + 1] <= ord(" ")
        count += int(np.count_nonzero(blank[:-1] & ~blank[1:]))
    return count


def _frame_rate(name: str, text: str, frames: int) -> float:
    """Frames per second; rates whose frame time was rounded in the file (0.00833333) become whole again (120)."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = np.nan
    if frames == 1 and seconds == 0.0:
        return DEFAULT_FPS  # a single pose has no rate
    if not (np.isfinite(seconds) and 1e-6 < seconds < 1e4):
        raise FileError(
            f"{name} has the frame time {text!r}, which is no time in seconds; correct it in the file."
        )
    fps = 1.0 / seconds
    nearest = np.append(_BROADCAST_RATES, np.round(fps))
    best = nearest[np.argmin(np.abs(nearest - fps))]
    return float(best) if abs(best - fps) < 2e-4 * fps else fps


def _decode(
    values: np.ndarray, channels: list[Channels], offsets: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, J, 4) and translations (T, J, 3) of the motion block."""
    rotations = np.zeros((len(values), len(channels), 4))
    rotations[..., 0] = 1.0
    translations = np.zeros((len(values), len(channels), 3))
    for order in {channel.order for channel in channels} - {""}:
        joints = [j for j, channel in enumerate(channels) if channel.order == order]
        columns = np.array([channels[j].rotation for j in joints])
        rotations[:, joints] = euler.to_quaternions(values[:, columns], order)
    flips = np.einsum("tjk,tjk->tj", rotations[1:], rotations[:-1]) < 0
    rotations[1:] *= np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0)[..., None]
    for j, channel in enumerate(channels):
        for axis, column in channel.position:
            translations[:, j, axis] = values[:, column] - offsets[j][axis]
    return rotations, translations


def _encode(clip: BvhClip, motion: Motion) -> np.ndarray:
    """(T, C) values of another motion of the clip's skeleton."""
    old = clip.motion
    if motion.skeleton.names != old.skeleton.names:
        raise MotionError(
            "The animation has other bones than the file it is written over; export it as a new file."
        )
    if len(motion) == len(old):
        turned = (motion.rotations != old.rotations).any(axis=-1)
        moved = (motion.translations != old.translations).any(axis=-1)
    else:
        rows = np.minimum(np.arange(len(motion)), len(old) - 1)
        clip = BvhClip(motion, clip.hierarchy, clip.channels, clip.values[rows], clip.frame_time)
        turned = moved = np.ones(motion.rotations.shape[:2], dtype=bool)
    return _fill(clip, motion, turned, moved)


def _fill(clip: BvhClip, motion: Motion, turned: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The clip's values with new ones where (T, J) `turned` or `moved`."""
    values = clip.values.copy()
    for order in {channel.order for channel in clip.channels} - {""}:
        joints = np.array([j for j, channel in enumerate(clip.channels) if channel.order == order])
        joints = joints[turned[:, joints].any(axis=0)]
        if not joints.size:
            continue
        columns = np.array([clip.channels[j].rotation for j in joints])
        wanted = euler.to_degrees(motion.rotations[:, joints], order)
        angles = euler.continue_from(values[:, columns], wanted, turned[:, joints])
        values[:, columns] = np.where(turned[:, joints, None], angles.round(6), values[:, columns])
    rest, parents = clip.motion.skeleton.rest[:, :3, 3], clip.motion.skeleton.parents
    for j in np.flatnonzero(moved.any(axis=0)):
        offset = rest[j] - (rest[parents[j]] if parents[j] >= 0 else 0.0)
        free = [axis for axis, _ in clip.channels[j].position]
        fixed = [axis for axis in range(3) if axis not in free]
        if np.any(np.abs(motion.translations[moved[:, j], j][:, fixed]) > 1e-6):
            name = clip.motion.skeleton.names[j]
            raise MotionError(f"The bone {name} moves, but the file has no position channels for it.")
        for axis, column in clip.channels[j].position:
            position = (offset[axis] + motion.translations[:, j, axis]).round(8)
            values[:, column] = np.where(moved[:, j], position, values[:, column])
    return values


def _depth_first(parents: tuple[int, ...]) -> list[tuple[int, int]]:
    """Joints in the order of a BVH file, each with its depth."""
    children: list[list[int]] = [[] for _ in parents]
    for j, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(j)
    order: list[tuple[int, int]] = []
    pending = [(parents.index(-1), 0)]
    while pending:
        j, depth = pending.pop()
        order.append((j, depth))
        pending += [(child, depth + 1) for child in reversed(children[j])]
    return order


def _hierarchy_text(skeleton: Skeleton, offsets: np.ndarray, channels: list[Channels]) -> bytes:
    """The HIERARCHY part of a new file; leaves end at their tails."""
    lines = ["HIERARCHY"]
    level = 0
    for j, depth in _depth_first(skeleton.parents):
        lines += ["\t" * open_depth + "}" for open_depth in range(level - 1, depth - 1, -1)]
        level = depth + 1
        indent = "\t" * depth
        name = re.sub(r"[\r\n{}]", "_", skeleton.names[j]).strip() or f"bone{j}"
        lines += [f"{indent}{'JOINT' if depth else 'ROOT'} {name}", indent + "{"]
        lines.append(f"{indent}\tOFFSET {_numbers(offsets[j])}")
        kinds = [f"{euler.AXES[axis]}position" for axis, _ in channels[j].position]
        kinds += [f"{axis}rotation" for axis in channels[j].order]
        lines.append(f"{indent}\tCHANNELS {len(kinds)} {' '.join(kinds)}")
        if j not in skeleton.parents:
            tail = skeleton.tails[j] - skeleton.rest[j, :3, 3]
            end = np.where(np.isfinite(tail), tail, 0.0)
            lines += [
                f"{indent}\tEnd Site",
                f"{indent}\t{{",
                f"{indent}\t\tOFFSET {_numbers(end)}",
                f"{indent}\t}}",
            ]
    lines += ["\t" * open_depth + "}" for open_depth in range(level - 1, -1, -1)]
    return ("\n".join(lines) + "\n").encode()


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in values)
