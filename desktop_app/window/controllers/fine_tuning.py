"""Fine-tuning in a process of its own: `python -m models finetune` with its progress, and what it needs to run."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTemporaryDir, Signal, Slot

from desktop_app.analytics.corrections import StillFace
from desktop_app.messages import Message
from desktop_app.output.corrections import corrections_table
from desktop_app.output.late_file import LateFile
from desktop_app.paths import ROOT

END_MS: Final = 3000
_PROGRESS: Final = re.compile(r"progress\t([^\t]*)\t(\d+)\t(\d+)")


@dataclass(frozen=True, slots=True)
class FineTuneOrder:
    """What is to be taught.

    Attributes:
        table: the labelled pictures, as a CSV file; None for those of `faces`.
        faces: that the user corrected.
        model: name or file of the model to start from.
        name: of the new model.
        epochs: passes over the pictures.
    """

    table: Path | None
    faces: Sequence[StillFace]
    model: str
    name: str
    epochs: int


def missing_for_training(root: Path = ROOT, find: Callable[[str], object] = importlib.util.find_spec) -> Message | None:
    """What fine-tuning lacks here, as a sentence for the user; None where it can run.

    Args:
        root: where the program was imported from; a checkout has the training tools beside it.
        find: finds an installed package by its name, and gives None where there is none.
    """
    if not (root / "models" / "training" / "finetune.py").is_file():
        return Message(
            "Cannot fine-tune: the training tools come with the source code, not with the installed program. Get the "
            "source code, and start Agelens there with: uv run --extra train main.py"
        )
    if find("torch") is None:
        return Message("Cannot fine-tune: PyTorch is not installed. Start Agelens with: uv run --extra train main.py")
    return None


def write_corrections(faces: Sequence[StillFace], path: Path) -> None:
    """Write a table of corrections; replaces an existing file.

    Raises:
        AgelensError: it cannot be written.
    """
    LateFile(path, lambda: corrections_table(faces, path.parent), overwrite=True).close()


class FineTuner(QObject):
    """Runs one fine-tuning; nothing of it is left on the disk but the new model."""

    progressed = Signal(str, int, int)
    """What is being done, how much of it is done, and of how much (0 where that is unknown)."""
    ended = Signal(bool, str)
    """Whether there is a new model, and what the tool said of it, or why there is none; empty after `cancel`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._cache: QTemporaryDir | None = None
        self._error = ""
        self._pending = ""
        self._cancelled = False

    @property
    def is_running(self) -> bool:
        """Whether a model is being taught."""
        return self._process is not None

    def start(self, order: FineTuneOrder) -> None:
        """Begin; returns at once.

        Raises:
            AgelensError: the table of the corrections cannot be written.
        """
        self._error, self._pending, self._cancelled = "", "", False
        self._cache = QTemporaryDir()
        table = order.table
        if table is None:
            table = Path(self._cache.path()) / "corrections.csv"
            write_corrections(order.faces, table)
        process = self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("AGELENS_PROGRESS", "lines")
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.setWorkingDirectory(str(ROOT))
        process.readyReadStandardError.connect(self._on_error_text)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        # No further processes, which would outlive this one where it is ended.
        process.start(
            sys.executable,
            [
                *("-m", "models", "finetune", "--workers", "0", "--cache", self._cache.path()),
                *("--path", str(table), "--name", order.name, "--epochs", str(order.epochs)),
                *(["--model", order.model] if order.model else []),
            ],
        )

    def cancel(self) -> None:
        """End it; there is no new model then."""
        if self._process is not None:
            self._cancelled = True
            self._process.kill()

    def close(self) -> None:
        """End it, and wait until it has ended."""
        process = self._process
        self.cancel()
        if process is not None:
            process.waitForFinished(END_MS)

    @Slot()
    def _on_error_text(self) -> None:
        if self._process is None:
            return
        text = self._pending + bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        *lines, self._pending = text.split("\n")
        for line in map(str.strip, lines):
            match = _PROGRESS.fullmatch(line)
            if match:
                self.progressed.emit(match[1], int(match[2]), int(match[3]))
            elif line:
                self._error = line

    @Slot(QProcess.ProcessError)
    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._error = self._process.errorString()
            self._end(False, "")

    @Slot(int, QProcess.ExitStatus)
    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_error_text()
        if self._process is None:
            return
        said = bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace")
        self._end(code == 0 and status == QProcess.ExitStatus.NormalExit, said.strip())

    def _end(self, made: bool, said: str) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        if self._cache is not None:
            self._cache.remove()
            self._cache = None
        made = made and not self._cancelled
        self.ended.emit(made, said if made else "" if self._cancelled else self._error)
