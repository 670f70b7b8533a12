# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

settings = bpy.context.scene.dposer

settings.method = "prior"
settings.strength = 1.3
settings.feet = "always"
