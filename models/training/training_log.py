"""Keeps what a training reports as CSV, from which `models card` draws its course."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from desktop_app.errors import reason_of
from desktop_app.output.atomic_files import write_whole
from models.cli_utils import warn

COLUMNS: Final = ("share", "epoch", "iteration", "loss", "age_exact", "age_within_one", "gender")
"""`Progress`, and the scores on the pictures that were held out; those that are not measured stay empty."""


class TrainingLog:
    """A CSV file with one row for each report of a training.

    Args:
        path: the file.
        goes_on: whether the training goes on with an earlier one, whose rows are then kept up to where it goes on.
    """

    def __init__(self, path: Path, *, goes_on: bool) -> None:
        self._path, self._rows = path, list[dict[str, str]]()
        if goes_on and path.is_file():
            try:
                with path.open(newline="", encoding="utf-8") as file:
                    self._rows = [{name: row[name] for name in COLUMNS} for row in csv.DictReader(file)]
                    for row in self._rows:
                        int(row["iteration"])
            except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
                self._rows = []
                warn(f"Cannot go on with the log {path}: {reason_of(error)}. It begins anew.")

    def add(self, values: Mapping[str, float]) -> None:
        """Append a row of these columns, in place of those that are no earlier."""
        kept = [row for row in self._rows if int(row["iteration"]) < values["iteration"]]
        row = {name: f"{values[name]:.6g}" if name in values else "" for name in COLUMNS}
        self._rows = [*kept, row]
        text = StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(self._rows)
        write_whole(self._path, text.getvalue().encode(), overwrite=True)
