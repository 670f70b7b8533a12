# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run works on which take, so that runs on one folder, on this machine or others, share the work.

A claim is a file that only one run can create. It names its run, whose own file is touched every few seconds: a run
that was killed, or whose machine has failed, stops doing so, and its claims are anyone's. Should two runs hold one
take all the same (a machine that was suspended), they write the same file twice, whole each time.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from engine.errors import FileError
from engine.takes.record import FOLDER
from engine.takes.walk import Take

BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
_TOKEN = re.compile("[0-9a-z]{1,32}")
_MOST_BYTES = 64  # of a claim that are read; a token is shorter
"""After so long without a touch a run is taken for dead: network file systems cache times for some seconds."""


class Claims:
    """One run's claims; a context manager that gives all of them back.

    Args:
        folder: the output folder; made where it is not there.

    Raises:
        FileError: nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._runs, self._claims = folder / FOLDER / "runs", folder / FOLDER / "claims"
        self._token = secrets.token_hex(8)
        self._held: dict[str, Take] = {}
        self._over = threading.Event()
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            self._claims.mkdir(exist_ok=True)
            identity = {"host": platform.node(), "pid": os.getpid()}
            self._own.write_text(json.dumps(identity))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FileError(f"Nothing can be written to {folder} ({reason}); name another folder.") from error
        self._sweep()

    def __enter__(self) -> Claims:
        threading.Thread(target=self._beat, name="run's sign of life", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for take in list(self._held.values()):
            self.release(take)
        with suppress(OSError):
            self._own.unlink()

    def claim(self, take: Take) -> bool:
        """Take a take for this run; False where a run that lives has it.

        Raises:
            FileError: nothing can be written there any more.
        """
        try:
            if not self._take(take.key):
                return False
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FileError(f"{take.shown} cannot be cleaned: its claim is not written ({reason}).") from error
        self._held[take.key] = take
        return True

    def release(self, take: Take) -> None:
        """Give a take back."""
        self._held.pop(take.key, None)
        path = self._claims / take.key
        with suppress(OSError):
            if path.read_text() == self._token:
                path.unlink()

    @property
    def _own(self) -> Path:
        return self._runs / self._token

    def _take(self, name: str) -> bool:
        """Create the claim of a name, or take over that of a dead run; whether it is ours now.

        The right to take one over is a claim, too, of which there is one at a time for each dead run's claim.
        """
        path = self._claims / name
        try:
            self._create(path)
            return True
        except FileExistsError:
            pass
        token = self._owner(path)
        # Without a token it is being written, or was when its machine failed.
        if token is None or (self._lives(token) if token else self._age(path) <= STALE_SECONDS):
            return False
        right = f"{name}.{token}"
        if not self._take(right):
            return False
        try:
            if self._owner(path) != token:  # Somebody had the right before us, and used it.
                return False
            ours = path.with_name(f"{right}.{self._token}")
            self._create(ours)
            os.replace(ours, path)
            return True
        finally:
            (self._claims / right).unlink(missing_ok=True)

    def _create(self, path: Path) -> None:
        with path.open("x") as stream:
            try:
                stream.write(self._token)
                stream.flush()
            except OSError:  # a full disk
                path.unlink(missing_ok=True)
                raise

    def _owner(self, path: Path) -> str | None:
        """The token in a claim, nothing where it is damaged; None where there is no claim any more."""
        try:
            with path.open("rb") as stream:
                content = stream.read(_MOST_BYTES).decode("ascii", errors="replace")
        except FileNotFoundError:
            return None
        return content if _TOKEN.fullmatch(content) else ""

    def _lives(self, token: str) -> bool:
        if token == self._token:
            return True
        run = self._runs / token
        try:
            identity = json.loads(run.read_text())
            if identity["host"] == platform.node() and not _is_process(int(identity["pid"])):
                return False
        except FileNotFoundError:
            return False
        except (OSError, ValueError, TypeError, KeyError):
            pass  # being written, or damaged: its age tells
        return self._age(run) <= STALE_SECONDS

    def _age(self, path: Path) -> float:
        """Seconds since a file was touched, both times by the clock of the machine that holds the files."""
        try:
            os.utime(self._own)
            return self._own.stat().st_mtime - path.stat().st_mtime
        except OSError:
            return 0.0

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(self._own)

    def _sweep(self) -> None:
        """Remove what dead runs have left; their claims go when somebody wants them."""
        for run in self._runs.iterdir():
            if not self._lives(run.name):
                run.unlink(missing_ok=True)
        for left in (self._runs.parent / "takes").glob(".*.tmp"):
            if self._age(left) > STALE_SECONDS:
                left.unlink(missing_ok=True)


def _is_process(pid: int) -> bool:
    if os.name != "posix":  # There a signal 0 is a signal.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
