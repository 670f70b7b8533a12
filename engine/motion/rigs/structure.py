# SPDX-License-Identifier: GPL-3.0-or-later
"""A human body found in a rig that nobody has named, by its tree and where its bones begin.

Two limbs that mirror each other hang from one bone: legs, whose thigh and shin are about as long. Above, against the
legs' direction, another pair does: arms. Their common bone has a head further up. Left and right are told by the feet,
which point ahead. Lengths are shares of a leg, so neither scale nor axes matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.motion.rigs.assemble import TWIST, assemble, common_ancestor
from engine.motion.rigs.rig_map import RigMap
from engine.motion.skeleton import Skeleton

CERTAINTY = 0.5

LONGEST = 14  # bones of a limb that are looked at: collar, limb with two twist bones each, hand and fingers
MOST_LIMBS = 128  # that are as long as one; each is looked at in hundreds of ways
REACH = 0.12  # a limb is at least that share of the rig's longest chain
ALIKE = 0.12  # by which lengths of two sides may differ
MIRRORED = np.cos(np.radians(20.0))  # joints of two sides face each other across the middle within that angle
UPRIGHT = 0.7  # cosine between spine and legs, so that no four-legged rig is taken for a body

# What people's proportions are and how far rigs stray from it (logarithms of ratios).
RATIO = {"leg": (0.0, 0.2), "arm": (0.07, 0.15)}  # of a limb's upper to its lower part
CROOKED = np.radians(12.0)  # between bones of which one is the other's twist bone
TOO_SHORT = 0.02  # of a limb's part
ARM, ARM_SPREAD = 0.66, 0.35  # arm to leg
SPINE, SPINE_SPREAD = 0.6, 0.5  # hips to shoulders
HEAD, HEAD_SPREAD = 0.22, 0.5  # shoulders to head
TOES = 0.17  # ankle to toes
SAME = 1e-3  # by which a forearm's own end must be a likelier wrist than a bone that begins there
FEWEST = 0.02  # score of a body that is none


class Unclear(Exception):
    """No body was found; the text completes "the rig ..."."""


@dataclass(frozen=True)
class _Limb:
    """A limb's bones, from the branch's first outwards, and which of them begin its three joints."""

    chain: tuple[int, ...]
    joints: tuple[int, int, int]
    score: float
    points: np.ndarray  # (3, 3) of the joints

    @property
    def bones(self) -> list[int]:
        """The joints' bones; two where an arm ends with its forearm."""
        return [self.chain[n] for n in self.joints if n < len(self.chain)]


@dataclass(frozen=True)
class _Pair:
    parent: int
    limbs: tuple[_Limb, _Limb]
    score: float


def by_structure(skeleton: Skeleton) -> RigMap:
    """The mapping that a rig's tree and rest positions tell.

    Raises:
        Unclear: they show no standing human body.
    """
    rig = _Tree(skeleton)
    legs, arms = _body(rig)
    up = _unit(rig.middle(legs, 0) - rig.middle(legs, 2))
    size = rig.length(legs.limbs[0])
    chest = arms.parent
    toes = [_toe(rig, limb, size) for limb in legs.limbs]
    head = _head(rig, arms, toes, up, size)
    ahead = _ahead(rig, legs, toes, up, size)
    left = np.cross(up, ahead)
    bones: dict[str, str] = {}
    names = skeleton.names
    for pair, joints in ((legs, ("hip", "knee", "ankle")), (arms, ("shoulder", "elbow", "wrist"))):
        across = pair.limbs[0].points[0] - pair.limbs[1].points[0]
        for side, n in zip(("left", "right"), (0, 1) if across @ left > 0 else (1, 0), strict=True):
            limb = pair.limbs[n]
            bones |= {f"{side}_{joint}": names[bone] for joint, bone in zip(joints, limb.bones, strict=False)}
            if pair is arms and limb.joints[0] > 0:
                bones[f"{side}_collar"] = names[limb.chain[0]]
            toe = toes[n]
            if pair is legs and toe is not None:
                bones[f"{side}_foot"] = names[toe]
    bones["head"] = names[head]
    pelvis = common_ancestor(skeleton, [bones["left_hip"], bones["right_hip"], names[chest]])
    assert pelvis is not None  # `_body` asks for it
    bones["pelvis"] = pelvis
    sources = assemble(skeleton, bones)
    trunk = [source.bones for joint, source in sources.items() if joint.startswith("spine") and source.own]
    return RigMap(
        name="structure",
        title="a body found by its structure",
        sources=sources,
        twist=TWIST,
        confidence=round(CERTAINTY * len(sources) / 22, 3),
        reasons=(
            f"The legs were found by structure: two like limbs from '{bones['left_hip']}' and '{bones['right_hip']}'.",
            f"The arms were found by structure: two like limbs from '{bones['left_shoulder']}' and "
            f"'{bones['right_shoulder']}', above the legs.",
            f"The spine was found by structure: '{trunk[0][0]}' to '{trunk[-1][-1]}', between legs and arms.",
            f"The head was found by structure: '{bones['head']}', above the arms.",
            "Left and right were told by where the feet point.",
        ),
    )


