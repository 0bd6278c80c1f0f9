"""Pictures in which faces are to be found: at known places, before backgrounds that are not quiet."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.benchmark.clip import PORTRAIT_FACE_SIZE, PORTRAIT_FACE_X, PORTRAIT_FACE_Y
from desktop_app.benchmark.offline import BenchmarkError
from desktop_app.paths import resource_path
from desktop_app.sources.pictures.stills import load_image
from desktop_app.vision.detection.blazeface import largest
from desktop_app.vision.detection.centerface import WHOLE_PIXELS, CenterFaceDetector
from desktop_app.vision.geometry import Box

Picture = NDArray[np.uint8]
Cover = Literal["mask", "sunglasses"]

LARGEST_TILT: Final = 12.0
"""In degrees: people rarely hold their heads quite upright."""
DARK: Final = 0.03
"""Brightness of a dark scene over that of a bright one."""

_FACE_SHARE: Final = 0.88
"""Side of the face over that of a picture that shows nothing else, as FairFace's with their margin of a quarter."""
_HEAD: Final = 1.7 * PORTRAIT_FACE_SIZE
_MOST_OVERLAP: Final = 0.15
"""Of two faces in a crowd, as intersection over union of their pictures."""
_LEAST_IN_VIEW: Final = 0.6
"""How much of a face's width and height the picture's edge leaves at the least in a crowd."""
_TRIES: Final = 60
_TURNED_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture of one face: H×W×3 uint8, BGR, and the face's centre and side in its pixels."""

    image: Picture
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Placement:
    """A face in a scene.

    Attributes:
        portrait: whose.
        x: of the face's centre, in pixels of the scene.
        y: as x.
        size: side of the face's box in pixels.
        tilt: by how many degrees it is turned against the clock.
        mirrored: left and right are exchanged.
        cover: what hides a part of it.
    """

    portrait: Portrait
    x: float
    y: float
    size: float
    tilt: float = 0.0
    mirrored: bool = False
    cover: Cover | None = None

    @property
    def box(self) -> Box:
        """The face's box in pixels of the scene."""
        return Box(self.x - self.size / 2, self.y - self.size / 2, self.size, self.size)


def demo_portrait() -> Portrait:
    """The head of the portrait that ships with the app."""
    image = load_image(resource_path("demo_portrait.jpg"))
    left, top, side = round(PORTRAIT_FACE_X - _HEAD / 2), round(PORTRAIT_FACE_Y - _HEAD / 2), round(_HEAD)
    head = np.ascontiguousarray(image[top : top + side, left : left + side])
    return Portrait(head, PORTRAIT_FACE_X - left, PORTRAIT_FACE_Y - top, PORTRAIT_FACE_SIZE)


def read_portraits(path: Path, count: int) -> list[Portrait]:
    """Pictures of a folder or a zip file that each show one face and little else, evenly chosen by their names.

    Raises:
        BenchmarkError: there are none.
    """
    images: list[Picture | None] = []
    try:
        if path.is_dir():
            files = sorted(one for one in path.rglob("*") if one.is_file())
            images = [_decoded(files[number].read_bytes()) for number in _evenly(len(files), count)]
        else:
            with zipfile.ZipFile(path) as archive:
                names = sorted(name for name in archive.namelist() if not name.endswith("/"))
                images = [_decoded(archive.read(names[number])) for number in _evenly(len(names), count)]
    except (OSError, zipfile.BadZipFile) as error:
        raise BenchmarkError(
            "Cannot use the faces of “{path}”: it is not a folder or a zip file that can be read. Name another.",
            path=path,
        ) from error
    portraits = [_portrait_of(image) for image in images if image is not None]
    if not portraits:
        raise BenchmarkError(
            "Cannot use the faces of “{path}”: it contains no picture that can be read. Name another.", path=path
        )
    return portraits


def most_turned(portraits: Sequence[Portrait]) -> list[Portrait]:
    """The tenth of the portraits whose noses are nearest to one eye, as faces that look to the side.

    CenterFace puts the landmarks, in the portraits' full size, in which it misses 1 of 400 faces of FairFace.
    """

    def aside(portrait: Portrait) -> float:
        face = largest(detector.detect(portrait.image, WHOLE_PIXELS))
        return 0.0 if face is None else face.landmarks.aside

    with CenterFaceDetector() as detector:
        return sorted(portraits, key=aside, reverse=True)[: math.ceil(_TURNED_SHARE * len(portraits))]


def place_faces(
    random: np.random.Generator, portraits: Iterator[Portrait], size: float, count: int, width: int, height: int
) -> list[Placement]:
    """Places for up to so many faces: anywhere, over each other a little, and cut by the edges a little.

    A single face is whole.
    """
    faces: list[Placement] = []
    boxes: list[Box] = []
    for _ in range(count):
        for _ in range(_TRIES):
            inset = size * (_LEAST_IN_VIEW - 0.5 if count > 1 else 0.5)
            face = Placement(
                next(portraits),
                x=random.uniform(inset, max(width - inset, inset + 1)),
                y=random.uniform(inset, max(height - inset, inset + 1)),
                size=size,
                tilt=random.uniform(-LARGEST_TILT, LARGEST_TILT),
                mirrored=bool(random.integers(2)),
            )
            # The later of two pictures lies over the earlier one.
            side = size / face.portrait.size * min(face.portrait.image.shape[:2])
            box = Box(face.x - side / 2, face.y - side / 2, side, side)
            if all(box.iou(other) <= _MOST_OVERLAP for other in boxes):
                faces.append(face)
                boxes.append(box)
                break
    return faces


