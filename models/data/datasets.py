"""Readers of labelled face data sets: FairFace, Adience, UTKFace, and any folder with a CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from desktop_app.vision.geometry import Box
from models.data.labels import GENDERS
from models.data.pictures import DataError, Picture, PictureFinder

DataName = Literal["fairface", "adience", "utkface", "csv"]
Framing = Literal["detector", "whole"]
"""How faces are cut out: by the app's detector, or not at all, as the pictures are of aligned faces."""

ADIENCE_MARGIN: Final = 1.5
"""What Adience's aligned pictures show: side of the middle 227 of 256 pixels over the side of the detector's box.

Read off the mean image that Levi and Hassner released: its eyes are 57 and eyes and mouth 72 of 256 pixels apart, where
the detector's box is about 2.4 and 2.2 times these distances.
"""

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True, slots=True)
class Years:
    """An age in years, both ends included: `low == high` where it is known, `high` infinite where it is open."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One labelled picture.

    Attributes:
        picture: the file.
        name: how the data set calls it.
        age: the age, or None where it is unknown.
        gender: index in `GENDERS`, or -1 where it is unknown.
        race: the group as the data set spells it, or empty; only ever used to compare accuracies.
        fold: number of the cross-validation fold, or -1.
    """

    picture: Picture
    name: str
    age: Years | None
    gender: int
    race: str = ""
    fold: int = -1


def read_data(data: DataName, path: Path, *, split: str = "train", folds: Sequence[int] = ()) -> list[Sample]:
    """Read a data set's labels.

    Args:
        data: its kind.
        path: its folder; for `csv` the CSV file, or a folder with `labels.csv`.
        split: `train` or `val`, for FairFace alone.
        folds: the folds to take, for Adience alone; empty takes all.

    Raises:
        DataError: it is not there, or is not laid out as expected.
    """
    readers = {"utkface": read_utkface, "csv": read_csv}
    if data == "fairface":
        samples = read_fairface(path, split)
    elif data == "adience":
        samples = [one for one in read_adience(path) if not folds or one.fold in folds]
    else:
        samples = readers[data](path)
    if not samples:
        raise DataError(f"Cannot use {path}: it holds no labelled picture. Check the path.")
    return samples


def read_fairface(folder: Path, split: str) -> list[Sample]:
    """FairFace (Kärkkäinen and Joo, WACV 2021): `train.csv` or `val.csv`, pictures unpacked or in zips beside it."""
    table = next(
        (one for one in (folder / f"{split}.csv", folder / f"fairface_label_{split}.csv") if one.is_file()), None
    )
    if table is None:
        raise DataError(f"Cannot use {folder}: it holds no {split}.csv. Give the folder of the FairFace data set.")
    pictures = PictureFinder(folder, "*.zip")
    return [
        Sample(
            picture=pictures.find(row["file"]),
            name=row["file"],
            age=parse_years(_FAIRFACE_AGES.get(row["age"], row["age"])),
            gender=parse_gender(row["gender"]),
            race=row.get("race", ""),
        )
        for row in _rows(table, ("file", "age", "gender"))
    ]


def read_adience(folder: Path) -> list[Sample]:
    """Adience (Eidinger et al. 2014): `fold_0_data.txt` to `fold_4_data.txt` and the aligned faces.

    As in the authors' preparation (`create_train_val_txt_files.py` in GilLevi/AgeGenderDeepLearning on GitHub), an age
    that is none of the eight groups, such as `None`, `35`, `(38, 42)`, `(8, 23)` or `(27, 32)`, is unknown; the picture
    still teaches gender. `(25, 23)`, which stands in 72 rows, is a slip for `(25, 32)`: the authors' script says so,
    but looks for it without the comma, so that their own lists lack these rows. A gender other than `m` and `f` is
    unknown.

    Pictures are in `aligned/<user>/landmark_aligned_face.<face>.<file>` or in
    `faces/<user>/coarse_tilt_aligned_face.<face>.<file>`.

    Raises:
        DataError: a table is missing or is none, or a row does not name a picture.
    """
    samples: list[Sample] = []
    for fold in range(5):
        table = folder / f"fold_{fold}_data.txt"
        if not table.is_file():
            raise DataError(f"Cannot find {table}: give the folder with Adience's five fold files.")
        for number, row in enumerate(_rows(table, ("user_id", "original_image", "face_id", "age", "gender")), start=2):
            parts = {column: row[column] for column in ("user_id", "face_id", "original_image")}
            for column, part in parts.items():
                if not _is_plain_name(part):
                    raise DataError(
                        f"Cannot read {table}, line {number}: {part!r} is not a possible {column}. Correct the table."
                    )
            user, face, image = parts.values()
            name = f"aligned/{user}/landmark_aligned_face.{face}.{image}"
            if not (folder / name).is_file():
                name = f"faces/{user}/coarse_tilt_aligned_face.{face}.{image}"
            samples.append(
                Sample(
                    picture=Picture(folder / name),
                    name=name,
                    age=_ADIENCE_AGES.get(row["age"]),
                    gender=_ADIENCE_GENDERS.get(row["gender"], -1),
                    fold=fold,
                )
            )
    return [one for one in samples if one.age is not None or one.gender >= 0]


def _is_plain_name(part: str) -> bool:
    """Whether a cell can be a part of a file's name that leads to no other folder."""
    return part not in ("", ".", "..") and part.isprintable() and not set(part) & set("/\\")


