# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio of the demo's pictures: mannequins, floor, lights and camera in Blender, rendered with Cycles.

Cycles needs no graphics card and no window. All places are Blender's: Z up, metres.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

Colour = tuple[float, float, float]

BEFORE: Colour = (0.85, 0.22, 0.05)
AFTER: Colour = (0.03, 0.24, 0.62)
SKY: Colour = (0.80, 0.82, 0.85)
BACKDROP: Colour = (0.86, 0.90, 0.96)
TILES: tuple[Colour, Colour] = ((0.60, 0.63, 0.67), (0.71, 0.74, 0.78))
HAZE = (0.5, 14.0)  # metres behind the camera's target at which the tiles begin to fade and are gone
LENS = 85.0  # mm
SENSOR = 36.0  # mm, Blender's own


class Studio:
    """An empty scene with floor and lights, in which mannequins are placed and photographed."""

    def __init__(self, width: int, height: int, samples: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._scene = bpy.context.scene
        self._configure(width, height, samples)
        self._add_lights()
        self._haze = self._add_floor()
        camera = bpy.data.cameras.new("Camera")
        camera.lens = LENS
        self._camera = bpy.data.objects.new("Camera", camera)
        self._scene.collection.objects.link(self._camera)
        self._scene.camera = self._camera

    def add_mannequin(
        self, name: str, vertices: np.ndarray, faces: np.ndarray, colour: Colour
    ) -> bpy.types.Object:
        """Add a body.

        Args:
            name: object name.
            vertices: (V, 3) metres.
            faces: (F, 3) vertex indices.
            colour: linear RGB.
        """
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(vertices.tolist(), [], faces.tolist())
        mesh.shade_smooth()
        mesh.materials.append(self._material(name, colour, roughness=0.45))
        body = bpy.data.objects.new(name, mesh)
        self._scene.collection.objects.link(body)
        return body

    @staticmethod
    def pose(body: bpy.types.Object, vertices: np.ndarray) -> None:
        """Move a body's (V, 3) vertices."""
        body.data.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
        body.data.update()

    def aim(self, target: tuple[float, float, float], width: float, elevation: float) -> None:
        """Point the camera along +Y at a target.

        Args:
            target: what is in the picture's middle.
            width: metres across the picture at the target.
            elevation: radians above the horizon.
        """
        distance = width * LENS / SENSOR
        direction = Vector((0.0, -math.cos(elevation), math.sin(elevation)))
        self._camera.location = Vector(target) + distance * direction
        self._camera.rotation_euler = (math.pi / 2 - elevation, 0.0, 0.0)
        for name, behind in zip(("From Min", "From Max"), HAZE, strict=True):
            self._haze.inputs[name].default_value = distance + behind

    def photograph(self, path: Path) -> None:
        """Render to a PNG file."""
        self._scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)

    def _configure(self, width: int, height: int, samples: int) -> None:
        render = self._scene.render
        render.engine = "CYCLES"
        render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
        render.image_settings.file_format = "PNG"
        render.use_persistent_data = True
        self._scene.view_settings.view_transform = "Standard"
        cycles = self._scene.cycles
        cycles.device = "CPU"
        cycles.samples = samples
        cycles.use_adaptive_sampling = False
        cycles.use_denoising = True
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_quality = "FAST"
        cycles.denoising_input_passes = "RGB"
        cycles.max_bounces = 3
        cycles.seed = 0

    def _add_lights(self) -> None:
        world = bpy.data.worlds.new("World")
        self._scene.world = world
        world.use_nodes = True
        self._mix_by_camera(world.node_tree)
        sun = bpy.data.lights.new("Key", "SUN")
        sun.energy = 2.6
        sun.angle = math.radians(9.0)
        key = bpy.data.objects.new("Key", sun)
        key.rotation_euler = (math.radians(42.0), math.radians(8.0), math.radians(-38.0))
        self._scene.collection.objects.link(key)

    def _add_floor(self) -> bpy.types.Node:
        """A pale tiled floor, to show travel and sliding feet; returns the node that lets it fade."""
        size = 60.0
        mesh = bpy.data.meshes.new("Floor")
        mesh.from_pydata(
            [(-size, -size, 0), (size, -size, 0), (size, size, 0), (-size, size, 0)], [], [(0, 1, 2, 3)]
        )
        material = self._material("Floor", TILES[0], roughness=0.9)
        nodes, links = material.node_tree.nodes, material.node_tree.links
        place, view = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeCameraData")
        tiles, haze = nodes.new("ShaderNodeTexChecker"), nodes.new("ShaderNodeMapRange")
        blend = nodes.new("ShaderNodeMixRGB")
        tiles.inputs["Scale"].default_value = 2.0
        for number, colour in enumerate(TILES, start=1):
            tiles.inputs[f"Color{number}"].default_value = (*colour, 1.0)
        blend.inputs["Color2"].default_value = (*TILES[1], 1.0)
        links.new(place.outputs["Object"], tiles.inputs["Vector"])
        links.new(view.outputs["View Distance"], haze.inputs["Value"])
        links.new(haze.outputs["Result"], blend.inputs["Fac"])
        links.new(tiles.outputs["Color"], blend.inputs["Color1"])
        links.new(blend.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
        mesh.materials.append(material)
        self._scene.collection.objects.link(bpy.data.objects.new("Floor", mesh))
        return haze

    @staticmethod
    def _mix_by_camera(tree: bpy.types.NodeTree) -> None:
        """Light from everywhere, and a backdrop as bright as the floor where the camera looks past it."""
        nodes, links = tree.nodes, tree.links
        light, backdrop = nodes["Background"], nodes.new("ShaderNodeBackground")
        light.inputs["Color"].default_value = (*SKY, 1.0)
        light.inputs["Strength"].default_value = 0.75
        backdrop.inputs["Color"].default_value = (*BACKDROP, 1.0)
        rays, mix = nodes.new("ShaderNodeLightPath"), nodes.new("ShaderNodeMixShader")
        links.new(rays.outputs["Is Camera Ray"], mix.inputs[0])
        links.new(light.outputs["Background"], mix.inputs[1])
        links.new(backdrop.outputs["Background"], mix.inputs[2])
        links.new(mix.outputs["Shader"], nodes["World Output"].inputs["Surface"])

    @staticmethod
    def _material(name: str, colour: Colour, roughness: float) -> bpy.types.Material:
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        surface = material.node_tree.nodes["Principled BSDF"]
        surface.inputs["Base Color"].default_value = (*colour, 1.0)
        surface.inputs["Roughness"].default_value = roughness
        return material
