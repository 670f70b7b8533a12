# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffusion mathematics on plain arrays: knows nothing of bodies, rigs or files."""
