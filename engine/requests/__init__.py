# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender may ask for over the pipe: each request's parameters and arrays to a task and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from engine.packages import need_torch
from engine.protocol import Arrays, Header
from engine.requests.check import check
from engine.requests.clean import clean
from engine.requests.complete import complete
from engine.requests.generate import generate
from engine.requests.idle import idle
from engine.requests.inbetween import inbetween
from engine.requests.keypoints import keypoints
from engine.requests.lift import lift
from engine.requests.map import map_bones
from engine.requests.refine import refine
from engine.requests.rig import Answer
from engine.requests.score import score
from engine.requests.targets import targets
from engine.tasks.steps import OnStep

Task = Callable[[Header, Arrays, OnStep], Answer]


def _learned(task: Task) -> Task:
    """A task that needs PyTorch from its first line; those that need it for some settings alone ask for themselves."""

    @wraps(task)
    def asking(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
        need_torch()
        return task(params, arrays, on_step)

    return asking


TASKS: dict[str, Task] = {
    "check": check,
    "clean": clean,
    "complete": _learned(complete),
    "generate": _learned(generate),
    "idle": _learned(idle),
    "inbetween": inbetween,
    "keypoints": keypoints,
    "lift": _learned(lift),
    "map": map_bones,
    "refine": _learned(refine),
    "score": _learned(score),
    "targets": _learned(targets),
}
