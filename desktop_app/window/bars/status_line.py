"""Status line: state of the source and main figures."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QLabel, QStatusBar

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.engine.types import SessionStatus
from desktop_app.messages import Message
from desktop_app.window.bars.source_bar import PROVIDER_NAMES
from desktop_app.window.style.theme import current_theme, icon
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import make_label

STATE_TEXTS = {
    "idle": Message("Ready"),
    "connecting": Message("Connecting…"),
    "live": Message("Live"),
    "playing": Message("Playing"),
    "still": Message("Still picture"),
    "paused": Message("Paused"),
    "reconnecting": Message("Reconnecting…"),
    "ended": Message("The end"),
    "failed": Message("Failed"),
    "stopped": Message("Stopped"),
}


def figure_texts(snapshot: StatisticsSnapshot) -> tuple[str, ...]:
    """Rate, latency, faces, provider and drops, each as a short text in the window's language."""
    provider = PROVIDER_NAMES.get(snapshot.provider, snapshot.provider)
    return (
        tr("{rate} fps", rate=f"{snapshot.display_fps:.0f}"),
        tr("{delay} ms", delay=f"{snapshot.latency_ms.p50:.0f}"),
        tr("%n face(s)", None, snapshot.faces),
        *([provider] if provider else []),
        tr("{count} skipped", count=snapshot.dropped_frames),
    )


class StatusLine(QStatusBar):
    """State and source on the left; rate, latency, faces, provider and drops on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self._dot = QLabel()
        self._state = QLabel()
        self._state.setObjectName("stateText")
        self._source = QLabel()
        self._notice = make_label()
        self._figures = QLabel()
        self._figures.setObjectName("figures")
        self._dot.setContentsMargins(8, 0, 0, 0)
        for widget in (self._dot, self._state, self._source, self._notice):
            self.addWidget(widget)
        self.addPermanentWidget(self._figures)
        self._notice.setMinimumWidth(10)

    @property
    def state_text(self) -> str:
        """The state as it is shown."""
        return self._state.text()

    def show_status(self, status: SessionStatus) -> None:
        """Show how the session is doing."""
        theme, info = current_theme(), status.info
        colours = {
            "live": theme.success,
            "connecting": theme.warning,
            "reconnecting": theme.warning,
            "failed": theme.danger,
        }
        colour = colours.get(status.state, theme.muted)
        self._dot.setPixmap(icon("record-dot", colour).pixmap(QSize(10, 10), self.devicePixelRatioF()))
        state: str = status.state
        if state == "live" and info is not None and not info.live:
            state = "still" if info.kind == "image" else "playing"
        self._state.setText(translated(STATE_TEXTS[state]))
        described = ""
        if info is not None and status.state not in {"failed", "idle", "stopped"}:
            rate = f" · {info.rate:g} Hz" if info.rate else ""
            described = f"{info.width}×{info.height}{rate}"
        self._source.setText(described)
        self._notice.setText((translated(status.notice) if status.notice else "").replace("\n", " · "))
        self._notice.setToolTip(self._notice.text())

    def show_statistics(self, snapshot: StatisticsSnapshot | None) -> None:
        """Show the figures of this moment, None for none."""
        if snapshot is None:
            self._figures.setText("")
            return
        self._figures.setText("   ·   ".join(figure_texts(snapshot)))
        self._figures.setToolTip(
            tr("Pictures per second, capture to screen, faces in view, provider, frames skipped to keep up")
        )
