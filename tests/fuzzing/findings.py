# SPDX-License-Identifier: GPL-3.0-or-later
"""What fuzzing found: one input for each way in which a parser did what it must not."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

INTERVAL = 2.0  # seconds between two notes of how far it has come


@dataclass
class Record:
    """How far the fuzzing of one parser has come.

    Attributes:
        folder: where the inputs and the record itself go.
        executions: inputs read.
        accepted: how many of them gave a value; the others were refused as they should.
        slowest: seconds that the slowest took.
        findings: place and kind of each failure -> the name of an input that shows it.
    """

    folder: Path
    executions: int = 0
    accepted: int = 0
    slowest: float = 0.0
    findings: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _noted: float = 0.0

    def find(self, error: BaseException, data: bytes) -> None:
        """Keep the input that made a parser fail, unless the failure is known."""
        ours = [step for step in traceback.extract_tb(error.__traceback__) if "/engine/" in step.filename]
        last = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.name}" if ours else str(error)[:200]
        self.keep(f"{type(error).__name__} in {place}", data, "".join(traceback.format_exception(error)[-12:]))

    def keep(self, kind: str, data: bytes, details: str = "") -> None:
        """Keep an input that shows a failure of this kind, unless there is one."""
        if kind in self.findings:
            return
        name = hashlib.sha256(data).hexdigest()[:16]
        self.findings[kind] = name
        (self.folder / name).write_bytes(data)
        (self.folder / f"{name}.txt").write_text(f"{kind}\n{details}", encoding="utf-8")
        self.note(force=True)

    def note(self, force: bool = False) -> None:
        """Write the record, now and then: the process may be ended at any time."""
        now = time.monotonic()
        if force or now - self._noted > INTERVAL:
            self._noted = now
            content = asdict(self) | {"folder": "", "seconds": now - self.started}
            partial = self.folder / "record.partial"
            partial.write_text(json.dumps(content), encoding="utf-8")
            partial.replace(self.folder / "record.json")
