from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from desktop_app.engine.session_audience import SessionAudience
from desktop_app.vision.geometry import Box, Line
from desktop_app.window.panels.audience_charts import ArrivalsChart, PyramidChart
from desktop_app.window.panels.audience_panel import AudiencePanel
from desktop_app.window.panels.probability_bars import BarChart
from tests.helpers.desk import Desk
from tests.helpers.shown_frames import shown
from tests.helpers.visitors import manifest

CONFUSION = (np.eye(6, dtype=int) * 80 + 4).tolist()


@pytest.fixture
def panel(qtbot: QtBot) -> AudiencePanel:
    made = AudiencePanel()
    qtbot.addWidget(made)
    return made


def audience(*, measured: bool = True) -> SessionAudience:
    made = SessionAudience()
    made.use(manifest(CONFUSION if measured else ()))
    for index in range(40):
        made.add(shown(index, [1, 2] if index < 20 else [2]), live=False)
    return made


def value(panel: AudiencePanel, name: str) -> str:
    (label,) = (one for one in panel.findChildren(QLabel) if one.accessibleName() == name)
    return label.text()


def button(panel: AudiencePanel, text: str) -> QPushButton:
    (found,) = (one for one in panel.findChildren(QPushButton) if one.text() == text)
    return found


def test_the_panel_shows_counts_with_their_uncertainty(panel: AudiencePanel, qtbot: QtBot) -> None:
    panel.show()
    panel.watch(audience(), 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    assert [value(panel, name) for name in ("In view now", "Visits", "Most in view at once")] == ["1", "2", "2"]
    assert value(panel, "Median time in view") == "0:03"
    _, genders = panel.findChildren(BarChart)
    pyramid = panel.findChild(PyramidChart)
    assert isinstance(pyramid, PyramidChart)
    assert [row.name for row in pyramid.rows] == ["60+", "20–59", "0–19"]
    assert pyramid.rows[1].tip.startswith("20–59: Male 0  (0–")
    assert (pyramid.rows[1].right.sure, pyramid.rows[1].left.sure) == (2, 0)
    assert [bar.label for bar in genders.bars] == ["Male", "Female"]
    assert genders.bars[1].text.startswith("2  (")
    arrivals = panel.findChild(ArrivalsChart)
    assert isinstance(arrivals, ArrivalsChart)
    assert arrivals.counts == (2,)
    panel.watch(None, 0)
    assert panel.count is None
    assert value(panel, "Visits") == "–"
    panel.end()


def test_a_model_that_was_not_measured_gets_no_interval(panel: AudiencePanel, qtbot: QtBot) -> None:
    panel.show()
    panel.watch(audience(measured=False), 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    assert [bar.text for bar in panel.findChildren(BarChart)[0].bars] == ["0", "2", "0"]
    panel.end()


def test_a_hidden_panel_counts_nothing(panel: AudiencePanel, qtbot: QtBot) -> None:
    counted = audience()
    panel.watch(counted, 1)
    assert panel.count is None
    panel.show()
    panel.watch(counted, 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    panel.end()


def test_what_is_held_stays_while_counting_goes_on(panel: AudiencePanel, qtbot: QtBot) -> None:
    counted = audience()
    panel.show()
    panel.watch(counted, 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    assert panel.held is None
    hold = button(panel, "Hold")
    hold.click()
    assert panel.held is panel.count
    for index in range(40, 60):
        counted.add(shown(index, [3]), live=False)
    panel.recount()
    panel.watch(counted, 7)
    assert (value(panel, "In view now"), value(panel, "Visits")) == ("1", "2")
    hold.click()
    panel.watch(counted, 7)
    qtbot.waitUntil(lambda: value(panel, "Visits") == "3")
    assert (value(panel, "In view now"), panel.held) == ("7", None)
    hold.click()
    panel.watch(SessionAudience(), 0)
    assert panel.held is None
    panel.end()


def test_the_panel_shows_directions_as_they_are_in_the_picture(panel: AudiencePanel, qtbot: QtBot) -> None:
    counted = SessionAudience([Line(0.5, 0, 0.5, 1)])
    counted.use(manifest())
    for index, x in enumerate([0, 0, 2, 2]):
        counted.add(shown(index, [1], box=Box(x, 1, 1, 1)), live=False)
    panel.show()
    panel.watch(counted, 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    (label,) = (one for one in panel.findChildren(QLabel) if "→" in one.text())
    assert label.text().split() == ["←", "0", "→", "1"]
    panel.set_mirrored(True)
    assert label.text().split() == ["→", "0", "←", "1"]
    panel.end()


def test_a_line_is_drawn_kept_and_removed(desk: Desk, clip: Path) -> None:
    window, actions = desk.window, desk.window.actions_
    desk.open(str(clip))
    desk.wait(lambda: window.stage.view.rendered is not None)
    view = window.stage.view

    def lines() -> tuple[Line, ...]:
        return window.settings.value.lines

    def at(x: float, y: float) -> QPoint:
        left, top, width, height = view.viewport.target
        return QPoint(round(left + x * width), round(top + y * height))

    def drag(begin: QPoint, end: QPoint) -> None:
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
        QTest.mouseMove(view, end)
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)

    drag(at(0.1, 0.1), at(0.9, 0.9))
    assert lines() == ()
    window.panels.audience.draw_line.click()
    assert actions["draw_line"].isChecked()
    drag(at(0.5, 0.5), at(0.5, 0.5))
    assert (lines(), actions["draw_line"].isChecked()) == ((), True)
    drag(at(0.25, -0.2), at(0.25, 0.75))
    (line,) = lines()
    assert (line.x1, line.y1, line.x2, line.y2) == pytest.approx((0.25, 0, 0.25, 0.75), abs=0.01)
    assert not actions["draw_line"].isChecked()
    # In the mirror image, as its source gives it.
    desk.trigger("mirror")
    desk.wait(lambda: desk.shown().mirrored)
    desk.trigger("draw_line")
    drag(at(0.9, 0.5), at(0.7, 0.5))
    line = lines()[1]
    assert (line.x1, line.y1, line.x2, line.y2) == pytest.approx((0.3, 0.5, 0.1, 0.5), abs=0.01)
    assert not actions["draw_line"].isEnabled()
    assert window.bridge.session is not None
    window.bridge.session.audience.reset()
    desk.wait(lambda: window.bridge.session is not None and window.bridge.session.audience.count() is not None)
    count = window.bridge.session.audience.count()
    assert count is not None
    assert [one.line for one in count.audience.lines] == list(lines())
    desk.trigger("remove_lines")
    assert lines() == ()
    desk.trigger("draw_line")
    desk.press(Qt.Key.Key_Escape)
    assert not actions["draw_line"].isChecked()


@pytest.mark.slow
def test_a_session_is_counted_and_counted_anew(desk: Desk) -> None:
    panel = desk.window.panels.audience
    desk.trigger("audience")
    desk.open_demo()
    # Counts come a second or more apart: the first one after "Count anew" must still be the smaller one.
    desk.wait(lambda: panel.count is not None and panel.count.audience.frames >= 120)
    assert panel.count is not None
    assert panel.count.audience.visits >= 3
    frames = panel.count.audience.frames
    button(panel, "Count anew").click()
    desk.wait(lambda: panel.count is not None and panel.count.audience.frames < frames)
