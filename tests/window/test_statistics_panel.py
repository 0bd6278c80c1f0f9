from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from desktop_app.engine.statistics import Percentiles, StatisticsSnapshot
from desktop_app.window.panels.plots import PLOT_HEIGHT, HistoryPlot
from desktop_app.window.panels.probability_bars import BarChart
from desktop_app.window.panels.statistics_panel import StatisticsPanel
from desktop_app.window.style.translation import install_language
from tests.helpers.desk import Desk

SNAPSHOT = StatisticsSnapshot(
    capture_fps=30.04,
    detection_fps=29.5,
    inference_fps=12.3,
    display_fps=28.8,
    source_fps=25,
    stage_ms={"read": 2.0, "detect": 10.0, "classify": 4.0},
    latency_ms=Percentiles(12.4, 17.6, 20.0),
    queue_fill=0.25,
    dropped_frames=1234,
    dropped_crops=7,
    recorder_dropped=3,
    faces=4,
    provider="cuda",
    model="agelens",
    uptime_s=61.0,
)


@pytest.fixture
def panel(qtbot: QtBot) -> StatisticsPanel:
    panel = StatisticsPanel()
    qtbot.addWidget(panel)
    panel.resize(340, 800)
    return panel


def show(qtbot: QtBot, panel: StatisticsPanel) -> list[HistoryPlot]:
    panel.show()
    plots = panel.findChildren(HistoryPlot)
    qtbot.waitUntil(lambda: all(plot.is_ready for plot in plots), timeout=20_000)
    return plots


def values(panel: StatisticsPanel) -> dict[str, str]:
    """What stands behind each name."""
    return {
        label.text(): buddy.text() for label in panel.findChildren(QLabel) if isinstance(buddy := label.buddy(), QLabel)
    }


def test_figures_are_shown_with_their_names(qtbot: QtBot, panel: StatisticsPanel) -> None:
    plots = show(qtbot, panel)
    panel.show_statistics(SNAPSHOT)
    assert [plot.accessibleDescription() for plot in plots] == [
        "Camera 30.0, Detection 29.5, Faces classified 12.3, Screen 28.8",
        "Median 12 ms, 95th percentile 18 ms",
    ]
    assert values(panel) == {
        "Frames": "1,234",
        "Face crops": "7",
        "Recorded pictures": "3",
        "Queue of face crops": "25% full",
        "Faces in view": "4",
        "Model": "agelens",
        "Runs on": "CUDA",
    }


def test_stages_are_measured_against_the_time_a_frame_may_take(qtbot: QtBot, panel: StatisticsPanel) -> None:
    show(qtbot, panel)
    panel.show_statistics(SNAPSHOT)
    chart = panel.findChild(BarChart)
    assert isinstance(chart, BarChart)
    assert [(bar.label, bar.text) for bar in chart.bars] == [
        ("Read", "2.00 ms"),
        ("Detect", "10.00 ms"),
        ("Classify", "4.00 ms"),
    ]
    assert [bar.fraction for bar in chart.bars] == pytest.approx([2 / 40, 10 / 40, 4 / 40])


def test_what_came_while_hidden_is_there_when_shown(qtbot: QtBot, panel: StatisticsPanel) -> None:
    panel.show_statistics(SNAPSHOT)
    assert values(panel)["Frames"] == "–"
    show(qtbot, panel)
    assert values(panel)["Frames"] == "1,234"


def test_snapshots_in_quick_succession_are_passed_over(qtbot: QtBot, panel: StatisticsPanel) -> None:
    show(qtbot, panel)
    panel.show_statistics(SNAPSHOT)
    panel.show_statistics(StatisticsSnapshot(model="another"))
    assert values(panel)["Model"] == "agelens"
    panel.clear()
    panel.show_statistics(StatisticsSnapshot(model="another"))
    assert values(panel)["Model"] == "another"


def test_the_curves_are_drawn(qtbot: QtBot, panel: StatisticsPanel) -> None:
    plot = show(qtbot, panel)[0]
    panel.show_statistics(SNAPSHOT)
    one_point = plot.grab().toImage()

    def is_drawn() -> bool:
        panel.show_statistics(SNAPSHOT)
        return bool(plot.grab().toImage() != one_point)

    qtbot.waitUntil(is_drawn)


