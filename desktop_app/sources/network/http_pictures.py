"""Pictures over HTTP: MJPEG cameras (multipart streams) and single pictures; `streams` plays videos."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from desktop_app.messages import Message
from desktop_app.sources.base import MAX_PIXELS, SourceError, SourceInfo, SourceStalledError
from desktop_app.sources.live import Captured
from desktop_app.sources.network.multipart import (
    MAX_PART_BYTES,
    EndedEarlyError,
    NotMultipartError,
    Part,
    is_multipart,
    is_picture,
    read_parts,
    stated_boundary,
)
from desktop_app.sources.pictures.decoding import Picture, PictureTooLargeError, decode_picture

if TYPE_CHECKING:
    from desktop_app.sources.network.http_client import HttpResponse

_PEEKED_BYTES: Final = 512


def open_pictures(response: HttpResponse, url: str, stop: threading.Event) -> HttpPictures | None:
    """Read what an address gives as pictures; None if it gives something else, perhaps a video.

    Args:
        response: the answer, not read yet.
        url: the address, for `SourceInfo.spec`.
        stop: ends the wait for the first picture.

    Raises:
        SourceError: the pictures cannot be read.
    """
    if response.content_type.lower().startswith("multipart/"):
        return MjpegCapture(response, url, stop)
    head = response.peek(_PEEKED_BYTES)
    if is_multipart(head):
        return MjpegCapture(response, url, stop)
    # FFmpeg plays those GIFs that are animated.
    if is_picture(head) and not head.startswith(b"GIF8"):
        return StillCapture(response, url)
    return None


class MjpegCapture:
    """The pictures of a multipart stream, as a `Capture`.

    A damaged picture among sound ones is skipped and counted. Where one follows another, they are shown: some cameras
    never write quite sound ones.

    Args:
        response: the answer.
        url: the address, for `SourceInfo.spec`.
        stop: ends the wait for the first picture.

    Raises:
        SourceError: no picture came that can be read.
    """

    def __init__(self, response: HttpResponse, url: str, stop: threading.Event) -> None:
        self._response, self._name, self._stop = response, response.name, stop
        self._damaged_count = 0
        self._is_sound = False
        self._pictures = self._decode_parts()
        self._first = next(self._pictures, None)
        if self._first is None:
            raise _no_picture(self._name)
        height, width = self._first.image.shape[:2]
        self._info = SourceInfo("stream", self._name, url, width, height, 0.0, None, live=True)

    @property
    def info(self) -> SourceInfo:
        """The size of the first picture; the rate is unknown."""
        return self._info

    @property
    def notice(self) -> Message | None:
        """Where pictures were damaged."""
        return damage_notice(self._name, self._damaged_count)

    def read(self) -> Captured | None:
        """Wait for the next picture; None at the stream's regular end.

        Raises:
            SourceStalledError: the connection broke off or went silent.
            SourceError: a picture is too large.
        """
        picture, self._first = self._first, None
        if picture is None:
            picture = next(self._pictures, None)
        return None if picture is None else Captured(picture.image, time.monotonic())

    def interrupt(self) -> None:
        """Make a read that waits in another thread end."""
        self._response.interrupt()

    def close(self) -> None:
        """End the connection."""
        self._response.close()

    def _decode_parts(self) -> Iterator[Picture]:
        try:
            for part in read_parts(self._response, stated_boundary(self._response.content_type)):
                if self._stop.is_set():
                    return
                if part.is_picture and (picture := self._decode(part)):
                    yield picture
        except EndedEarlyError:
            raise SourceStalledError(
                "Cannot continue with “{name}”: the connection broke off ({reason}). Check the network.",
                name=self._name,
                reason=Message("the connection ended"),
            ) from None
        except NotMultipartError:
            raise _no_picture(self._name) from None
        except PictureTooLargeError:
            raise _too_large(self._name) from None

    def _decode(self, part: Part) -> Picture | None:
        try:
            picture = decode_picture(io.BytesIO(part.content), self._name)
        except PictureTooLargeError:
            raise
        except SourceError:
            self._damaged_count += 1
            return None
        after_sound_one, self._is_sound = self._is_sound, not picture.damaged
        if picture.damaged and after_sound_one:
            self._damaged_count += 1
            return None
        return picture


class StillCapture:
    """A single picture, as a `Capture` that ends after it.

    Args:
        response: the answer.
        url: the address, for `SourceInfo.spec`.

    Raises:
        SourceError: it did not come whole, or cannot be read.
    """

    def __init__(self, response: HttpResponse, url: str) -> None:
        self._response = response
        name = response.name
        content = bytearray()
        while data := response.read():
            content += data
            if len(content) > MAX_PART_BYTES:
                raise _no_picture(name)
        try:
            picture = decode_picture(io.BytesIO(content), name)
        except PictureTooLargeError:
            raise _too_large(name) from None
        self.notice = (
            Message("“{name}” is damaged: only a part of it is shown.", name=name) if picture.damaged else None
        )
        height, width = picture.image.shape[:2]
        self.info = SourceInfo("image", name, url, width, height, 0.0, 1, live=False)
        self._picture: Picture | None = picture

    def read(self) -> Captured | None:
        """The picture, once."""
        picture, self._picture = self._picture, None
        return None if picture is None else Captured(picture.image, time.monotonic())

    def interrupt(self) -> None:
        """Do nothing: no read waits."""

    def close(self) -> None:
        """End the connection."""
        self._response.close()


def damage_notice(name: str, count: int) -> Message | None:
    """What to say of a stream of which so many pictures were damaged."""
    return Message("Skipped %n damaged picture(s) of “{name}”.", None, count, name=name) if count > 0 else None


HttpPictures = MjpegCapture | StillCapture


def _no_picture(name: str) -> SourceError:
    return SourceError(
        "Cannot open “{name}”: it sends no picture that can be read. Give the address of a video stream or a picture.",
        name=name,
    )


def _too_large(name: str) -> SourceError:
    limit = MAX_PIXELS // 1_000_000
    return SourceError(
        "Cannot read “{name}”: its pictures have more than {limit} million pixels. Set it to send smaller ones.",
        name=name,
        limit=limit,
    )
