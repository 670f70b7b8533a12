# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.import_keypoints``, ``read_keypoints``, ``match_camera``, ``clear_keypoints``: a file of 2D keypoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import StringProperty
from bpy.types import Context, Object, Operator, PropertyGroup, Scene
from bpy_extras.io_utils import ImportHelper

from ...engine.errors import FileError
from .. import footage, pinhole
from ..drawing import handlers
from ..errors import ArmatureError
from ..jobs import Done, JobOperator, Request, Task
from ..polled import Polled
from ..properties.keypoints import source
from ..tool_operator import take_settings

if TYPE_CHECKING:
    from ..client import Message



def request(scene: Scene, filepath: str, person: str, size: tuple[int, int]) -> Request:
    """What to ask the engine about a file.

    Args:
        scene: whose picture the images are, where nobody says how large they are.
        filepath: as Blender writes paths.
        person: empty for the most certain one.
        size: (width, height) of the images in pixels; zeros for what the file says.

    Raises:
        FileError: no file is named, or only one side of the images.
    """
    if not filepath.strip():
        raise FileError("No keypoint file is chosen: choose one.")
    if any(size) and not all(size):
        raise FileError("Only one side of the images is given: give both width and height, or neither.")
    # A folder's path may end in a slash, and is relative to nothing in a file that was never saved.
    path = bpy.path.abspath(filepath.strip())
    frame = pinhole.Frame.of(scene)
    sizes = {"size": list(size) if all(size) else None, "frame": [frame.width, frame.height]}
    return "keypoints", {"path": path, "person": person or None, **sizes}, {}


def chosen_camera(scene: Scene) -> Object | None:
    """The camera that the panel names, or else the scene's."""
    chosen: Object | None = scene.dposer.keypoints.camera
    return chosen if chosen is not None and chosen.name in scene.objects else scene.camera


def take_camera(operator: Any, context: Context) -> None:
    """Name the camera of the panel, which points at it, to an operator that was told of none."""
    if not operator.properties.is_property_set("camera"):
        camera = chosen_camera(context.scene)
        operator.camera = camera.name if camera is not None else ""


def camera_of(scene: Scene, name: str) -> Object:
    """The camera of this name, or the scene's where there is none.

    Raises:
        ArmatureError: the scene has no such camera, or keypoints cannot be seen through it.
    """
    camera = scene.camera
    if name:
        camera = bpy.data.objects.get(name)
        if camera is None or camera.name not in scene.objects:
            raise ArmatureError(f"There is no camera {name} in the scene: choose another.")
    if reason := pinhole.refusal(camera):
        raise ArmatureError(f"{reason}.")
    return camera


class ReadTask(Task):
    """A reading as `jobs.Job` drives it; what is read is kept, and shown over the camera's view.

    Args:
        scene: for which.
        asked: see `request`.
    """

    title = "Reading keypoints"

    def __init__(self, scene: Scene, asked: Request) -> None:
        self._scene_uid, self._asked = scene.session_uid, asked

    def request(self, context: Context) -> Request:
        """For the file."""
        return self._asked

    def finish(self, context: Context, message: Message) -> Done:
        """Keep the keypoints and show them."""
        found = footage.told(self._asked[1]["path"], message)
        footage.remember(self._scene_uid, found)
        handlers.refresh_keypoints()
        count = len(found.people)
        people = "1 person" if count == 1 else f"{count} people"
        return Done(f"Read {len(found)} frames of {people}; these are the keypoints of person {found.person}.")


class DPOSER_OT_read_keypoints(Polled, JobOperator, Operator):
    """Read the keypoint file, and show whom it shows; changes nothing"""

    bl_idname = "dposer.read_keypoints"
    bl_label = "Read Keypoints"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    __annotations__ = source(options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: Context, properties: Any) -> str:
        """What the button at hand does."""
        if properties.is_property_set("person"):
            return "Take this person's keypoints"
        return "Read the keypoint file, and show whom it shows; changes nothing"

    def task(self, context: Context) -> ReadTask:
        """The reading; a setting that was not given is the panel's, and one that was becomes the panel's."""
        settings = context.scene.dposer.keypoints
        take_settings(self, context, "keypoints")
        asked = request(context.scene, self.filepath, self.person, (self.width, self.height))
        for name in type(self).__annotations__:
            if getattr(settings, name) != getattr(self, name):  # the same file again has the same frame rate
                setattr(settings, name, getattr(self, name))
        return ReadTask(context.scene, asked)

    def draw(self, context: Context) -> None:
        """Nothing to adjust: the file would be read again while Blender stands still."""


