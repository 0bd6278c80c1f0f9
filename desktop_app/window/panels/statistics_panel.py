"""Statistics panel: rates, latency, stage times and drops."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.engine.statistics import STAGES, StatisticsSnapshot
from desktop_app.window.bars.source_bar import PROVIDER_NAMES
from desktop_app.window.panels.plots import WINDOW_S, HistoryPlot, series_colours
from desktop_app.window.panels.probability_bars import Bar, BarChart
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import make_figures, make_strong_label, scrolled

UPDATE_INTERVAL_S: Final = 0.25
COPIED_SHOWN_MS: Final = 1500


class StatisticsPanel(QWidget):
    """Live plots of the last minute, stage times, drops, and what runs the networks.

    Updates at most four times a second. While it is hidden it draws nothing and only keeps the last minute's
    figures, so that the curves are there when it is opened.
    """

    copy_asked = Signal()
    """The user wants all figures on the clipboard."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._snapshot: StatisticsSnapshot | None = None
        self._history: deque[tuple[float, ...]] = deque(maxlen=int(WINDOW_S / UPDATE_INTERVAL_S) + 1)
        self._rates = HistoryPlot(self, series=4, least_top=10)
        self._latency = HistoryPlot(self, series=2, least_top=20)
        self._stages_title, self._drops_title, self._setup_title = (make_strong_label() for _ in range(3))
        self._stages = BarChart(self, widest_text="00.00 ms")
        self._names: dict[str, QLabel] = {}
        self._values: dict[str, QLabel] = {}
        self._copy = QPushButton(self)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_SHOWN_MS)
        self._build()
        self._copy.clicked.connect(self._on_copy)
        self._copied.timeout.connect(self._retranslate)
        self._retranslate()

    def show_statistics(self, snapshot: StatisticsSnapshot) -> None:
        """Take a snapshot; more than four a second are passed over."""
        now = time.monotonic()
        if self._history and now - self._history[-1][0] < UPDATE_INTERVAL_S * 0.9:
            return
        self._snapshot = snapshot
        self._history.append(
            (
                now,
                snapshot.capture_fps,
                snapshot.detection_fps,
                snapshot.inference_fps,
                snapshot.display_fps,
                snapshot.latency_ms.p50,
                snapshot.latency_ms.p95,
            )
        )
        if self.isVisible():
            self._draw()

    def clear(self) -> None:
        """Forget the figures, for another source."""
        self._history.clear()
        self._snapshot = None
        if self.isVisible():
            self._draw()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Draw what came while hidden."""
        super().showEvent(event)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow palette and language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.PaletteChange) and self.isVisible():
            self._draw()
        super().changeEvent(event)

    def _build(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(6)
        layout.addWidget(self._rates)
        layout.addSpacing(10)
        layout.addWidget(self._latency)
        for title, body in (
            (self._stages_title, self._stages),
            (self._drops_title, self._make_table(("frames", "crops", "recorder", "queue"))),
            (self._setup_title, self._make_table(("faces", "model", "provider"))),
        ):
            layout.addSpacing(10)
            layout.addWidget(title)
            layout.addWidget(body)
        layout.addSpacing(10)
        layout.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(content))

    def _make_table(self, keys: Sequence[str]) -> QWidget:
        for key in keys:
            self._names[key], self._values[key] = QLabel(), QLabel("–")
            self._values[key].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return make_figures(self, ((self._names[key], self._values[key]) for key in keys))

    @Slot()
    def _retranslate(self) -> None:
        self.setAccessibleName(tr("Statistics"))
        self._rates.set_names(
            tr("Rates per second"),
            (tr("Camera"), tr("Detection"), tr("Faces classified"), tr("Screen")),
        )
        self._latency.set_names(
            tr("From camera to screen"),
            (tr("Median"), tr("95th percentile")),
        )
        self._stages_title.setText(tr("Time per step"))
        self._stages.setAccessibleName(tr("Time per step"))
        self._drops_title.setText(tr("Skipped to keep up"))
        self._setup_title.setText(tr("In use"))
        texts = {
            "frames": tr("Frames"),
            "crops": tr("Face crops"),
            "recorder": tr("Recorded pictures"),
            "queue": tr("Queue of face crops"),
            "faces": tr("Faces in view"),
            "model": tr("Model"),
            "provider": tr("Runs on"),
        }
        for key, text in texts.items():
            self._names[key].setText(text)
            self._values[key].setAccessibleName(text)
        self._stage_names = {
            "read": tr("Read"),
            "detect": tr("Detect"),
            "track": tr("Track"),
            "crop": tr("Crop"),
            "classify": tr("Classify"),
            "draw": tr("Draw"),
        }
        self._copy.setText(tr("Copy as text"))
        self._copy.setToolTip(tr("Copy all figures to the clipboard, for a bug report"))

    def _draw(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            self._draw_nothing()
            return
        history = np.array(self._history)
        ages_s = history[:, 0] - time.monotonic()
        recent = ages_s >= -WINDOW_S
        ages_s, history = ages_s[recent], history[recent]
        rates = (snapshot.capture_fps, snapshot.detection_fps, snapshot.inference_fps, snapshot.display_fps)
        self._rates.show_history(ages_s, history[:, 1:5], [f"{rate:.1f}" for rate in rates])
        latencies = (snapshot.latency_ms.p50, snapshot.latency_ms.p95)
        self._latency.show_history(ages_s, history[:, 5:7], [f"{latency:.0f} ms" for latency in latencies])
        self._show_stages(snapshot)
        values = {
            "frames": f"{snapshot.dropped_frames:,}",
            "crops": f"{snapshot.dropped_crops:,}",
            "recorder": f"{snapshot.recorder_dropped:,}",
            "queue": tr("{share} full", share=f"{snapshot.queue_fill:.0%}"),
            "faces": str(snapshot.faces),
            "model": snapshot.model or "–",
            "provider": PROVIDER_NAMES.get(snapshot.provider, snapshot.provider) or "–",
        }
        for key, text in values.items():
            self._values[key].setText(text)

    def _draw_nothing(self) -> None:
        """Empty everything: what was measured of a source that is gone says nothing of the present."""
        for plot in (self._rates, self._latency):
            plot.clear()
        self._stages.set_bars(())
        for value in self._values.values():
            value.setText("–")

    def _show_stages(self, snapshot: StatisticsSnapshot) -> None:
        """A bar a stage that was timed, on a common scale: the time that a frame of the source may take."""
        shown = [name for name in STAGES if name in snapshot.stage_ms]
        budget_ms = 1000 / (snapshot.source_fps or 30)
        scale_ms = max([budget_ms, *snapshot.stage_ms.values()])
        colours = dict(zip(STAGES, series_colours(self.palette()), strict=True))
        self._stages.set_bars(
            [
                Bar(
                    self._stage_names[name],
                    snapshot.stage_ms[name] / scale_ms,
                    _format_ms(snapshot.stage_ms[name]),
                    colour=colours[name],
                )
                for name in shown
            ]
        )
        self._stages.setToolTip(tr("A full bar is {budget} ms, the time between two frames", budget=f"{scale_ms:.0f}"))

    @Slot()
    def _on_copy(self) -> None:
        self.copy_asked.emit()
        self._copy.setText(tr("Copied"))
        self._copied.start()


def _format_ms(value_ms: float) -> str:
    """Milliseconds in few characters, however many they are."""
    return f"{value_ms:.2f} ms" if value_ms < 100 else f"{value_ms:.0f} ms"
