# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``idle``."""

from __future__ import annotations

from dataclasses import replace

from engine.errors import MotionError
from engine.motion.retarget import to_body
from engine.protocol import Arrays, Header
from engine.requests.parameters import number, settings_of, whole
from engine.requests.rig import MOST_VARIANTS, Answer, check_answer, described, map_of, motion_of
from engine.requests.single_pose import made_of, one_pose, taking_over
from engine.tasks.steps import OnStep


def idle(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Make a looping idle of one pose: `engine.tasks.idle.idle`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``seconds``, ``variants`` (how many, each with
            the next seed; 1), ``settings`` (fields of `IdleSettings`).
        arrays: of a rig's animation of one frame.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``{"seeds", "stands"}``, the seed of each variant, and whether the body stands or else keeps its pelvis where it
        is, with what `described` tells; and the arrays of the edits, whose last frame is their first again, see
        `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. EngineError: as the task does.
    """
    from engine.motion.rig_joints import rig_offsets
    from engine.tasks.idle import LONGEST, IdleSettings, idle
    from engine.tasks.stance import Stance

    motion = one_pose(motion_of(params, arrays))
    rig_map = map_of(params, motion.skeleton)
    settings = settings_of(IdleSettings, params.get("settings", {}))
    before = to_body(motion, rig_map)
    offsets = rig_offsets(motion, rig_map, before)
    seconds, count = number(params, "seconds"), whole(params, "variants", 1)
    if not 1 <= count <= MOST_VARIANTS:
        raise MotionError(f"Ask for at least one idle and at most {MOST_VARIANTS}.")
    check_answer(motion, round(min(max(seconds, 0.0), LONGEST) * motion.fps) + 1, count)
    seeds = [settings.seed + variant for variant in range(count)]
    loops = []
    for variant, seed in enumerate(seeds):

        def tell(done: int, total: int, stage: str, before: int = variant) -> None:
            on_step(before * total + done, count * total, stage)

        loops.append(idle(before, seconds, replace(settings, seed=seed), offsets, on_step=tell))
    answer = {"seeds": seeds, "stands": Stance.of(before, offsets).stands} | described(motion, rig_map)
    return answer, taking_over(made_of(motion, rig_map, before, loops), rig_map, motion.skeleton)
