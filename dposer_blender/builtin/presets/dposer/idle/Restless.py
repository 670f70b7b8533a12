# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

settings = bpy.context.scene.dposer.idle

settings.amount = 1.5
settings.breathing = 1.2
settings.sway = 1.6
