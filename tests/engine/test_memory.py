# SPDX-License-Identifier: GPL-3.0-or-later
"""Where memory is too small: the tasks go on in smaller batches, then on the CPU, and say so.

The lack of memory is real to the tasks: PyTorch's own error, raised from inside its operations by a hook of the test.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import memory
from engine.errors import MotionError, OutOfMemory
from engine.memory import ON_CPU, SHARES, at_once, is_confined_to_cpu, within_memory
from engine.notes import listening

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]

class SmallCard(TorchDispatchMode):
    """A graphics card with room for so many numbers per tensor: until the CPU is chosen, operations raise as CUDA's do.

    Args:
        numbers: of the largest tensor that there is room for.
        weights: whose tensors do not count, as they do not become smaller with the batch.

    Attributes:
        failures: how often memory was too small.
        largest: numbers of the largest tensor that was made on the card.
    """

    def __init__(self, numbers: int, weights: Any = None) -> None:
        super().__init__()
        shapes = [tuple(weight.shape) for weight in weights.parameters()] if weights is not None else []
        self._weights = {*shapes, *(shape[::-1] for shape in shapes)}
        self.numbers, self.failures, self.largest = numbers, 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [tensor for tensor in tree_leaves(out) if isinstance(tensor, torch.Tensor)]
        made = [tensor.numel() for tensor in tensors if tuple(tensor.shape) not in self._weights]
        if made and not is_confined_to_cpu():
            if max(made) > self.numbers:
                self.failures += 1
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
            self.largest = max(self.largest, *made)
        return out


def on_a_card(compute: Callable[[], Any], numbers: int, weights: Any = None) -> tuple[Any, SmallCard, list[str]]:
    """The result, the card that it was computed on, and the notes about it."""
    with listening() as notes, SmallCard(numbers, weights) as card:
        return compute(), card, notes


def test_windows_are_asked_about_in_smaller_batches_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the motion prior: a batch of four windows does not fit, one window does, and the answers are the same."""
    from engine.priors.motion_weights import load_motion_prior
    from engine.tasks import motion_estimate as task
    from engine.tasks.evidence import CHANNELS, gather

    frames = 430
    random = np.random.default_rng(0)
    quat = np.zeros((frames, 22, 4))
    quat[..., 0] = 1.0
    none = np.zeros(CHANNELS)
    known = random.uniform(size=(frames, CHANNELS)) > 0.5
    path = np.zeros((frames, 3))
    evidence = gather(quat, path, quat, path, known, none + 0.05, none + 0.1, 60.0)
    prior = load_motion_prior()
    monkeypatch.setattr(task, "WINDOWS_AT_ONCE", 4)

    def estimate() -> Any:
        return task.estimate_motion(evidence, 60.0, prior, "cpu")

    usual, card, notes = on_a_card(estimate, 10**9, prior)
    assert card.failures == 0 and notes == []
    found, small, notes = on_a_card(estimate, 3 * card.largest // 4, prior)
    assert small.failures > 0 and small.largest < card.largest
    assert notes == [], "the device was the one chosen"
    np.testing.assert_allclose(found.quat, usual.quat, atol=1e-5)
    np.testing.assert_allclose(found.damage, usual.damage, atol=1e-5)


def test_poses_are_made_in_smaller_batches_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.priors.weights import load_pose_prior
    from engine.tasks import generate as task

    prior, settings = load_pose_prior(), replace(task.PRESETS["best"], steps=10, device="cpu")
    monkeypatch.setattr(task, "ROWS_AT_ONCE", 64)
    usual, card, _ = on_a_card(lambda: task.generate(64, settings, prior), 10**9, prior)
    found, small, notes = on_a_card(lambda: task.generate(64, settings, prior), card.largest // 2, prior)
    assert small.failures > 0 and notes == []
    np.testing.assert_allclose(found, usual, atol=1e-4)


def test_cleaning_goes_on_on_the_cpu_in_the_end_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.motion import bvh
    from engine.motion.retarget import to_body
    from engine.motion.rigs import find_map
    from engine.priors import motion_weights, weights
    from engine.tasks.clean import CleanSettings, clean_body

    for module, name in ((motion_weights, "load_motion_prior"), (weights, "load_pose_prior")):
        prior = getattr(module, name)()  # files are read in the processor's memory
        monkeypatch.setattr(module, name, lambda prior=prior: prior)
    motion = bvh.read(ROOT / "demo" / "sample.bvh").motion
    body = to_body(motion, find_map(motion.skeleton))
    short = replace(body, poses=body.poses[:100], transl=body.transl[:100])
    usual = clean_body(short, CleanSettings(device="cpu"))
    found, card, notes = on_a_card(lambda: clean_body(short, CleanSettings(device="cpu")), 0)
    assert card.failures >= 2 * len(SHARES), "the prior of motion, and that of poses"
    assert notes == [ON_CPU] and found.report["notes"] == [ON_CPU]
    assert (usual.report["device"], found.report["device"]) == ("cpu", "cpu, then cpu")
    assert "notes" not in usual.report
    np.testing.assert_allclose(found.motion.poses, usual.motion.poses, atol=1e-6)


def counting(error: BaseException, times: int) -> tuple[Any, list[tuple[int, bool]]]:
    """A computation that fails so many times, and what it was given each time: rows, and whether on the CPU."""
    given: list[tuple[int, bool]] = []

    @within_memory
    def compute(value: int) -> int:
        given.append((at_once(64), is_confined_to_cpu()))
        if len(given) <= times:
            raise error
        return value + 1

    return compute, given


def test_a_card_is_given_up_after_the_smallest_batch() -> None:
    compute, given = counting(torch.cuda.OutOfMemoryError("CUDA out of memory."), 3)
    with listening() as notes:
        assert compute(1) == 2
    assert given == [(64, False), (16, False), (4, False), (64, True)]
    assert notes == [ON_CPU]
    assert (at_once(64), is_confined_to_cpu()) == (64, False), "the next computation begins as ever"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."),
    ],
)
def test_the_processors_memory_has_no_other_place_to_go(error: BaseException) -> None:
    compute, given = counting(error, 100)
    with pytest.raises(OutOfMemory, match=r"^The engine ran out of memory: [^\n]*\.$"):
        compute(1)
    assert [rows for rows, _ in given] == [64, 16, 4]


