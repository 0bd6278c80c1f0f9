"""Prediction rows, one per face and frame: CSV, JSON Lines, Parquet and screenshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.output.atomic_files import ALMOST_FULL, NewFile, explain, has_room
from desktop_app.output.table_text import Value
from desktop_app.output.tables import (
    TEXT_SUFFIXES,
    Column,
    Probabilities,
    Row,
    check_format,
    label_probabilities,
    label_values,
    rounded_values,
    table_encoder,
)

if TYPE_CHECKING:
    # Only for the types: who reads rows back from a screenshot needs no network.
    from desktop_app.catalogue.catalogue import Labels
    from desktop_app.vision.classification.label import Label
    from desktop_app.vision.tracking.tracker import Track

COLUMNS: Final = (
    Column("frame", int),
    Column("time_s", float, 6),
    Column("file", str),
    Column("track", int),
    Column("x", float, 1),
    Column("y", float, 1),
    Column("width", float, 1),
    Column("height", float, 1),
    Column("score", float, 4),
    Column("age", str),
    Column("age_confidence", float, 4),
    Column("gender", str),
    Column("gender_confidence", float, 4),
    Column("unsure", str),
    Column("age_years", float, 1),
    Column("age_years_low", int),
    Column("age_years_high", int),
)
"""The columns in their order; scripts rely on them. More decimals would be noise, and differ between machines."""
FIELDS: Final = tuple(column.name for column in COLUMNS)


class PredictionFileError(AgelensError):
    """A file of predictions cannot be made or written."""


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One face in one frame.

    Attributes:
        frame: index of the frame, from 0.
        time_s: moment of the frame in seconds.
        file: where the frame is from.
        track: id of the face, the same over all frames.
        x: left edge of the box in pixels of the frame; may be outside of it, as all of the box.
        y: top edge of the box.
        width: of the box.
        height: of the box.
        score: of the detector, 0 to 1.
        age: name of the most probable age group; None while the face has no prediction yet, as all that follow.
        age_confidence: its probability.
        gender: name of the most probable perceived gender; None also where gender is not computed.
        gender_confidence: its probability.
        unsure: which of the two are too improbable to be shown as they are, and are shown as a span of age groups or
            as "?": "age", "gender", "age gender", or "" for none.
        age_years: the expected age in years.
        age_years_low: first year of the range that holds the age with a probability of 0.8.
        age_years_high: its last year.
        ages: the probability of each age group, by its name.
        genders: the probability of each perceived gender, by its name.
    """

    frame: int
    time_s: float
    file: str
    track: int
    x: float
    y: float
    width: float
    height: float
    score: float
    age: str | None = None
    age_confidence: float | None = None
    gender: str | None = None
    gender_confidence: float | None = None
    unsure: str | None = None
    age_years: float | None = None
    age_years_low: int | None = None
    age_years_high: int | None = None
    ages: Probabilities | None = None
    genders: Probabilities | None = None

    def values(self) -> dict[str, Value]:
        """The fields by name in the order of `FIELDS`, rounded as they are written everywhere."""
        return rounded_values({name: getattr(self, name) for name in FIELDS}, COLUMNS)


def face_rows(
    frame_index: int, time_s: float, file: str, tracks: Sequence[Track], labels: Mapping[int, Label]
) -> list[FaceRow]:
    """The rows of one frame.

    Args:
        frame_index: index of the frame, from 0.
        time_s: its moment in seconds.
        file: where it is from.
        tracks: the faces; those that this frame does not show (`missed` above 0) are left out.
        labels: what is known of them, by track id.
    """
    return [_face_row(frame_index, time_s, file, track, labels.get(track.id)) for track in tracks if track.missed == 0]