def test_the_plots_follow_the_palette(qtbot: QtBot, panel: StatisticsPanel) -> None:
    plot = show(qtbot, panel)[0]
    palette = QPalette(panel.palette())
    for name in ("#101418", "#fafafa"):
        palette.setColor(QPalette.ColorRole.Window, QColor(name))
        panel.setPalette(palette)
        picture = plot.grab().toImage()
        assert picture.pixelColor(picture.width() - 3, picture.height() - 60).name() == name


def test_figures_of_a_source_that_is_gone_do_not_stay(qtbot: QtBot, panel: StatisticsPanel) -> None:
    show(qtbot, panel)
    panel.show_statistics(SNAPSHOT)
    assert values(panel)["Frames"] == "1,234"
    panel.clear()
    assert set(values(panel).values()) == {"–"}
    assert not panel.findChildren(BarChart)[0].bars
    assert "30.0" not in panel.findChildren(HistoryPlot)[0].accessibleDescription()


@pytest.mark.parametrize("rate", [42.0, 740.0, 2_900.0, 61_000.0])
def test_the_value_axis_is_labelled_however_large_the_values_are(
    qtbot: QtBot, panel: StatisticsPanel, rate: float
) -> None:
    plot = show(qtbot, panel)[0]
    panel.show_statistics(replace(SNAPSHOT, capture_fps=rate))
    qtbot.wait(50)
    picture = plot.grab().toImage()
    background = picture.pixelColor(0, picture.height() - 60)
    # Rows of the strip beside the axis in which something is written, from the plot's top to above its lower labels.
    written = [
        any(picture.pixelColor(x, y) != background for x in range(30))
        for y in range(picture.height() - PLOT_HEIGHT, picture.height() - 20)
    ]
    assert sum(now and not before for before, now in pairwise([False, *written])) == 3


@pytest.mark.slow
def test_the_copy_button_asks_and_says_that_it_is_done(qtbot: QtBot, panel: StatisticsPanel) -> None:
    show(qtbot, panel)
    button = panel.findChild(QPushButton)
    assert isinstance(button, QPushButton)
    assert button.text() == "Copy as text"
    with qtbot.waitSignal(panel.copy_asked):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.text() == "Copied"
    qtbot.waitUntil(lambda: button.text() == "Copy as text")


def test_what_is_copied_serves_a_bug_report_and_names_nobody(desk: Desk, clip: Path) -> None:
    desk.trigger("copy_statistics")
    assert "source: none; state idle" in QGuiApplication.clipboard().text()
    desk.open(str(clip))
    desk.wait(lambda: "provider cpu" in report(desk))
    text = report(desk)
    for name in ("agelens", "mediapipe", "onnxruntime", "opencv-python", "PySide6-Essentials"):
        assert re.search(rf"\b{name} \d+\.\d+", text), name
    assert "model agelens" in text
    assert "source: file, 320×240 at 25 Hz" in text
    assert "capture to screen (ms)" in text
    assert "clip" not in text
    assert str(clip.parent) not in text


def report(desk: Desk) -> str:
    """What the panel's button copies."""
    button = desk.window.panels.statistics.findChild(QPushButton)
    assert isinstance(button, QPushButton)
    button.click()
    return QGuiApplication.clipboard().text()


def test_the_wheel_scrolls_the_panel_and_not_the_plot(qtbot: QtBot, panel: StatisticsPanel) -> None:
    plot = show(qtbot, panel)[0]
    under = panel.childAt(plot.mapTo(panel, QPoint(plot.width() // 2, plot.height() - 60)))
    assert under is not None
    assert "pyqtgraph" not in type(under).__module__
    assert "pyqtgraph" not in type(under.parent()).__module__


def test_texts_follow_the_language(qtbot: QtBot, qapp: QApplication, panel: StatisticsPanel, plain_looks: None) -> None:
    show(qtbot, panel)
    panel.show_statistics(SNAPSHOT)
    install_language(qapp, "zh_CN")
    qtbot.waitUntil(lambda: values(panel).get("人脸裁剪图") == "7")
    assert values(panel)["人脸裁剪图队列"] == "已用 25%"


@pytest.mark.slow
def test_pyqtgraph_is_imported_only_when_the_panel_is_shown() -> None:
    code = "import sys, desktop_app.window.panels.statistics_panel; sys.exit('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
