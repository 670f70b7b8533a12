# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of a Ray cluster that clean takes. Ray (package ``ray``) is optional; the files are on a shared file system.

The engine's own code travels to the machines with the run; their Python needs what requirements.txt lists.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import engine
from engine.errors import EngineError
from engine.takes.pool import Ended, Event, Lost
from engine.takes.walk import Take
from engine.takes.work import Cleaning, make
from engine.takes.worker import limit_threads

HEALTH_SECONDS = 15.0  # for an answer of the cluster, and for Ray's own start
LOGS = "Ray's logs on its machine"
LOOK_SECONDS = 5.0  # between looks at how large the cluster is


class RayPool:
    """As many takes at once as the cluster has processors for.

    Args:
        cleaning: what is done.
        address: of the cluster's head, host:port; or "auto", the cluster that this machine belongs to.
        threads: that each take is computed with.

    Raises:
        EngineError: Ray is not installed, or no cluster answers there.
    """

    def __init__(self, cleaning: Cleaning, address: str, threads: int) -> None:
        self._ray = _ray()
        _check(address)
        environment = {"py_modules": [str(Path(engine.__file__).parent)], "env_vars": limit_threads(threads)}
        try:
            self._ray.init(
                address=address, runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False
            )
        except Exception as error:  # its own kinds, and RuntimeError, ConnectionError, ValueError
            raise _refusal(address, error) from error
        self._needs = {"CPU": threads} | ({"GPU": 1} if cleaning.device == "cuda" else {})
        options = {"num_cpus": threads, "num_gpus": self._needs.get("GPU", 0), "max_retries": 0}
        self._make = self._ray.remote(**options)(make)
        self._cleaning = self._ray.put(cleaning)
        self._work: dict[Any, tuple[Take, float]] = {}
        self._size, self._looked = 1, float("-inf")

    def free(self) -> bool:
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            there = self._ray.cluster_resources()
            self._size = max(1, min(int(there.get(kind, 0)) // need for kind, need in self._needs.items()))
            self._looked = now
        return len(self._work) < self._size

    def start(self, take: Take) -> None:
        source, target = take.source.absolute(), take.target.absolute()
        reference = self._make.remote(source, target, self._cleaning, None, LOGS)
        self._work[reference] = (take, time.monotonic())

    def wait(self, seconds: float) -> list[Event]:
        if not self._work:
            return []
        ready, _ = self._ray.wait(list(self._work), timeout=seconds)
        return [self._event(reference) for reference in ready]

    def running(self) -> list[tuple[Take, float]]:
        now = time.monotonic()
        return [(take, now - since) for take, since in self._work.values()]

    def stop(self, take: Take) -> None:
        for reference in [r for r, (other, _) in self._work.items() if other == take]:
            del self._work[reference]
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        for take, _ in list(self._work.values()):
            self.stop(take)
        self._ray.shutdown()

    def _event(self, reference: Any) -> Event:
        take, _ = self._work.pop(reference)
        errors = self._ray.exceptions
        try:
            return Ended(take, self._ray.get(reference))
        except errors.NodeDiedError:
            return Lost(take, "went down with its machine", False)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
            why = "was ended for want of memory" if isinstance(error, errors.OutOfMemoryError) else "was killed"
            return Lost(take, why, True)
        except errors.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise EngineError(
                f"The machines of the Ray cluster cannot run the engine ({reason}); their Python needs the packages of "
                "requirements.txt, and the same versions as here."
            ) from error


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise EngineError(
            f"--ray needs the package ray, which {sys.executable} has not; "
            "run: python -m pip install -r requirements-ray.txt"
        ) from error
    return ray


def _check(address: str) -> None:
    """Refuse an address where no cluster answers. Ray itself would try for a minute, then end this process."""
    if "://" in address:
        raise EngineError(
            f"{address} is an address for Ray's client; run the command on one of the cluster's machines, with "
            "--ray auto."
        )
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    if address != "auto":
        command += ["--address", address]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=HEALTH_SECONDS)
    except subprocess.TimeoutExpired:
        raise _refusal(address, None) from None
    if answer.returncode != 0:
        raise _refusal(address, None)


def _refusal(address: str, error: Exception | None) -> EngineError:
    where = "this machine belongs to" if address == "auto" else f"answers at {address}"
    reason = "" if error is None else f" ({type(error).__name__}: {str(error).strip().splitlines()[0]})"
    return EngineError(
        f"No Ray cluster {where}{reason}; start one with: ray start --head, and on the other machines: "
        "ray start --address HOST:PORT"
    )
