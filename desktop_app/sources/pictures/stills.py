"""Still pictures: single files and folders."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.errors import reason_of
from desktop_app.messages import Message, join_lines, list_names
from desktop_app.sources.base import PictureFile, SourceBase, SourceError, SourceInfo
from desktop_app.sources.frame import Frame
from desktop_app.sources.pictures.decoding import Animation, HeicError, Picture, open_picture, read_picture

__all__ = [
    "FOLDER_RATE",
    "FolderSource",
    "HeicError",
    "IMAGE_SUFFIXES",
    "ImageSource",
    "PICTURE_SUFFIXES",
    "list_images",
    "load_image",
    "natural_key",
]

IMAGE_SUFFIXES: Final = frozenset(
    {".apng", ".avif", ".avifs", ".bmp", ".dib", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"}
    | {".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
FOLDER_RATE: Final = 1.0
"""Pictures per second when a folder is shown: time enough to look at each."""

PICTURE_SUFFIXES: Final = IMAGE_SUFFIXES | {".gif"}
"""Files of a folder that are taken for pictures."""

_CLOSE_TIMEOUT_S: Final = 0.1


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as `read_picture` does, without its notice.

    Returns:
        H×W×3 uint8, BGR, C-contiguous.

    Raises:
        SourceError: the file cannot be read or is no picture; `HeicError` for that kind.
    """
    return read_picture(path).image


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
            if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        raise SourceError(
            "Cannot read the folder “{folder}”: {reason}. Check its permissions and its disk.",
            folder=folder,
            reason=reason_of(error),
        ) from error
    return sorted(paths, key=natural_key)


class PictureSource(SourceBase):
    """One picture, as a source of one frame at time 0.

    Args:
        image: H×W×3 uint8, BGR.
        info: what is known about it.
        notice: what there is to say of it.
    """

    def __init__(self, image: NDArray[np.uint8], info: SourceInfo, notice: Message | None) -> None:
        self._frame = Frame(image, 0, 0.0, info.name, alone=True)
        self._info, self._notice = info, notice
        self._left = 1

    @property
    def info(self) -> SourceInfo:
        """The picture's name and size."""
        return self._info

    @property
    def notice(self) -> Message | None:
        """Where the picture is damaged or has more pages."""
        return self._notice

    def read(self) -> Frame | None:
        """The picture, once; see `Source.read`."""
        return self._frame if self.skip(1) else None

    def skip(self, count: int) -> int:
        """Skip the picture if it was not read yet."""
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


class ImageSource(PictureSource):
    """A picture file.

    Args:
        path: the picture's file.
        spec: what the user called it; the path if not given.

    Raises:
        SourceError: it cannot be read or is no picture.
    """

    def __init__(self, path: Path, *, spec: str | None = None) -> None:
        picture = read_picture(path)
        height, width = picture.image.shape[:2]
        notice = None
        if picture.damaged:
            notice = Message("“{name}” is damaged: only a part of it is shown.", name=path.name)
        elif picture.has_more_pages:
            notice = Message("“{name}” has several pages: only the first one is shown.", name=path.name)
        info = SourceInfo("image", path.name, spec or str(path), width, height, 0.0, 1, live=False)
        super().__init__(picture.image, info, notice)


@dataclass(slots=True)
class _Item:
    """A file of a folder: one picture, or an animation once it was opened."""

    path: Path
    frame_count: int = 1
    period_s: float = 1 / FOLDER_RATE

    @property
    def length_s(self) -> float:
        """How long it is shown: an animation once, but no shorter than any other picture."""
        return max(self.frame_count * self.period_s, 1 / FOLDER_RATE)


