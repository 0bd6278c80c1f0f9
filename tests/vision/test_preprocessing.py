from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import InputSpec
from desktop_app.vision.preprocessing import Preprocessing, center, fit_mean, normalise, ten_views


def pictures(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.mark.parametrize("colour", ["BGR", "RGB"])
def test_pixels_are_prepared_as_the_manifest_says(colour: Any) -> None:
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[...] = (10, 20, 30)
    pixels = Preprocessing(InputSpec(size=32, colour=colour, mean=(1.0, 2.0, 3.0), scale=0.5))(picture)
    assert pixels.shape == (1, 3, 32, 32)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    first, last = (10, 30) if colour == "BGR" else (30, 10)
    assert pixels[0, :, 5, 7].tolist() == [(first - 1) * 0.5, (20 - 2) * 0.5, (last - 3) * 0.5]


def test_a_mean_image_is_taken_away_place_by_place_and_instead_of_the_number() -> None:
    mean = np.zeros((256, 256, 3), np.float32)
    mean[14, 14] = 10
    picture = np.full((1, 227, 227, 3), 10, np.uint8)
    pixels = Preprocessing(InputSpec(mean=99.0, scale=1.0), mean)(picture)
    assert pixels[0, 1, 0, :2].tolist() == [0, 10]
    assert picture.min() == 10, "the pictures are not written into"


@pytest.mark.parametrize("side", [(256, 256), (227, 227), (64, 80), (1, 1)])
def test_a_mean_image_of_any_size_fits(side: tuple[int, int]) -> None:
    mean = np.random.default_rng(1).uniform(0, 255, (*side, 3)).astype(np.float32)
    fitted = fit_mean(mean, 32)
    assert fitted.shape == (32, 32, 3)
    if side == (256, 256):
        np.testing.assert_array_equal(fitted, mean[112:144, 112:144])
    if side == (1, 1):
        np.testing.assert_allclose(fitted, np.broadcast_to(mean, (32, 32, 3)), rtol=1e-6)
    resized = Preprocessing(InputSpec(size=32, mean_fit="resize"), mean).mean
    np.testing.assert_array_equal(resized, cv2.resize(mean, (32, 32)))


def test_arrays_are_normalised_in_place() -> None:
    pixels = np.array([1, 2, 3], np.float32)
    assert normalise(pixels, 1.0, 0.5) is pixels
    assert pixels.tolist() == [0, 0.5, 1]


def test_the_centre_is_the_middle_of_each_picture() -> None:
    picture = pictures(2, 9)
    np.testing.assert_array_equal(center(picture, 4), picture[:, 2:6, 2:6])


def test_ten_views_are_corners_centre_and_their_mirrors() -> None:
    picture = pictures(1, 8)
    views = ten_views(picture, 6)
    assert views.shape == (10, 6, 6, 3)
    expected = [picture[0, y : y + 6, x : x + 6] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    for view, mirrored, wanted in zip(views[:5], views[5:], expected, strict=True):
        np.testing.assert_array_equal(view, wanted)
        np.testing.assert_array_equal(mirrored, wanted[:, ::-1])
