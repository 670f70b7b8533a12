# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as OpenPose, COCO's tools, AlphaPose and scripts around MediaPipe write them, of people whose points are known.

The orders of points are written here a second time, as the detectors' own documents list them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import FileError
from engine.motion.keypoints import POINTS, Track, read

Save = Callable[..., Path]

# Letters as OpenPose's and Halpe's documents write them: sides L and R, and parts.
PARTS = {
    "Nose": "nose", "Neck": "neck", "MidHip": "pelvis", "Hip": "pelvis", "Head": "head_top", "Shoulder": "shoulder",
    "Elbow": "elbow", "Wrist": "wrist", "Knee": "knee", "Ankle": "ankle",
}  # fmt: skip
OPENPOSE_25 = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle REye LEye "
    "REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
)
OPENPOSE_18 = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle REye LEye REar LEar"
)
COCO = (
    "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle"
)
HALPE = f"{COCO} Head Neck Hip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel"
MEDIAPIPE = {
    0: "nose", 11: "left_shoulder", 12: "right_shoulder", 13: "left_elbow", 14: "right_elbow", 15: "left_wrist",
    16: "right_wrist", 23: "left_hip", 24: "right_hip", 25: "left_knee", 26: "right_knee", 27: "left_ankle",
    28: "right_ankle",
}  # fmt: skip


def names(document: str, count: int = 0) -> list[str]:
    """The points of a document's list, followed by others up to a count."""
    found = []
    for word in document.split():
        side = {"L": "left_", "R": "right_"}.get(word[0], "") if word not in ("Nose", "Neck") else ""
        part = word[1:] if side else word
        found.append(side + PARTS.get(part, part.lower()) if part != "Hip" or not side else f"{side}hip")
    return found + [f"other {i}" for i in range(count - len(found))]


def check(track: Track, scene: Any, person: int, order: list[str], frames: list[int], places: float = 1e-9) -> None:
    """Every point that the order has is where the scene has it, and no other is seen."""
    assert track.frames.tolist() == frames
    for i, name in enumerate(POINTS):
        if name not in order:
            assert not track.confidence[:, i].any(), name
            continue
        expected = np.array([scene.at(person, frame, name) for frame in frames])
        np.testing.assert_allclose(track.pixels[:, i], expected[:, :2], atol=places, err_msg=name)
        np.testing.assert_allclose(track.confidence[:, i], expected[:, 2], atol=1e-9)


@pytest.mark.parametrize(("document", "count"), [(OPENPOSE_25, 25), (OPENPOSE_18, 18)])
def test_a_folder_of_openpose(save: Save, scene: Any, document: str, count: int) -> None:
    """A file a frame with its number, untracked people in any order, and a frame that is missing."""
    order = names(document)
    assert len(order) == count
    for t in (0, 1, 2, 4, 5, 6, 7):
        people = [
            {"person_id": [-1], "pose_keypoints_2d": scene.flat(p, t, order), "face_keypoints_2d": []} for p in (0, 1)
        ]
        save({"version": 1.3, "people": people[:: 1 - 2 * (t % 2)]}, f"video_{t + 100:012}_keypoints.json")
    path = save({"version": 1.3, "people": []}, "video_000000000108_keypoints.json").parent
    people = read(path)
    assert (people.first, people.last) == (100, 108)
    seen = [0, 1, 2, 4, 5, 6, 7]
    assert len(people.tracks) == 2
    for track in people.tracks:
        person = 0 if track.pixels[0, POINTS.index("nose"), 0] < 500 else 1
        assert track.frames.tolist() == [100 + t for t in seen]
        check(Track(**{**vars(track), "frames": track.frames - 100}), scene, person, order, seen)
    dense = people.choose()
    assert dense.frames.tolist() == list(range(100, 109))
    assert not dense.confidence[[3, 8]].any()
    assert not dense.pixels[[3, 8]].any()


def test_openpose_with_its_tracker(save: Save, scene: Any) -> None:
    order = names(OPENPOSE_25)
    for t in range(4):
        people = [{"person_id": [7 - p], "pose_keypoints_2d": scene.flat(p, t, order)} for p in (0, 1)]
        save({"people": people}, f"v_{t:012}_keypoints.json")
    people = read(save({"people": []}, "v_000000000004_keypoints.json").parent)
    assert {track.id for track in people.tracks} == {"6", "7"}
    np.testing.assert_array_equal(people.choose("7").frames, range(5))
    check(people.choose("6").dense(0, 3), scene, 1, order, [0, 1, 2, 3])


def test_openpose_as_shares_of_the_image(save: Save, scene: Any) -> None:
    order = names(OPENPOSE_18)
    flat = np.array(scene.flat(0, 0, order)).reshape(-1, 3) / [1280, 720, 1]
    path = save({"people": [{"pose_keypoints_2d": flat.ravel().tolist()}]})
    with pytest.raises(FileError, match="add width and height"):
        read(path)
    check(read(path, (1280, 720)).choose(), scene, 0, order, [0])


