from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.sources.camera_controls import CameraControl
from desktop_app.window.dialogs.camera_controls import PLACES, CameraControlsDialog, place_of, value_at
from tests.helpers.desk import Desk

EXPOSURE = CameraControl("exposure", True, 250, 3, 2047, 1, 250)
FOCUS = CameraControl("focus", None, 40, 0, 250, 5, 0)


@pytest.fixture
def dialog(qtbot: QtBot) -> CameraControlsDialog:
    made = CameraControlsDialog("Webcam")
    qtbot.addWidget(made)
    made.show()
    return made


def test_only_what_the_camera_offers_is_shown(dialog: CameraControlsDialog) -> None:
    dialog.show_controls([EXPOSURE, FOCUS, CameraControl("white_balance", True)])
    exposure, focus, white = (dialog.rows[name] for name in ("exposure", "focus", "white_balance"))
    assert (exposure.automatic.isChecked(), exposure.slider.isEnabled(), exposure.shown.text()) == (True, False, "")
    assert (focus.automatic.isVisible(), focus.slider.isEnabled(), focus.shown.text()) == (False, True, "40")
    assert (white.automatic.isVisible(), white.slider.isVisible()) == (True, False)
    dialog.show_controls([FOCUS])
    assert [row.title.isVisible() for row in dialog.rows.values()] == [False, True, False]


def test_each_change_is_told_with_its_value(dialog: CameraControlsDialog, qtbot: QtBot) -> None:
    dialog.show_controls([EXPOSURE, FOCUS, CameraControl("white_balance", True)])
    told: list[tuple[object, ...]] = []
    dialog.changed.connect(lambda *values: told.append(values))
    exposure = dialog.rows["exposure"]
    # The value that the camera has by itself is where the hand goes on from.
    exposure.automatic.click()
    assert exposure.slider.isEnabled()
    dialog.show_controls([CameraControl("exposure", False, 250, 3, 2047, 1, 250), FOCUS])
    assert exposure.shown.text() == "25 ms"
    exposure.slider.setValue(PLACES)
    assert exposure.shown.text() == "204.7 ms"
    dialog.rows["focus"].slider.setValue(0)
    assert told == [("exposure", False, 250), ("exposure", False, 2047), ("focus", None, 0)]


@pytest.mark.parametrize("control", [EXPOSURE, FOCUS, CameraControl("exposure", None, 0, 0, 10_000, 100)])
def test_a_slider_reaches_every_end_and_keeps_to_the_camera_s_steps(control: CameraControl) -> None:
    values = [value_at(control, place) for place in range(PLACES + 1)]
    assert (values[0], values[-1]) == (control.low, control.high)
    assert values == sorted(values)
    assert all((value - control.low) % control.step == 0 for value in values[:-1])
    assert (place_of(control, control.low), place_of(control, control.high)) == (0, PLACES)


def test_what_is_no_camera_has_no_controls(desk: Desk) -> None:
    desk.open_demo()
    assert not desk.window.actions_["camera_controls"].isEnabled()