class _Tree:
    """The rig's bones by their first ends.

    Attributes:
        heads: (J, 3) rest positions of the bones' first ends.
        children: of each bone.
        reach: length of the longest chain below each bone.
        skeleton: the rig.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.heads = skeleton.rest[:, :3, 3]
        self.children: list[list[int]] = [[] for _ in skeleton.names]
        self.reach = np.zeros(len(skeleton))
        self._depth = np.zeros(len(skeleton), int)
        for bone in reversed(range(len(skeleton))):
            parent = skeleton.parents[bone]
            if parent >= 0:
                self.children[parent].append(bone)
                self.reach[parent] = max(self.reach[parent], self.distance(parent, bone) + self.reach[bone])
                self._depth[parent] = max(self._depth[parent], self._depth[bone] + 1)

    def distance(self, first: int, second: int) -> float:
        return float(np.linalg.norm(self.heads[first] - self.heads[second]))

    def together(self, first: int, second: int) -> bool:
        """Whether two bones begin at one point."""
        return self.distance(first, second) < 1e-4 * float(self.reach.max())

    def chain(self, bone: int) -> tuple[int, ...]:
        """The longest way down from a bone, itself first."""
        chain = [bone]
        while self.children[chain[-1]] and len(chain) < LONGEST:
            last = chain[-1]
            chain.append(max(self.children[last], key=lambda child: self.distance(last, child) + self.reach[child]))
        return tuple(chain)

    def fingers(self, bone: int) -> int:
        """Number of chains of two bones or more that begin at a bone."""
        return sum(bool(self._depth[child]) for child in self.children[bone])

    def parts(self, bone: int) -> int:
        """Number of bones that go on from a bone, or from one that begins at the same point."""
        return sum(
            len(self.children[child]) if self.together(bone, child) else 1 for child in self.children[bone]
        )

    def length(self, limb: _Limb) -> float:
        return float(np.linalg.norm(np.diff(limb.points, axis=0), axis=-1).sum())

    def middle(self, pair: _Pair, joint: int) -> np.ndarray:
        """Point (3,) between the same joint of two limbs."""
        first, second = (limb.points[joint] for limb in pair.limbs)
        return (first + second) / 2


def _body(rig: _Tree) -> tuple[_Pair, _Pair]:
    """The legs and arms that are most like a standing body's."""
    legs = _pairs(rig, "leg", 0.0)
    if not legs:
        raise Unclear("its structure shows no pair of legs")
    best: tuple[float, _Pair, _Pair] | None = None
    for leg in sorted(legs, key=lambda pair: -pair.score)[:6]:
        size = rig.length(leg.limbs[0])
        for arm in _pairs(rig, "arm", size):
            score = leg.score * arm.score * _stance(rig, leg, arm, size)
            if score > FEWEST * leg.score and (best is None or score > best[0]):
                best = score, leg, arm
    if best is None:
        raise Unclear("its structure shows no arms above a pair of legs, as a standing body has them")
    return best[1:]


