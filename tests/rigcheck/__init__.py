# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of every convention built in Blender, and what carrying motion to the body and back does to them, measured.

Two programs share the work, as in the product: Blender's Python builds rigs, reads, writes and evaluates them
(`figures`, `imported`, `measure`); the engine's Python maps and retargets (`worker`). Both read `people`.
"""
