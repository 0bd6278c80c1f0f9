"""Audience panel: who was there so far, with the uncertainty of each count."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.analytics.audience import Audience, GroupCount, arrivals_by_minute
from desktop_app.analytics.crossings import MAX_LINES, arrows
from desktop_app.engine.session_audience import SessionAudience, SessionCount
from desktop_app.messages import Message
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.window.background import Background
from desktop_app.window.panels.audience_charts import MINUTES, ArrivalsChart, PyramidChart, PyramidRow
from desktop_app.window.panels.probability_bars import Bar, BarChart, align_labels
from desktop_app.window.style.translation import label_word, tr, translated
from desktop_app.window.style.widgets import format_time, make_figures, make_label, make_strong_label, scrolled

UPDATE_INTERVAL_S: Final = 2.0
REST: Final = 20
"""After a count the panel rests for so many times as long as that took: thousands of visits take half a second."""
_ROWS: Final = ("present", "visits", "most", "median", "unsure_ages", "unsure_genders", "brief")
_NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What counting gave.

    Attributes:
        count: None where nothing was counted.
        arrivals: by minute, the newest last.
        took_s: seconds of CPU.
    """

    count: SessionCount | None
    arrivals: tuple[int, ...]
    took_s: float


class AudiencePanel(QWidget):
    """Counts of the session: visits, times in view, age groups and perceived genders, arrivals, crossings of lines.

    It counts on a thread of its own, every other second or more rarely, and only while it is shown.

    Attributes:
        draw_line: button that has a line drawn in the picture.
        remove_lines: button that removes the lines.
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
        self._arrived: tuple[int, ...] = ()
        self._mirrored = False
        self._next_at = 0.0
        self._names: dict[str, QLabel] = {}
        self._values: dict[str, QLabel] = {}
        self._ages_title, self._genders_title = make_strong_label(), make_strong_label()
        self._arrivals_title, self._lines_title = make_strong_label(), make_strong_label()
        self._pyramid, self._arrivals = PyramidChart(self), ArrivalsChart(self)
        self._ages, self._genders = (BarChart(self, widest_text="000  (000–000)") for _ in range(2))
        self._line_names, self._line_counts = (tuple(make_label() for _ in range(MAX_LINES)) for _ in range(2))
        self._lines_note = make_label(role="muted", wrap=True)
        self._note = make_label(role="muted", wrap=True)
        self._save, self._reset, self._hold = QPushButton(self), QPushButton(self), QPushButton(self)
        self._hold.setCheckable(True)
        self.draw_line, self.remove_lines = QPushButton(self), QPushButton(self)
        self.draw_line.setCheckable(True)
        self._build()
        self._hold.toggled.connect(self._on_hold)
        self._save.clicked.connect(self.save_asked)
        self._reset.clicked.connect(self.reset_asked)
        self._retranslate()

    @property
    def count(self) -> SessionCount | None:
        """What is shown; None while nothing was counted."""
        return self._count

    @property
    def held(self) -> SessionCount | None:
        """What is shown and does not change; None where it does."""
        return self._count if self._hold.isChecked() else None

    def watch(self, audience: SessionAudience | None, present: int) -> None:
        """Show the counts of a session; calls that come too soon change only who is in view.

        Args:
            audience: counts the session; None for none.
            present: faces in view now.
        """
        if audience is not self._source:
            self._source, self._next_at = audience, 0.0
            self._hold.setChecked(False)
            self._show(None)
        if self._hold.isChecked():
            return
        self._values["present"].setText(str(present) if audience is not None else _NOTHING)
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

    def release(self) -> None:
        """Hold no figures any more."""
        self._hold.setChecked(False)

    def set_mirrored(self, mirrored: bool) -> None:
        """Show directions as they are in the picture, or in its mirror image."""
        if mirrored != self._mirrored:
            self._mirrored = mirrored
            self._show(self._count)

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
        for title, *charts in (
            (self._ages_title, self._pyramid, self._ages),
            (self._genders_title, self._genders),
            (self._arrivals_title, self._arrivals),
            (self._lines_title, self._make_lines(), self._lines_note, _row(self.draw_line, self.remove_lines)),
        ):
            layout.addSpacing(10)
            layout.addWidget(title)
            for chart in charts:
                layout.addWidget(chart)
        layout.addSpacing(10)
        layout.addWidget(self._note)
        layout.addSpacing(6)
        layout.addWidget(_row(self._hold, self._reset))
        layout.addWidget(self._save)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(content))

    def _make_table(self) -> QWidget:
        for key in _ROWS:
            self._names[key], self._values[key] = make_label(), make_label(_NOTHING)
        return make_figures(self, ((self._names[key], self._values[key]) for key in _ROWS))

    def _make_lines(self) -> QWidget:
        return make_figures(self, zip(self._line_names, self._line_counts, strict=True))

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
        self._arrivals_title.setText(tr("Arrivals a minute"))
        self._arrivals.setAccessibleName(tr("Arrivals a minute"))
        self._arrivals.set_ends(tr("{minutes} minutes ago", minutes=MINUTES - 1), tr("now"))
        self._pyramid.setAccessibleName(tr("Age groups"))
        self._lines_title.setText(tr("Line crossings"))
        self._lines_note.setText(tr("Draw a line in the picture to count who crosses it, by direction."))
        self.draw_line.setText(tr("Draw a line"))
        self.remove_lines.setText(tr("Remove the lines"))
        for number, label in enumerate(self._line_names, 1):
            label.setText(tr("Line {number}", number=number))
        self._note.setText(
            tr(
                "Whiskers and brackets: where the true number lies with 95 % probability, judging by the model’s "
                "measured errors. Pale: unsure. A visit is one face from first to last sighting; nobody is recognised."
            )
        )
        self._save.setText(tr("Save session summary…"))
        self._reset.setText(tr("Count anew"))
        self._hold.setText(tr("Hold"))
        self._hold.setToolTip(tr("Let these figures stand, and save them, while counting goes on"))
        self._show(self._count)

    def _on_counted(self, audience: SessionAudience, answer: _Answer) -> None:
        if audience is self._source:
            self._next_at = time.monotonic() + max(UPDATE_INTERVAL_S, REST * answer.took_s)
            if not self._hold.isChecked():
                self._arrived = answer.arrivals
                self._show(answer.count)

    def _on_hold(self, held: bool) -> None:
        if not held:
            self.recount()

    def _on_failed(self, message: Message) -> None:
        self._next_at = time.monotonic() + UPDATE_INTERVAL_S
        self._note.setText(translated(message))

    def _show(self, count: SessionCount | None) -> None:
        self._count = count
        with_genders = count is not None and bool(count.audience.genders)
        paired = count is not None and len(count.audience.genders) == 2
        for widget, shown in (
            (self._ages_title, count is not None),
            (self._note, count is not None),
            (self._pyramid, paired),
            (self._ages, count is not None and not paired),
            (self._genders_title, with_genders),
            (self._genders, with_genders),
            (self._arrivals_title, count is not None and bool(count.audience.bins)),
            (self._arrivals, count is not None and bool(count.audience.bins)),
        ):
            widget.setVisible(shown)
        for button in (self._save, self._reset, self._hold):
            button.setEnabled(count is not None)
        self._show_lines(count.audience if count is not None else None)
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
        if paired:
            self._show_pyramid(audience)
        self._arrivals.set_counts(self._arrived)
        self._ages.set_bars(_bars(audience.ages, [readable_age(one.name) for one in audience.ages]))
        self._genders.set_bars(_bars(audience.genders, [label_word(one.name) for one in audience.genders]))
        align_labels(self._ages, self._genders)

    def _show_pyramid(self, audience: Audience) -> None:
        left, right = (label_word(one.name) for one in audience.genders)
        names = [readable_age(one.name) for one in audience.ages]
        rows = [
            PyramidRow(name, cells[0], cells[1], f"{name}: {left} {_text(cells[0])}, {right} {_text(cells[1])}")
            for name, cells in zip(names, audience.cells, strict=True)
        ]
        self._pyramid.set_rows((left, right), rows[::-1])

    def _show_lines(self, audience: Audience | None) -> None:
        counted = audience.lines if audience is not None else ()
        self._lines_note.setVisible(not counted)
        for index, (name, value) in enumerate(zip(self._line_names, self._line_counts, strict=True)):
            name.setVisible(index < len(counted))
            value.setVisible(index < len(counted))
            if index < len(counted):
                one = counted[index]
                ahead, back = arrows(one.line.mirrored() if self._mirrored else one.line)
                value.setText(f"{ahead} {one.forward}     {back} {one.backward}")


def _row(*widgets: QWidget) -> QWidget:
    """Widgets of one width beside each other."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1)
    return box


def _timed_count(audience: SessionAudience) -> _Answer:
    """What was counted, and how long that took."""
    began_at = time.thread_time()
    count = audience.count()
    arrivals = arrivals_by_minute(count.visits, count.audience.duration_s, most=MINUTES) if count else ()
    return _Answer(count, arrivals, time.thread_time() - began_at)


def _bars(groups: Sequence[GroupCount], names: Sequence[str]) -> list[Bar]:
    most = max((group.sure + group.unsure for group in groups), default=0) or 1
    return [
        Bar(name, (group.sure + group.unsure) / most, _text(group), strong=group.sure + group.unsure == most)
        for name, group in zip(names, groups, strict=True)
    ]


def _text(group: GroupCount) -> str:
    counted = str(group.sure + group.unsure)
    return counted if group.low is None else f"{counted}  ({group.low}–{group.high})"
