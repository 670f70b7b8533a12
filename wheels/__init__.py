# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's packages: which wheels each holds, where these come from, and the zips that Blender installs.

Needs nothing but a standard Python, as `build.py` does; pip and Blender's own builder run as programs.
"""
