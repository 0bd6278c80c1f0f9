"""The CenterFace face detector: slower than MediaPipe's, and hardly misses a face."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.paths import MODELS_FOLDER
from desktop_app.vision.detection.blazeface import Detection, scaled, shifted
from desktop_app.vision.geometry import Box, Landmarks, Point, ious
from desktop_app.vision.lighting import lightened
from desktop_app.vision.onnx_sessions import SharedNetwork, shared_network

MODEL_FILE: Final = "face_detection_centerface.onnx"
SAME_FACE_IOU: Final = 0.3
WHOLE_PIXELS: Final = 400 * 400
"""Pictures that are shrunk to so many pixels are looked at as a whole."""
BORDER: Final = 48
"""Pixels of the shrunk picture's mirror image around it: half a face and its reflection make a whole one."""
BORDERS: Final = (BORDER, BORDER, BORDER, BORDER)

_STRIDE: Final = 4
"""Pixels of the input for one place of the network's maps."""
_STEP: Final = 32
"""The sides of the input are multiples of it."""
_LEAST_IN_VIEW: Final = 0.45
"""Share of a face's box in the picture; what has less is the reflection of another."""
_TILE: Final = 576
OVERLAP: Final = 96
"""Longest side of the tiles that a larger picture is looked at in, which bounds the memory, and what two of them
share."""
_LARGEST_IN_TILES: Final = 1.5 * OVERLAP
"""Larger faces are found in a smaller picture: in tiles they may be what two of them show of one. In a smaller picture
some that are hardly larger than what two tiles share are missed."""
_LARGEST_TILE: Final = 768 * 576
"""A picture of no more pixels, its border included, is one tile: about 80 MB."""
_MIN_FACE: Final = 16.0
"""In pixels of the shrunk picture: smaller ones are often none, and say nothing of a person."""
_DARK_SCORE: Final = 0.38
"""CenterFace's own score that a face needs in a dark picture: its few grey levels have edges where nothing is, of which
most score less, and 97 of 100 faces more."""
_BOX_DOWN, _BOX_SCALE = 0.065, 0.97
"""From CenterFace's upright box to MediaPipe's square one, which the crops of faces are measured by: medians over 600
faces of FairFace that both found. Crops that were cut by either had age and gender right equally often."""
_MOUTH_DOWN: Final = 0.08
_EAR_ASIDE, _EAR_DOWN = 0.45, 0.24