def test_where_nothing_is_enough_one_sentence_says_so() -> None:
    compute, given = counting(RuntimeError("CUDA error: out of memory"), 100)
    inner = compute

    @within_memory
    def outer() -> int:
        return inner(1)

    with pytest.raises(OutOfMemory), listening() as notes:
        outer()
    assert len(given) == 2 * len(SHARES), "what was tried inside is not tried again from outside"
    assert notes == []


@pytest.mark.parametrize("error", [MotionError("no"), RuntimeError("shapes do not fit"), KeyError("out of memory")])
def test_other_errors_pass(error: Exception) -> None:
    compute, given = counting(error, 100)
    with pytest.raises(type(error)):
        compute(1)
    assert len(given) == 1


def test_a_note_that_nobody_listens_to_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    compute, _ = counting(torch.cuda.OutOfMemoryError("CUDA out of memory."), 3)
    compute(1)
    assert ON_CPU in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the address space")
@pytest.mark.parametrize("how", ["numpy", "torch"])
def test_a_process_whose_memory_is_limited_says_so_in_a_sentence(how: str) -> None:
    """The errors that the allocators really raise where the system gives no more."""
    program = f"""
import resource
from engine.failures import explain
from engine.memory import within_memory
import numpy, torch
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + (256 << 20),) * 2)
@within_memory
def compute():
    return numpy.ones(1 << 28) if {how == "numpy"} else torch.ones(1 << 28)
try:
    compute()
except Exception as error:
    print(type(error).__name__, explain(error, "the log"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == f"OutOfMemory {memory.EXHAUSTED}\n", done.stderr
