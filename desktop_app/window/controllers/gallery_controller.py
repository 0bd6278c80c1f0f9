"""Controller for the pictures of a folder and the user's corrections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from desktop_app.analytics.corrections import StillFace
from desktop_app.messages import Message
from desktop_app.output.corrections import corrections_table
from desktop_app.output.late_file import LateFile
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.panels.gallery.confusion_dialog import ConfusionDialog
from desktop_app.window.panels.gallery.gallery_panel import GalleryPanel
from desktop_app.window.panels.gallery.unsaved_dialog import UnsavedDialog
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.style.translation import tr, translated

CORRECTIONS_NAME = "corrections.csv"


class GalleryController(QObject):
    """Goes to the picture that was chosen, saves corrections and shows them against the model.

    Args:
        bridge: whose session shows the pictures.
        actions: those about corrections.
        stage: where notes are shown.
        panel: the pictures.
        background: writes files.
        window: the dialogs' parent.
    """

    def __init__(
        self,
        *,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        panel: GalleryPanel,
        background: Background,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._actions, self._stage, self._panel = bridge, actions, stage, panel
        self._background, self._window = background, window
        self.current: QDialog | None = None
        panel.picture_chosen.connect(self._on_picture)
        panel.corrected.connect(self._show_actions)
        panel.save_button.clicked.connect(actions["save_corrections"].trigger)
        panel.compare_button.clicked.connect(actions["compare_corrections"].trigger)
        actions["save_corrections"].triggered.connect(lambda: self.save())
        actions["compare_corrections"].triggered.connect(self._on_compare)
        self._show_actions()

    def save(self, then: Callable[[], object] = lambda: None) -> None:
        """Ask for a file and write the corrections into it.

        Args:
            then: called once they are written.
        """
        folder = self._panel.folder
        chosen, _ = QFileDialog.getSaveFileName(
            self._window,
            tr("Save corrections"),
            str((folder or Path.home()) / CORRECTIONS_NAME),
            f"{tr('Table of corrections')} (*.csv)",
        )
        if not chosen:
            return
        path = Path(chosen)
        path = path if path.suffix else path.with_suffix(".csv")
        faces, changes = self._panel.faces.corrected(), self._panel.faces.changes

        def done(_: None) -> None:
            self._panel.note_saved(changes)
            self._stage.note(tr("Saved {name}", name=path.name), path=path)
            then()

        self._background.submit(lambda: write_corrections(faces, path), done, self._on_failed)

    def ask_before_leaving(self, leave: Callable[[], object]) -> bool:
        """Ask what to do with corrections that are in no file.

        Args:
            leave: called where nothing is lost, or may be.

        Returns:
            Whether there is anything to ask.
        """
        if not self._panel.unsaved:
            return False
        dialog = UnsavedDialog(len(self._panel.faces.corrected()), self._window)
        dialog.save_asked.connect(lambda: self.save(leave))
        dialog.discard_asked.connect(leave)
        self._open(dialog)
        return True

    @Slot(int)
    def _on_picture(self, index: int) -> None:
        session = self._bridge.session
        if session is not None:
            session.pause()
            session.seek(index)

    @Slot()
    def _on_compare(self) -> None:
        if self._panel.labels is not None:
            self._open(ConfusionDialog(self._panel.faces.corrected(), self._panel.labels, self._window))

    def _open(self, dialog: QDialog) -> None:
        self.current = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _show_actions(self) -> None:
        corrected = bool(self._panel.faces.corrected())
        for name in ("save_corrections", "compare_corrections"):
            self._actions[name].setEnabled(corrected)

    def _on_failed(self, message: Message) -> None:
        self._stage.note(translated(message))


def write_corrections(faces: Sequence[StillFace], path: Path) -> None:
    """Write a table of corrections; replaces an existing file.

    Raises:
        AgelensError: it cannot be written.
    """
    LateFile(path, lambda: corrections_table(faces, path.parent), overwrite=True).close()