class CenterFaceDetector(Closeable):
    """CenterFace (Xu et al. 2019) on one picture at a time.

    Boxes, landmarks and scores are as MediaPipe's would be of the same faces. Ears, which CenterFace does not know, are
    put where they are on a face that is seen from the front.

    Thread-safe and deterministic. All detectors of a process share one network, which is loaded when the first of them
    looks and freed when the last is closed.

    Args:
        min_score: detections below this score (0 to 1) are left out.
        models_folder: where the `.onnx` file lies.

    Raises:
        AgelensError: the model file is not there.
    """

    def __init__(self, *, min_score: float = 0.5, models_folder: Path = MODELS_FOLDER) -> None:
        model = models_folder / MODEL_FILE
        if not model.is_file():
            raise AgelensError(
                "Cannot look for faces: the face detector’s model “{path}” is missing. Install Agelens again.",
                path=model,
            )
        # Of 200 pictures without people 4 % have something that scores 0.25, of 1,100 small faces 2 % score less: it
        # says of a face what 0.5 says from MediaPipe.
        self._min_score = min_score**2
        self._network: SharedNetwork | None = shared_network(model)

    def detect(
        self, image: NDArray[np.uint8], pixels: float, *, borders: tuple[int, int, int, int] = BORDERS
    ) -> list[Detection]:
        """Find the faces in a picture; a dark one is lightened first.

        Args:
            image: H×W×3 uint8, BGR.
            pixels: how many the picture has at the most once it is shrunk; the time grows with them. Faces of 24 to 144
                pixels' width in the shrunk picture are found, up to `WHOLE_PIXELS` faces of any size from 24 pixels on.
            borders: how far its mirror image goes on above, below, left and right of the shrunk picture, in pixels;
                faces that an edge cuts are missed without it.

        Returns:
            The faces, best score first, each once; boxes and landmarks in pixels of `image`.
        """
        small, factor = shrunk(image, pixels)
        height, width = small.shape[:2]
        lit = lightened(small)
        least = self._min_score if lit is small else max(self._min_score, _DARK_SCORE)
        view = Box(0, 0, width, height)
        padded = cv2.copyMakeBorder(lit, *borders, cv2.BORDER_REFLECT)
        tiled = padded.shape[0] * padded.shape[1] > _LARGEST_TILE
        found = [
            shifted(face, x - borders[2], y - borders[0])
            for y, x, tile in _tiles(np.asarray(padded, np.uint8), _TILE if tiled else max(padded.shape))
            for face in self._looked(tile, least)
            if _is_whole(face.box, x, y, tile, padded)
        ]
        largest = _LARGEST_IN_TILES if tiled else math.inf
        faces = [
            face
            for face in found
            if _MIN_FACE <= face.box.size <= largest and _share_in(face.box, view) >= _LEAST_IN_VIEW
        ]
        return [scaled(face, factor) for face in best_ones(faces)]

    def close(self) -> None:
        """Let go of the model; the detector cannot be used afterwards."""
        self._network = None

    def _looked(self, tile: NDArray[np.uint8], least: float) -> Iterator[Detection]:
        """The faces of a tile, several times each, in its pixels."""
        if self._network is None:
            raise RuntimeError("this detector is closed")
        blob = np.ascontiguousarray(tile[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        heat, sizes, offsets, points = self._network.run({"image": blob})
        rows, columns = np.nonzero(heat[0, 0] >= max(least, 1e-3))
        scores = heat[0, 0, rows, columns]
        height, width = _STRIDE * np.exp(sizes[0][:, rows, columns])
        y = _STRIDE * (rows + offsets[0, 0, rows, columns] + 0.5)
        x = _STRIDE * (columns + offsets[0, 1, rows, columns] + 0.5)
        marks = points[0][:, rows, columns].reshape(5, 2, -1)
        marks_y, marks_x = y - height / 2 + marks[:, 0] * height, x - width / 2 + marks[:, 1] * width
        # Plain numbers from here on: the few faces are not worth arrays.
        values = (value.astype(float).tolist() for value in (x, y, width, height, scores, marks_x.T, marks_y.T))
        for center_x, center_y, across, down, score, xs, ys in zip(*values, strict=True):
            yield _to_detection(center_x, center_y, across, down, score, [*map(Point, xs, ys)])


def shrunk(image: NDArray[np.uint8], pixels: float) -> tuple[NDArray[np.uint8], float]:
    """A picture of no more than so many pixels, and by which factor it is smaller; the same object where it has."""
    factor = max(math.sqrt(image.shape[0] * image.shape[1] / pixels), 1.0)
    if factor == 1:
        return image, factor
    height, width = (max(round(length / factor), 1) for length in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8), factor


def is_part(face: Box, whole: Box) -> bool:
    """Whether what was taken for a face is rather a part of a much larger one."""
    if whole.area <= 2 * face.area:
        return False
    x, y = face.center
    return whole.x <= x <= whole.right and whole.y <= y <= whole.bottom


def same_faces(faces: Sequence[Detection], others: Sequence[Detection]) -> NDArray[np.bool_]:
    """Which of the faces is the same as which of the others: len(faces)×len(others)."""
    return ious([one.box for one in faces], [one.box for one in others]) >= SAME_FACE_IOU


def best_ones(faces: Sequence[Detection]) -> list[Detection]:
    """Each face once, best score first."""
    ordered = sorted(faces, key=lambda one: (-one.score, one.box.x, one.box.y))
    same, kept = same_faces(ordered, ordered), list[int]()
    for number in range(len(ordered)):
        if not same[number, kept].any():
            kept.append(number)
    return [ordered[number] for number in kept]


def _to_detection(x: float, y: float, width: float, height: float, score: float, marks: Sequence[Point]) -> Detection:
    """MediaPipe's box and landmarks of a face, from CenterFace's."""
    side = _BOX_SCALE * math.sqrt(width * height)
    right_eye, left_eye, nose, right_corner, left_corner = marks
    box = Box(x - side / 2, y + _BOX_DOWN * height - side / 2, side, side)
    mouth = Point((right_corner.x + left_corner.x) / 2, (right_corner.y + left_corner.y) / 2)
    middle = Point((right_eye.x + left_eye.x) / 2, (right_eye.y + left_eye.y) / 2)
    down = Point(mouth.x - middle.x, mouth.y - middle.y)

    def ear(eye: Point) -> Point:
        aside = 1 + 2 * _EAR_ASIDE
        return Point(
            middle.x + aside * (eye.x - middle.x) + _EAR_DOWN * down.x,
            middle.y + aside * (eye.y - middle.y) + _EAR_DOWN * down.y,
        )

    mouth = Point(mouth.x + _MOUTH_DOWN * down.x, mouth.y + _MOUTH_DOWN * down.y)
    return Detection(box, math.sqrt(score), Landmarks(right_eye, left_eye, nose, mouth, ear(right_eye), ear(left_eye)))


def _tiles(picture: NDArray[np.uint8], longest: int) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Equal overlapping tiles that cover a picture, with their top and left, padded to what the network takes."""
    (tops, rows), (lefts, columns) = (tile_starts(length, longest) for length in picture.shape[:2])
    for top, left in product(tops, lefts):
        tile = picture[top : top + rows, left : left + columns]
        below, behind = rows - tile.shape[0], columns - tile.shape[1]
        if below or behind:
            tile = np.asarray(cv2.copyMakeBorder(tile, 0, below, 0, behind, cv2.BORDER_REPLICATE), np.uint8)
        yield top, left, tile


def tile_starts(length: int, longest: int) -> tuple[list[int], int]:
    """Where tiles along one side begin, and their length, a multiple of the step."""
    count = max(math.ceil((length - OVERLAP) / (longest - OVERLAP)), 1)
    size = length if count == 1 else (length - OVERLAP) / count + OVERLAP
    size = math.ceil(size / _STEP) * _STEP
    return [round(number * max(length - size, 0) / max(count - 1, 1)) for number in range(count)], size


def _is_whole(box: Box, x: int, y: int, tile: NDArray[np.uint8], picture: NDArray[Any]) -> bool:
    """Whether a face of a tile is not cut by the tile's edge; at the picture's edge it may be."""
    return (
        (box.x > 1 or x == 0)
        and (box.y > 1 or y == 0)
        and (box.right < tile.shape[1] - 1 or x + tile.shape[1] >= picture.shape[1])
        and (box.bottom < tile.shape[0] - 1 or y + tile.shape[0] >= picture.shape[0])
    )


def _share_in(box: Box, view: Box) -> float:
    width = min(box.right, view.right) - max(box.x, view.x)
    height = min(box.bottom, view.bottom) - max(box.y, view.y)
    return max(width, 0.0) * max(height, 0.0) / max(box.area, 1e-9)
