"""Audience panel: who was there so far, with the uncertainty of each count."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.analytics.audience import GroupCount
from desktop_app.engine.session_audience import SessionAudience, SessionCount
from desktop_app.messages import Message
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.window.background import Background
from desktop_app.window.panels.probability_bars import Bar, BarChart, align_labels
from desktop_app.window.style.translation import label_word, tr, translated
from desktop_app.window.style.widgets import format_time, make_figures, make_label, make_strong_label, scrolled

UPDATE_INTERVAL_S: Final = 2.0
REST: Final = 20
"""After a count the panel rests for so many times as long as that took: thousands of visits take half a second."""
_ROWS: Final = ("present", "visits", "most", "median", "unsure_ages", "unsure_genders", "brief")
_NOTHING: Final = "–"


class AudiencePanel(QWidget):
    """Counts of the session: visits, times in view, age groups and perceived genders.

    It counts on a thread of its own, every other second or more rarely, and only while it is shown.
    """

    save_asked = Signal()
    """The user wants the counts in a file."""
    reset_asked = Signal()
    """The user wants to count from now on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = Background("audience", self)
        self._source: SessionAudience | None = None
        self._count: SessionCount | None = None
        self._next_at = 0.0
        self._names: dict[str, QLabel] = {}
        self._values: dict[str, QLabel] = {}
        self._ages_title, self._genders_title = make_strong_label(), make_strong_label()
        self._ages, self._genders = (BarChart(self, widest_text="000  (000–000)") for _ in range(2))
        self._note = make_label(role="muted", wrap=True)
        self._save, self._reset = QPushButton(self), QPushButton(self)
        self._build()
        self._save.clicked.connect(self.save_asked)
        self._reset.clicked.connect(self.reset_asked)
        self._retranslate()

    @property
    def count(self) -> SessionCount | None:
        """What is shown; None while nothing was counted."""
        return self._count

    def watch(self, audience: SessionAudience | None, present: int) -> None:
        """Show the counts of a session; calls that come too soon change only who is in view.

        Args:
            audience: counts the session; None for none.
            present: faces in view now.
        """
        self._values["present"].setText(str(present) if audience is not None else _NOTHING)
        if audience is not self._source:
            self._source, self._next_at = audience, 0.0
            self._show(None)
        now = time.monotonic()
        if audience is None or not self.isVisible() or now < self._next_at:
            return
        # Until the answer says how long it took.
        self._next_at = math.inf
        self._background.submit(
            partial(_timed_count, audience), partial(self._on_counted, audience), self._on_failed, newest=True
        )

    def recount(self) -> None:
        """Count at once with the next call of `watch`."""
        self._next_at = 0.0

    def end(self) -> None:
        """Count no more."""
        self._background.close()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Count at once."""
        super().showEvent(event)
        self.recount()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _build(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(6)
        layout.addWidget(self._make_table())
        for title, chart in ((self._ages_title, self._ages), (self._genders_title, self._genders)):
            layout.addSpacing(10)
            layout.addWidget(title)
            layout.addWidget(chart)
        for widget in (self._note, self._save, self._reset):
            layout.addSpacing(6)
            layout.addWidget(widget)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(content))

    def _make_table(self) -> QWidget:
        for key in _ROWS:
            self._names[key], self._values[key] = make_label(), make_label(_NOTHING)
        return make_figures(self, ((self._names[key], self._values[key]) for key in _ROWS))

    def _retranslate(self) -> None:
        self.setAccessibleName(tr("Audience"))
        texts = {
            "present": tr("In view now"),
            "visits": tr("Visits"),
            "most": tr("Most in view at once"),
            "median": tr("Median time in view"),
            "unsure_ages": tr("Unsure age"),
            "unsure_genders": tr("Unsure gender"),
            "brief": tr("Too brief to count"),
        }
        for key, text in texts.items():
            self._names[key].setText(text)
            self._values[key].setAccessibleName(text)
        self._ages_title.setText(tr("Age groups"))
        self._genders_title.setText(tr("Perceived gender"))
        self._note.setText(
            tr(
                "In brackets: where the true number lies with 95 % probability, judging by the model’s measured "
                "errors. A visit is one face from first to last sighting; nobody is recognised."
            )
        )
        self._save.setText(tr("Save session summary…"))
        self._reset.setText(tr("Count anew"))
        self._show(self._count)

    def _on_counted(self, audience: SessionAudience, answer: tuple[SessionCount | None, float]) -> None:
        count, took_s = answer
        if audience is self._source:
            self._next_at = time.monotonic() + max(UPDATE_INTERVAL_S, REST * took_s)
            self._show(count)

    def _on_failed(self, message: Message) -> None:
        self._next_at = time.monotonic() + UPDATE_INTERVAL_S
        self._note.setText(translated(message))

    def _show(self, count: SessionCount | None) -> None:
        self._count = count
        for widget in (self._ages_title, self._ages, self._note):
            widget.setVisible(count is not None)
        for widget in (self._genders_title, self._genders):
            widget.setVisible(count is not None and bool(count.audience.genders))
        self._save.setEnabled(count is not None)
        self._reset.setEnabled(count is not None)
        if count is None:
            for key in _ROWS[1:]:
                self._values[key].setText(_NOTHING)
            return
        audience = count.audience
        times = audience.times_in_view
        values = {
            "visits": str(audience.visits),
            "most": str(audience.most_at_once) if audience.bins else _NOTHING,
            "median": format_time(round(times.median_s)) if times is not None else _NOTHING,
            "unsure_ages": str(audience.unsure_ages + audience.unanswered),
            "unsure_genders": str(audience.unsure_genders + audience.unanswered) if audience.genders else _NOTHING,
            "brief": str(audience.brief),
        }
        for key, text in values.items():
            self._values[key].setText(text)
        self._ages.set_bars(_bars(audience.ages, [readable_age(one.name) for one in audience.ages]))
        self._genders.set_bars(_bars(audience.genders, [label_word(one.name) for one in audience.genders]))
        align_labels(self._ages, self._genders)


def _timed_count(audience: SessionAudience) -> tuple[SessionCount | None, float]:
    """What was counted, and the seconds of CPU that this took."""
    began_at = time.thread_time()
    return audience.count(), time.thread_time() - began_at


def _bars(groups: Sequence[GroupCount], names: Sequence[str]) -> list[Bar]:
    most = max((group.sure + group.unsure for group in groups), default=0) or 1
    return [
        Bar(name, (group.sure + group.unsure) / most, _text(group), strong=group.sure + group.unsure == most)
        for name, group in zip(names, groups, strict=True)
    ]


def _text(group: GroupCount) -> str:
    counted = str(group.sure + group.unsure)
    return counted if group.low is None else f"{counted}  ({group.low}–{group.high})"
