# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement of poses and animations by what was seen of them (ScoreHMR)."""
