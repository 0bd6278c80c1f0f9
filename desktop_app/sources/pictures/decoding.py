"""Decodes still and animated pictures: upright BGR arrays, bounded memory, damage reported.

One rule decides which library decodes what: Pillow opens every picture and reads its header; the pixels of JPEG files
come from simplejpeg, which reports damaged data and needs half the memory, and those of all other formats from Pillow.
Nothing is decoded before the header's size was checked.
"""

from __future__ import annotations

import ctypes
import io
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final, cast

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, _imaging

from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.sources.base import MAX_PIXELS, SourceError

MAX_FILE_BYTES: Final = 4 * MAX_PIXELS
"""A larger file holds more than one picture of `MAX_PIXELS`, or is no picture."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP", "DIB", "JPEG2000", "PPM", "HEIF")
_ANIMATED_FORMATS: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})
_ORIENTATION_TAG: Final = 0x0112
# Converted at a time: Pillow's own conversion of a whole picture would hold it in memory twice more.
_STRIP_PIXELS: Final = 1 << 20
# A picture of more pixels has at least so many bytes for them, unless it is blank, or states what it does not hold.
_UNSUSPECTED_PIXELS: Final = 30_000_000
_MAX_PIXELS_PER_BYTE: Final = 200
# The strips or tiles of a TIFF file: each takes its time, however small.
_MAX_PIECES: Final = 50_000
# More than a byte for each pixel is hardly ever found in JPEG; metadata and what phones append come on top.
_JPEG_EXTRA_BYTES: Final = 64 << 20
# Progressive files have about ten scans, each of which covers the whole picture.
_MAX_JPEG_SCANS: Final = 20
# From the data of a scan to the next marker that is not part of it.
_NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# What a frame takes in any format; a file states more frames than it has at will.
_MIN_FRAME_BYTES: Final = 8
# Browsers show frames that state less than this for 0.1 s.
_SHORTEST_FRAME_MS: Final = 10.0
_DEFAULT_FRAME_MS: Final = 100.0

# Pillow warns of odd metadata, which does not concern what is shown, and logs what it raises anyway.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
_truncated_lock = threading.Lock()


class HeicError(SourceError):
    """A HEIC picture, of the kind that phones take, is damaged; FFmpeg would show one of its tiles as a film."""


class PictureTooLargeError(SourceError):
    """A picture has more pixels than `MAX_PIXELS`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: H×W×3 uint8, BGR, C-contiguous, upright.
        damaged: whether only a part of it could be decoded.
        has_more_pages: whether the file holds further pages.
    """

    image: NDArray[np.uint8]
    damaged: bool = False
    has_more_pages: bool = False


def read_picture(path: Path) -> Picture:
    """Read a picture file; of an animation the first frame, of several pages the first.

    Grey, palette, 16-bit, CMYK and transparent pictures are converted; what is transparent becomes white. A damaged
    picture is returned as far as it can be decoded.

    Raises:
        SourceError: the file cannot be read, is no picture, or is too large; `HeicError` for that kind.
    """
    with _open_file(path) as file:
        return decode_picture(file, path.name)


def decode_picture(file: IO[bytes], name: str) -> Picture:
    """Decode the picture in a seekable binary file, see `read_picture`.

    Args:
        file: of any position.
        name: for messages.

    Raises:
        SourceError: it is no picture, or is too large; `HeicError` for that kind.
    """
    with _explained_errors(file, name):
        return _decode(file, _open_header(file, name), name)


def open_picture(path: Path) -> Picture | Animation:
    """Read a picture file, or open it for reading frame by frame if it is animated.

    Raises:
        SourceError: as `read_picture`.
    """
    return open_animation(path) or read_picture(path)


def open_animation(path: Path) -> Animation | None:
    """Open a picture file for reading frame by frame; None where it is not animated.

    Raises:
        SourceError: as `read_picture`.
    """
    file = _open_file(path)
    with ExitStack() as stack:
        stack.callback(file.close)
        with _explained_errors(file, path.name):
            header = _open_header(file, path.name)
            stated = getattr(header, "n_frames", 1) if header.format in _ANIMATED_FORMATS else 1
            frame_count = min(stated, file.seek(0, os.SEEK_END) // _MIN_FRAME_BYTES)
            if frame_count <= 1:
                return None
        stack.pop_all()
    return Animation(file, header, path.name, frame_count)


class Animation:
    """The frames of an animated GIF, WebP, PNG or AVIF file, decoded one at a time; see `open_picture`.

    Args:
        file: the open file; it is closed with the animation.
        header: the open picture.
        name: for messages.
        frame_count: how many frames the file states.
    """

    def __init__(self, file: IO[bytes], header: Image.Image, name: str, frame_count: int) -> None:
        self._file, self._image, self._name = file, header, name
        self.frame_count = frame_count

    def read(self, index: int) -> tuple[NDArray[np.uint8], float]:
        """Decode frame `index`; cheapest in ascending order.

        Returns:
            The frame (H×W×3 uint8, BGR) and how long it is shown, in seconds.

        Raises:
            SourceError: the file ends before that frame, or is damaged there.
        """
        with _explained_errors(self._file, self._name):
            self._image.seek(index)
            _check_pixels(self._image.size, self._name)
            self._image.load()
            duration_ms = float(self._image.info.get("duration") or 0)
            if not duration_ms > _SHORTEST_FRAME_MS:
                duration_ms = _DEFAULT_FRAME_MS
            return _upright(_to_bgr(self._image), self._image), duration_ms / 1000

    def close(self) -> None:
        """Close the file."""
        self._image.close()
        self._file.close()


@contextmanager
def _explained_errors(file: IO[bytes], name: str) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise SourceError(
                "Cannot open “{name}”: {reason}. Check the file and its disk.", name=name, reason=reason_of(error)
            ) from error
        # Not only OSError: on damaged files, Pillow's readers raise whatever their parsers run into.
        message = Message("Cannot open “{name}”: it is damaged or is not a picture. Choose another file.", name=name)
        raise (HeicError if _is_heic(file) else SourceError).from_message(message) from error


def _open_header(file: IO[bytes], name: str) -> Image.Image:
    if _is_heic(file):
        _learn_heif()
    image = Image.open(file, formats=_FORMATS)
    _check_pixels(image.size, name)
    if len(getattr(image, "tile", ())) > _MAX_PIECES:
        raise ValueError("too many pieces")
    pixels, place = image.width * image.height, file.tell()
    if pixels > _UNSUSPECTED_PIXELS and pixels > _MAX_PIXELS_PER_BYTE * file.seek(0, os.SEEK_END):
        millions = pixels // 1_000_000
        raise SourceError(
            "Cannot open “{name}”: it states {millions} million pixels but contains too little data for them. Choose "
            "another file.",
            name=name,
            millions=millions,
        )
    file.seek(place)
    return image


def _decode(file: IO[bytes], header: Image.Image, name: str) -> Picture:
    if header.format in {"JPEG", "MPO"} and header.mode in {"L", "RGB"}:
        image, damaged = _decode_jpeg(file, header, name)
    else:
        image, damaged = _decode_other(file, header, name)
    return Picture(image, damaged, not damaged and _has_more_pages(header))


def _decode_jpeg(file: IO[bytes], header: Image.Image, name: str) -> tuple[NDArray[np.uint8], bool]:
    orientation = _orientation(header)
    file.seek(0)
    pixels = header.width * header.height
    data = file.read(pixels + _JPEG_EXTRA_BYTES)
    if _count_scans(data) * pixels > _MAX_JPEG_SCANS * MAX_PIXELS:
        raise ValueError("too many scans")
    height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    _check_pixels((width, height), name)
    try:
        return _turn(simplejpeg.decode_jpeg(data, "BGR", strict=True), orientation), False
    except ValueError:
        pass
    try:
        return _turn(simplejpeg.decode_jpeg(data, "BGR", strict=False), orientation), True
    except ValueError:
        # Damage that ends libjpeg's work; Pillow keeps what was decoded until then.
        return _decode_truncated(io.BytesIO(data), name), True


def _count_scans(data: bytes) -> int:
    """Number of scans of a JPEG picture, as far as its markers are in order."""
    scans, place = 0, 2
    while (marker := _NEXT_MARKER.search(data, place)) and marker[0] != b"\xff\xd9":
        scans += marker[0] == b"\xff\xda"
        place = marker.end() + max(int.from_bytes(data[marker.end() : marker.end() + 2], "big"), 2)
    return scans


def _decode_other(file: IO[bytes], image: Image.Image, name: str) -> tuple[NDArray[np.uint8], bool]:
    try:
        image.load()
    except Image.DecompressionBombError:
        raise
    except Exception:
        # Not only OSError, see above.
        return _decode_truncated(file, name), True
    # The frames of a GIF can be larger than the file's header says.
    _check_pixels(image.size, name)
    return _upright(_to_bgr(image), image), False


def _decode_truncated(file: IO[bytes], name: str) -> NDArray[np.uint8]:
    """Decode as much of a damaged picture as there is.

    Raises:
        ValueError: nothing could be decoded.
    """
    # Pillow knows this setting for the whole process only.
    with _truncated_lock:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            image = _open_header(file, name)
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
    _check_pixels(image.size, name)
    pixels = _to_bgr(image)
    if pixels.min() == pixels.max():
        raise ValueError("nothing was decoded")
    return _upright(pixels, image)


def _to_bgr(image: Image.Image) -> NDArray[np.uint8]:
    """A loaded picture of any mode as H×W×3 uint8, BGR."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    # Numbers that are no brightness by themselves (distances, temperatures) are spread over the whole range.
    low, high = cast("tuple[float, float]", image.getextrema()) if image.mode in {"I", "F"} else (0.0, 0.0)
    rows = max(_STRIP_PIXELS // width, 1)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        if strip.mode in {"I", "F"}:
            grey = _spread(np.asarray(strip), low, high)
        elif strip.mode.startswith("I;16"):
            grey = (np.asarray(strip) >> 8).astype(np.uint8)
        else:
            packed = np.frombuffer(_opaque(strip).tobytes("raw", "BGR"), np.uint8)
            pixels[top : top + rows] = packed.reshape(strip.height, width, 3)
            continue
        pixels[top : top + rows] = grey[:, :, np.newaxis]
    return pixels


def _spread(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    scale = 255 / (high - low) if high > low else 0.0
    with np.errstate(all="ignore"):
        # What is not a number becomes 0.
        spread = np.nan_to_num((values.astype(np.float64) - low) * scale)
    return np.asarray(np.clip(spread, 0, 255), np.uint8)


def _opaque(image: Image.Image) -> Image.Image:
    """The picture in RGB, over white where it is transparent."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    transparent = image.convert("RGBA")
    opaque = Image.new("RGB", image.size, "white")
    opaque.paste(transparent, mask=transparent)
    return opaque


def _upright(pixels: NDArray[np.uint8], image: Image.Image) -> NDArray[np.uint8]:
    return _turn(pixels, _orientation(image))


def _orientation(image: Image.Image) -> int:
    """The orientation in the Exif data, 1 to 8; Pillow gives that of AVIF pictures, too."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # Damaged metadata says nothing about how to hold the picture, and Pillow raises many things for it.
        return 1


def _turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation in {5, 6, 7, 8}:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip), np.uint8)


