"""Corrections as a table that `python -m models finetune` takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from desktop_app.analytics.corrections import StillFace
from desktop_app.output.table_text import encoded

CORRECTION_FIELDS: Final = ("file", "age", "gender", "x", "y", "width", "height", "shown_age", "shown_gender")
"""Names and order of the columns."""


def corrections_table(faces: Sequence[StillFace], folder: Path) -> bytes:
    """One row a face, CSV in UTF-8: the file, what the user says, the face's box, and what the model says.

    Args:
        faces: those that the user said something of.
        folder: of the table; pictures in it are named as seen from there, others in full.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CORRECTION_FIELDS)
    for face in faces:
        box, label = face.box, face.label
        place = (f"{value:.1f}" for value in (box.x, box.y, box.width, box.height))
        said = (label.age, label.gender or "") if label else ("", "")
        writer.writerow([_name(face.path, folder), face.truth.age or "", face.truth.gender or "", *place, *said])
    return encoded(buffer.getvalue())


def _name(path: Path, folder: Path) -> str:
    path, folder = path.absolute(), folder.absolute()
    # A name that begins as a formula does is none for spreadsheets with a folder before it.
    return f"./{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else str(path)
