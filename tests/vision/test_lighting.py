"""Dark pictures become bright, others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.lighting import lightened, shadows_lifted
from tests.helpers.portrait import astronaut_bgr


def darkened(light: float) -> NDArray[np.uint8]:
    return np.asarray(np.rint(astronaut_bgr() * light), np.uint8)


@pytest.mark.parametrize("light", [0.02, 0.03, 0.1, 0.3])
def test_a_dark_picture_is_as_bright_as_in_full_light(light: float) -> None:
    # So much is lost where few grey levels are left.
    difference = np.abs(lightened(darkened(light)).astype(int) - astronaut_bgr())
    assert difference.mean() < 3 + 0.3 / light


def test_a_bright_picture_and_a_black_one_stay_the_same_objects() -> None:
    for picture in (astronaut_bgr(), darkened(0.5), np.zeros((30, 40, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8)):
        assert lightened(picture) is picture


def test_a_lamp_does_not_keep_a_dark_picture_dark() -> None:
    picture = darkened(0.05)
    picture[:20, :60] = 255
    assert lightened(picture).mean() > 5 * picture.mean()


def test_only_the_shadows_of_a_dark_room_with_a_lamp_are_lifted() -> None:
    room = darkened(0.05)
    room[:100, :100] = 250
    lifted = shadows_lifted(room)
    assert lifted[100:].mean() > 3 * room[100:].mean()
    # What is brighter stays brighter, and the lamp is as it was.
    assert lifted[:100, :100].min() >= 250
    half = astronaut_bgr().copy()
    half[:, :256] = darkened(0.05)[:, :256]
    for picture in (astronaut_bgr(), half, darkened(0.05), np.zeros((30, 40, 3), np.uint8)):
        assert shadows_lifted(picture) is picture
