# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processor computes, and in which precision."""

from __future__ import annotations

import torch

from engine.errors import DeviceError
from engine.memory import is_confined_to_cpu


def pick_device(name: str) -> torch.device:
    """The device called "auto", "cpu", "cuda" or "mps"; "auto" takes CUDA (or ROCm), then MPS, then the CPU.

    It is the CPU, whatever is asked for, where another's memory was too small: see `engine.memory`.

    Raises:
        DeviceError: this PyTorch has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    if name not in present:
        raise DeviceError(f"There is no device called {name!r}; choose auto, cpu, cuda or mps.")
    if not present[name]:
        raise DeviceError(f"This PyTorch finds no {name} device; choose auto or cpu.")
    return torch.device("cpu" if is_confined_to_cpu() else name)


def device_name(device: torch.device) -> str:
    """What the maker calls a graphics card; of the processor, nothing."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else ""


def prefers_bfloat16(device: torch.device) -> bool:
    """Whether bf16 matrix products are natively faster there (AMX or AVX-512 BF16 on x86, Ampere and later)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return False