def read_utkface(folder: Path) -> list[Sample]:
    """UTKFace (Zhang et al. 2017): pictures named `[age]_[gender]_[race]_[date].jpg`, gender 0 male and 1 female.

    Files whose names lack a label, as a few do, are skipped.
    """
    if not folder.is_dir():
        raise DataError(f"Cannot use {folder}: it is not a folder. Give the folder of the UTKFace data set.")
    samples: list[Sample] = []
    for path in sorted(folder.rglob("*")):
        match = re.match(r"(\d{1,3})_([01])_([0-4])_", path.name)
        if match and path.suffix.lower() in PICTURE_SUFFIXES:
            years = float(match[1])
            samples.append(
                Sample(
                    picture=Picture(path),
                    name=path.relative_to(folder).as_posix(),
                    age=Years(years, years),
                    gender=int(match[2]),
                    race=_UTKFACE_RACES[int(match[3])],
                )
            )
    return samples


def read_csv(path: Path) -> list[Sample]:
    """Any folder with a CSV of the columns `file`, `age` and/or `gender`, and perhaps `race`.

    `age` is a number of years or a group (`20-29`, `70+`); `file` is relative to the CSV; empty cells are unknown. Of
    pictures with several faces, `x`, `y`, `width` and `height` give the box of the one that is meant, in pixels.
    """
    table = path / "labels.csv" if path.is_dir() else path
    if not table.is_file():
        raise DataError(f"Cannot find {table}: write a CSV with the columns file,age,gender beside the pictures.")
    samples: list[Sample] = []
    for number, row in enumerate(_rows(table, ("file",)), start=2):
        try:
            age, gender = parse_years(row.get("age") or ""), parse_gender(row.get("gender") or "")
            face = _parse_box(row)
        except DataError as error:
            raise DataError(f"{table}, line {number}: {error}") from error
        if age is not None or gender >= 0:
            samples.append(
                Sample(
                    picture=Picture(table.parent / row["file"], face=face),
                    name=row["file"] if face is None else f"{row['file']}#{face.x:g},{face.y:g}",
                    age=age,
                    gender=gender,
                    race=row.get("race") or "",
                )
            )
    return samples


def _parse_box(row: Mapping[str, str]) -> Box | None:
    """The box that a row gives; None where it gives none.

    Raises:
        DataError: it gives a part of one, or what is no box.
    """
    cells = [row.get(name) or "" for name in ("x", "y", "width", "height")]
    if not any(cells):
        return None
    try:
        box = Box(*map(float, cells))
    except ValueError:
        box = Box(0, 0, 0, 0)
    if not all(map(math.isfinite, (box.x, box.y))) or not (0 < box.width < math.inf and 0 < box.height < math.inf):
        raise DataError(
            f"Cannot read the box {', '.join(cells)!r}: it needs x, y, width and height in pixels. Correct the row."
        )
    return box


def parse_years(text: str) -> Years | None:
    """An age from `34`, `34.5` (or `34,5`), `20-29`, `(25, 32)` or `70+`; None from an empty text.

    Raises:
        DataError: it is none of these.
    """
    text = text.strip()
    if not text:
        return None
    # As Adience writes groups. Without brackets a comma is a decimal sign.
    in_brackets = re.fullmatch(r"\((\d{1,3}),\s*(\d{1,3})\)", text)
    plain = in_brackets.expand(r"\1-\2") if in_brackets else text.replace(",", ".")
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)(?:\s*-\s*(\d{1,3})|(\+))?", plain)
    if not match:
        raise DataError(f"Cannot read the age {text!r}: write years (34) or a group (20-29, 70+).")
    low = float(match[1])
    high = math.inf if match[3] else float(match[2] or low)
    if high < low:
        raise DataError(f"Cannot read the age group {text!r}: it ends before it begins. Write the lower age first.")
    return Years(low, high)


def parse_gender(text: str) -> int:
    """The index in `GENDERS` of `Male`, `m`, `0`, `Female`, `f`, `1` in any case; -1 of an empty text or `u`.

    Raises:
        DataError: it is none of these.
    """
    word = text.strip().lower()
    for index, name in enumerate(GENDERS):
        if word in (name.lower(), name[0].lower(), str(index)):
            return index
    if word in ("", "u", "unknown"):
        return -1
    raise DataError(f"Cannot read the gender {text!r}: it is unknown. Write Male, Female, or nothing.")


_FAIRFACE_AGES: Final = {"more than 70": "70+", "03-Sep": "3-9", "Oct-19": "10-19"}
_UTKFACE_RACES: Final = ("White", "Black", "Asian", "Indian", "Others")
_ADIENCE_AGES: Final[Mapping[str, Years]] = {
    "(0, 2)": Years(0, 2),
    "(4, 6)": Years(4, 6),
    "(8, 12)": Years(8, 12),
    "(15, 20)": Years(15, 20),
    "(25, 32)": Years(25, 32),
    "(25, 23)": Years(25, 32),
    "(25 23)": Years(25, 32),
    "(38, 43)": Years(38, 43),
    "(48, 53)": Years(48, 53),
    "(60, 100)": Years(60, math.inf),
}
_ADIENCE_GENDERS: Final[Mapping[str, int]] = {"m": 0, "f": 1}


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the table {path}: {error}. Save it as CSV in UTF-8.") from error
    # Spreadsheets write ; where , is the decimal sign. A table of tabs has no quotes: one is a part of a file's name.
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in columns if name not in reader.fieldnames]
        if missing:
            raise DataError(
                f"Cannot read the table {path}: it has no column {missing[0]!r}. It needs {', '.join(columns)}."
            )
        for row in reader:
            if any(row[name] is None for name in columns):
                raise DataError(f"Cannot read {path}, line {reader.line_num}: it has too few cells. Correct the table.")
            yield {name: cell.strip() for name, cell in row.items() if isinstance(name, str) and cell is not None}
    except csv.Error as error:
        raise DataError(f"Cannot read {path}, line {reader.line_num}: {error}. Correct the table.") from error
