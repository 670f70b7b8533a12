# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processor computes, and in which precision."""

from __future__ import annotations

import torch

from engine.errors import DeviceError


def pick_device(name: str) -> torch.device:
    """The device called "auto", "cpu", "cuda" or "mps"; "auto" takes CUDA (or ROCm), then MPS, then the CPU.

    Raises:
        DeviceError: this PyTorch has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if name not in present:
        raise DeviceError(f"There is no device called {name!r}; choose auto, cpu, cuda or mps.")
    if not present[name]:
        raise DeviceError(f"This PyTorch finds no {name} device; choose auto or cpu.")
    return torch.device(name)


def prefers_bfloat16(device: torch.device) -> bool:
    """Whether bf16 matrix products are natively faster there (AMX or AVX-512 BF16 on x86, Ampere and later)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return False
