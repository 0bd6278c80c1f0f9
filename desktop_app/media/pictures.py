"""Still pictures: one, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.media.base import SourceBase, SourceError, SourceInfo
from desktop_app.media.frame import Frame

IMAGE_SUFFIXES: Final = frozenset(
    {".avif", ".bmp", ".dib", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"}
    | {".ppm", ".tif", ".tiff", ".webp"}
)
"""HEIC pictures cannot be read, but phones make them: to say so is better than to leave them out in silence."""
FOLDER_RATE: Final = 1.0
"""Pictures per second when a folder is shown: time enough to look at each."""

_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})

# What OpenCV would say on stderr of a picture that it cannot read is said by our own errors.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class HeicError(SourceError):
    """A picture is of the kind that iPhones take, which nothing here can read as a whole."""


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture, upright as its EXIF data says; grey, 16-bit and transparent ones are converted.

    Returns:
        H×W×3 uint8, BGR, C-contiguous.

    Raises:
        SourceError: the file cannot be read or is no picture; `HeicError` for that kind.
    """
    try:
        # Not cv2.imread: it cannot open paths with some characters on Windows.
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be opened: {error.strerror or error}") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_BGR) if data.size else None
    except cv2.error:
        image = None
    if image is None and _is_heic(data):
        raise HeicError(f"{path.name} is a HEIC picture, which cannot be read; save it as JPEG first")
    if image is None:
        raise SourceError(f"{path.name} is not a picture that can be read; it is damaged or of another kind")
    return np.ascontiguousarray(image, np.uint8)


def list_images(folder: Path) -> list[Path]:
    """The picture files directly in a folder, by name as people count: 2.png before 10.png.

    Raises:
        SourceError: the folder cannot be read.
    """
    try:
        # Names that begin with a dot are the system's: macOS leaves "._x.jpg" beside each "x.jpg".
        paths = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        raise SourceError(f"the folder {folder} cannot be read: {error.strerror or error}") from error
    return sorted(paths, key=lambda path: _natural_key(path.name))


class ImageSource(SourceBase):
    """One picture, as a source of one frame at time 0.

    Args:
        path: the picture's file.
        spec: what the user called it; the path if not given.

    Raises:
        SourceError: it cannot be read or is no picture.
    """

    def __init__(self, path: Path, *, spec: str | None = None) -> None:
        image = load_image(path)
        height, width = image.shape[:2]
        self._frame = Frame(image, 0, 0.0, path.name)
        self._info = SourceInfo("image", path.name, spec or str(path), width, height, 0.0, 1, live=False)
        self._left = 1

    @property
    def info(self) -> SourceInfo:
        """The picture's name and size."""
        return self._info

    def read(self) -> Frame | None:
        """The picture, once; see `Source.read`."""
        return self._frame if self.skip(1) else None

    def skip(self, count: int) -> int:
        """Pass over the picture if it was not read yet."""
        passed = min(max(count, 0), self._left)
        self._left -= passed
        return passed

    def seek(self, index: int) -> None:  # noqa: ARG002 - the protocol's name; there is only one frame
        """Make the picture the next frame again, unless the source is closed."""
        self._left = 1 if self._frame.image.size else 0

    def close(self) -> None:
        """End the source; see `Source.close`."""
        self._frame = Frame(np.empty((0, 0, 3), np.uint8), 0, 0.0)
        self._left = 0


class FolderSource(SourceBase):
    """The pictures of a folder in natural order, one a second of media time; their sizes may differ.

    Pictures that cannot be read are passed over: they leave the count as soon as they are met.

    Args:
        folder: the folder; those within it are not searched.
        spec: what the user called it; the path if not given.

    Raises:
        SourceError: no picture in it can be read.
    """

    def __init__(self, folder: Path, *, spec: str | None = None) -> None:
        self._folder = folder
        self._spec = spec or str(folder)
        self._paths = list_images(folder)
        self._unreadable: list[Path] = []
        self._reason = ""
        self._next_index = 0
        self._closed = False
        found = len(self._paths)
        if not found:
            raise SourceError(f"the folder {folder} holds no pictures; give one with JPEG, PNG or similar files")
        first = self._load_next()
        if first is None:
            raise SourceError(f"none of the pictures in {folder} ({found}) can be read: {self._reason}")
        # Kept, so that opening a folder does not read its first picture twice.
        self._first: NDArray[np.uint8] | None = first
        self._height, self._width = first.shape[:2]

    @property
    def info(self) -> SourceInfo:
        """The folder's name and the number of pictures that are not known to be unreadable."""
        name = self._folder.name or str(self._folder)
        count = len(self._paths)
        return SourceInfo("folder", name, self._spec, self._width, self._height, FOLDER_RATE, count, live=False)

    @property
    def unreadable(self) -> tuple[Path, ...]:
        """The pictures that were passed over so far."""
        return tuple(self._unreadable)

    @property
    def notice(self) -> str:
        """One sentence if pictures were passed over, else empty."""
        if not self._unreadable:
            return ""
        names = ", ".join(path.name for path in self._unreadable[:3])
        more = ", …" if len(self._unreadable) > 3 else ""
        plural = "picture" if len(self._unreadable) == 1 else "pictures"
        return f"{len(self._unreadable)} {plural} could not be read and were left out: {names}{more}"

    def read(self) -> Frame | None:
        """The next picture; see `Source.read`."""
        if self._closed:
            return None
        first, self._first = self._first, None
        image = first if first is not None and self._next_index == 0 else self._load_next()
        if image is None:
            return None
        index, self._next_index = self._next_index, self._next_index + 1
        return Frame(image, index, index / FOLDER_RATE, self._paths[index].name)

    def skip(self, count: int) -> int:
        """Pass over up to `count` pictures without opening them."""
        if self._closed:
            return 0
        passed = min(max(count, 0), len(self._paths) - self._next_index)
        self._next_index += passed
        return passed

    def seek(self, index: int) -> None:
        """Make picture `index` the next one, kept within the folder."""
        self._next_index = min(max(index, 0), len(self._paths) - 1)

    def close(self) -> None:
        """End the source; see `Source.close`."""
        self._closed = True

    def _load_next(self) -> NDArray[np.uint8] | None:
        while self._next_index < len(self._paths):
            try:
                return load_image(self._paths[self._next_index])
            except SourceError as error:
                self._reason = self._reason or str(error)
                self._unreadable.append(self._paths.pop(self._next_index))
        return None


def _is_heic(data: NDArray[np.uint8]) -> bool:
    """Whether a file's first box names one of the brands of HEIC."""
    head = data[:64].tobytes()
    size = int.from_bytes(head[:4], "big")
    brands = {head[place : place + 4] for place in range(8, min(size, len(head)), 4)}
    return head[4:8] == b"ftyp" and not brands.isdisjoint(_HEIC_BRANDS)


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    return [*_natural_parts(name.casefold()), (2, 0, name)]


def _natural_parts(name: str) -> Iterator[tuple[int, int, str]]:
    for part in re.findall(r"[0-9]+|[^0-9]+", name):
        yield (0, int(part), "") if part[0] in "0123456789" else (1, 0, part)
