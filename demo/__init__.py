# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a clip cleaned in headless Blender, with pictures and figures (``python build.py demo``)."""