class FolderSource(SourceBase):
    """The pictures of a folder, or those that are chosen, in natural order; their sizes may differ.

    A picture takes one second of media time, an animation as long as it lasts. Pictures that cannot be read are
    skipped: they leave the count as soon as they are met, as the frames of an animation enter it.

    Args:
        folder: the folder; those within it are not searched.
        spec: what the user called it; the path if not given.
        files: these pictures in this order, in place of all that the folder holds.

    Raises:
        SourceError: no picture in it can be read.
    """

    def __init__(self, folder: Path, *, spec: str | None = None, files: Sequence[Path] | None = None) -> None:
        self._folder = folder
        self._name = folder.name or str(folder)
        if files is not None:
            self._name = ", ".join(path.name for path in files[:1]) + ", …" * (len(files) > 1)
        self._spec = spec or str(folder)
        self._lock = threading.Lock()
        self._closed = False
        self._unreadable: list[Path] = []
        # Ordered sets: a folder that loops meets its pictures again.
        self._damaged: dict[Path, None] = {}
        self._with_pages: dict[Path, None] = {}
        self._reason: Message | None = None
        self._animation: Animation | None = None
        self._items = [_Item(path) for path in (list_images(folder) if files is None else files)]
        # The frame that is next: of which file, which of its frames, and where that file begins.
        self._place = self._offset = 0
        self._start, self._start_s = 0, 0.0
        self._totals: tuple[int, float, tuple[PictureFile, ...]] | None = None
        found = len(self._items)
        if not found:
            raise SourceError(
                "Cannot open the folder “{folder}”: it contains no pictures. Choose one with JPEG, PNG or similar "
                "files.",
                folder=folder,
            )
        first = self._load_next()
        if first is None:
            raise SourceError(
                "Cannot open the folder “{folder}”: none of its %n picture(s) can be read. {reason}",
                None,
                found,
                folder=folder,
                reason=self._reason,
            )
        # Kept, so that opening a folder does not read its first picture twice.
        self._first: NDArray[np.uint8] | None = first
        self._height, self._width = first.shape[:2]

    @property
    def info(self) -> SourceInfo:
        """The folder's name and the number of frames in the pictures that are not known to be unreadable."""
        count, length_s, pictures = self._total()
        return SourceInfo(
            "folder",
            self._name,
            self._spec,
            self._width,
            self._height,
            FOLDER_RATE,
            count,
            live=False,
            length_s=length_s,
            pictures=pictures,
        )

    @property
    def unreadable(self) -> tuple[Path, ...]:
        """The pictures that were skipped so far."""
        return tuple(self._unreadable)

    @property
    def notice(self) -> Message | None:
        """One line each for pictures that were skipped, damaged ones, and those with more pages."""
        return join_lines(self._skipped_notice(), self._damaged_notice(), self._pages_notice())

    def read(self) -> Frame | None:
        """The next picture or frame; see `Source.read`."""
        with self._lock:
            first, self._first = self._first, None
            if first is None or self._place or self._offset:
                first = None if self._closed else self._load_next()
            if first is None or self._closed:
                self._close_animation()
                return None
            item = self._items[self._place]
            index, time_s = self._start + self._offset, self._start_s + self._offset * item.period_s
            frame = Frame(first, index, time_s, item.path.name, alone=not self._offset)
            self._advance(1)
            return frame

    def skip(self, count: int) -> int:
        """Skip up to `count` pictures without opening them."""
        with self._lock:
            left = self._total()[0] - self._start - self._offset
            passed = 0 if self._closed else min(max(count, 0), left)
            self._advance(passed)
            return passed

    def seek(self, index: int) -> None:
        """Make frame `index` the next one, kept within the folder."""
        with self._lock:
            self._place = self._offset = self._start = 0
            self._start_s = 0.0
            self._close_animation()
            self._advance(min(max(index, 0), self._total()[0] - 1))

    def close(self) -> None:
        """End the source; see `Source.close`."""
        self._closed = True
        # A read that hangs on a lost disk keeps the lock; it then closes the file itself.
        if self._lock.acquire(timeout=_CLOSE_TIMEOUT_S):
            try:
                self._close_animation()
            finally:
                self._lock.release()

    def _skipped_notice(self) -> Message | None:
        count = len(self._unreadable)
        return (
            Message("Skipped %n unreadable picture(s): {names}", None, count, names=_listed(self._unreadable))
            if count
            else None
        )

    def _damaged_notice(self) -> Message | None:
        if not self._damaged:
            return None
        return Message("Damaged, shown only in part: {names}", names=_listed(self._damaged))

    def _pages_notice(self) -> Message | None:
        if not self._with_pages:
            return None
        return Message("Several pages, only the first one is shown: {names}", names=_listed(self._with_pages))

    def _total(self) -> tuple[int, float, tuple[PictureFile, ...]]:
        """Number of frames, their duration in seconds, and where each file begins."""
        if self._totals is None:
            count, length_s, pictures = 0, 0.0, []
            for item in self._items:
                pictures.append(PictureFile(item.path, count))
                count, length_s = count + item.frame_count, length_s + item.length_s
            self._totals = count, length_s, tuple(pictures)
        return self._totals

    def _advance(self, count: int) -> None:
        self._offset += count
        while self._place < len(self._items) and self._offset >= self._items[self._place].frame_count:
            item = self._items[self._place]
            self._offset -= item.frame_count
            self._start += item.frame_count
            self._start_s += item.length_s
            self._place += 1
            self._close_animation()

    def _close_animation(self) -> None:
        if self._animation is not None:
            self._animation.close()
            self._animation = None

    def _load_next(self) -> NDArray[np.uint8] | None:
        """Decode the next frame; skip what cannot be read."""
        while self._place < len(self._items):
            item = self._items[self._place]
            try:
                return self._load(item)
            except SourceError as error:
                self._close_animation()
                self._totals = None
                if self._offset:
                    # An animation that ends before its time.
                    item.frame_count = self._offset
                    self._advance(0)
                    continue
                self._reason = self._reason or error.message
                self._unreadable.append(self._items.pop(self._place).path)
        return None

    def _load(self, item: _Item) -> NDArray[np.uint8]:
        opened: Picture | Animation = self._animation or open_picture(item.path)
        if isinstance(opened, Picture):
            if item.frame_count > 1:
                item.frame_count, item.period_s, self._offset, self._totals = 1, 1 / FOLDER_RATE, 0, None
            if opened.damaged:
                self._damaged[item.path] = None
            if opened.has_more_pages:
                self._with_pages[item.path] = None
            return opened.image
        self._animation = opened
        image, period_s = opened.read(self._offset)
        if item.frame_count == 1:
            item.frame_count, item.period_s, self._totals = opened.frame_count, period_s, None
        return image


def _listed(paths: Iterable[Path]) -> str:
    return list_names([path.name for path in paths])


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sorts files by name as people count: 2.png before 10.png."""
    return [*_natural_parts(path.name.casefold()), (2, 0, path.name)]


def _natural_parts(name: str) -> Iterator[tuple[int, int, str]]:
    for part in re.findall(r"[0-9]+|[^0-9]+", name):
        yield (0, int(part), "") if part[0] in "0123456789" else (1, 0, part)
