"""Controller for the pictures of a folder and the user's corrections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from desktop_app.catalogue.catalogue import DEFAULT_MODEL, user_models_folder
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.paths import MODELS_FOLDER
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.controllers.fine_tuning import (
    FineTuneOrder,
    FineTuner,
    missing_for_training,
    write_corrections,
)
from desktop_app.window.panels.gallery.confusion_dialog import ConfusionDialog
from desktop_app.window.panels.gallery.fine_tune_dialog import FineTuneDialog
from desktop_app.window.panels.gallery.gallery_panel import GalleryPanel
from desktop_app.window.panels.gallery.unsaved_dialog import UnsavedDialog
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import tr, translated

CORRECTIONS_NAME = "corrections.csv"


class GalleryController(QObject):
    """Goes to the picture that was chosen, saves corrections, shows them against the model, and has it learn from them.

    Args:
        settings: hold the model that fine-tuning starts from.
        bridge: whose session shows the pictures.
        actions: those about corrections.
        stage: where notes are shown.
        panel: the pictures.
        background: writes files.
        window: the dialogs' parent.
    """

    model_made = Signal()
    """There is a new model."""
    model_chosen = Signal(str)
    """The name of a model that the user wants to use."""

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        panel: GalleryPanel,
        background: Background,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._actions, self._stage, self._panel = bridge, actions, stage, panel
        self._settings, self._background, self._window = settings, background, window
        self.current: QDialog | None = None
        self._tuning: FineTuneDialog | None = None
        # Chosen by the user; what is said later goes there as well.
        self._file: Path | None = None
        self._writing = False
        self._tuner = FineTuner(self)
        self._tuner.ended.connect(self._on_tuned)
        panel.picture_chosen.connect(self._on_picture)
        panel.corrected.connect(self._on_corrected)
        panel.save_button.clicked.connect(actions["save_corrections"].trigger)
        panel.compare_button.clicked.connect(actions["compare_corrections"].trigger)
        actions["save_corrections"].triggered.connect(lambda: self.save())
        panel.tune_button.clicked.connect(actions["fine_tune"].trigger)
        actions["fine_tune"].triggered.connect(self._on_fine_tune)
        actions["compare_corrections"].triggered.connect(self._on_compare)
        self._show_actions()

    def save(self, then: Callable[[], object] = lambda: None) -> None:
        """Ask for a file and write the corrections into it, those that are made later as well.

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

        def done() -> None:
            self._file = path
            note = tr("Saved {name}. What you correct from now on is saved there as well.", name=path.name)
            self._stage.note(note, path=path)
            then()

        self._write(path, done)

    def _write(self, path: Path, then: Callable[[], object]) -> None:
        faces, changes = self._panel.faces.corrected(), self._panel.faces.changes

        def done(_: None) -> None:
            self._writing = False
            self._panel.note_saved(changes)
            then()
            self._keep()

        def failed(message: Message) -> None:
            self._writing = False
            self._on_failed(message)

        self._writing = self._background.submit(lambda: write_corrections(faces, path), done, failed)

    def _keep(self) -> None:
        """Write what was said since the file was written, if the user chose one; a crash then loses none of it."""
        if self._file is not None and self._panel.unsaved and not self._writing:
            self._write(self._file, lambda: None)

    def ask_before_leaving(self, leave: Callable[[], object]) -> bool:
        """Ask what to do with corrections that are in no file.

        Args:
            leave: called where nothing is lost, or may be.

        Returns:
            Whether there is anything to ask.
        """
        # What is being written is finished before the program ends.
        if not self._panel.unsaved or self._writing:
            return False
        dialog = UnsavedDialog(len(self._panel.faces.corrected()), self._window)
        dialog.save_asked.connect(lambda: self.save(leave))
        dialog.discard_asked.connect(leave)
        self._open(dialog)
        return True

    def close(self) -> None:
        """End what runs."""
        self._tuner.close()

    @Slot()
    def _on_fine_tune(self) -> None:
        if self._tuning is not None:
            self._tuning.raise_()
            return
        missing = missing_for_training()
        if missing is not None:
            self._stage.note(translated(missing))
            return
        faces = self._panel.faces.corrected()
        table: Path | None = None
        if not faces:
            chosen, _ = QFileDialog.getOpenFileName(
                self._window, tr("Table of labelled pictures"), "", f"{tr('Table of labelled pictures')} (*.csv)"
            )
            if not chosen:
                return
            table = Path(chosen)
        base = self._settings.value.model or DEFAULT_MODEL
        learnt = table.name if table is not None else tr("%n corrected face(s)", None, len(faces))
        dialog = self._tuning = FineTuneDialog(base, learnt, _is_taken, self._window)
        dialog.start_asked.connect(lambda name, epochs: self._start(FineTuneOrder(table, faces, base, name, epochs)))
        dialog.cancel_asked.connect(self._tuner.cancel)
        dialog.use_asked.connect(self.model_chosen)
        dialog.finished.connect(self._on_tuning_closed)
        self._tuner.progressed.connect(dialog.show_progress)
        self._tuner.ended.connect(dialog.show_end)
        # Not modal: it takes minutes, in which the window can be used.
        dialog.show()

    def _start(self, order: FineTuneOrder) -> None:
        try:
            self._tuner.start(order)
        except AgelensError as error:
            if self._tuning is not None:
                self._tuning.show_end(False, translated(error.message))

    @Slot(bool, str)
    def _on_tuned(self, made: bool, _said: str) -> None:
        if made:
            self.model_made.emit()

    @Slot()
    def _on_tuning_closed(self) -> None:
        dialog, self._tuning = self._tuning, None
        if dialog is not None:
            dialog.deleteLater()

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
    def _on_corrected(self) -> None:
        self._show_actions()
        self._keep()

    @Slot()
    def _show_actions(self) -> None:
        corrected = bool(self._panel.faces.corrected())
        for name in ("save_corrections", "compare_corrections"):
            self._actions[name].setEnabled(corrected)

    def _on_failed(self, message: Message) -> None:
        self._stage.note(translated(message))


def _is_taken(name: str) -> bool:
    """Whether there is a model of that name."""
    return any((folder / f"{name}.toml").exists() for folder in (user_models_folder(), MODELS_FOLDER))
