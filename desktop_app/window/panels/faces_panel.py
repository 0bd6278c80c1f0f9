"""Faces panel: the faces in view and the selected one."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPoint, QSignalBlocker, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QPalette, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.catalogue.catalogue import Labels
from desktop_app.vision.classification.label import Answer, Label
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.vision.tracking.tracker import Track
from desktop_app.window.panels.face_card import FaceCard
from desktop_app.window.panels.face_list import FACE_ROLE, Face, FaceDelegate, FaceListModel
from desktop_app.window.panels.face_order import (
    EVERYONE,
    STAYED,
    STAYED_S,
    UNSURE,
    Filter,
    SortKey,
    arrange,
    hold_still,
    is_wanted,
    sort_value,
)
from desktop_app.window.style.translation import answer_share, answer_word, label_word, tr
from desktop_app.window.style.widgets import scrolled

if TYPE_CHECKING:
    from desktop_app.engine.types import RenderedFrame

UPDATE_INTERVAL_S: Final = 0.125
LEAST_LIST_HEIGHT: Final = 110
"""A row and a half: that there are more can be seen."""
SORT_INTERVAL_S: Final = 2.0
"""Answers change all the time: rows change places with them no more often than so."""


class FacesPanel(QWidget):
    """One row a person in view, and above them one face in large.

    The large face is the selected one; while none is selected, the panel stays with one face until it leaves
    and then takes the largest. Updates at most eight times a second and does nothing while hidden. Rows change places
    seldom, and not at all under the pointer.

    Signals:
        face_selected: the track id (int) that the user selected, or None when the selection was taken away.
    """

    face_selected = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._composed: RenderedFrame | None = None
        self._labels: Labels | None = None
        self._crops: dict[int, NDArray[np.uint8]] = {}
        self._selected: int | None = None
        self._followed: int | None = None
        self._restoring = False
        self._updated_at = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._update)
        self._model = FaceListModel(self)
        self._delegate = FaceDelegate(self)
        self._card = FaceCard(self)
        self._heading = QLabel(self)
        self._filter, self._sort = QComboBox(self), QComboBox(self)
        self._faces: dict[int, Face] = {}
        self._values: dict[int, float] = {}
        self._sorted_at = 0.0
        self._list = _make_list(self._model, self._delegate)
        self._empty = QLabel(self)
        self._build()
        self._list.selectionModel().selectionChanged.connect(self._on_selection_changed)
        deselect = QShortcut(QKeySequence(Qt.Key.Key_Escape), self._list)
        deselect.setContext(Qt.ShortcutContext.WidgetShortcut)
        deselect.activated.connect(self._list.clearSelection)
        self._retranslate()

    def set_labels(self, labels: Labels | None) -> None:
        """Take the names of age groups and genders from the model in use."""
        self._labels = labels
        self._fill_choices()
        self._schedule()

    def show_only(self, rendered: RenderedFrame) -> None:
        """Show the faces of this picture at once, and nothing that was shown or kept before."""
        self._forget()
        self._composed = rendered
        self._show_card()
        self._update()

    def show_composed(self, rendered: RenderedFrame) -> None:
        """Show the faces of a picture; of many in a row only the newest is looked at."""
        self._composed = rendered
        self._schedule()

    def clear(self) -> None:
        """Forget all faces, for another source."""
        self._forget()
        self._schedule()

    @property
    def selected(self) -> int | None:
        """The track id that is selected, whether it is in view or not."""
        return self._selected

    @Slot(object)
    def select(self, track_id: int | None) -> None:
        """Select a face as others ask for it, without `face_selected`."""
        self._selected = track_id
        self._restore_selection()
        self._show_card()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Catch up with what came while hidden."""
        super().showEvent(event)
        self._schedule()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _forget(self) -> None:
        """Keep nothing of what was shown: also while the panel is not to be seen, and under the pointer."""
        self._composed = None
        self._crops.clear()
        self._faces.clear()
        self._delegate.forget(set())
        self._restoring = True
        self._model.set_faces([])
        self._restoring = False

    def _build(self) -> None:
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._empty.setContentsMargins(24, 24, 24, 24)
        content = QWidget(self)
        rows = QVBoxLayout(content)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self._heading.setContentsMargins(12, 10, 12, 0)
        choices = QHBoxLayout()
        choices.setContentsMargins(12, 6, 12, 8)
        choices.setSpacing(8)
        for box in (self._filter, self._sort):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            box.currentIndexChanged.connect(self._on_choice)
            choices.addWidget(box, 1)
        # In a low window the card is scrolled, and the list keeps some of its rows.
        card = scrolled(self._card, _CardArea())
        rows.addWidget(card)
        rows.addWidget(self._heading)
        rows.addLayout(choices)
        rows.addWidget(self._list, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(content)

    def _retranslate(self) -> None:
        self.setAccessibleName(tr("Faces"))
        self._list.setAccessibleName(tr("People in view"))
        self._filter.setAccessibleName(tr("Show"))
        self._sort.setAccessibleName(tr("Sort"))
        self._fill_choices()
        self._empty.setText(tr("No face in view.\nPeople appear here as soon as they face the camera."))
        self._schedule()

    def _schedule(self) -> None:
        if not self.isVisible() or self._timer.isActive():
            return
        wait_s = self._updated_at + UPDATE_INTERVAL_S - time.monotonic()
        self._timer.start(max(round(wait_s * 1000), 0))

    @Slot()
    def _update(self) -> None:
        if not self.isVisible():
            return
        self._updated_at = time.monotonic()
        rendered = self._composed
        tracks = rendered.tracks if rendered is not None else ()
        self._keep_crops(tracks)
        faces = [self._face(track, rendered.labels.get(track.id)) for track in tracks] if rendered else []
        self._faces = {face.id: face for face in faces}
        if self._followed not in self._crops:
            largest = max(tracks, key=lambda track: track.detection.box.area, default=None)
            self._followed = largest.id if largest is not None else None
        self._stack.setCurrentIndex(1 if faces else 0)
        wanted = [face for face in faces if is_wanted(face, self._filter.currentData() or EVERYONE)]
        self._heading.setText(self._count(faces, wanted))
        self._show_rows(self._arranged(faces, wanted))
        self._show_card()

    def _count(self, faces: Sequence[Face], wanted: Sequence[Face]) -> str:
        count = sum(face.visible for face in faces)
        if len(wanted) == len(faces):
            return tr("In view: {count}", count=count)
        return tr("In view: {count}, listed: {listed}", count=count, listed=sum(face.visible for face in wanted))

    def _arranged(self, faces: Sequence[Face], wanted: Sequence[Face]) -> list[Face]:
        """The rows to show."""
        held, key = self._list.viewport().underMouse(), cast(SortKey, self._sort.currentData() or "time")
        if not held and self._updated_at - self._sorted_at >= SORT_INTERVAL_S:
            self._values.clear()
            self._sorted_at = self._updated_at
        # A face that has just been answered takes its place at once.
        known = {track_id: value for track_id, value in self._values.items() if value < math.inf}
        self._values = {face.id: known.get(face.id, sort_value(face, key)) for face in faces}
        rows = arrange(wanted, self._values)
        return hold_still(self._model.faces, faces, rows) if held else rows

    def _show_rows(self, rows: Sequence[Face]) -> None:
        """Show these rows; the one at the top of the list stays there, whatever comes or goes above it."""
        bar = self._list.verticalScrollBar()
        top = self._list.indexAt(QPoint(4, 4)).data(FACE_ROLE) if bar.value() else None
        before = self._list.visualRect(self._model.index_of(top.id)).top() if isinstance(top, Face) else 0
        # Qt moves the selection on when its row goes; only the user's own choice counts.
        self._restoring = True
        self._model.set_faces(rows)
        if isinstance(top, Face) and (index := self._model.index_of(top.id)).isValid():
            bar.setValue(bar.value() + self._list.visualRect(index).top() - before)
        self._restore_selection()

    @Slot()
    def _on_choice(self) -> None:
        self._values.clear()
        self._sorted_at = 0.0
        self._update()

    def _fill_choices(self) -> None:
        """Offer what the model in use tells apart, in the window's language, and keep what is chosen."""
        ages = [readable_age(age.name) for age in self._labels.ages] if self._labels else []
        genders = [label_word(name) for name in self._labels.genders] if self._labels else []
        self._delegate.set_genders(genders)
        filters: list[tuple[str, Filter]] = [
            (tr("All faces"), EVERYONE),
            *((name, ("gender", place)) for place, name in enumerate(genders)),
            *((name, ("age", place)) for place, name in enumerate(ages)),
            (tr("Unsure"), UNSURE),
            (tr("{time} or longer", time=format_duration(STAYED_S)), STAYED),
        ]
        sorts: list[tuple[str, SortKey]] = [
            (tr("Sort by time"), "time"),
            (tr("Sort by age"), "age"),
            (tr("Sort by gender"), "gender"),
        ]
        for box, choices in ((self._filter, filters), (self._sort, sorts)):
            chosen = box.currentData()
            with QSignalBlocker(box):
                box.clear()
                for text, data in choices:
                    box.addItem(text, data)
                box.setCurrentIndex(max(next((n for n, one in enumerate(choices) if one[1] == chosen), 0), 0))

    def _keep_crops(self, tracks: Sequence[Track]) -> None:
        """A face that coasts has no new crop: its last one stays."""
        newest = self._composed.crops if self._composed is not None else {}
        crops = {track.id: newest.get(track.id, self._crops.get(track.id)) for track in tracks}
        self._crops = {key: crop for key, crop in crops.items() if crop is not None}
        self._delegate.forget({face.id for face in self._model.faces} | set(self._crops))

    def _face(self, track: Track, label: Label | None) -> Face:
        seen_s = track.last_seen_at - track.first_seen_at
        seen = format_duration(seen_s) if seen_s > 0 else ""
        if label is None:
            return Face(
                id=track.id,
                crop=self._crops.get(track.id),
                seen=seen,
                seen_s=seen_s,
                visible=track.missed == 0,
                summary=tr("Face {id}, not yet classified", id=track.id),
            )
        age, gender = label.age_answer, label.gender_answer
        said = [self._describe_age(age), *([self._describe_gender(gender)] if gender is not None else [])]
        answers = tr(", ").join(said)
        return Face(
            id=track.id,
            crop=self._crops.get(track.id),
            age=answer_word(age),
            age_text=answer_share(age),
            gender="" if gender is None else said[-1] if gender.unsure else answer_word(gender),
            gender_text="" if gender is None else answer_share(gender),
            ages=label.prediction.age,
            shown_ages=age.members,
            shown_genders=gender.members if gender is not None else (),
            gender_share=(gender.share or 0.0) if gender is not None else 0.0,
            seen=seen,
            seen_s=seen_s,
            visible=track.missed == 0,
            summary=tr("Face {id}: {answers}, seen for {time}", id=track.id, answers=answers, time=seen)
            if seen
            else tr("Face {id}: {answers}", id=track.id, answers=answers),
        )

    def _describe_age(self, age: Answer) -> str:
        if age.share is None:
            return tr("age unsure")
        name, share = answer_word(age), answer_share(age)
        if age.unsure:
            return tr("age unsure, {name} ({share})", name=name, share=share)
        return tr("{name} ({share})", name=name, share=share)

    def _describe_gender(self, gender: Answer) -> str:
        if gender.unsure:
            return tr("gender unsure")
        return tr("{name} ({share})", name=answer_word(gender), share=answer_share(gender))

    def _show_card(self) -> None:
        selected = self._faces.get(self._selected) if self._selected is not None else None
        face = selected or (self._faces.get(self._followed) if self._followed is not None else None)
        label = self._composed.labels.get(face.id) if self._composed and face is not None else None
        self._card.setVisible(face is not None)
        if face is not None:
            ages = [readable_age(age.name) for age in self._labels.ages] if self._labels else []
            genders = [label_word(name) for name in self._labels.genders] if self._labels else []
            self._card.show_face(face, label, ages, genders)

    def _restore_selection(self) -> None:
        """Give the selection back to a face that left the view for a moment, or that others selected."""
        index = self._model.index_of(self._selected)
        selection = self._list.selectionModel()
        self._restoring = True
        if not index.isValid():
            selection.clearSelection()
        elif not selection.isSelected(index):
            selection.setCurrentIndex(index, selection.SelectionFlag.ClearAndSelect)
            self._list.scrollTo(index)
        self._restoring = False

    @Slot()
    def _on_selection_changed(self) -> None:
        if self._restoring:
            return
        faces = [index.data(FACE_ROLE) for index in self._list.selectionModel().selectedIndexes()]
        chosen = faces[0].id if faces else None
        if chosen != self._selected:
            self._selected = chosen
            self._show_card()
            self.face_selected.emit(chosen)


class _CardArea(QScrollArea):
    """As high as the card, and lower where there is no room for that."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def sizeHint(self) -> QSize:  # noqa: N802
        """That of the card."""
        card = self.widget()
        return card.sizeHint() if card is not None else super().sizeHint()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Follow the card, which shows more or fewer rows."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def format_duration(seconds: float) -> str:
    """A time for people: "12 s", "1:05", "1:02:05"."""
    whole = max(int(seconds), 0)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return tr("{count} s", count=rest)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _make_list(model: FaceListModel, delegate: FaceDelegate) -> QListView:
    view = QListView()
    view.setModel(model)
    view.setItemDelegate(delegate)
    view.setUniformItemSizes(True)
    view.setMinimumHeight(LEAST_LIST_HEIGHT)
    view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
    view.setMouseTracking(True)
    view.setFrameShape(QFrame.Shape.NoFrame)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    return view
