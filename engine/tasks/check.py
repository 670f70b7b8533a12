# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Engine: whether this interpreter has what the tools need, each finding with advice where it lacks something.

Texts are templates and the figures in them are apart, so that Blender can show them in the user's language.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from engine.errors import Cancelled, DeviceError, EngineError, WeightsError
from engine.failures import explain
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import OFFSETS
from engine.packages import in_a_line, is_missing, torch_failure
from engine.tasks.steps import OnStep, Stage

GOOD, POOR, BAD = "good", "poor", "bad"
"""States of a finding: as it should be, works but not as well as it could, does not work."""

MODULES = {"safetensors": BAD, "roma": BAD, "torchdiffeq": POOR}
"""What the tools import beside PyTorch, and NumPy and SciPy, without which the engine does not start; and how bad it is
to lack it."""

FRAMES = 60
FPS = 30.0
SLOW = 10.0  # frames per second; at less, a clip of a minute takes three minutes
_WARM = 16  # frames solved unmeasured: the first solve of a process reads weights and sets PyTorch up

INTERPRETER = "{version}, {path}"
PACKAGES = "NumPy {numpy}, SciPy {scipy}"
PACKAGES_LACK = "Without {modules}"
PACKAGES_ADVICE = (
    "Tools need what the engine's Python lacks ({modules}): install it in {path}, or choose another Python"
)
TORCH = "{version}"
TORCH_MISSING = "Missing"
TORCH_MISSING_ADVICE = (
    "The engine's Python has no PyTorch: install it in {path}, or choose another Python; "
    "until then only the Learned Smoother and the filters work"
)
TORCH_BROKEN = "Cannot be loaded"
TORCH_BROKEN_ADVICE = "PyTorch cannot be loaded ({cause}): reinstall it in {path}, or choose another Python"
DEVICE_CPU = "CPU, {threads} threads"
DEVICE_GPU = "{name}"
DEVICE_MISSING = "No {kind}"
DEVICE_NOT_BUILT_ADVICE = (
    "PyTorch {version} was made without {kind}: choose Automatic as device, "
    "or a Python whose PyTorch has it"
)
DEVICE_ABSENT_ADVICE = (
    "PyTorch {version} finds no graphics card for {kind}: choose Automatic as device, or install the card's driver"
)
WEIGHTS_FILES = "{count} files"
WEIGHTS_LACK = "{found} of {count} files"
WEIGHTS_MISSING_ADVICE = "Weights are missing ({names}): reinstall DPoser"
WEIGHTS_DAMAGED_ADVICE = "Weights are damaged ({names}): reinstall DPoser"
SOLVE = "{frames} frames in {seconds:.2f} s"
SOLVE_FAILED = "Failed"
SOLVE_SLOW_ADVICE = (
    "A clip of a minute will take {minutes:.0f} minutes here: choose a graphics card as device, "
    "end other programs that compute, or clean with the Learned Smoother"
)
FAILED_ADVICE = "{sentence}"


@dataclass(frozen=True)
class Finding:
    """What was found about one thing that the tools need.

    Attributes:
        subject: what it is about, such as "Weights".
        state: `GOOD`, `POOR` or `BAD`.
        value: what there is, a template.
        advice: what to do, a template; empty where nothing has to be done.
        figures: what the templates name.
    """

    subject: str
    value: str
    figures: dict[str, Any] = field(default_factory=dict)
    state: str = GOOD
    advice: str = ""


def check(device: str = "auto", on_step: OnStep | None = None) -> list[Finding]:
    """Look at the interpreter, its packages, the device, the weights, and solve a small clip.

    Args:
        device: auto, cpu, cuda or mps, as the user chose.
        on_step: told (done, total, stage); stops the check by raising.

    Returns:
        Findings about "Python", "Packages", "PyTorch", "Device", "Weights" and "Test Solve", in this order.
    """
    path = {"path": sys.executable}
    version = ".".join(map(str, sys.version_info[:3]))
    findings = [Finding("Python", INTERPRETER, {"version": version} | path)]
    _tell(on_step, 0.0, "Looking for packages")
    findings.append(_packages())
    _tell(on_step, 0.02, "Loading PyTorch")
    torch = _torch()
    findings.append(torch)
    usable = torch.state == GOOD
    findings.append(_device(device) if usable else Finding("Device", DEVICE_CPU, {"threads": os.cpu_count() or 1}))
    findings.append(_weights(usable, Stage(on_step, 100, 0.4, 0.5, "Reading weights")))
    place = device if findings[3].state == GOOD else "cpu"
    findings.append(_solve("prior" if usable else "wiener", place, Stage(on_step, 100, 0.5, 1.0, "Solving")))
    return findings


def _tell(on_step: OnStep | None, share: float, stage: str) -> None:
    if on_step:
        on_step(int(100 * share), 100, stage)


def _packages() -> Finding:
    # Importing some would load PyTorch; without which they are of no use, and of which the next row tells.
    missing = [name for name in MODULES if find_spec(name) is None] if find_spec("torch") else []
    if missing:
        figures = {"modules": ", ".join(missing), "path": sys.executable}
        state = BAD if BAD in [MODULES[name] for name in missing] else POOR
        return Finding("Packages", PACKAGES_LACK, figures, state, PACKAGES_ADVICE)
    return Finding("Packages", PACKAGES, {"numpy": np.__version__, "scipy": scipy.__version__})


