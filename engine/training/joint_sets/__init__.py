# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of people with the 3D joints known, for lifters: Human3.6M and MPI-INF-3DHP in their public formats."""
