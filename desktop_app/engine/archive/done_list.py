"""What a dataset holds, in a SQLite file: it survives the end of the program at any moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from desktop_app.analytics.audience import Tally
from desktop_app.closeable import Closeable
from desktop_app.engine.archive.plan import Record
from desktop_app.engine.archive.sources import ArchiveError
from desktop_app.engine.archive.task import TaskResult
from desktop_app.errors import reason_of
from desktop_app.output.table_text import encoded

_TALLY: Final = TypeAdapter(Tally)
MANIFEST_NAME: Final = "manifest.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tasks (
    name TEXT PRIMARY KEY,
    tally TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    path TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    options TEXT NOT NULL,
    error TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sources_by_task ON sources (task);
"""


class DoneList(Closeable):
    """Says which parts of a dataset are whole, of which sources they were made, and with which options.

    One run at a time holds it: the lock ends with the process, however that ends. Not thread-safe.

    Args:
        folder: of the dataset; it is there.

    Raises:
        ArchiveError: another run writes into the dataset, or the file cannot be made or is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / MANIFEST_NAME
        try:
            self._base = sqlite3.connect(path, timeout=0, isolation_level=None)
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._base.execute(statement)
            self._base.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise ArchiveError(
                    "Cannot write into “{folder}”: another run writes there. Wait for its end or name another folder.",
                    folder=folder,
                ) from error
            raise self._error(error) from error
        except sqlite3.Error as error:
            raise self._error(error) from error

    def records(self) -> dict[str, Record]:
        """What is known of each source, by its path."""
        rows = self._base.execute("SELECT path, task, size, modified_ns, options, error FROM sources")
        return {_path(path): Record(*rest) for path, *rest in rows}

    def task_names(self) -> set[str]:
        """Names of the parts that are whole."""
        return {name for (name,) in self._base.execute("SELECT name FROM tasks")}

    def tally(self) -> Tally | None:
        """Counts over all parts, added in the order of their names; None where there is none."""
        total: Tally | None = None
        times_s: list[float] = []
        for (stored,) in self._base.execute("SELECT tally FROM tasks WHERE tally != '' ORDER BY name"):
            one = _TALLY.validate_json(stored)
            times_s += one.times_s
            one = replace(one, times_s=())
            total = one if total is None else total + one
        return None if total is None else replace(total, times_s=tuple(times_s))

    def failed_count(self) -> int:
        """Number of sources that cannot be read."""
        return int(self._base.execute("SELECT count(*) FROM sources WHERE error != ''").fetchone()[0])

    def add(self, result: TaskResult, options: str) -> None:
        """Note that a part is whole, in place of those that held one of its sources.

        Sources whose failure may not last are not noted, so that they are read again.

        Raises:
            ArchiveError: the disk is full, gone or broken.
        """
        done = [one for one in result.sources if one.remembered]
        try:
            self._base.execute("BEGIN IMMEDIATE")
            replaced = {result.name}
            for one in result.sources:
                row = self._base.execute("SELECT task FROM sources WHERE path = ?", (_stored(one.path),)).fetchone()
                replaced.update(row or ())
            self._forget(replaced)
            tally = "" if result.tally is None else _TALLY.dump_json(result.tally).decode()
            self._base.execute("INSERT INTO tasks VALUES (?, ?)", (result.name, tally))
            self._base.executemany(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (_stored(one.path), result.name, one.size, one.modified_ns, options, encoded(one.error).decode())
                    for one in done
                ],
            )
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._base.execute("DELETE FROM tasks WHERE name = ?", (name,))
            self._base.execute("DELETE FROM sources WHERE task = ?", (name,))

    def _error(self, error: sqlite3.Error) -> ArchiveError:
        return ArchiveError(
            "Cannot use the list of what is done in “{folder}”: {reason}. Check the disk, or name another folder.",
            folder=self._folder,
            reason=reason_of(error),
        )


def _stored(path: str) -> str | bytes:
    # A file name that is no valid text cannot be SQLite's text.
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape")
    return path


def _path(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogateescape")
