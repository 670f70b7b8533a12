# SPDX-License-Identifier: GPL-3.0-or-later
"""Training by several processes, as torchrun starts them: one place for all trainers.

All ranks draw the same random numbers, for the batches of all, and each takes its part; gradients are averaged. So the
ranks together train as one process would on a batch as many times as large, whatever their number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from engine.device import pick_device
from engine.errors import DeviceError

PATIENCE = timedelta(hours=2)
"""How long ranks wait for each other: one of them may be making banks of examples, or validating."""

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them.

    Attributes:
        device: where this one computes.
        rank: its number, from 0.
        size: how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    def __str__(self) -> str:
        return f"{self.size} x {self.device.type}" if self.size > 1 else str(self.device)

    @property
    def leads(self) -> bool:
        """Whether this is the one that validates, writes and speaks."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Of ``count * size`` things drawn for all, those of this rank."""
        return slice(self.rank * count, (self.rank + 1) * count)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Every rank's gradients become their mean over the ranks, by one message."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, *modules: nn.Module) -> None:
        """Every rank's parameters and buffers become those of the one that leads."""
        if self.size > 1:
            for module in modules:
                for tensor in module.state_dict().values():
                    dist.broadcast(tensor, src=0)

    def told(self, value: T) -> T:
        """What the one that leads passes: numbers, names and lists of them. The others wait for it."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def mean(self, value: Tensor) -> float:
        """The mean over the ranks of a number."""
        if self.size == 1:
            return float(value.detach())
        total = value.detach().float().to(self.device).clone()
        dist.all_reduce(total)
        return float(total) / self.size

    def say(self, text: str) -> None:
        """Print on stderr, once."""
        if self.leads:
            print(text, file=sys.stderr, flush=True)

    def log(self, path: Path) -> TextIO:
        """The run's log to append to; what the others write there goes nowhere."""
        return (path if self.leads else Path(os.devnull)).open("a", encoding="utf-8")

    def part_ways(self, seed: int, iteration: int) -> None:
        """Let each rank's dropout differ from the others', again from here on; nothing is done for one alone."""
        if self.size > 1:
            words = np.random.SeedSequence([seed, iteration, self.rank]).generate_state(1, np.uint64)
            torch.manual_seed(int(words[0]) >> 1)


@contextmanager
def together(device: str) -> Iterator[Ranks]:
    """The processes that torchrun has started with this one, or this one alone.

    Args:
        device: auto, cpu, cuda or mps, as `pick_device` has it; each rank of a machine takes a GPU of its own.

    Raises:
        DeviceError: no such device, or fewer GPUs than ranks.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if size == 1:
        yield alone(device)
        return
    picked = pick_device(device)
    if picked.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", 0))
        if local >= torch.cuda.device_count():
            raise DeviceError(
                f"There are {torch.cuda.device_count()} GPUs for rank {local} (from 0) of this machine; give torchrun "
                "a smaller --nproc_per_node, or train with --device cpu."
            )
        picked = torch.device("cuda", local)
        torch.cuda.set_device(picked)
    elif picked.type == "mps":
        raise DeviceError("Several processes cannot train on an MPS device; train without torchrun, or on the CPU.")
    dist.init_process_group("nccl" if picked.type == "cuda" else "gloo", timeout=PATIENCE)
    yield Ranks(picked, rank, size)
    dist.destroy_process_group()  # After an error it would wait for the others, who wait for this one.


def alone(device: str) -> Ranks:
    """This process alone; DeviceError where there is no such device."""
    return Ranks(pick_device(device))
