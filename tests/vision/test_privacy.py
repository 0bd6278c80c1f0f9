"""Faces that are hidden: nothing of them is left, and nothing else is touched."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from desktop_app.vision.geometry import Box
from desktop_app.vision.privacy import PrivacyMode, hide_face

GREY = 120


def bgr_astronaut() -> NDArray[np.uint8]:
    rgb = astronaut()
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


@pytest.fixture(scope="module")
def portrait() -> tuple[NDArray[np.uint8], Box]:
    """A picture with one face, and the box the detector gives."""
    return bgr_astronaut(), Box(172, 68, 100, 100)


@pytest.mark.parametrize("mode", ["blur", "pixelate"])
def test_a_hidden_face_keeps_no_detail(mode: PrivacyMode, portrait: tuple[NDArray[np.uint8], Box]) -> None:
    picture, box = portrait
    image = picture.copy()
    hide_face(image, box, mode=mode)
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


@pytest.mark.parametrize("mode", ["blur", "pixelate"])
def test_all_corners_of_the_box_are_hidden(mode: PrivacyMode) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    image = noise.copy()
    hide_face(image, Box(150, 150, 100, 100), mode=mode)
    for y, x in itertools.product((150, 249), repeat=2):
        near = (slice(y - 5, y + 6), slice(x - 5, x + 6))
        assert image[near].std() < 0.5 * noise[near].std()


@pytest.mark.parametrize("mode", ["blur", "pixelate"])
def test_two_pictures_with_the_same_cells_look_the_same_when_hidden(mode: PrivacyMode) -> None:
    """Nothing finer than the cells is left: the information is gone, not smeared."""
    plain = np.full((320, 320, 3), GREY, np.uint8)
    fine = plain.copy()
    fine[::2, ::2] += 60
    fine[1::2, 1::2] -= 60
    hide_face(fine, Box(80, 90, 160, 160), mode=mode)
    assert np.abs(fine[100:240, 90:230].astype(int) - GREY).max() <= 4
