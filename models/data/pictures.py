"""Pictures of data sets: files or members of zip files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.errors import AgelensError
from desktop_app.sources.base import SourceError
from desktop_app.sources.pictures.decoding import MAX_FILE_BYTES, PictureTooLargeError, decode_picture, read_picture
from desktop_app.vision.geometry import Box
from models.cli_utils import warn

_ZIP_ERRORS: Final = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)
"""Damaged, cut off, not there; RuntimeError: encrypted, or packed in a way that Python lacks."""

FACE_ROOM: Final = 2.0
"""Side of what is read around a face over the larger side of its box."""
READ_AHEAD: Final = 64
"""Pictures that are read while others are worked on: bounds the memory of large ones."""


class DataError(AgelensError):
    """A data set, or a picture of it, cannot be read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The place of a picture: a file, or a member of a zip file.

    Attributes:
        path: the file.
        member: of a zip file; empty where the file is the picture.
        face: where a face is in a picture of several: what is read then is the part around it, with room for crops.
    """

    path: Path
    member: str = ""
    face: Box | None = None

    def read(self) -> NDArray[np.uint8]:
        """The picture as the app reads it: H×W×3 uint8, BGR, upright, over white where it is transparent.

        Raises:
            DataError: it is not there, is no picture, or is larger than the app's limits.
        """
        try:
            if not self.member:
                image = read_picture(self.path).image
                return image if self.face is None else _around(image, self.face)
            archive = _archive(self.path)
            if archive.getinfo(self.member).file_size > MAX_FILE_BYTES:
                raise PictureTooLargeError(self.member)
            return decode_picture(io.BytesIO(archive.read(self.member)), self.member).image
        except (OSError, ValueError, SourceError, *_ZIP_ERRORS) as error:
            # ValueError: a name that no file can have.
            too_large = isinstance(error, PictureTooLargeError)
            reason = "it is too large" if too_large else "it is missing, damaged or of another kind"
            raise DataError(f"Cannot read the picture {self}: {reason}. Remove it or its row.") from error

    def __str__(self) -> str:
        """The path, with the member of a zip file behind a colon."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)


def _around(image: NDArray[np.uint8], face: Box) -> NDArray[np.uint8]:
    """The part of a picture around a face, as large as detectors and crops want; all of it where that is empty."""
    height, width = image.shape[:2]
    half = FACE_ROOM / 2 * max(face.width, face.height)
    x, y = face.center
    rows = slice(max(round(y - half), 0), min(round(y + half), height))
    columns = slice(max(round(x - half), 0), min(round(x + half), width))
    part = image[rows, columns]
    return np.ascontiguousarray(part) if part.size else image


def read_ahead(pictures: Sequence[Picture]) -> Iterator[NDArray[np.uint8] | None]:
    """Read pictures in a second thread, a few ahead of the one that is being worked on.

    Yields:
        H×W×3 uint8, BGR; None for what cannot be read, which is reported on stderr: one bad file of thousands must
        not stop hours of work.

    Raises:
        DataError: none of the first ones can be read, so that something else is wrong.
    """
    _refuse_unreadable(pictures[:READ_AHEAD])
    with ThreadPoolExecutor(1) as pool:
        for start in range(0, len(pictures), READ_AHEAD):
            yield from pool.map(_read_or_warn, pictures[start : start + READ_AHEAD])


def _refuse_unreadable(pictures: Sequence[Picture]) -> None:
    errors: list[DataError] = []
    for picture in pictures:
        try:
            picture.read()
        except DataError as error:
            errors.append(error)
        else:
            return
    if errors:
        raise errors[0]


def _read_or_warn(picture: Picture) -> NDArray[np.uint8] | None:
    try:
        return picture.read()
    except DataError as error:
        warn(f"{error} It is left out.")
        return None


@dataclass(slots=True)
class PictureFinder:
    """Finds pictures as files or in the zip files of a folder.

    Args:
        folder: that of both.
        pattern: which zip files are looked into.

    Raises:
        DataError: a zip file cannot be read.
    """

    folder: Path
    pattern: str
    _members: dict[str, Path] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """List what the zip files hold."""
        for path in sorted(self.folder.glob(self.pattern)):
            try:
                self._members.update(dict.fromkeys(_archive(path).namelist(), path))
            except (OSError, *_ZIP_ERRORS) as error:
                raise DataError(f"Cannot read the zip file {path}: {error}. Copy it again.") from error

    def find(self, name: str) -> Picture:
        """The picture of that name; whether it is there as a file shows when it is read."""
        if name in self._members:
            return Picture(self._members[name], name)
        return Picture(self.folder / name)


@lru_cache(maxsize=32)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
