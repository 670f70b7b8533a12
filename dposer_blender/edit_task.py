# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that changes an armature's motion: read, ask the engine, write what it answers, one or several variants."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from bpy.types import Action, Context, Object

from . import armature, compat, last_run, results, rotations, settling, writing
from .errors import ArmatureError
from .jobs import Done
from .late import np
from .reading import SLICE, ReadTask

if TYPE_CHECKING:
    from .client import Message
    from .clip import Clip

_NOTED = 0.1  # degrees by which a bone may miss its pose without a word


@dataclass(frozen=True)
class Variant:
    """What tells one of several results from the others.

    Attributes:
        seed: of its random numbers.
        share: how much of all that is likely it stands for, 0 to 1; 0 where that says nothing.
    """

    seed: int = 0
    share: float = 0.0


@dataclass
class _Kept:
    """A variant and its curves; see `results.add_variant`."""

    variant: Variant
    keys: results.Keys


class EditTask(ReadTask):
    """Reads frames of an armature, has the engine edit them, and writes the result; several are kept as variants.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame that may change.
        read: first and last frame that the engine sees.
        settings: how the result is written.
        blend: over how many frames the result comes in at the first frame, and goes out at the last.
        body, still: see `ReadTask`.

    Attributes:
        tool: what is done, in a word, for the record.
    """

    tool = ""

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        read: tuple[int, int],
        settings: writing.Settings,
        blend: tuple[int, int] = (0, 0),
        body: bool = True,
        still: bool = False,
    ) -> None:
        self._range, self._settings, self._blend = frames, settings, blend
        self._writing: writing.Writing | None = None
        self._answer: Message | None = None
        self._changes: Iterator[tuple[Variant, settling.Change]] = iter(())
        self._count = self._written = 0
        self._kept: list[_Kept] = []
        self._adds = self._shown = False
        self._scale = 1.0
        super().__init__(ob, context, read, body, still)

    @property
    def keeps_all(self) -> bool:
        """Whether what each result changes is kept apart from the action that it was written to."""
        return self._count > 1 or self._adds

    @property
    def has_more(self) -> bool:
        """Whether another seed gives other variants."""
        return False

    def reseed(self, seed: int) -> None:
        """Ask for variants of another seed; only for tasks that have more."""
        raise NotImplementedError

    def again(self, seed: int) -> Self:
        """The same question about the same clip with another seed, whose variants join those that are there."""
        task = self._unasked()
        task._adds = True
        task.reseed(seed)
        return task

    def _unasked(self) -> Self:
        """The task as it was when all was read and nothing asked."""
        assert self.clip is not None
        task = copy.copy(self)
        task.clip = replace(self.clip, scale=self._scale)
        task._writing, task._answer, task._changes, task._kept = None, None, iter(()), []
        task._count = task._written = 0
        task.stage = ReadTask.stage
        return task

    def variants(self, message: Message) -> list[Variant]:
        """What tells the results of the engine's answer apart, in their order; one by default."""
        return [Variant()]

    def changes(self, message: Message, clip: Clip) -> list[settling.Change]:
        """The results of the engine's answer, in their order, on the frames of the clip."""
        arrays = message.arrays
        names = ("rotations", "translations", "rotations_changed", "translations_changed")
        return [settling.Change(*parts) for parts in zip(*(arrays[name] for name in names), strict=True)]

    def accepted(self, context: Context) -> bool | None:
        """Whether what has been written may stay; False asks the engine again, None goes on looking."""
        return True

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was done, without a full stop."""
        raise NotImplementedError

    def unchanged(self, clip: Clip) -> str:
        """What to say where nothing was to be done."""
        return f"Nothing changes on {clip.armature}; nothing was written."

    @property
    def fraction(self) -> float:  # type: ignore[override]
        if self._writing is not None:
            return (self._written + self._writing.fraction) / max(1, self._count)
        return super().fraction

    @property
    def unsettled(self) -> bool:  # type: ignore[override]
        return self._writing is not None

    def prepare(self, context: Context) -> bool | Done:
        """Evaluate a slice of what is read; write a slice of the result."""
        if self._writing is None:
            return super().prepare(context)
        with self.in_scene(context):
            if not self._writing.advance(context, SLICE):
                return False
            accepted = self.accepted(context)
            if accepted is None:
                return False
            if not accepted:
                self._writing.take_back()
        if not accepted:
            self._writing = None
            return True
        return self._next(context)

    def answered(self, context: Context, message: Message) -> None:
        """Begin to write; the first variant comes last, and stays."""
        clip = self.clip
        assert clip is not None
        self._answer, self.stage, self._scale = message, "Writing", clip.scale
        if self._adds:
            self._show_original()
        clip.scale = message.result["scale"]  # in which its tolerance is meant: that of a human body
        changes = [self._blended(change, clip) for change in self.changes(message, clip)]
        pairs = list(zip(self.variants(message), changes, strict=True))
        self._count, self._changes = len(pairs), reversed(pairs)
        self._start()

    def abandon(self) -> None:
        """Undo the writing."""
        if self._writing is not None:
            self._writing.abandon()
        if self._adds and self._shown:
            self._shown = False
            ob = armature.of_uid(self._ob_uid)
            record = results.of(ob)
            if ob is not None and record is not None:
                results.assign(ob, record, original=False)

    def _show_original(self) -> None:
        """Let the original animate the armature for as long as variants of it are written."""
        assert self.clip is not None
        ob = armature.resolve_object(self.clip)
        record = results.of(ob)
        if record is None:
            raise ArmatureError(f"The result of {ob.name} was removed while DPoser was at work; nothing was changed.")
        self._shown = compat.action_of(ob.animation_data)[0] == record.result
        if self._shown:
            results.assign(ob, record, original=True)

    def _start(self) -> None:
        assert self.clip is not None
        self._variant, change = next(self._changes)
        self._writing = writing.Writing(self.clip, change, self._settings)

    def _next(self, context: Context) -> bool | Done:
        """A variant is written: keep it; begin the one before it, or be done."""
        assert self.clip is not None and self._writing is not None
        self._written += 1
        ob = armature.resolve_object(self.clip)
        if self.keeps_all and self._writing.written is not None:
            now = compat.action_of(ob.animation_data)
            self._kept.append(_Kept(self._variant, results.differences(self._original(), now)))
        if self._written < self._count:
            self._writing.take_back()
            self._start()
            return False
        return self._done(ob)

    def _original(self) -> tuple[Action | None, str]:
        assert self.clip is not None
        return writing.action_of_uid(self.clip.action_uid), self.clip.slot

    def _done(self, ob: Object) -> Done:
        """Keep the record, and say how it went."""
        assert self.clip is not None and self._writing is not None and self._answer is not None
        clip, written = self.clip, self._writing.written
        if written is None:
            self.abandon()
            return Done(self.unchanged(clip), finished=False)
        if self._adds:
            return self._added(ob, written)
        if self._settings.target == "OVERWRITE":
            results.forget(ob)
        else:
            joints = self._answer.result["bones"]
            tool, layer = self.tool or self.title, self._settings.target == "NLA"
            record = results.remember(ob, tool, self._original(), written.result, written, joints, layer)
            record.seed = self._variant.seed
            last_run.keep(record.run, self._unasked())
            for kept in reversed(self._kept):
                results.add_variant(ob, kept.keys, kept.variant.seed, kept.variant.share)
        left = "".join(f"; bones left because they {why}: {count}" for why, count in clip.locked_by.items())
        if written.switched:
            left += f"; switched to FK: {', '.join(written.switched)}"
        if written.missed > _NOTED:
            left += f"; {written.worst} stays {written.missed:.1f}° off, as something else moves it too"
        return Done(f"{self.sentence(written, self._answer, clip)}{left}.")

    def _added(self, ob: Object, written: writing.Written) -> Done:
        """Let the new variants join the others, and show the first of them."""
        assert self._writing is not None
        results.widen(ob, written)
        self._writing.take_back()
        record = ob.dposer_result
        first = len(record.variants)
        for kept in reversed(self._kept):
            results.add_variant(ob, kept.keys, kept.variant.seed, kept.variant.share)
        results.show_variant(ob, first)
        self._shown = False
        count = len(record.variants)
        return Done(f"Added {count - first} to {first} variants of {ob.name}, seed {record.variants[first].seed}.")

    def _blended(self, change: settling.Change, clip: Clip) -> settling.Change:
        """A change that comes in after the first frame and goes out towards the last."""
        weight = ramp(clip.frames, self._range, self._blend)
        if (weight >= 1.0).all():
            return change
        turned, moved = change.turned.astype(bool), change.moved.astype(bool)
        share = weight[:, None]
        return replace(
            change,
            rotations=np.where(
                turned[..., None], rotations.slerp(clip.rotations, change.rotations, share), change.rotations
            ),
            translations=np.where(
                moved[..., None],
                clip.translations + share[..., None] * (change.translations - clip.translations),
                change.translations,
            ),
        )


def ramp(frames: np.ndarray, limits: tuple[int, int], blend: tuple[int, int]) -> np.ndarray:
    """(T,) weights of a result that comes in over so many frames from the first and goes out over so many to the last.

    A smooth step; the frame before the first and the one after the last have none. Frames outside have 1.
    """
    into = (frames - limits[0] + 1) / (blend[0] + 1)
    out = (limits[1] - frames + 1) / (blend[1] + 1)
    share = np.clip(np.minimum(into, out), 0.0, 1.0)
    weight = share * share * (3.0 - 2.0 * share)
    return np.where((frames < limits[0]) | (frames > limits[1]), 1.0, weight)
