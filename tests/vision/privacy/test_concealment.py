"""Faces that are hidden: nothing of them is left, and nothing else is touched."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import BlazeFaceDetector
from desktop_app.vision.geometry import Box
from desktop_app.vision.privacy.concealment import PrivacyStyle, carry_over, hide_face, hide_picture, hides_enough
from tests.helpers.portrait import astronaut_bgr

GREY = 120
STYLES: tuple[PrivacyStyle, ...] = ("blur", "pixelate")


@pytest.fixture(scope="module")
def portrait() -> tuple[NDArray[np.uint8], Box]:
    """A picture with one face, and the box the detector gives."""
    return astronaut_bgr(), Box(172, 68, 100, 100)


@pytest.mark.parametrize("style", STYLES)
def test_a_hidden_face_keeps_no_detail(style: PrivacyStyle, portrait: tuple[NDArray[np.uint8], Box]) -> None:
    picture, box = portrait
    image = picture.copy()
    hide_face(image, box, style=style)
    inside = (slice(78, 158), slice(182, 262))
    assert sharpness(image[inside]) < 0.25 * sharpness(picture[inside])
    # Its colours stay about what they were, and the rest of the picture stays as it is.
    assert image[inside].mean() == pytest.approx(picture[inside].mean(), rel=0.1)
    assert (image[280:] == picture[280:]).all()
    assert (image[:, 330:] == picture[:, 330:]).all()
    assert (image[90:160, 172:272] != picture[90:160, 172:272]).any(axis=2).mean() > 0.95


def sharpness(area: NDArray[np.uint8]) -> float:
    """How much of the picture is finer than a tenth of the face, on average over the pixels."""
    return float(np.median(np.abs(cv2.Laplacian(cv2.cvtColor(area, cv2.COLOR_BGR2GRAY), cv2.CV_64F))))


@pytest.mark.parametrize("style", STYLES)
def test_all_corners_of_the_box_are_hidden(style: PrivacyStyle) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    image = noise.copy()
    hide_face(image, Box(150, 150, 100, 100), style=style)
    for y, x in itertools.product((150, 249), repeat=2):
        near = (slice(y - 5, y + 6), slice(x - 5, x + 6))
        assert image[near].std() < 0.5 * noise[near].std()


@pytest.mark.parametrize("style", STYLES)
def test_two_pictures_with_the_same_cells_look_the_same_when_hidden(style: PrivacyStyle) -> None:
    """Nothing finer than the cells is left: the information is gone, not smeared."""
    plain = np.full((320, 320, 3), GREY, np.uint8)
    fine = plain.copy()
    fine[::2, ::2] += 60
    fine[1::2, 1::2] -= 60
    hide_face(fine, Box(80, 90, 160, 160), style=style)
    assert np.abs(fine[100:240, 90:230].astype(int) - GREY).max() <= 4


@pytest.mark.parametrize("shape", [(512, 512), (1080, 1920), (9, 300), (300, 9), (3, 4), (1, 1)])
def test_of_a_hidden_picture_four_squares_along_its_longer_side_are_left(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    hide_picture(picture, "pixelate")
    colours = picture.reshape(-1, 3) @ np.array([1, 1 << 8, 1 << 16])
    assert len(np.unique(colours)) <= 4 * 4


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("side", [48, 768])
def test_hidden_pictures_with_the_same_means_look_the_same(side: int, style: PrivacyStyle) -> None:
    one = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    # Each fourth of each side upside down.
    other = one.reshape(4, side // 4, 4, side // 4, 3)[:, ::-1, :, ::-1].reshape(one.shape).copy()
    hide_picture(one, style)
    hide_picture(other, style)
    assert np.abs(one.astype(int) - other).max() <= 3


@pytest.mark.parametrize("style", STYLES)
def test_a_face_that_fills_the_picture_cannot_be_found_in_it_once_hidden(style: PrivacyStyle) -> None:
    close = astronaut_bgr()[30:210, 130:310]
    with BlazeFaceDetector("short", min_score=0.2) as detector:
        assert detector.detect(close)
        for side in (60, 180, 900):
            picture = np.asarray(cv2.resize(close, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
            hide_picture(picture, style)
            assert not detector.detect(picture)


@pytest.mark.parametrize(
    ("kept", "mode", "style"),
    [
        ("off", "off", None),
        ("blur", "faces", "blur"),
        ("pixelate", "faces", "pixelate"),
        ("faces", "faces", None),
        ("picture", "picture", None),
        ("Blur", "picture", None),
        ("", "picture", None),
        (None, "picture", None),
        (["off"], "picture", None),
        (False, "picture", None),
    ],
)
def test_a_kept_mode_never_comes_back_as_a_weaker_one(kept: object, mode: str, style: str | None) -> None:
    assert carry_over(kept) == (mode, style)


def test_a_picture_that_hides_less_is_not_enough() -> None:
    assert hides_enough("faces", "faces")
    assert hides_enough("picture", "faces")
    assert hides_enough("off", "off")
    assert not hides_enough("off", "faces")
    assert not hides_enough("faces", "picture")
