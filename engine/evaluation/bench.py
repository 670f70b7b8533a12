# SPDX-License-Identifier: GPL-3.0-or-later
"""``python build.py bench``: what cleaning costs, as ratios to the network evaluations alone.

The baseline (roofline) is the pose network on the clip's frames in one batch, in float32, as many times as the paper's
motion denoising evaluates it (180 at 40 mm): what its optimiser costs at least, all else free. It is timed in the
same run, because absolute times on shared machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

FPS = 30.0
LENGTHS = (240, 1000, 10_000)
LONG = 100_000
PAPER_EVALUATIONS = 180
REPETITIONS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark; imports nothing heavy."""
    parser.add_argument("--quick", action="store_true", help="leave out the longest clips")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Time and print; every figure comes with its ratio to the baseline of the same run."""
    import torch

    figures: dict[str, dict[str, float]] = {}
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}\n")
    print("| frames | clean, s | ms per frame | roofline, s | clean / roofline |\n|---|---|---|---|---|")
    for frames in LENGTHS[:2] if args.quick else LENGTHS:
        clip = noisy_clip(frames)
        roofline = best(partial(evaluate_network, frames), 1 if frames > 5000 else REPETITIONS)
        clean = best(partial(clean_clip, clip), 1 if frames > 5000 else REPETITIONS)
        figures[str(frames)] = {"clean": clean, "roofline": roofline}
        print(
            f"| {frames} | {clean:.2f} | {1000 * clean / frames:.2f} | {roofline:.2f} | {clean / roofline:.2f} |",
            flush=True,
        )
    per_frame = [row["clean"] / int(frames) for frames, row in figures.items()]
    print(f"\nCost per frame, longest against shortest clip: {per_frame[-1] / per_frame[0]:.2f}")
    if not args.quick:
        memory = peak_memory(LONG)
        figures["memory"] = memory
        print(
            f"{LONG} frames: {memory['extra']:.0f} MB above the idle engine's {memory['idle']:.0f} MB "
            f"in {memory['seconds']:.0f} s"
        )
    if args.output:
        args.output.write_text(json.dumps(figures, indent=1))
    return 0


def noisy_clip(frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 22, 4) and path (T, 3): swinging joints with noise, spikes and a drop-out a minute."""
    from engine.evaluation.corruption import spikes, white
    from engine.motion.windows import rotvec_to_quat

    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / FPS
    phase, size = rng.uniform(0, 2 * np.pi, (1, 22, 3)), rng.uniform(0.05, 0.4, (1, 22, 3))
    quat = rotvec_to_quat(size * np.sin(2 * np.pi * 0.9 * seconds + phase))
    quat = spikes(white(3.0)(quat, FPS, rng), FPS, rng)
    path = np.stack(
        [np.sin(seconds[:, 0, 0]), 0.9 + 0.02 * np.sin(3 * seconds[:, 0, 0]), 0.1 * seconds[:, 0, 0]], axis=1
    )
    return quat, path + 0.005 * rng.normal(size=path.shape)


def clean_clip(clip: tuple[np.ndarray, np.ndarray]) -> None:
    """Clean with the default method."""
    from engine.motion.windows import continuous
    from engine.tasks.clean_body import clean_poses

    clean_poses(continuous(clip[0]), clip[1], FPS, 1.0, 0, "auto", None)


def evaluate_network(frames: int) -> None:
    """The pose network as often as the paper's optimiser needs it, float32, time path computed once per step."""
    import torch

    from engine.priors.weights import load_pose_prior

    prior = load_pose_prior()
    events, t = torch.zeros(frames, 63), torch.full((1,), 0.1)
    with torch.inference_mode():
        for _ in range(PAPER_EVALUATIONS):
            for block in events.split(4096):
                prior.estimate(block, t)


def best(work: Callable[[], None], repetitions: int) -> float:
    """Least seconds of several runs."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def peak_memory(frames: int) -> dict[str, float]:
    """Peak resident memory in MB of a process that cleans so many frames, above what it holds when idle."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measure, args=(queue, frames))
    process.start()
    figures: dict[str, float] = queue.get()
    process.join()
    return figures


def _measure(queue: multiprocessing.Queue, frames: int) -> None:
    clean_clip(noisy_clip(240))  # loads torch, the weights and every library
    idle = _resident()
    clip = noisy_clip(frames)
    begin = time.perf_counter()
    clean_clip(clip)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    queue.put({"idle": idle, "extra": peak - idle, "seconds": seconds})


def _resident() -> float:
    """Resident memory of this process in MB, now."""
    status = Path("/proc/self/status")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
