# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of the paper, measured again: the same rows, ours beside theirs, mean and spread over seeds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from engine.motion.files import replacing


@dataclass(frozen=True)
class Context:
    """What a table is measured with.

    Attributes:
        data: folder of the splits ``train``, ``val`` and ``test``.
        seeds: repetitions, with seeds 0, 1, ...
        scale: 1 for the documented measurement; n takes every n-th of its poses or windows, for a quick look.
        device: auto, cpu, cuda or mps.
    """

    data: Path
    seeds: int = 3
    scale: int = 1
    device: str = "auto"


@dataclass(frozen=True)
class Table:
    """Figures of one table.

    Attributes:
        name: of the file, such as ``table_3``.
        title: in words.
        protocol: what was measured on what: frames and rate, window, joints, body, seeds.
        columns: names with units, in order.
        rows: method -> column -> one value per seed (one value alone where nothing is random).
        paper: method -> column -> the number printed in the paper, on its own data.
        notes: what a reader must know, and what falls short.
    """

    name: str
    title: str
    protocol: str
    columns: tuple[str, ...]
    rows: dict[str, dict[str, list[float]]]
    paper: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: str = ""

    def markdown(self) -> str:
        """The table with mean ± standard deviation over the seeds; the best of each column is not marked."""
        head = ["| method | " + " | ".join(self.columns) + " |", "|---" * (len(self.columns) + 1) + "|"]
        ours = [
            f"| {name} | " + " | ".join(_cell(row.get(column, [])) for column in self.columns) + " |"
            for name, row in self.rows.items()
        ]
        theirs = [
            f"| *paper: {name}* | "
            + " | ".join(f"*{row[column]:g}*" if column in row else "" for column in self.columns)
            + " |"
            for name, row in self.paper.items()
        ]
        parts = [f"# {self.title}", self.protocol, "\n".join([*head, *ours, *theirs])]
        return "\n\n".join([*parts, self.notes] if self.notes else parts) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``name.md`` and ``name.json`` into the folder, which is made where it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"md": self.markdown(), "json": json.dumps(asdict(self), indent=1) + "\n"}
        for kind, text in texts.items():
            with replacing(folder / f"{self.name}.{kind}") as stream:
                stream.write(text.encode())


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    digits = 3 if abs(np.mean(values)) < 1 else 2
    spread = f" ± {np.std(values):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"
