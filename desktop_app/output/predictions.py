"""Prediction rows, one per face and frame: CSV, JSON Lines and screenshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.output.atomic_files import NewFile, explain
from desktop_app.output.table_text import Value, csv_line, encoded, json_line, rounded

if TYPE_CHECKING:
    # Only for the types: who reads rows back from a screenshot needs no network.
    from desktop_app.vision.classification.label import Label
    from desktop_app.vision.tracking.tracker import Track

PREDICTION_SUFFIXES: Final = (".csv", ".jsonl")
FIELDS: Final = (
    "frame",
    "time_s",
    "file",
    "track",
    "x",
    "y",
    "width",
    "height",
    "score",
    "age",
    "age_confidence",
    "gender",
    "gender_confidence",
    "unsure",
    "age_years",
    "age_years_low",
    "age_years_high",
)
"""Names and order of the columns; scripts rely on them."""

# More would only be noise, and differ from machine to machine.
_DECIMALS: Final = {
    "time_s": 6,
    "x": 1,
    "y": 1,
    "width": 1,
    "height": 1,
    "score": 4,
    "age_confidence": 4,
    "gender_confidence": 4,
    "age_years": 1,
}


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

    def values(self) -> dict[str, Value]:
        """The fields by name in the order of `FIELDS`, rounded as they are written everywhere."""
        return rounded({name: getattr(self, name) for name in FIELDS}, _DECIMALS)


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
    """Writes rows to a CSV (`.csv`) or JSON lines (`.jsonl`) file, UTF-8, the same bytes on every system.

    CSV starts with the names of `FIELDS`; lines end with a line feed; a face without a prediction yet has
    empty fields in CSV and nulls in JSON. In CSV, a file's name that a spreadsheet would run as a formula has an
    apostrophe before it. Every `write` reaches the file at once, so that what was written
    survives the program; an error cuts the file to its last whole lines. With `overwrite`, an existing file
    stays until `close`, and meanwhile the new one is called `faces.part.csv`.

    Args:
        path: `.csv` or `.jsonl`.
        overwrite: replace an existing file.

    Raises:
        PredictionFileError: the suffix is another one, or the file cannot be made.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        suffix = path.suffix.lower()
        if suffix not in PREDICTION_SUFFIXES:
            raise PredictionFileError(
                "Cannot write predictions to “{name}”: the name must end in .csv or .jsonl. Choose another name.",
                name=path.name,
            )
        self._is_csv = suffix == ".csv"
        self._closed = False
        self._has_frames = False
        try:
            self._file = NewFile(path, overwrite=overwrite)
        except OSError as error:
            raise PredictionFileError(
                "Cannot write predictions to “{path}”: {reason}.", path=path, reason=explain(error)
            ) from error
        if suffix == ".csv":
            self._append(",".join(FIELDS) + "\n")

    def write(self, rows: Sequence[FaceRow]) -> None:
        """Append the rows of a frame.

        Raises:
            PredictionFileError: the disk is full, gone or broken, or the file is closed already.
        """
        if self._closed:
            raise PredictionFileError(
                "Cannot write predictions to “{name}”: that file is closed. Start a new one.", name=self._file.path.name
            )
        self._append("".join(self._to_line(row.values()) for row in rows))
        self._has_frames = True

    def finish(self) -> None:
        """Find out whether the file can be closed well.

        Raises:
            PredictionFileError: the file was removed meanwhile.
        """
        if self._closed:
            return
        try:
            self._file.check_present()
        except OSError as error:
            self._closed = True
            self._file.keep()
            raise PredictionFileError(
                "Cannot finish the predictions in “{path}”: {reason}.", path=self._file.path, reason=explain(error)
            ) from error

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
            raise PredictionFileError(
                "Cannot finish the predictions in “{path}”: {reason}.", path=self._file.path, reason=explain(error)
            ) from error

    def keep(self) -> None:
        """Close the file and leave what it should have replaced; does nothing after `close`.

        A file that holds no frame yet is removed.
        """
        if not self._closed:
            self._closed = True
            if self._has_frames:
                self._file.keep()
            else:
                self._file.discard()

    def _to_line(self, values: Mapping[str, Value]) -> str:
        return csv_line(values, _DECIMALS) if self._is_csv else json_line(values)

    def _append(self, text: str) -> None:
        try:
            self._file.write(encoded(text))
        except OSError as error:
            self._file.roll_back()
            self.keep()
            raise PredictionFileError(
                "The predictions in “{path}” ended: {reason}.", path=self._file.path, reason=explain(error)
            ) from error
        self._file.mark()


def _face_row(frame_index: int, time_s: float, file: str, track: Track, label: Label | None) -> FaceRow:
    box = track.detection.box
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
        age=label.age if label else None,
        age_confidence=label.age_confidence if label else None,
        gender=label.gender if label and label.gender else None,
        gender_confidence=label.gender_confidence if label and label.gender else None,
        unsure=label.unsure if label else None,
        age_years=label.years.expected if label else None,
        age_years_low=label.years.low if label else None,
        age_years_high=label.years.high if label else None,
    )