class PredictionWriter(Closeable):
    """Writes rows to a CSV (`.csv`), JSON lines (`.jsonl`) or Parquet (`.parquet`) file.

    CSV starts with the names of `FIELDS`; lines end with a line feed; a face without a prediction yet has
    empty fields in CSV and nulls elsewhere. In CSV, a file's name that a spreadsheet would run as a formula has an
    apostrophe before it. Text is UTF-8, the same bytes on every system, and every `write` of it reaches the file at
    once, so that what was written survives the program; an error cuts the file to its last whole lines. With
    `overwrite`, an existing file stays until `close`, and meanwhile the new one is called `faces.part.csv`.

    A Parquet file can be read once it was closed, and has that other name until then in any case. Where the disk
    is almost full, it is ended in order.

    Args:
        path: `.csv`, `.jsonl` or `.parquet`.
        overwrite: replace an existing file.
        classes: the model's; Parquet has a column of probabilities for each.

    Raises:
        TableFormatError: the suffix is another one, or the package for Parquet is not installed.
        PredictionFileError: the file cannot be made.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, classes: Labels | None = None) -> None:
        check_format(path)
        suffix = path.suffix.lower()
        self._readable = suffix in TEXT_SUFFIXES
        self._closed = self._ended = self._has_frames = False
        try:
            self._file = NewFile(path, overwrite=overwrite, apart=not self._readable)
        except OSError as error:
            raise PredictionFileError(
                "Cannot write predictions to “{path}”: {reason}.", path=path, reason=explain(error)
            ) from error
        self._encoder = table_encoder(suffix, COLUMNS, classes)
        self._append(self._encoder.start())

    def write(self, rows: Sequence[FaceRow]) -> None:
        """Append the rows of a frame.

        Raises:
            PredictionFileError: the disk is full, gone or broken, or the file is closed already.
        """
        if self._closed:
            raise PredictionFileError(
                "Cannot write predictions to “{name}”: that file is closed. Start a new one.", name=self._file.path.name
            )
        self._has_frames = True
        self._append(self._encoder.add([Row(row.values(), row.ages, row.genders) for row in rows]))
        if not self._readable and not has_room(self._file.path, self._encoder.owed):
            self.keep()
            raise self._ended_early(ALMOST_FULL)

    def finish(self) -> None:
        """Write what is left, and find out whether the file can be closed well.

        Raises:
            PredictionFileError: the disk is full, or the file was removed meanwhile.
        """
        if self._closed:
            return
        self._end()
        try:
            self._file.check_present()
        except OSError as error:
            self._closed = True
            self._file.keep()
            raise self._unfinished(error) from error

    def close(self) -> None:
        """Close the file; does nothing the second time.

        Raises:
            PredictionFileError: the file was removed meanwhile, or cannot get its name.
        """
        self.finish()
        if self._closed:
            return
        self._closed = True
        try:
            self._file.commit()
        except OSError as error:
            self._file.keep()
            raise self._unfinished(error) from error

    def keep(self) -> None:
        """Close the file and leave what it should have replaced; does nothing after `close`.

        A file that holds no frame yet is removed.

        Raises:
            PredictionFileError: the disk is full.
        """
        if self._closed:
            return
        if self._has_frames:
            self._end()
        self._closed = True
        if self._has_frames:
            self._file.keep()
        else:
            self._file.discard()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._append(self._encoder.end())

    def _append(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self._file.roll_back()
            self._closed = True
            if self._readable and self._has_frames:
                self._file.keep()
            else:
                self._file.discard()
            raise self._ended_early(explain(error)) from error
        self._file.mark()

    def _ended_early(self, reason: Message) -> PredictionFileError:
        return PredictionFileError("The predictions in “{path}” ended: {reason}.", path=self._file.path, reason=reason)

    def _unfinished(self, error: OSError) -> PredictionFileError:
        return PredictionFileError(
            "Cannot finish the predictions in “{path}”: {reason}.", path=self._file.path, reason=explain(error)
        )


def _face_row(frame_index: int, time_s: float, file: str, track: Track, label: Label | None) -> FaceRow:
    box = track.detection.box
    ages, genders = label_probabilities(label)
    return FaceRow(
        frame=frame_index,
        time_s=time_s,
        file=file,
        track=track.id,
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        score=track.detection.score,
        ages=ages,
        genders=genders,
        **label_values(label),
    )
