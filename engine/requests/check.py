# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``check``."""

from __future__ import annotations

import dataclasses

from engine.errors import ProtocolError
from engine.protocol import Arrays, Header
from engine.requests.rig import Answer
from engine.tasks.steps import OnStep


def check(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Whether this engine has what the tools need: `engine.tasks.check.check`. Needs no torch.

    Args:
        params: ``device`` (auto, cpu, cuda or mps; auto where it is absent).
        arrays: none.
        on_step: told (done, total, stage); stops the check by raising.

    Returns:
        ``{"findings"}``, the fields of each `Finding`, and no arrays.
    """
    from engine.tasks.check import check

    device = params.get("device", "auto")
    if not isinstance(device, str):
        raise ProtocolError("A request to the engine has a device that is no name; reinstall DPoser.")
    return {"findings": [dataclasses.asdict(found) for found in check(device, on_step)]}, {}
