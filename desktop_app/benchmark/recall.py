"""Recall of the detectors against face size: alone and in crowds, in stills and live, and of faces that are odd."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from desktop_app.benchmark.recall_scenes import (
    DARK,
    Cover,
    Picture,
    Placement,
    Portrait,
    demo_portrait,
    make_texture,
    most_turned,
    place_faces,
    read_portraits,
    render_scene,
)
from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.statistics import Statistics
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.geometry import Box
from desktop_app.vision.tracking.tracker import Track

Scene = Literal[
    "alone",
    "crowd",
    "rolled",
    "upside down",
    "upside down, crowd",
    "profile",
    "profile, crowd",
    "dark",
    "half cut",
    "mask",
    "mask, crowd",
    "sunglasses",
    "sunglasses, crowd",
    "empty",
]
"""What is shown: one upright face; a crowd that covers about a sixth of the picture, some of it cut by the edges; one
face turned by any angle; one turned by 180°, and a crowd of such; faces that look to the side; a crowd at 3 % of the
light; one face whose left half lies beyond the edge; faces with a light mask or dark glasses; no face at all."""
Use = Literal["still", "live"]

SIZES: Final = (16, 24, 32, 48, 64, 77, 96, 128, 192, 300, 400)
"""Side of the face's box in pixels of a 1280×720 picture."""
PLACES: Final = 12
"""Faces of each size that are shown alone."""
LIVE_FRAMES: Final = 31
"""A face must be there after a second of a camera's 30 frames a second."""

_WIDTH: Final = 1280
_HEIGHT: Final = 720
_CROWD_SHARE: Final = 1 / 6
_MOST_IN_CROWD: Final = 60
_CROWDS: Final = 2
_RATE: Final = 30.0
_STEP: Final = 0.5
_PORTRAITS: Final = 400
_NEAR: Final = 0.5
_SIZE_RATIO: Final = 2.0


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """How often faces of one size were found.

    Attributes:
        mode: which detectors looked.
        size: side of the face's box in pixels.
        places: faces that were shown.
        recall: share that was found, 0 to 1; 1 where none was shown.
        false_faces: detections a picture that were no face, or one more of the same.
        scene: what was shown.
        use: one picture, or the last frame of a second of them that move a little.
    """

    mode: str
    size: int
    places: int
    recall: float
    false_faces: float
    scene: Scene = "alone"
    use: Use = "live"


def measure_recall(
    *,
    sizes: Sequence[int] = SIZES,
    scenes: Sequence[Scene] = get_args(Scene),
    uses: Sequence[Use] = get_args(Use),
    modes: Sequence[DetectorMode] = ("auto",),
    places: int = PLACES,
    faces: Path | None = None,
) -> list[RecallPoint]:
    """Show faces of each size to the app's own detection; the same ones each time.

    With the portrait that ships with the app it is one person in good light: such figures compare sizes and detectors,
    they do not promise a recall in general.

    Args:
        sizes: sides of the face's box in pixels of a 1280×720 picture.
        scenes: what is shown.
        uses: stills, live or both.
        modes: of `FaceDetector`.
        places: how many faces of each size alone; as many empty pictures, and a sixth as many crowds.
        faces: a folder or zip file of pictures of one face each; None for the app's portrait.

    Raises:
        BenchmarkError: `faces` cannot be used.
    """
    portraits = [demo_portrait()] if faces is None else read_portraits(faces, _PORTRAITS)
    if faces is None:
        # The app's portrait looks ahead.
        scenes = [scene for scene in scenes if not _is_profile(scene)]
    profiles = most_turned(portraits) if any(map(_is_profile, scenes)) else []
    points: list[RecallPoint] = []
    for mode in modes:
        with FaceDetector(mode) as detector:
            for use, scene in itertools.product(uses, scenes):
                for size in sizes if scene != "empty" else sizes[:1]:
                    shown = list(_scenes(scene, size, places, profiles if _is_profile(scene) else portraits))
                    counts = [_count(one.truth(use), _look(detector, one, use)) for one in shown]
                    total = sum(len(one.faces) for one in shown)
                    found, other = (sum(values) for values in zip(*counts, strict=True))
                    recall = found / total if total else 1.0
                    points.append(RecallPoint(mode, size, total, recall, other / len(shown), scene, use))
    return points


