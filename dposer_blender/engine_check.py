# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last "Check Engine" found, for the preferences and the panel, which must not ask while they draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bpy.app.translations import pgettext_iface as iface_

from ..engine.errors import EngineError
from .errors import EngineNotStarted

_GOOD, _BAD = "good", "bad"  # as in engine.tasks.check, which needs modules that Blender may lack


@dataclass(frozen=True)
class Row:
    """One thing that the engine needs: the fields of the engine's `Finding`."""

    subject: str
    value: str
    figures: dict[str, Any]
    state: str = _GOOD
    advice: str = ""

    def shown(self, translated: bool = True) -> tuple[str, str, str]:
        """Subject, value and advice with their figures, in the language of Blender's interface or in English."""
        texts = (self.subject, self.value, self.advice)
        subject, value, advice = (iface_(text) if text and translated else text for text in texts)
        return subject, value.format(**self.figures), advice.format(**self.figures)


_rows: tuple[Row, ...] = ()


def rows() -> tuple[Row, ...]:
    """The rows of the last check; none where the engine was not checked since it was started."""
    return _rows


def remember(findings: Iterable[dict[str, Any]]) -> None:
    """Keep what the engine found."""
    global _rows
    _rows = tuple(Row(**finding) for finding in findings)


def fail(error: EngineError, python: str) -> None:
    """Keep why there is no answer: ``python`` does not run the engine, or the engine failed."""
    global _rows
    subject, value = ("Python", "{path}") if isinstance(error, EngineNotStarted) else ("Engine", "Failed")
    figures = {"path": python, "sentence": str(error).removesuffix(".")}
    _rows = (Row(subject, value, figures, _BAD, "{sentence}"),)


def forget() -> None:
    """Drop the rows: they are those of another engine."""
    global _rows
    _rows = ()
