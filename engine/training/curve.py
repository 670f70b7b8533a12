# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine.training.curve LOG.jsonl OUT.png``: a training run's losses as a picture (needs matplotlib)."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def draw(log: Path, picture: Path) -> None:
    """Plot noise-prediction errors of training and validation against iterations."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    iterations = [line["iteration"] for line in lines]
    figure, axes = plt.subplots(figsize=(6.4, 3.2), dpi=110)
    axes.plot(iterations, [line["train"] for line in lines], label="training, dropout on")
    axes.plot(iterations, [line["val_loss"] for line in lines], label="validation, averaged weights")
    axes.set(xlabel="iteration", ylabel="noise prediction error")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
