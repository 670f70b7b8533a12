# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the operators that tell in their tooltip why they cannot be used now."""

from __future__ import annotations

from bpy.types import Context

from . import jobs

BUSY = "DPoser is at work: wait, or press Esc to cancel"


class Polled:
    """Can be used where `refusal` says nothing and no job is in progress."""

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether it can be used; the tooltip gives the reason where not."""
        reason = BUSY if jobs.current() is not None else cls.refusal(context)
        if reason:
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be used."""
        return ""
