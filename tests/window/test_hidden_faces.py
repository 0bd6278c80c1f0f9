"""Privacy mode hides faces whatever the source does meanwhile."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from desktop_app.vision.privacy.concealment import PrivacyMode, hides_enough
from tests.helpers.desk import Desk
from tests.helpers.network_camera import network_camera


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


@pytest.mark.slow
def test_in_a_recording_the_picture_is_hidden_from_the_switch_on(desk: Desk) -> None:
    desk.window.settings.change_style(boxes=False, names=False, ages=False, genders=False)
    desk.open_demo()
    desk.wait_for_faces()
    desk.trigger("record")

    def frames() -> int:
        session = desk.window.bridge.session
        return session.recording().frames if session is not None else 0

    def is_hidden() -> bool:
        latest = desk.window.bridge.session.latest() if desk.window.bridge.session is not None else None
        return latest is not None and latest.privacy == "picture"

    desk.wait(lambda: frames() > 5)
    desk.trigger("privacy_picture")
    # What was drawn before the switch may still wait to be written.
    desk.wait(is_hidden)
    at_switch = frames()
    desk.wait(lambda: frames() > at_switch + 12)
    desk.trigger("record")
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved "))
    with av.open(str(desk.files(".mp4")[0])) as film:
        pictures = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    details = [float(cv2.Laplacian(picture, cv2.CV_64F)[100:].std()) for picture in pictures]
    assert details[2] > 3 * max(details[-5:])


def test_a_picture_that_comes_late_and_hides_too_little_is_hidden_whole(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    late = desk.shown()
    desk.trigger("privacy_picture")
    guarded = desk.window.options.guarded(late)
    assert guarded.privacy == "picture"
    assert not guarded.crops
    assert sharpness(desk, guarded.picture) < sharpness(desk, late.picture) / 4


@pytest.mark.parametrize("mode", ["faces", "picture"])
def test_all_that_the_window_holds_of_faces_is_hidden(desk: Desk, mode: PrivacyMode) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.wait(lambda: bool(desk.shown().crops))
    plain = max(float(cv2.Laplacian(crop, cv2.CV_64F).std()) for crop in desk.shown().crops.values())
    desk.trigger(f"privacy_{mode}")
    # At once, before the next picture.
    assert hides_enough(desk.shown().privacy, mode)
    assert not desk.shown().crops
    desk.wait(lambda: bool(desk.shown().crops))
    assert all(cv2.Laplacian(crop, cv2.CV_64F).std() < plain / 4 for crop in desk.shown().crops.values())
    desk.trigger("copy")
    copied = QGuiApplication.clipboard().image()
    assert copied == desk.window.stage.view.picture()


def test_the_button_shows_and_tells_the_mode(desk: Desk) -> None:
    button = desk.window.actions_["privacy"]
    icons = {}
    for mode, promise in (
        ("off", ""),
        ("faces", "A face that is not found stays visible"),
        ("picture", "Nobody can be"),
    ):
        desk.trigger(f"privacy_{mode}")
        assert promise in button.toolTip()
        assert button.isChecked() == (mode != "off")
        icons[mode] = button.icon().pixmap(24, 24).toImage()
    assert len({bytes(icon.constBits()) for icon in icons.values()}) == 3
    desk.window.settings.change(theme="dark")
    assert button.icon().pixmap(24, 24).toImage() == icons["picture"]


@pytest.mark.slow
def test_a_burst_that_began_before_the_switch_shows_no_faces(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    clear = sharpness(desk, desk.shown().picture)
    desk.trigger("burst")
    desk.trigger("privacy_picture")
    desk.wait(lambda: len(desk.files(".png")) == desk.window.settings.value.burst_count)
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved "))
    for path in desk.files(".png"):
        assert sharpness(desk, np.asarray(cv2.imread(str(path)), np.uint8)) < clear / 4
