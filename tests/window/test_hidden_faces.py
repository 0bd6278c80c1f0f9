"""Privacy mode hides faces whatever the source does meanwhile."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt

from tests.window.desk import Desk
from tests.window.make_screenshots import network_camera


def sharpness(desk: Desk, picture: NDArray[np.uint8]) -> float:
    """How much detail the largest face has."""
    box = max((track.detection.box for track in desk.shown().tracks), key=lambda one: one.area)
    x, y = int(box.x + box.width * 0.25), int(box.y + box.height * 0.25)
    inner = picture[max(y, 0) : y + int(box.height / 2), max(x, 0) : x + int(box.width / 2)]
    return float(cv2.Laplacian(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


def is_concealed(desk: Desk) -> bool:
    """Whether the picture that is shown has far less detail in the face than the frame it was made from."""
    return sharpness(desk, desk.shown().picture) < sharpness(desk, desk.shown().frame.image) / 4


def test_a_picture_that_is_paused_right_after_has_no_faces(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    # The window offers it a moment after the picture came.
    desk.wait(lambda: desk.window.actions_["play"].isEnabled())
    desk.trigger("privacy")
    desk.trigger("play")
    desk.wait(lambda: desk.state == "paused")
    desk.wait(lambda: is_concealed(desk))
    desk.qtbot.wait(100)
    assert is_concealed(desk)


def test_faces_of_a_camera_that_fell_silent_are_hidden_too(desk: Desk) -> None:
    with network_camera() as camera:
        desk.open(camera.address)
        desk.wait_for_faces()
        camera.off.set()
        desk.wait(lambda: desk.state == "reconnecting")
        clear = sharpness(desk, desk.shown().picture)
        desk.press(Qt.Key.Key_P)
        assert sharpness(desk, desk.shown().picture) < clear / 4
        desk.press(Qt.Key.Key_S)
        desk.wait(lambda: bool(desk.files(".png")) and desk.window.stage.toast.text.startswith("Saved "))
        saved = np.asarray(cv2.imread(str(desk.files(".png")[0])), np.uint8)
        assert sharpness(desk, saved) < clear / 4
