# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rig that is measured: how it is made, and how it is judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rigcheck import gltf, imported, scripted
from rigcheck.conventions import CONVENTIONS
from rigcheck.places import DATA

SCRIPTED, BLENDERS, FILES = "built from published names", "Blender's own", "real file"
CAPTURE = (2, 61)  # frames of a BVH file that are measured; its first is the T-pose


@dataclass(frozen=True)
class Case:
    """One rig.

    Attributes:
        name: in the table; BVH files of one naming share a row there.
        kind: where the rig comes from.
        make: an empty file with the animated armature, which is returned.
        options: for `measure`.
        isolated: whether Blender may not end by itself afterwards.
        slow: whether it is one of many alike, which a brief measurement leaves out.
    """

    name: str
    kind: str
    make: Callable[[], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    isolated: bool = False
    slow: bool = False


def cases() -> Iterator[Case]:
    """Those of which everything is here: the files lie beside the checkout, not in it."""
    for name in CONVENTIONS:
        yield Case(name, SCRIPTED, partial(_scripted, name))
    yield Case("Rigify human metarig", BLENDERS, _metarig)
    yield Case("Rigify generated rig", BLENDERS, _generated, isolated=True)
    yield from _files(DATA / "rigs")
    yield from _captures(DATA / "bvh_test")


def _scripted(name: str) -> Any:
    imported.empty_file()
    return scripted.add(name)


def _metarig() -> Any:
    ob = imported.metarig()
    imported.walk(ob, "rigify_metarig", arms=40.0)
    return ob


def _generated() -> Any:
    ob = imported.generated()
    imported.walk(ob, "rigify_controls", arms=40.0, only_joints=True)
    return ob


def _files(folder: Path) -> Iterator[Case]:
    rocketbox, mesh2motion = folder / "rocketbox_f_idle_neutral_01.fbx", folder / "mesh2motion_rig_human.glb"
    vrm, vrma = folder / "vrm_addon_basic_armature.vrm", folder / "three_vrm_test.vrma"
    if mesh2motion.is_file():
        yield Case("Mesh2Motion human (glb)", FILES, partial(_walking_gltf, mesh2motion, "unreal4"))
    if rocketbox.is_file():
        make = partial(imported.fbx, rocketbox)
        yield Case("Rocketbox idle clip (fbx, 3ds Max Biped)", FILES, make, {"frames": (1, 60)})
    for path in (vrm, vrma):
        if path.is_file():
            yield Case(f"{path.stem} ({path.suffix[1:]})", FILES, partial(_vrm, path))
            told = gltf.human_bones(gltf.read(path))
            yield Case(f"{path.stem} ({path.suffix[1:]}), by its human bones", FILES, partial(_vrm, path, "骨"),
                       {"human_bones": {human: f"骨{bone}" for human, bone in told.items()}})  # fmt: skip


def _walking_gltf(path: Path, convention: str) -> Any:
    ob = imported.gltf(path)
    imported.walk(ob, convention, arms=0.0)
    return ob


def _vrm(path: Path, prefix: str = "") -> Any:
    imported.empty_file()
    return gltf.add(path, prefix)


def _captures(folder: Path) -> Iterator[Case]:
    index = folder / "index.json"
    if not index.is_file():
        return
    seen: set[str] = set()
    for entry in json.loads(index.read_text("utf-8")):
        naming, path = entry["naming"], folder / entry["file"]
        make = partial(imported.bvh, path)
        yield Case(f"CMU BVH, {naming}", FILES, make, {"frames": CAPTURE}, slow=naming in seen)
        seen.add(naming)