class DPOSER_OT_import_keypoints(Polled, ImportHelper, Operator):
    """Choose a file of 2D keypoints for Animate from Keypoints, and read it"""

    bl_idname = "dposer.import_keypoints"
    bl_label = "Import Keypoints"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    filter_glob: StringProperty(
        name="Filter", description="Files to show", default="*.json;*.csv;*.tsv;*.txt;*.npz", options={"HIDDEN"}
    )

    def execute(self, context: Context) -> set[str]:
        """Name the file in the panel, and begin to read it: everybody, with what the file itself says."""
        how = "EXEC_DEFAULT" if bpy.app.background or context.window is None else "INVOKE_DEFAULT"
        try:
            ended = bpy.ops.dposer.read_keypoints(how, filepath=self.filepath, person="", width=0, height=0)
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        return {"CANCELLED"} if ended == {"CANCELLED"} else {"FINISHED"}


class _OfFootage(Polled):
    """Base of what needs keypoints that were read."""

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        if footage.recall(context.scene.session_uid) is None:
            return "There are no keypoints: read some first"
        return ""


class DPOSER_OT_match_camera(_OfFootage, Operator):
    """Give the render the images' size and, where the keypoint file tells of its camera, the camera that lens"""

    bl_idname = "dposer.match_camera"
    bl_label = "Match Camera"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        if reason := super().refusal(context):
            return reason
        found = footage.recall(context.scene.session_uid)
        if found is not None and not all(image_size(context.scene.dposer.keypoints, found)):
            return "The keypoint file does not tell the size of its images: give width and height"
        camera = chosen_camera(context.scene)
        reason = pinhole.refusal(camera)
        if reason or camera is None or camera.data.is_editable:
            return reason
        return f"{camera.name} is linked from another file: make a local copy first"

    def execute(self, context: Context) -> set[str]:
        """Set resolution, lens and shift."""
        scene, camera = context.scene, chosen_camera(context.scene)
        found = footage.recall(scene.session_uid)
        assert found is not None and camera is not None  # as poll has seen
        width, height = image_size(scene.dposer.keypoints, found)
        render, data = scene.render, camera.data
        render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
        render.pixel_aspect_x = render.pixel_aspect_y = 1.0
        if found.focal is None or found.centre is None:
            told = rpt_("Rendering {width} x {height} pixels; the file tells of no lens.")
            self.report({"INFO"}, told.format(width=width, height=height))
            return {"FINISHED"}
        (fx, fy), (cu, cv) = found.focal, found.centre
        if fx < fy:  # Blender's aspects are 1 at least
            render.pixel_aspect_x = fy / fx
        else:
            render.pixel_aspect_y = fx / fy
        data.sensor_fit = "HORIZONTAL"
        data.lens = fx * data.sensor_width / width
        tall = render.pixel_aspect_y / render.pixel_aspect_x
        data.shift_x, data.shift_y = (width / 2.0 - cu) / width, (cv - height / 2.0) * tall / width
        told = rpt_("Rendering {width} x {height} pixels through a lens of {lens:.1f} mm.")
        self.report({"INFO"}, told.format(width=width, height=height, lens=data.lens))
        return {"FINISHED"}


class DPOSER_OT_clear_keypoints(_OfFootage, Operator):
    """Forget the keypoints that were read, and with them what is shown over the camera's view"""

    bl_idname = "dposer.clear_keypoints"
    bl_label = "Clear Keypoints"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    def execute(self, context: Context) -> set[str]:
        """Forget them."""
        footage.forget(context.scene.session_uid)
        handlers.refresh_keypoints()
        return {"FINISHED"}


def image_size(settings: PropertyGroup | Operator, found: footage.Footage) -> tuple[int, int]:
    """(width, height) of the images in pixels: as given, or as the file says; zeros where neither tells."""
    given = settings.width, settings.height
    return given if all(given) else found.size


CLASSES = (
    DPOSER_OT_read_keypoints,
    DPOSER_OT_import_keypoints,
    DPOSER_OT_match_camera,
    DPOSER_OT_clear_keypoints,
)
