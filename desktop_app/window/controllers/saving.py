"""Saves screenshots, bursts and recordings on a background thread."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.engine.session import Session
from desktop_app.engine.types import RenderedFrame
from desktop_app.errors import AgelensError
from desktop_app.output.atomic_files import explain
from desktop_app.output.predictions import face_rows
from desktop_app.output.snapshots import SnapshotTakenError, burst_paths, dated_path, free_path, save_snapshot
from desktop_app.settings import Settings
from desktop_app.window.background import Background

BURST_INTERVAL_MS: Final = 200
STEM: Final = "Agelens"


class SavingError(AgelensError):
    """A file cannot be saved where the preferences want it."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst that is going on.

    Attributes:
        folder: where its pictures go.
        at: when it began.
        count: pictures wanted.
        taken: what was caught so far.
    """

    folder: Path
    at: datetime
    count: int
    taken: list[RenderedFrame]


class Saver(QObject):
    """Saves what is shown.

    Args:
        latest: gives the newest picture.
        describe: gives what is kept with a picture, such as the model's name.
        guard: gives a picture as it may be shown by now: what is to be hidden may have changed since it was caught.
        is_live: whether the source is live: its pictures' times are then counted from the first one that is saved.
        is_playing: whether the source gives further pictures; a burst ends where it does not.
        parent: the Qt owner.
    """

    saved = Signal(object, int)
    """The path of the last file that was written, and how many were."""
    failed = Signal(str)
    """One sentence."""

    def __init__(
        self,
        *,
        latest: Callable[[], RenderedFrame | None],
        describe: Callable[[], dict[str, str]],
        guard: Callable[[RenderedFrame], RenderedFrame],
        is_live: Callable[[], bool],
        is_playing: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._latest, self._describe, self._guard = latest, describe, guard
        self._is_live, self._is_playing = is_live, is_playing
        self._background = Background("saving", self)
        self._burst: Burst | None = None
        self._burst_settings = Settings()
        self._timer = QTimer(self)
        self._timer.setInterval(BURST_INTERVAL_MS)
        self._timer.timeout.connect(self._on_burst_timer)

    def save_screenshot(self, settings: Settings) -> None:
        """Save the picture that is shown now."""
        rendered = self._latest()
        if rendered is None:
            return
        metadata, at, beside = self._describe(), datetime.now(), settings.snapshot_json
        zero_at = self._zero_at(rendered)

        def work() -> Path:
            while True:
                with _ready_folder(settings.screenshots_folder) as folder:
                    path = free_path(folder, STEM, ".png", at=at, beside=(".json",) if beside else ())
                # Another window may want the same name just now.
                with suppress(SnapshotTakenError):
                    return _save(path, rendered, metadata, zero_at=zero_at, json_beside=beside)

        self._background.submit(work, lambda path: self.saved.emit(path, 1), self.failed.emit)

    def save_burst(self, settings: Settings) -> None:
        """Save several pictures, a fifth of a second apart."""
        if self._burst is not None or self._latest() is None:
            return
        self._burst = Burst(settings.screenshots_folder, datetime.now(), settings.burst_count, [])
        self._burst_settings = settings
        self._timer.start()
        self._on_burst_timer()

    def start_recording(self, session: Session, settings: Settings) -> None:
        """Record into a new file named by date."""
        suffix = f".{settings.container}"
        table = settings.recording_predictions
        at = datetime.now()

        def work() -> None:
            with _ready_folder(settings.recordings_folder) as folder:
                path = dated_path(folder, STEM, suffix, at=at)
            predictions = path.with_suffix(f".{table}") if table != "none" else None
            session.start_recording(path, predictions=predictions, numbered=True)

        self._background.submit(work, None, self.failed.emit)

    def close(self) -> None:
        """Take nothing more; what was caught and what is being written is finished."""
        self._end_burst()
        self._background.close()

    def _on_burst_timer(self) -> None:
        burst, rendered = self._burst, self._latest()
        if burst is None:
            self._timer.stop()
            return
        if rendered is not None and all(rendered.frame is not other.frame for other in burst.taken):
            burst.taken.append(rendered)
        # A source that stands still gives no second picture; one that plays gives it, however busy the machine is.
        if len(burst.taken) < burst.count and rendered is not None and self._is_playing():
            return
        self._end_burst()

    def _end_burst(self) -> None:
        """Save what was caught."""
        self._timer.stop()
        burst, self._burst = self._burst, None
        if burst is not None:
            self._write_burst(replace(burst, taken=[self._guard(one) for one in burst.taken]))

    def _write_burst(self, burst: Burst) -> None:
        metadata, beside = self._describe(), self._burst_settings.snapshot_json
        zero_at = self._zero_at(burst.taken[0])

        def work() -> Path:
            suffixes = (".json",) if beside else ()
            while True:
                with _ready_folder(burst.folder) as folder:
                    paths = burst_paths(folder, STEM, ".png", at=burst.at, count=len(burst.taken), beside=suffixes)
                # Another window may want the same names just now; whoever has the first has them all.
                with suppress(SnapshotTakenError):
                    for path, rendered in zip(paths, burst.taken, strict=True):
                        _save(path, rendered, metadata, zero_at=zero_at, json_beside=beside)
                    return paths[-1]

        count = len(burst.taken)
        self._background.submit(work, lambda path: self.saved.emit(path, count), self.failed.emit)

    def _zero_at(self, first: RenderedFrame) -> float:
        """What the times of saved pictures are counted from: nobody can do anything with this machine's own clock."""
        return first.frame.captured_at if self._is_live() else 0.0


@contextmanager
def _ready_folder(folder: Path) -> Iterator[Path]:
    """The folder, made where it is missing, and a sentence for what goes wrong with it.

    Raises:
        SavingError: it cannot be made or looked into.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise SavingError(f"Cannot save in “{folder}”: {explain(error)}.") from error


def _save(path: Path, rendered: RenderedFrame, metadata: dict[str, str], *, zero_at: float, json_beside: bool) -> Path:
    frame = rendered.frame
    rows = face_rows(frame.index, frame.captured_at - zero_at, frame.origin, rendered.tracks, rendered.labels)
    return save_snapshot(path, rendered.picture, rows, metadata=metadata, json_beside=json_beside)
