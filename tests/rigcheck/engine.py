# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's Python as a child of the measuring Blender: one question at a time, through files of arrays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from rigcheck.places import ENVIRONMENT, ROOT


class Engine:
    """Runs `rigcheck.worker` with ``DPOSER_PYTHON``, or with this Python where that is not set."""

    def __enter__(self) -> Engine:
        self._folder = tempfile.TemporaryDirectory()
        self._child = subprocess.Popen(
            [os.environ.get("DPOSER_PYTHON", sys.executable), "-m", "rigcheck.worker"],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(timeout=30)
        self._folder.cleanup()

    def ask(
        self, info: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Answer of `rigcheck.worker.answer`, its info apart.

        Raises:
            RuntimeError: the worker ended; its traceback is on standard error.
        """
        assert self._child.stdin is not None and self._child.stdout is not None
        question, target = (Path(self._folder.name) / f"{name}.npz" for name in ("question", "answer"))
        np.savez(question, info=np.array(json.dumps(info)), **arrays)
        try:
            self._child.stdin.write(f"{question}\t{target}\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass
        if self._child.stdout.readline() != "done\n":
            raise RuntimeError("The engine's half of the measurement ended; its traceback is above.")
        with np.load(target) as loaded:
            found = dict(loaded)
        return json.loads(str(found.pop("info"))), found