def by_scene(points: Sequence[RecallPoint]) -> dict[str, list[RecallPoint]]:
    """The points of each kind of scene by rising size, under a short name."""
    several = len({point.mode for point in points}) > 1
    columns: dict[str, list[RecallPoint]] = {}
    for point in sorted(points, key=lambda one: one.size):
        name = f"{point.use}, {point.scene}" + (f" ({point.mode})" if several else "")
        columns.setdefault(name, []).append(point)
    return columns


def smallest_found(points: Sequence[RecallPoint], *, recall: float = 0.9) -> int | None:
    """The size from which on at least this share of the faces of a scene is found, at every larger size, too."""
    smallest: int | None = None
    for point in sorted(points, key=lambda one: -one.size):
        if point.recall < recall:
            break
        smallest = point.size
    return smallest


@dataclass(frozen=True, slots=True)
class _Shown:
    """A scene that can be rendered as it is after some frames."""

    background: Picture
    faces: Sequence[Placement]
    light: float = 1.0

    def render(self, index: int = 0) -> Picture:
        return render_scene(self.background, self.faces, shift=_STEP * index, light=self.light)

    def truth(self, use: Use) -> list[Box]:
        moved = _STEP * (LIVE_FRAMES - 1) if use == "live" else 0.0
        return [face.box.shifted(moved, 0) for face in self.faces]


def _is_profile(scene: Scene) -> bool:
    return scene.startswith("profile")


def _scenes(scene: Scene, size: int, places: int, portraits: Sequence[Portrait]) -> Iterator[_Shown]:
    """Always the same ones."""
    random = np.random.default_rng(size)
    people = itertools.cycle(portraits)
    crowded = scene == "dark" or scene.endswith("crowd")
    count = min(max(round(_CROWD_SHARE * _WIDTH * _HEIGHT / size**2), 1), _MOST_IN_CROWD) if crowded else 1
    for number in range(max(places // 6, 1) if crowded else places):
        faces = place_faces(random, people, size, count, _WIDTH, _HEIGHT) if scene != "empty" else []
        if scene == "rolled":
            faces = [replace(face, tilt=360 * (number + 0.5) / places - 180) for face in faces]
        elif scene.startswith("upside down"):
            faces = [replace(face, tilt=face.tilt + 180) for face in faces]
        elif scene.startswith(("mask", "sunglasses")):
            cover: Cover = "mask" if scene.startswith("mask") else "sunglasses"
            faces = [replace(face, cover=cover) for face in faces]
        elif scene == "half cut":
            faces = [replace(face, x=-_STEP * (LIVE_FRAMES - 1) / 2) for face in faces]
        yield _Shown(make_texture(random, _WIDTH, _HEIGHT), faces, DARK if scene == "dark" else 1.0)


def _look(detector: FaceDetector, shown: _Shown, use: Use) -> list[Box]:
    """What is found in a still; live, what is seen and not only expected in the last frame."""
    if use == "still":
        return [face.box for face in detector.find_still(shown.render())]
    detector.reset()
    tracks: tuple[Track, ...] = ()
    with FacePipeline(Statistics()) as pipeline:
        for index in range(LIVE_FRAMES):
            tracks = pipeline.locate(Frame(shown.render(index), index, index / _RATE), detector)
    return [track.detection.box for track in tracks if track.missed == 0]


def _count(truth: Sequence[Box], found: Sequence[Box]) -> tuple[int, int]:
    """How many faces were found, and how many detections are none or second ones."""
    left, hits = list(found), 0
    for box in truth:
        near = [
            one
            for one in left
            if math.dist(one.center, box.center) < _NEAR * box.size
            and 1 / _SIZE_RATIO < one.size / box.size < _SIZE_RATIO
        ]
        if near:
            hits += 1
            left.remove(min(near, key=lambda one: math.dist(one.center, box.center)))
    return hits, len(left)
