# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

settings = bpy.context.scene.dposer.inbetween

settings.method = "prior"
settings.variation = 0.0
settings.variants = 1