def render_scene(background: Picture, faces: Sequence[Placement], *, shift: float = 0.0, light: float = 1.0) -> Picture:
    """The faces before a background: H×W×3 uint8, BGR.

    Args:
        background: H×W×3 uint8, BGR; not written into.
        faces: the later ones lie over the earlier.
        shift: by how many pixels all faces have moved to the right.
        light: how bright all is.
    """
    picture = background.copy()
    for face in faces:
        _paste(picture, replace(face, x=face.x + shift))
    if light < 1:
        picture = np.asarray(np.rint(picture * np.float32(light)), np.uint8)
    return picture


def make_texture(random: np.random.Generator, width: int, height: int) -> Picture:
    """A picture without people: coloured clouds of all sizes, spots, lines and patches: H×W×3 uint8, BGR."""
    image = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        cells = 2**octave
        noise = random.normal(0, 1, (max(cells * height // max(width, height), 2), cells, 3)).astype(np.float32)
        noise = noise * 0.6 + noise.mean(axis=2, keepdims=True)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * 2.0 ** (-0.7 * octave)
    low, high = np.percentile(image, (2, 98))
    image = (image - low) / max(float(high - low), 1e-6) * random.uniform(120, 230) + random.uniform(0, 40)
    canvas = np.ascontiguousarray(np.clip(image, 0, 255), np.uint8)
    for _ in range(int(random.integers(10, 60))):
        colour = [int(value) for value in random.integers(0, 256, 3)]
        x, y = int(random.integers(width)), int(random.integers(height))
        across, down = (int(value) for value in random.integers(4, max(width // 10, 5), 2))
        kind = int(random.integers(3))
        if kind == 0:
            cv2.ellipse(canvas, (x, y), (across, down), float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(canvas, (x, y), (x + across, y + down), colour, -1)
        else:
            cv2.line(canvas, (x, y), (x + 3 * across, y - 3 * down), colour, int(random.integers(1, 8)), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.0), np.uint8)


def _paste(picture: Picture, face: Placement) -> None:
    scale = face.size / face.portrait.size
    image = face.portrait.image if face.cover is None else _covered(face.portrait, face.cover)
    # Averaged first where it shrinks much, as a camera would.
    factor = max(math.floor(1 / scale), 1)
    height, width = image.shape[0] // factor, image.shape[1] // factor
    if factor > 1:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    center = face.portrait.x / factor, face.portrait.y / factor
    transform = cv2.getRotationMatrix2D(center, face.tilt, scale * factor)
    transform[0, 2] += face.x - center[0]
    transform[1, 2] += face.y - center[1]
    if face.mirrored:
        transform[0] = -transform[0]
        transform[0, 2] += 2 * face.x
    reach = math.ceil(scale * factor * math.hypot(width, height))
    left, top = max(round(face.x) - reach, 0), max(round(face.y) - reach, 0)
    region = picture[top : round(face.y) + reach, left : round(face.x) + reach]
    if not region.size:
        return
    transform[:, 2] -= left, top
    part = np.ascontiguousarray(region)
    cv2.warpAffine(
        image,
        transform,
        (region.shape[1], region.shape[0]),
        dst=part,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    region[:] = part


def _covered(portrait: Portrait, cover: Cover) -> Picture:
    """The portrait with a light mask over nose, mouth and chin, or dark glasses."""
    image = portrait.image.copy()

    def draw(right: float, down: float, across: float, along: float, colour: tuple[int, int, int]) -> None:
        """An ellipse; all in shares of the face's side, from its centre."""
        centre = round(portrait.x + right * portrait.size), round(portrait.y + down * portrait.size)
        axes = round(across * portrait.size), round(along * portrait.size)
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    if cover == "mask":
        draw(0, 0.26, 0.34, 0.27, (215, 200, 180))
    else:
        draw(0, -0.13, 0.12, 0.02, (25, 25, 25))
        for right in (-0.19, 0.19):
            draw(right, -0.12, 0.15, 0.11, (25, 25, 25))
    return image


def _portrait_of(image: Picture) -> Portrait:
    height, width = image.shape[:2]
    return Portrait(image, width / 2, height / 2, _FACE_SHARE * min(width, height))


def _decoded(raw: bytes) -> Picture | None:
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) if raw else None
    return None if image is None else np.asarray(image, np.uint8)


def _evenly(length: int, count: int) -> range:
    """Up to so many positions of a sequence of that length."""
    step = max(length // count, 1)
    return range(length)[: step * count : step]
