# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from measurements of a body: 2D keypoints, 3D joints or markers, and targets for a few joints."""