def _has_more_pages(image: Image.Image) -> bool:
    if image.format != "TIFF":
        return False
    try:
        image.seek(1)
    except Exception:
        # EOFError where there are none; anything else where the next page is damaged.
        return False
    return True


class _PictureFile(io.BufferedReader):
    """A file that reads no more than is left: Python would first allocate all that was requested."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size = self.seek(0, os.SEEK_END)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, or all that is left."""
        left = max(self.size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _open_file(path: Path) -> IO[bytes]:
    try:
        file = _PictureFile(path)
    except OSError as error:
        raise SourceError(
            "Cannot open “{name}”: {reason}. Check the file and its disk.",
            name=path.name,
            reason=reason_of(error),
        ) from error
    if file.size > MAX_FILE_BYTES:
        file.close()
        limit = MAX_FILE_BYTES // 1_000_000
        raise SourceError(
            "Cannot open “{name}”: it is larger than {limit} MB. Choose a smaller picture.", name=path.name, limit=limit
        )
    return file


def _silence_libtiff() -> None:
    """Keep libtiff from writing to stderr what Pillow raises as well."""
    with suppress(OSError, AttributeError):
        # Where the library is part of Pillow's own module, its functions cannot be reached.
        libtiff = ctypes.CDLL(_imaging.__file__)
        libtiff.TIFFSetErrorHandler.restype = ctypes.c_void_p
        libtiff.TIFFSetErrorHandler(None)


def _check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_many_pixels(name)


def _too_many_pixels(name: str) -> PictureTooLargeError:
    limit = MAX_PIXELS // 1_000_000
    return PictureTooLargeError(
        "Cannot open “{name}”: it has more than {limit} million pixels. Save it in a smaller size.",
        name=name,
        limit=limit,
    )


@cache
def _learn_heif() -> None:
    """Let Pillow read HEIC, which phones write. Imported late: it loads a decoder for video."""
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False)


def _is_heic(file: IO[bytes]) -> bool:
    """Whether a file's first box holds a HEIC brand; leaves the file at its beginning."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    size = int.from_bytes(head[:4], "big")
    brands = {head[place : place + 4] for place in range(8, min(size, len(head)), 4)}
    return head[4:8] == b"ftyp" and not brands.isdisjoint(_HEIC_BRANDS)


_silence_libtiff()