def _torch() -> Finding:
    path = {"path": sys.executable}
    failure = torch_failure()
    if failure is None:
        import torch

        return Finding("PyTorch", TORCH, {"version": torch.__version__})
    if is_missing(failure):
        return Finding("PyTorch", TORCH_MISSING, path, BAD, TORCH_MISSING_ADVICE)
    traceback.print_exception(failure)
    return Finding("PyTorch", TORCH_BROKEN, path | {"cause": in_a_line(failure)}, BAD, TORCH_BROKEN_ADVICE)


def _device(chosen: str) -> Finding:
    import torch

    from engine.device import device_name, pick_device

    try:
        device = pick_device(chosen)
    except DeviceError:
        built = {
            "cuda": bool(torch.version.cuda or torch.version.hip), "mps": torch.backends.mps.is_built(),
        }.get(chosen, True)  # fmt: skip
        figures = {"version": torch.__version__, "kind": {"cuda": "CUDA", "mps": "Apple GPU"}.get(chosen, chosen)}
        advice = DEVICE_ABSENT_ADVICE if built else DEVICE_NOT_BUILT_ADVICE
        return Finding("Device", DEVICE_MISSING, figures, BAD, advice)
    if name := device_name(device):
        return Finding("Device", DEVICE_GPU, {"name": name})
    return Finding("Device", DEVICE_CPU, {"threads": torch.get_num_threads()})


def _loaders(torch: bool) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Each weights file, and what reads it whole; the networks' are left out without PyTorch."""
    from engine.priors import pose_gaussian, spectra_file, standing

    yield spectra_file.FILE, spectra_file.load
    yield standing.FILE, standing.load
    yield pose_gaussian.FILE, pose_gaussian.PoseGaussian.load
    if torch:
        from engine.priors import (
            conditional_weights,
            joint_weights,
            lifting_weights,
            motion_weights,
            prior_file,
            rotation_weights,
            weights,
        )

        for name, load in (
            ("dposer", weights.load_pose_prior),
            ("motion", motion_weights.load_motion_prior),
            ("conditional", conditional_weights.load_conditional_prior),
            ("gfpose", joint_weights.load_joint_prior),
            ("diffpose_clip", partial(lifting_weights.load_lifting_prior, encoder="clip")),
            ("scorehmr", rotation_weights.load_rotation_prior),
        ):
            yield prior_file.FOLDER / f"{name}.safetensors", load


def _weights(torch: bool, stage: Stage) -> Finding:
    missing: list[str] = []
    damaged: list[str] = []
    count = 0
    try:
        stage(0.0)
        for path, load in _loaders(torch):
            stage(count / (count + 1.0))
            count += 1
            try:
                load()
            except WeightsError:
                (damaged if path.exists() else missing).append(path.name)
    except Cancelled:
        raise
    except Exception as error:  # a package they are read with is missing
        return _failed("Weights", error)
    if not missing and not damaged:
        return Finding("Weights", WEIGHTS_FILES, {"count": count})
    figures = {"found": count - len(missing) - len(damaged), "count": count, "names": ", ".join(missing or damaged)}
    return Finding(
        "Weights", WEIGHTS_LACK, figures, BAD, WEIGHTS_MISSING_ADVICE if missing else WEIGHTS_DAMAGED_ADVICE
    )


def _solve(method: str, device: str, stage: Stage) -> Finding:
    """Time Clean Motion on a clip of `FRAMES` frames."""
    try:
        _clean(_clip(_WARM), method, device, lambda share: stage(0.5 * share))
        begin = time.perf_counter()
        _clean(_clip(FRAMES), method, device, lambda share: stage(0.5 + 0.5 * share))
        seconds = time.perf_counter() - begin
    except Cancelled:
        raise
    except Exception as error:
        return _failed("Test Solve", error)
    figures = {"frames": FRAMES, "seconds": seconds, "minutes": 60 * FPS * seconds / FRAMES / 60}
    if FRAMES / seconds < SLOW:
        return Finding("Test Solve", SOLVE, figures, POOR, SOLVE_SLOW_ADVICE)
    return Finding("Test Solve", SOLVE, figures)


def _clean(motion: Motion, method: str, device: str, tell: Callable[[float], None]) -> None:
    from engine.tasks.clean import CleanSettings, clean

    clean(motion, CleanSettings(method=method, device=device), on_step=lambda done, total, _: tell(done / total))


def _failed(subject: str, error: Exception) -> Finding:
    sentence = str(error if isinstance(error, EngineError) else explain(error, "the log")).removesuffix(".")
    return Finding(subject, SOLVE_FAILED, {"sentence": sentence}, BAD, FAILED_ADVICE)


def _clip(frames: int) -> Motion:
    """A body that swings its joints by up to 20 degrees under 3 degrees of white noise, as rigs come: by names."""
    rest = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    rest[0, :3, 3] = (0.0, 0.95, 0.0)
    for j, parent in enumerate(PARENTS[1:], 1):
        rest[j, :3, 3] = rest[parent, :3, 3] + OFFSETS[j]
    skeleton = Skeleton(JOINTS, tuple(PARENTS), rest, np.full((len(JOINTS), 3), np.nan))
    random = np.random.default_rng(0)
    seconds = np.arange(frames)[:, None] / FPS
    angle = np.deg2rad(20.0) * np.sin(2 * np.pi * 0.9 * seconds + random.uniform(0, 2 * np.pi, (1, len(JOINTS))))
    rotations = np.zeros((frames, len(JOINTS), 4))
    rotations[..., 0], rotations[..., 1] = np.cos(angle / 2), np.sin(angle / 2)
    rotations[..., 1:] += np.deg2rad(3.0) / 2 * random.normal(size=(frames, len(JOINTS), 3))
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    return Motion(skeleton, rotations, np.zeros((frames, len(JOINTS), 3)), FPS)
