# SPDX-License-Identifier: GPL-3.0-or-later
"""From 2D keypoints, or some 3D joints, to 3D joints, and from those to a body in motion."""
