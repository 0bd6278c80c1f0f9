"""Writes screenshots, bursts, recordings and summaries where the settings want them; for a background thread."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from desktop_app.engine.audience_files import REPORT_SUFFIXES, report_bytes
from desktop_app.engine.session import Session
from desktop_app.engine.session_audience import SessionCount
from desktop_app.engine.types import RenderedFrame
from desktop_app.errors import AgelensError
from desktop_app.output.atomic_files import explain
from desktop_app.output.late_file import LateFile
from desktop_app.output.people import people_table
from desktop_app.output.predictions import face_rows
from desktop_app.output.snapshots import SnapshotTakenError, burst_paths, dated_path, free_path, save_snapshot
from desktop_app.output.tables import TABLE_SUFFIXES, check_format
from desktop_app.settings import Settings
from desktop_app.window.style.translation import window_language

STEM: Final = "Agelens"


class SavingError(AgelensError):
    """A file cannot be saved where the preferences want it."""


def save_pictures(
    pictures: Sequence[RenderedFrame],
    settings: Settings,
    *,
    at: datetime,
    burst: bool,
    metadata: Mapping[str, str],
    zero_at: float,
) -> Path:
    """Save a screenshot or the pictures of a burst.

    Args:
        pictures: one, or those of the burst in order.
        settings: where they go, and whether a JSON file goes beside each.
        at: when it was asked for; names the files.
        burst: whether they are numbered as a burst.
        metadata: what is kept with each, such as the model's name.
        zero_at: what their times are counted from.

    Returns:
        The last file.

    Raises:
        SavingError: the folder cannot be used.
        SnapshotError: a file cannot be written.
    """
    beside = (".json",) if settings.snapshot_json else ()
    while True:
        with _ready_folder(settings.screenshots_folder) as folder:
            if burst:
                paths = burst_paths(folder, STEM, ".png", at=at, count=len(pictures), beside=beside)
            else:
                paths = [free_path(folder, STEM, ".png", at=at, beside=beside)]
        # Another window may want the same names just now; whoever has the first has them all.
        with suppress(SnapshotTakenError):
            for path, rendered in zip(paths, pictures, strict=True):
                frame = rendered.frame
                at_s = frame.captured_at - zero_at
                rows = face_rows(frame.index, at_s, frame.origin, rendered.tracks, rendered.labels)
                save_snapshot(path, rendered.annotated(), rows, metadata=metadata, json_beside=bool(beside))
            return paths[-1]


def start_recording(session: Session, settings: Settings, *, at: datetime) -> None:
    """Record into a new file named by date.

    Args:
        session: is recorded.
        settings: where the recording goes, its format, and what is written beside it.
        at: when it was asked for; names the file.

    Raises:
        SavingError: the folder cannot be used.
        AgelensError: the file cannot be made.
    """
    with _ready_folder(settings.recordings_folder) as folder:
        path = dated_path(folder, STEM, f".{settings.container}", at=at)
    table = settings.recording_predictions
    predictions = path.with_suffix(f".{table}") if table != "none" else None
    session.start_recording(path, predictions=predictions, numbered=True)


def summary_path(settings: Settings, *, at: datetime) -> Path:
    """What a summary of the session may be called."""
    return dated_path(settings.recordings_folder, STEM, ".html", at=at)


def save_summary(session: Session, path: Path, held: SessionCount | None = None) -> Path:
    """Write what was counted in a session; replaces an existing file.

    Args:
        session: the one that is summed up.
        path: a report (`.html`, `.json`), which holds counts only, or a table of visits (`.csv`, `.jsonl`, `.parquet`).
        held: counts of an earlier moment, in place of those of now.

    Returns:
        The file.

    Raises:
        SavingError: the name has another suffix, or nothing was counted yet.
        AgelensError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (*REPORT_SUFFIXES, *TABLE_SUFFIXES):
        raise SavingError(
            "Cannot save the summary as “{name}”: the name must end in .html, .json, .csv, .jsonl or .parquet. "
            "Choose another name.",
            name=path.name,
        )
    count, info = held or session.audience.count(), session.status().info
    if count is None or info is None:
        raise SavingError("Cannot save a summary: no picture was shown yet. Start the source first.")
    if suffix in TABLE_SUFFIXES:
        check_format(path)
        content = people_table(count.visits, count.manifest.labels, suffix)
    else:
        content = report_bytes(
            count.audience,
            count.manifest,
            source=info.title,
            suffix=suffix,
            began_at=count.began_at,
            language=window_language(),
        )
    LateFile(path, lambda: content, overwrite=True).close()
    return path


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
        raise SavingError("Cannot save in “{folder}”: {reason}.", folder=folder, reason=explain(error)) from error
