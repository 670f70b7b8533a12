# SPDX-License-Identifier: GPL-3.0-or-later
"""The DPoser engine: diffusion pose priors for humanoid animation. Knows nothing of Blender."""

__version__ = "0.1.0"