def _pairs(rig: _Tree, kind: str, size: float) -> list[_Pair]:
    """Pairs of limbs that hang from one bone and mirror each other; `size` is the leg's length, of use for arms."""
    shortest = max(REACH * float(rig.reach.max(initial=0.0)), 1e-9)
    pairs: list[_Pair] = []
    branches = []
    for parent, children in enumerate(rig.children):
        long = [c for c in children if rig.distance(parent, c) + rig.reach[c] > shortest]
        if len(long) > 1:
            branches.append((parent, long))
    if sum(len(long) for _, long in branches) > MOST_LIMBS:
        raise Unclear("its structure shows too many limbs to tell which of them are a body's")
    for parent, long in branches:
        limbs = [limb for child in long if (limb := _limb(rig, rig.chain(child), kind, size)) is not None]
        pairs += [
            _Pair(parent, (first, second), (first.score + second.score) / 2)
            for first, second in combinations(limbs, 2)
            if _mirrored(first, second)
        ]
    return pairs


def _limb(rig: _Tree, chain: tuple[int, ...], kind: str, size: float) -> _Limb | None:
    """The likeliest three joints of a limb; none in a chain that has no two parts alike."""
    points = rig.heads[list(chain)]
    ends = range(2, len(chain))
    hands = [n for n in ends if rig.fingers(chain[n]) >= 2]
    if kind == "arm" and hands:
        ends = range(hands[0], hands[0] + 1)  # fingers tell the wrist
    ways = [(points, (start, middle, end)) for end in ends for start, middle in combinations(range(end), 2)]
    if kind == "arm" and not hands:  # it may end with its forearm
        for last in range(1, len(chain)):
            tail = rig.skeleton.tails[chain[last]]
            if np.isfinite(tail).all():
                shown = np.concatenate([points[: last + 1], tail[None]])
                ways += [(shown, (*pair, last + 1)) for pair in combinations(range(last + 1), 2)]
    best: _Limb | None = None
    for shown, joints in ways:
        upper, lower = np.linalg.norm(np.diff(shown[list(joints)], axis=0), axis=-1)
        if min(upper, lower) < 1e-9:
            continue
        mean, spread = RATIO[kind]
        score = _likely(np.log(upper / lower), mean, spread)
        score *= _likely(_bend(shown, joints), 0.0, CROOKED)
        if kind == "leg":
            score *= upper + lower
        else:
            score *= _likely(np.log((upper + lower) / size), np.log(ARM), ARM_SPREAD)
        if score > 0 and (best is None or score > best.score * (1.0 + SAME * (shown is not points))):
            end = joints[2] if shown is points else len(chain)
            best = _Limb(chain, (joints[0], joints[1], end), score, shown[list(joints)])
    return best


