from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from desktop_app.engine.session_audience import SessionAudience
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


def test_the_panel_shows_counts_with_their_uncertainty(panel: AudiencePanel, qtbot: QtBot) -> None:
    panel.show()
    panel.watch(audience(), 1)
    qtbot.waitUntil(lambda: panel.count is not None)
    assert [value(panel, name) for name in ("In view now", "Visits", "Most in view at once")] == ["1", "2", "2"]
    assert value(panel, "Median time in view") == "0:03"
    ages, genders = panel.findChildren(BarChart)
    assert [bar.label for bar in ages.bars] == ["0–19", "20–59", "60+"]
    assert ages.bars[1].text.startswith("2  (")
    assert [bar.label for bar in genders.bars] == ["Male", "Female"]
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
    (button,) = (one for one in panel.findChildren(QPushButton) if one.text() == "Count anew")
    button.click()
    desk.wait(lambda: panel.count is not None and panel.count.audience.frames < frames)
