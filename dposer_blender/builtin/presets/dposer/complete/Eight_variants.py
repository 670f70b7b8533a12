# SPDX-License-Identifier: GPL-3.0-or-later
import bpy

settings = bpy.context.scene.dposer.complete

settings.variants = 8
