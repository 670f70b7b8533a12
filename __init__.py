# SPDX-License-Identifier: GPL-3.0-or-later
"""DPoser for Blender: clean motion capture with diffusion pose priors."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import dposer_blender

    dposer_blender.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled, and when Blender quits."""
    from . import dposer_blender

    dposer_blender.unregister()