def _bend(points: np.ndarray, joints: tuple[int, int, int]) -> float:
    """The sharpest angle in radians between bones within the limb's two parts; bones too short to tell are skipped."""
    worst = 0.0
    for begin, end in (joints[:2], joints[1:]):
        steps = np.diff(points[begin : end + 1], axis=0)
        steps = steps[np.linalg.norm(steps, axis=-1) > TOO_SHORT * np.linalg.norm(points[end] - points[begin])]
        if len(steps) > 1:
            steps = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
            cosine = np.einsum("na,na->n", steps[:-1], steps[1:]).min()
            worst = max(worst, float(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return worst


def _mirrored(first: _Limb, second: _Limb) -> bool:
    """Whether two limbs are as long and their joints face each other across one plane."""
    one, two = first.points, second.points
    lengths = [np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in (one, two)]
    if (np.abs(lengths[0] - lengths[1]) > ALIKE * (lengths[0] + lengths[1]) / 2).any():
        return False
    across = one - two
    width = np.linalg.norm(across, axis=-1)
    normal = across.sum(axis=0)
    if min(width.min(), np.linalg.norm(normal)) < 0.02 * lengths[0].sum():
        return False
    return bool((across @ _unit(normal) > MIRRORED * width).all())


def _stance(rig: _Tree, legs: _Pair, arms: _Pair, size: float) -> float:
    """How like a standing body's trunk the part between two pairs is, 0 to 1."""
    names = rig.skeleton.names
    pelvis = common_ancestor(rig.skeleton, [names[legs.parent], names[arms.parent]])
    if pelvis is None or pelvis == names[arms.parent]:
        return 0.0
    hips, shoulders = rig.middle(legs, 0), rig.middle(arms, 0)
    if np.linalg.norm(rig.heads[rig.skeleton.index(pelvis)] - hips) > 0.5 * size:
        return 0.0
    up, spine = hips - rig.middle(legs, 2), shoulders - hips
    height = float(np.linalg.norm(spine))
    if height < 1e-9 or _unit(up) @ _unit(spine) < UPRIGHT:
        return 0.0
    return _likely(np.log(height / size), np.log(SPINE), SPINE_SPREAD)


def _head(rig: _Tree, arms: _Pair, toes: Sequence[int | None], up: np.ndarray, size: float) -> int:
    """The bone that carries the face: about where a head begins, with most bones on it."""
    shoulders = rig.middle(arms, 0)
    taken = {limb.chain[0] for limb in arms.limbs}
    has_ends = all(toe is not None and rig.children[toe] for toe in toes)  # a bone that marks the end of each chain
    best: tuple[float, int] | None = None
    for branch in (child for child in rig.children[arms.parent] if child not in taken):
        for step, bone in enumerate(rig.chain(branch)):
            height = float((rig.heads[bone] - shoulders) @ up)
            aside = float(np.linalg.norm(rig.heads[bone] - shoulders - height * up))
            if height < 0.03 * size or aside > 0.25 * size or rig.together(bone, rig.skeleton.parents[bone]):
                continue
            score = -0.5 * ((np.log(height / size) - np.log(HEAD)) / HEAD_SPREAD) ** 2 - 0.05 * step
            score += 0.7 * (rig.parts(bone) > 1) + 0.5 * (has_ends and bool(rig.children[bone]))
            if best is None or score > best[0]:
                best = score, bone
    if best is None:
        raise Unclear("its structure shows no head above the arms")
    return best[1]


def _toe(rig: _Tree, limb: _Limb, size: float) -> int | None:
    """The bone of all toes; none if each toe has its own or the foot ends the leg."""
    ankle = limb.bones[2]
    beyond = [bone for bone in limb.chain[limb.joints[2] + 1 :] if 0.05 < rig.distance(ankle, bone) / size < 0.4]
    if not beyond:
        return None
    toe = min(beyond, key=lambda bone: abs(rig.distance(ankle, bone) / size - TOES))
    parent = rig.skeleton.parents[toe]
    own = rig.distance(parent, toe)
    siblings = [bone for bone in rig.children[parent] if 0.6 * own < rig.distance(parent, bone) < own / 0.6]
    return toe if len(siblings) < 3 else None


def _ahead(rig: _Tree, legs: _Pair, toes: Sequence[int | None], up: np.ndarray, size: float) -> np.ndarray:
    """Unit direction (3,) in which the feet point, across legs and middle plane."""
    side = _unit(rig.middle(legs, 0) - rig.heads[legs.limbs[0].bones[0]])
    total = np.zeros(3)
    for limb, toe in zip(legs.limbs, toes, strict=True):
        ankle = limb.bones[2]
        end = rig.heads[limb.chain[limb.joints[2] + 1]] if len(limb.chain) > limb.joints[2] + 1 else None
        if toe is not None:
            end = rig.heads[toe]
        elif end is None:
            end = rig.skeleton.tails[ankle]
        if np.isfinite(end).all():
            total += end - rig.heads[ankle]
    side = _unit(side - up * (side @ up))
    total -= up * (total @ up) + side * (total @ side)
    if np.linalg.norm(total) < 0.05 * size:
        raise Unclear("its structure shows no feet that point ahead, so left cannot be told from right")
    return _unit(total)


def _likely(value: float, mean: float, spread: float) -> float:
    return float(np.exp(-0.5 * ((value - mean) / spread) ** 2))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
