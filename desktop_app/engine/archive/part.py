"""Files of a dataset: three tables, each in parts, and media; a part is put in its place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from desktop_app.analytics.visits import Visit
from desktop_app.catalogue.catalogue import Labels
from desktop_app.closeable import Closeable
from desktop_app.output.people import people_table
from desktop_app.output.predictions import FaceRow, PredictionWriter
from desktop_app.output.tables import Column, Row, rounded_values, table_encoder

TableFormat = Literal["parquet", "csv", "jsonl"]
TABLES: Final = ("predictions", "people", "sources")
SOURCE_COLUMNS: Final = (
    Column("path", str),
    Column("file", str),
    Column("kind", str),
    Column("frames", int),
    Column("faces", int),
    Column("visits", int),
    Column("duration_s", float, 6),
    Column("error", str),
    Column("notice", str),
)
"""Columns of the table of sources; scripts rely on them."""
_UNFINISHED: Final = ".unfinished"
_PARTITION: Final = "source="


class PartWriter(Closeable):
    """Writes a part of a dataset beside it, and moves it into its place when it is whole.

    Args:
        folder: of the dataset.
        name: of the part.
        table_format: of its tables; None for none.
        labels: the classes of the model.

    Raises:
        OSError: it cannot be written.
        AgelensError: it cannot be written.
    """

    def __init__(self, folder: Path, name: str, table_format: TableFormat | None, labels: Labels) -> None:
        self._folder, self._name, self._labels = folder, name, labels
        self._suffix = f".{table_format}" if table_format else ""
        (folder / _UNFINISHED).mkdir(exist_ok=True)
        # Not only by the part's name: where a machine is lost, another one may make the same part at the same time.
        self._work = Path(tempfile.mkdtemp(prefix=f"{name[:40]}-", dir=folder / _UNFINISHED))
        self._media: dict[Path, Path] = {}
        self._visits: list[Visit] = []
        self._sources: list[Row] = []
        self._predictions: PredictionWriter | None = None
        if table_format:
            self._predictions = PredictionWriter(self._work / f"predictions{self._suffix}", classes=labels)

    def write(self, rows: Sequence[FaceRow]) -> None:
        """Append the rows of a frame to the predictions."""
        if self._predictions is not None:
            self._predictions.write(rows)

    def add_visits(self, visits: Sequence[Visit]) -> None:
        """Append rows to the table of people."""
        self._visits += visits

    def add_source(self, values: Mapping[str, Any]) -> None:
        """Append a row to the table of sources, with the values of `SOURCE_COLUMNS` by name."""
        self._sources.append(Row(rounded_values(values, SOURCE_COLUMNS)))

    @property
    def work(self) -> Path:
        """A folder for files that are needed meanwhile."""
        return self._work

    def media_path(self, target: Path) -> Path:
        """Where to write a film or picture that is to be `target` when the part is whole."""
        path = self._work / f"media-{len(self._media)}{target.suffix}"
        self._media[path] = target
        return path

    def commit(self) -> None:
        """Put everything into its place, file by file, each whole and on the disk.

        Raises:
            OSError: it cannot be written.
            AgelensError: it cannot be written.
        """
        for written, target in self._media.items():
            if written.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(written, target)
        if self._predictions is None:
            return
        self._predictions.close()
        people = people_table(self._visits, self._labels, self._suffix)
        (self._work / f"people{self._suffix}").write_bytes(people)
        encoder = table_encoder(self._suffix, SOURCE_COLUMNS, None)
        sources = encoder.start() + encoder.add(self._sources) + encoder.end()
        (self._work / f"sources{self._suffix}").write_bytes(sources)
        for table in TABLES:
            target = part_folder(self._folder, table, self._name) / f"data{self._suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(self._work / f"{table}{self._suffix}", target)
            for other in target.parent.iterdir():
                if other.name != target.name:
                    other.unlink()

    def close(self) -> None:
        """Remove what is not in its place."""
        if self._predictions is not None:
            self._predictions.keep()
        shutil.rmtree(self._work, ignore_errors=True)


def part_folder(folder: Path, table: str, name: str) -> Path:
    """Where a part of a table lies in a dataset, as Hive, Arrow, DuckDB and Spark expect it."""
    return folder / table / f"{_PARTITION}{name}"


def part_files(folder: Path, table: str) -> Iterator[Path]:
    """The files of a table, in the order of the parts' names."""
    return iter(sorted((folder / table).glob(f"{_PARTITION}*/data.*")))


def sweep(folder: Path, names: Collection[str]) -> None:
    """Remove what a dataset does not hold: what was not finished, and parts that others took the place of.

    Args:
        folder: of the dataset.
        names: of its parts.
    """
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    for table in TABLES:
        with suppress(FileNotFoundError):
            for entry in os.scandir(folder / table):
                if entry.name.startswith(_PARTITION) and entry.name.removeprefix(_PARTITION) not in names:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _move(written: Path, target: Path) -> None:
    """Give a file its place once all of it is on the disk, and the place as well."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    written.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