@pytest.mark.parametrize("count", [17, 133])
def test_coco_annotations_with_images(save: Save, scene: Any, count: int) -> None:
    """Names of images tell the frames, also of those where nobody is; track_id tells people apart."""
    order = names(COCO, count)
    shown = [1, 2, 5]
    content = {
        "images": [
            {"id": 900 + 7 * t, "file_name": f"clip/frame_{t:06}.png", "width": 1280, "height": 720} for t in range(7)
        ],
        "annotations": [
            {
                "id": 10 * t + p, "image_id": 900 + 7 * t, "track_id": p + 3, "category_id": 1,
                "keypoints": scene.flat(p, t, order), "num_keypoints": 17, "bbox": [0, 0, 5, 5],
            }
            for t in shown
            for p in (1, 0)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }  # fmt: skip
    people = read(save(content))
    assert (people.first, people.last, people.size) == (0, 6, (1280, 720))
    for person in (0, 1):
        track = next(track for track in people.tracks if track.id == str(person + 3))
        check(track, scene, person, order, shown)


def test_annotations_of_pictures_from_a_collection_are_counted(save: Save, scene: Any) -> None:
    """Numbers such as COCO's own, far apart, are no frames."""
    order = names(COCO)
    content = [{"image_id": n, "keypoints": scene.flat(0, i, order)} for i, n in enumerate((139, 285, 5802))]
    check(read(save(content)).choose(), scene, 0, order, [0, 1, 2])


def test_numbers_of_annotations_are_nobody(save: Save, scene: Any) -> None:
    """COCO numbers entries, not people: a person has another one in each frame."""
    order = names(COCO)
    content = [{"id": t, "image_id": t, "keypoints": scene.flat(0, t, order)} for t in range(3)]
    assert [len(track) for track in read(save(content)).tracks] == [3]
    followed = [{"id": 5, "image_id": t, "keypoints": scene.flat(0, t, order)} for t in range(3)]
    assert [track.id for track in read(save(followed)).tracks] == ["5"]


@pytest.mark.parametrize("scored", [True, False])
def test_who_is_filmed_comes_before_who_passes_behind(save: Save, scene: Any, scored: bool) -> None:
    """The longest and surest alone is not it: somebody small in the background may be seen on every frame."""
    order = names(COCO)
    content = []
    for t in range(8):
        near = np.array(scene.flat(0, t, order)).reshape(-1, 3)
        far = near * [0.5, 0.5, 1.1] + [700.0, 0.0, 0.0]
        for points in (far, near) if t not in (3, 4) else (far,):
            entry = {"image_id": t, "category_id": 1, "keypoints": points.ravel().tolist()}
            content.append(entry | ({"score": float(points[:, 2].mean())} if scored else {}))
    people = read(save(content))
    assert [len(track) for track in people.tracks] == [6, 8]
    check(people.tracks[0], scene, 0, order, [t for t in range(8) if t not in (3, 4)])


@pytest.mark.parametrize("count", [26, 136])
@pytest.mark.parametrize("tracked", ["number", "merged", "none"])
def test_alphapose_with_halpe(save: Save, scene: Any, count: int, tracked: str) -> None:
    """Results named by their images; idx is a number, a list of those it merged, or 0 for all without a tracker."""
    order = names(HALPE, count)
    idx: dict[str, Callable[[int], Any]] = {
        "number": lambda p: p + 1,
        "merged": lambda p: [[float(p + 1)]],
        "none": lambda p: 0,
    }
    content = [
        {
            "image_id": f"{t}.jpg",
            "category_id": 1,
            "keypoints": scene.flat(p, t, order),
            "score": 2.5 - p,
            "box": [1.0, 2.0, 3.0, 4.0],
            "idx": idx[tracked](p),
        }
        for t in (0, 1, 3, 12)
        for p in (1, 0)
    ]
    people = read(save(content))
    assert people.last == 12
    assert [track.id for track in people.tracks] == ["1", "2"]
    for person, track in enumerate(people.tracks):
        check(track, scene, person, order, [0, 1, 3, 12] if tracked != "none" else track.frames.tolist())


@pytest.mark.parametrize(("outer", "inner"), [("people", "pose_keypoints_2d"), ("bodies", "joints")])
def test_alphapose_in_the_forms_of_others(save: Save, scene: Any, outer: str, inner: str) -> None:
    """One object by image, of 18 points a person; and a file for each image."""
    order = names(OPENPOSE_18)
    frames = {
        f"{t}.jpg": {"version": "AlphaPose v0.3", outer: [{inner: scene.flat(0, t, order)}]} for t in (2, 3, 5)
    }
    check(read(save(frames)).tracks[0], scene, 0, order, [2, 3, 5])
    for name, frame in frames.items():
        path = save(frame, f"sep-json/{name.replace('.jpg', '.json')}")
    check(read(path.parent).tracks[0], scene, 0, order, [2, 3, 5])


def landmarks(scene: Any, person: int, frame: int) -> list[dict[str, float]]:
    """MediaPipe's thirty-three of the scene, as shares of the image."""
    found = []
    for i in range(33):
        u, v, certain = scene.at(person, frame, MEDIAPIPE.get(i, f"other {i}"))
        found.append({"x": u / 1280, "y": v / 720, "z": -0.1, "visibility": certain})
    return found


ORDER = list(MEDIAPIPE.values())


def as_lists(frame: list[dict[str, float]]) -> list[list[float]]:
    return [[point["x"], point["y"], point["z"], point["visibility"]] for point in frame]


@pytest.mark.parametrize(
    "form",
    [
        lambda frames: {"fps": 25, "width": 1280, "height": 720, "frames": frames},
        lambda frames: {"video": {"fps": 25, "width": 1280, "height": 720}, "frames": [
            {"pose_landmarks": frame, "pose_world_landmarks": frame} for frame in frames]},
        lambda frames: {"frame_rate": 25.0, "image_size": [1280, 720], "frames": [
            {"frame": t, "time": t / 25, "landmarks": frame} for t, frame in enumerate(frames) if frame]},
        # Messages of MediaPipe itself, written by protobuf.
        lambda frames: {"fps": 25, "width": 1280, "height": 720, "frames": [
            {"poseLandmarks": {"landmark": frame}} if frame else {} for frame in frames]},
        lambda frames: {"fps": 25, "width": 1280, "height": 720, "frames": [
            frame and {"landmark": frame} for frame in frames]},
        lambda frames: {"fps": 25, "camera": {"width": 1280, "height": 720}, "frames": {
            str(t): {"landmarks": [frame] if frame else []} for t, frame in enumerate(frames)}},
        lambda frames: {"metadata": {"fps": 25, "width": 1280, "height": 720}, "frames": [
            frame and {"landmarks": as_lists(frame)} for frame in frames]},
        lambda frames: {"fps": 25, "width": 1280, "height": 720, "frames": [
            {"frame_index": t, "landmarks": [{"id": i, **frame[i]} for i in MEDIAPIPE]}
            for t, frame in enumerate(frames) if frame]},
        lambda frames: {"fps": 25, "width": 1280, "height": 720, "frames": [
            {"frame_index": t, "landmarks": [{"name": MEDIAPIPE[i].upper(), **frame[i]} for i in MEDIAPIPE]}
            for t, frame in enumerate(frames) if frame]},
    ],
)  # fmt: skip
def test_mediapipe_as_people_dump_it(save: Save, scene: Any, form: Callable[[list], Any]) -> None:
    frames = [landmarks(scene, 0, t) if t != 1 else None for t in range(4)]
    people = read(save(form(frames)))
    assert (people.fps, people.size) == (25, (1280, 720))
    check(people.tracks[0], scene, 0, ORDER, [0, 2, 3])


def test_mediapipe_of_two_people_and_in_bare_lists(save: Save, scene: Any) -> None:
    content = [[landmarks(scene, p, t) for p in (1, 0)] for t in range(3)]
    people = read(save(content), (1280, 720))
    assert len(people.tracks) == 2
    bare = [landmarks(scene, 0, t) for t in range(3)]
    check(read(save(bare), (1280, 720)).tracks[0], scene, 0, ORDER, [0, 1, 2])
    check(read(save(bare[0]), (1280, 720)).tracks[0], scene, 0, ORDER, [0])


def test_mediapipe_without_a_size_is_told_and_pixels_need_none(save: Save, scene: Any) -> None:
    shares = landmarks(scene, 0, 0)
    with pytest.raises(FileError, match="add width and height"):
        read(save([shares]))
    check(read(save([shares]), otherwise=(1280, 720)).choose(), scene, 0, ORDER, [0])
    small = {"width": 640, "height": 360, "frames": [shares]}
    assert read(save(small), otherwise=(1280, 720)).size == (640, 360)
    outside = [point | {"x": point["x"] + 0.9} for point in shares]  # half of the body has left the image
    with pytest.raises(FileError, match="add width and height"):
        read(save([outside]))
    pixels = [point | {"x": 1280 * point["x"], "y": 720 * point["y"]} for point in shares]
    found = read(save([pixels]), otherwise=(640, 360))
    check(found.tracks[0], scene, 0, ORDER, [0])
    assert found.size is None


def test_what_the_file_says_of_shares_is_believed(save: Save, scene: Any) -> None:
    shares = landmarks(scene, 0, 0)
    content = {"normalized": False, "frames": [shares]}
    assert read(save(content)).tracks[0].pixels.max() < 1.0


def test_keypoints_that_carry_their_names(save: Save, scene: Any) -> None:
    """As TensorFlow's detectors in a browser give them."""

    def of(t: int) -> list[dict[str, Any]]:
        found = [(name, *scene.at(0, t, name)) for name in reversed(names(COCO))]
        return [{"x": u, "y": v, "score": c, "name": name} for name, u, v, c in found]

    frames = [{"keypoints": of(t), "score": 0.8} for t in range(2)]
    check(read(save(frames)).tracks[0], scene, 0, names(COCO), [0, 1])


def test_images_of_a_video_with_their_own_frame_numbers(save: Save, scene: Any) -> None:
    """PoseTrack's: images in any order, of which not all are annotated."""
    images = [{"id": 10000 + t, "file_name": f"{t}.jpg", "frame_id": t + 4} for t in (2, 0, 1, 3)]
    people = [
        {"image_id": 10000 + t, "track_id": 0, "keypoints": scene.flat(0, t, names(COCO))} for t in (2, 0)
    ]
    found = read(save({"images": images, "annotations": people}))
    assert (found.first, found.last) == (4, 7)
    assert found.tracks[0].frames.tolist() == [4, 6]


def test_the_order_of_human36m_is_named(save: Save, scene: Any) -> None:
    """Seventeen points are COCO's unless the file or the caller says otherwise."""
    order = [
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck",
        "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ]  # fmt: skip
    frames = [{"keypoints": scene.flat(0, t, order)} for t in range(2)]
    check(read(save(frames), layout="h36m_17").tracks[0], scene, 0, order, [0, 1])
    check(read(save({"layout": "h36m_17", "frames": frames})).tracks[0], scene, 0, order, [0, 1])
    with pytest.raises(FileError, match="name one of"):
        read(save({"layout": "h37m", "frames": frames}))
    with pytest.raises(FileError, match="name one of"):
        read(save(frames), layout="h37m")


def test_points_by_name_of_several_people_with_deviations(save: Save, scene: Any) -> None:
    def named(person: int, frame: int) -> dict[str, Any]:
        table = {name: [*scene.at(person, frame, name), 2.5] for name in ("left_wrist", "neck", "right_hip", "nose")}
        return {"frame": frame, "person": f"p{person}", **table, "LeftEye": [1, 2]}

    people = read(save({"fps": 24, "frames": [named(p, t) for t in (3, 4, 6) for p in (0, 1)]}))
    assert (people.fps, people.first, people.last) == (24, 3, 6)
    track = people.choose("p1")
    check(track.dense(3, 4), scene, 1, ["left_wrist", "neck", "right_hip", "nose"], [3, 4])
    assert track.sigma is not None
    assert track.sigma[0, POINTS.index("neck")] == 2.5
    assert np.isnan(track.sigma[2]).all()  # nobody is seen in frame 5
    assert np.isnan(track.sigma[0, POINTS.index("left_knee")])
    with pytest.raises(FileError, match="choose one of"):
        people.choose("p2")
    assert people.choose(1).id == people.tracks[1].id
    with pytest.raises(FileError, match="2 people"):
        people.choose(2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"people": [{"pose_keypoints_2d": [1.0] * 60}]}, "17, 18, 25, 26, 33, 133 or 136"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 76}]}, "u, v, confidence"),
        ({"keypoints": [1.0] * 50 + [None]}, "no number"),
        ([[{"x": 0.5, "y": 0.5}] * 20], "20 landmarks"),
        ([{"landmarks": 5}], "no list"),
        ({"frames": [{"neck": [1, 2, 3, 0]}]}, "deviation"),
        ({"frames": [{"neck": [1, 2], "thorax": [1, 2]}]}, "twice"),
        ({"fps": 0, "frames": [{"neck": [1, 2]}]}, "frame rate"),
        ({"width": 0.5, "height": 3, "frames": [{"neck": [1, 2]}]}, "image size"),
        ([{"frame": 0, "neck": [1, 2]}, {"frame": 100000, "neck": [1, 2]}], "from 0 to 100000"),
        ({"people": [{"neck": [1, 2]}] * 101}, "more than 100 people"),
        ({"keypoints": [-0.5, 0.5, 1.0] + [0.2, 0.9, 1.0] * 16}, "from -1 to 1"),
        ({"images": [3], "annotations": [{"image_id": 1, "keypoints": [1.0] * 51}]}, "image that is no object"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(save: Save, content: Any, says: str) -> None:
    with pytest.raises(FileError, match=says) as caught:
        read(save(content))
    assert str(caught.value).endswith(".")
