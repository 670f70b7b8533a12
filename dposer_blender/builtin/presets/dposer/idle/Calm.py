# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

settings = bpy.context.scene.dposer.idle

settings.amount = 0.5
settings.breathing = 0.8
settings.sway = 0.4
