"""The program as `main.py` runs it, recording as soon as there is a picture: for tests of how that may end.

Run as `python -m tests.helpers.recording_window FOLDER SOURCE CONTAINER PREDICTIONS [BYTES]`; with BYTES no file can
grow larger, as on a disk that fills up. It tells in JSON lines what the window shows, and takes the names of `ENDINGS`
on its standard input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication

from desktop_app import cli
from desktop_app.settings import Settings, SettingsStore
from desktop_app.window import main_window
from desktop_app.window.picture.picture_area import PictureArea

POLL_MS: Final = 20
ENDINGS: Final[dict[str, Callable[[main_window.MainWindow], object]]] = {
    "close": lambda window: window.close(),
    # What Qt does where the system asks a program to leave: on macOS, and for a session that ends on Windows.
    "log out": lambda _: QApplication.quit(),
}


class TellingArea(PictureArea):
    """The picture area, which tells its notes."""

    def note(self, text: str, *, path: Path | None = None) -> None:
        """Show a note and tell it."""
        super().note(text, path=path)
        print(json.dumps({"note": text, "shows": path is not None}), flush=True)


class RecordingWindow(main_window.MainWindow):
    """The main window with somebody at its keyboard."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._orders: SimpleQueue[str] = SimpleQueue()
        self._started = False
        self._told = ""
        self._poll = QTimer(self)
        self._poll.timeout.connect(self._on_poll)
        self._poll.start(POLL_MS)
        self._pictures = 0
        self.bridge.picture_arrived.connect(self._on_picture_arrived)
        threading.Thread(target=self._listen, daemon=True).start()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Close, and tell how the recording ended: no timer may fire any more."""
        super().closeEvent(event)
        self._tell()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._orders.put(line.strip())

    def _on_picture_arrived(self) -> None:
        self._pictures += 1
        print(json.dumps({"pictures": self._pictures}), flush=True)

    def _on_poll(self) -> None:
        if not self._orders.empty():
            ENDINGS[self._orders.get()](self)
        if not self._started and self.actions_["record"].isEnabled():
            self._started = True
            self.actions_["record"].trigger()
        self._tell()

    def _tell(self) -> None:
        session = self.bridge.session
        if session is None:
            return
        recording = session.recording()
        told = json.dumps({"state": recording.state, "frames": recording.frames, "duration_s": recording.duration_s})
        if told != self._told:
            self._told = told
            print(told, flush=True)


def main() -> int:
    """Run it."""
    folder, source, container, predictions, *limit = sys.argv[1:]
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
    os.environ["XDG_CONFIG_HOME"] = str(Path(folder) / "settings")
    SettingsStore().save(
        Settings(
            provider="cpu",
            welcomed=True,
            language="en",
            recordings_folder=Path(folder) / "films",
            container=container,  # type: ignore[arg-type]
            recording_predictions=predictions,  # type: ignore[arg-type]
        )
    )
    # `run_window` imports it only when it is called.
    main_window.MainWindow = RecordingWindow  # type: ignore[assignment, misc]
    main_window.PictureArea = TellingArea  # type: ignore[attr-defined]
    return cli.main([source])


if __name__ == "__main__":
    sys.exit(main())
