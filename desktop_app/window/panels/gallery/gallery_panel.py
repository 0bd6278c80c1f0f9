"""Panel of the pictures of a folder: thumbnails, filter, and what the user says of the faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QModelIndex, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QPalette, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.analytics.corrections import ALL, StillFace, StillFaces, Truth, Wanted
from desktop_app.catalogue.catalogue import Labels
from desktop_app.sources.base import PictureFile
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.window.panels.gallery.face_rows import FaceRows
from desktop_app.window.panels.gallery.picture_list import ITEM_ROLE, PictureDelegate, PictureItem, PictureListModel
from desktop_app.window.panels.gallery.thumbnails import Thumbnails
from desktop_app.window.style.translation import answer_word, label_word, tr
from desktop_app.window.style.widgets import make_label, make_strong_label, scrolled

if TYPE_CHECKING:
    from desktop_app.engine.types import RenderedFrame

FACES_HEIGHT: Final = 190
"""Room for the rows of three faces."""


class GalleryPanel(QWidget):
    """The pictures of a folder, which of them to list, and rows to say what is true of the faces that are shown.

    What the user said is kept until the program ends, and written only into a file that the user chose.

    Attributes:
        faces: what is known of the pictures.
        save_button: saves the corrections.
        compare_button: shows them against the model's answers.
        tune_button: fine-tunes a model on them.
    """

    picture_chosen = Signal(int)
    """Index of the frame of a picture that the user wants to see."""
    corrected = Signal()
    """The user said something of a face."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.faces = StillFaces()
        self._saved = 0
        self._labels: Labels | None = None
        self._pictures: tuple[PictureFile, ...] = ()
        self._frames: dict[Path, int] = {}
        self._rendered: RenderedFrame | None = None
        self._current: Path | None = None
        self._shown: list[StillFace] = []
        self._stale = False
        self._thumbnails = Thumbnails(self)
        self._model = PictureListModel(self._thumbnails, self)
        self._list = _make_list(self._model, PictureDelegate(self))
        self._filter = QComboBox(self)
        self._count = make_label(role="muted")
        self._faces_title = make_strong_label()
        self._rows = FaceRows(self)
        self._hint = make_label(role="muted", wrap=True)
        self._empty = QLabel(self)
        self.save_button, self.compare_button, self.tune_button = (QPushButton(self) for _ in range(3))
        self._build()
        self._filter.currentIndexChanged.connect(self._refresh)
        self._list.selectionModel().currentChanged.connect(self._on_current)
        self._rows.said.connect(self._on_said)
        self._retranslate()

    @property
    def unsaved(self) -> bool:
        """Whether what the user said is in no file, or was taken back and still is in one."""
        return self.faces.changes != self._saved and (self._saved > 0 or bool(self.faces.corrected()))

    @property
    def filter_choice(self) -> QComboBox:
        """Chooses which pictures are listed."""
        return self._filter

    @property
    def list(self) -> QListView:
        """The thumbnails."""
        return self._list

    @property
    def rows(self) -> FaceRows:
        """The faces of the picture that is shown."""
        return self._rows

    @property
    def folder(self) -> Path | None:
        """Where the first picture lies; None without pictures."""
        return self._pictures[0].path.parent if self._pictures else None

    @property
    def labels(self) -> Labels | None:
        """The classes of the model in use."""
        return self._labels

    def note_saved(self, changes: int) -> None:
        """Take note that what was said up to that number of changes is in a file."""
        self._saved = changes

    def set_labels(self, labels: Labels) -> None:
        """Take the names of age groups and genders from the model in use."""
        self._labels = labels
        self._fill_filter()
        self._show_faces()

    def set_pictures(self, pictures: tuple[PictureFile, ...]) -> None:
        """List the files of a folder; none for another source."""
        if pictures is self._pictures or pictures == self._pictures:
            return
        self._pictures = pictures
        self._frames = {one.path: one.first_frame for one in pictures}
        self._take_in()
        self._refresh()

    def show_composed(self, rendered: RenderedFrame) -> None:
        """Take in what a picture of the folder shows."""
        if not rendered.frame.alone:
            return
        self._rendered = rendered
        if self._pictures:
            self._take_in()

    def set_privacy(self, privacy: PrivacyMode) -> None:
        """Show no thumbnail while anything is to be hidden."""
        hidden = privacy != "off"
        if hidden != self._thumbnails.is_hidden:
            self._thumbnails.set_hidden(hidden)
            self._model.refresh()

    def clear(self) -> None:
        """Forget the pictures, for another source; what the user said of them stays."""
        self._rendered = self._current = None
        self.set_pictures(())
        self._show_faces()

    def end(self) -> None:
        """End what runs for the panel."""
        self._thumbnails.end()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Catch up with what came while hidden."""
        super().showEvent(event)
        if self._stale:
            self._refresh()
            self._show_faces()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _build(self) -> None:
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._empty.setContentsMargins(24, 24, 24, 24)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._filter, 1)
        top.addWidget(self._count)
        faces = scrolled(self._rows)
        faces.setFixedHeight(FACES_HEIGHT)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.save_button, self.compare_button):
            buttons.addWidget(button, 1)
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self._list, 1)
        column.addWidget(self._faces_title)
        column.addWidget(self._hint)
        column.addWidget(faces)
        column.addLayout(buttons)
        column.addWidget(self.tune_button)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(content)

    def _retranslate(self) -> None:
        self.setAccessibleName(tr("Pictures"))
        self._list.setAccessibleName(tr("Pictures"))
        self._filter.setAccessibleName(tr("Show"))
        self._empty.setText(tr("Open a folder, or drop several pictures, to go through them one by one."))
        self._faces_title.setText(tr("Correct these faces"))
        self._hint.setText(tr("No face in this picture."))
        self.save_button.setText(tr("Save corrections…"))
        self.compare_button.setText(tr("Compare…"))
        self.tune_button.setText(tr("Fine-tune a model…"))
        self._fill_filter()
        self._refresh()
        self._show_faces()

    def _fill_filter(self) -> None:
        ages = [readable_age(age.name) for age in self._labels.ages] if self._labels else []
        genders = [label_word(name) for name in self._labels.genders] if self._labels else []
        choices: list[tuple[str, Wanted]] = [
            (tr("All pictures"), ALL),
            (tr("Not looked at"), ("new", 0)),
            (tr("Unsure"), ("unsure", 0)),
            (tr("Corrected"), ("corrected", 0)),
            *((name, ("gender", place)) for place, name in enumerate(genders)),
            *((name, ("age", place)) for place, name in enumerate(ages)),
        ]
        chosen = self._filter.currentData()
        with QSignalBlocker(self._filter):
            self._filter.clear()
            for text, data in choices:
                self._filter.addItem(text, data)
            self._filter.setCurrentIndex(next((n for n, one in enumerate(choices) if one[1] == chosen), 0))

    def _take_in(self) -> None:
        """Keep what the picture that is shown says of its faces."""
        rendered = self._rendered
        if rendered is None:
            return
        # What was read in vain leaves the list: the same index may be another file by now.
        path = next((one.path for one in self._pictures if one.first_frame == rendered.frame.index), None)
        if path is None or path.name != rendered.frame.origin:
            return
        width = rendered.picture.shape[1]
        seen = [track for track in rendered.tracks if track.missed == 0]
        boxes = [track.detection.box.mirrored(width) if rendered.mirrored else track.detection.box for track in seen]
        before = self._describe(path)
        self._shown = list(
            self.faces.see(path, [(box, rendered.labels.get(one.id)) for one, box in zip(seen, boxes, strict=True)])
        )
        moved, self._current = path != self._current, path
        if moved or self._describe(path) != before:
            self._refresh()
        self._show_faces()

    def _refresh(self) -> None:
        """List what is wanted, with the picture that is shown selected."""
        self._stack.setCurrentIndex(1 if self._pictures else 0)
        if not self.isVisible():
            self._stale = True
            return
        self._stale = False
        wanted: Wanted = self._filter.currentData() or ALL
        items = [self._describe(one.path) for one in self._pictures if self.faces.is_wanted(one.path, wanted)]
        selection = self._list.selectionModel()
        with QSignalBlocker(selection):
            self._model.set_items(items)
            index = self._model.index_of(self._current)
            if index.isValid():
                selection.setCurrentIndex(index, selection.SelectionFlag.ClearAndSelect)
            else:
                selection.clear()
        if index.isValid():
            self._list.scrollTo(index)
        self._list.viewport().update()
        looked_at = sum(one.path in self.faces for one in self._pictures)
        self._count.setText(tr("{looked} of {count} seen", looked=looked_at, count=len(self._pictures)))

    def _describe(self, path: Path) -> PictureItem:
        faces = self.faces.faces(path)
        said = ""
        if path in self.faces:
            said = tr("no face") if not faces else tr("%n face(s)", None, len(faces))
        if len(faces) == 1 and faces[0].label is not None:
            label = faces[0].label
            said = " · ".join(map(answer_word, label.answers))
        return PictureItem(path, said, any(face.is_corrected for face in faces))

    def _show_faces(self) -> None:
        rendered = self._rendered if self._current is not None else None
        seen = [track for track in rendered.tracks if track.missed == 0] if rendered is not None else []
        crops = rendered.crops if rendered is not None else {}
        shown = [(track.id, face, crops.get(track.id)) for track, face in zip(seen, self._shown, strict=False)]
        self._rows.show_faces(shown, self._labels)
        self._hint.setVisible(not shown)
        corrected = bool(self.faces.corrected())
        for button in (self.save_button, self.compare_button):
            button.setEnabled(corrected)

    def _on_said(self, row: int, truth: Truth) -> None:
        if row < len(self._shown):
            self._shown[row] = self.faces.correct(self._shown[row], truth)
            self._refresh()
            self._show_faces()
            self.corrected.emit()

    def _on_current(self, index: QModelIndex) -> None:
        item = index.data(ITEM_ROLE)
        if isinstance(item, PictureItem) and item.path != self._current:
            self.picture_chosen.emit(self._frames[item.path])


def _make_list(model: PictureListModel, delegate: PictureDelegate) -> QListView:
    view = QListView()
    view.setModel(model)
    view.setItemDelegate(delegate)
    view.setViewMode(QListView.ViewMode.IconMode)
    view.setResizeMode(QListView.ResizeMode.Adjust)
    view.setMovement(QListView.Movement.Static)
    view.setUniformItemSizes(True)
    view.setMouseTracking(True)
    view.setFrameShape(QListView.Shape.NoFrame)
    view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
    view.setStyleSheet("QListView { background: transparent; }")
    view.setMinimumSize(QSize(120, 120))
    return view
