"""Dialog that fine-tunes a model on the user's pictures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop_app.catalogue.manifest import is_model_name
from desktop_app.messages import Message
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import indent, make_label


def _step(what: str, done: int, total: int) -> Message | None:
    """What to say of a step of the tool, and how far it is; None for one that has no words."""
    match what:
        case "preparing":
            return Message("Cutting faces out: {done} of {total}", done=done, total=total)
        case "training":
            return Message("Training: step {done} of {total}", done=done, total=total)
        case "evaluating":
            return Message("Measuring: {done} of {total}", done=done, total=total)
    return None


class FineTuneDialog(QDialog):
    """Asks for a name and the number of passes, and shows how far it is and what came out.

    Args:
        base: name of the model to start from.
        pictures: name of the table of pictures, or how many faces were corrected.
        taken: says whether there is a model of a name.
        parent: the window.
    """

    start_asked = Signal(str, int)
    """The new model's name, and the number of passes."""
    cancel_asked = Signal()
    use_asked = Signal(str)
    """The name of the new model."""

    def __init__(self, base: str, pictures: str, taken: Callable[[str], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Fine-tune a model"))
        self.setMinimumWidth(520)
        self._running = self._made = False
        self._taken = taken
        names = ("mine", *(f"mine-{number}" for number in range(2, 100)))
        self.name = QLineEdit(next((name for name in names if not taken(name)), ""))
        self.epochs = QSpinBox()
        indent(self.epochs)
        self.epochs.setRange(1, 200)
        self.epochs.setValue(10)
        self._bar = QProgressBar()
        self._bar.setObjectName("fineTuneBar")
        self._bar.setTextVisible(False)
        self._state = make_label(wrap=True)
        self._invalid = make_label(role="error", wrap=True)
        self._result = QPlainTextEdit()
        self._result.setReadOnly(True)
        self._result.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.start_button, self.close_button = QPushButton(), QPushButton()
        self.start_button.setProperty("role", "primary")
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow(tr("Start from"), make_label(base))
        form.addRow(tr("Learn from"), make_label(pictures))
        form.addRow(tr("Name of the new model"), self.name)
        form.addRow(tr("Passes over the pictures"), self.epochs)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.start_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(
            make_label(
                tr(
                    "A fifth of the pictures is held out, and the new model is judged on it. It takes minutes, and "
                    "with fewer than some hundred faces a model learns little."
                ),
                role="muted",
                wrap=True,
            )
        )
        column.addWidget(self._invalid)
        column.addWidget(self._bar)
        column.addWidget(self._state)
        column.addWidget(self._result)
        column.addLayout(buttons)
        self._bar.hide()
        self._result.hide()
        self.name.textChanged.connect(self._show)
        self.start_button.clicked.connect(self._on_start)
        self.close_button.clicked.connect(self.reject)
        self._show()

    @property
    def state_text(self) -> str:
        """What is said of how it goes."""
        return self._state.text()

    @Slot(str, int, int)
    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far it is; see `FineTuner.progressed`."""
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        if (step := _step(what, done, total)) is not None:
            self._state.setText(translated(step))

    @Slot(bool, str)
    def show_end(self, made: bool, said: str) -> None:
        """Show what came out; see `FineTuner.ended`."""
        self._running, self._made = False, made
        self._bar.hide()
        if made:
            self._state.setText(tr("“{name}” is among the models now.", name=self.name.text()))
            # What it says of its cache before that is of no use here.
            self._result.setPlainText(said[max(said.find(f"{self.name.text()} on "), 0) :])
        else:
            self._state.setText(said or tr("Cancelled. There is no new model."))
        self._result.setVisible(made)
        self._show()
        self.adjustSize()

    def reject(self) -> None:
        """Cancel what runs; close otherwise."""
        if self._running:
            self.cancel_asked.emit()
        else:
            super().reject()

    def _on_start(self) -> None:
        if self._made:
            self.use_asked.emit(self.name.text())
            self.accept()
            return
        self._running = True
        self._bar.setRange(0, 0)
        self._bar.show()
        self._state.setText(tr("Starting…"))
        self._show()
        self.start_asked.emit(self.name.text(), self.epochs.value())

    @Slot()
    def _show(self) -> None:
        editable = not self._running and not self._made
        self.name.setEnabled(editable)
        self.epochs.setEnabled(editable)
        name = self.name.text()
        problem = ""
        if not is_model_name(name):
            problem = tr("A name may hold only a-z, 0-9, “.” and “-”, the first a letter or digit.")
        elif self._taken(name):
            problem = tr("There is a model “{name}” already. Choose another name.", name=name)
        self.start_button.setVisible(not self._running)
        self.start_button.setEnabled(self._made or not problem)
        self.start_button.setText(tr("Use the new model") if self._made else tr("Start"))
        self.close_button.setText(tr("Cancel") if self._running else tr("Close"))
        self._invalid.setText(problem)
        self._invalid.setVisible(editable and bool(problem))
