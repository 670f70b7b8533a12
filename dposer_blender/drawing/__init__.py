# SPDX-License-Identifier: GPL-3.0-or-later
"""Plausibility in Blender's editors: a graph in the timeline, colours along the bones in the viewport."""
