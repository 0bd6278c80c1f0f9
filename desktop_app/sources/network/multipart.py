"""Splits a multipart stream into its parts as browsers do, for the many dialects of cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

MAX_PART_BYTES: Final = 64 << 20
"""A part that has not ended by then is no picture."""

_MAX_LINE: Final = 4096
_MAX_BOUNDARY: Final = 256
_MAX_GARBAGE: Final = 256
_HEADER: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)")
_FIRST_LINE: Final = re.compile(rb"\s*--+([^\s-]\S*)[^\n]*\n")
_MARKERS: Final = re.compile(rb"\s*--[^\n]{1,200}\n\s*content-", re.IGNORECASE)
_BOUNDARY: Final = re.compile(r"boundary\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;,]+))", re.IGNORECASE)
_PICTURE_STARTS: Final = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")


class ByteStream(Protocol):
    """What the bytes come from."""

    def read(self) -> bytes:
        """Wait for some bytes; empty at the end."""
        ...


class EndedEarlyError(Exception):
    """The stream ended without a closing boundary."""


class NotMultipartError(Exception):
    """There is no boundary, or a part has no end."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart stream.

    Attributes:
        content: its bytes.
        content_type: in lower case, empty where none is stated.
    """

    content: bytes
    content_type: str

    @property
    def is_picture(self) -> bool:
        """Whether it claims to be a picture, or begins like one."""
        return self.content_type.startswith("image/") or is_picture(self.content)


def is_picture(head: bytes) -> bool:
    """Whether bytes begin as those of a picture do."""
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    is_avif = head[4:12] in {b"ftypavif", b"ftypavis"}
    return is_webp or is_avif or head.startswith(_PICTURE_STARTS)


def is_multipart(head: bytes) -> bool:
    """Whether bytes begin as those of a multipart stream do, whatever their content type says."""
    return _MARKERS.match(head) is not None


def stated_boundary(content_type: str) -> str:
    """The boundary that a Content-Type header states, without quotes; empty where it states none."""
    found = _BOUNDARY.search(content_type)
    return next(filter(None, found.groups()), "") if found else ""


def read_parts(stream: ByteStream, boundary: str) -> Iterator[Part]:
    """Read the parts of a multipart stream as they come.

    The first boundary may be missing, boundaries may have more or fewer dashes than stated, lines may end in a line
    feed alone, and Content-Length and headers may be missing or wrong. Where the stream begins with another boundary
    than is stated, that one counts.

    Args:
        stream: gives the bytes; its errors are passed on.
        boundary: as stated in the Content-Type header, or empty.

    Raises:
        NotMultipartError: there is no boundary, or a part is larger than `MAX_PART_BYTES`.
        EndedEarlyError: at the end, where no closing boundary came.
    """
    yield from _Reader(stream, boundary).parts()


class _Reader:
    """Bytes that have arrived and are not consumed yet, and their position in the stream."""

    def __init__(self, stream: ByteStream, boundary: str) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._ended = False
        self._is_closed = False
        self._token = self._learn_token(boundary)

    def parts(self) -> Iterator[Part]:
        if found := self._find_delimiter(0):
            begin, end = found
            if not self._buffer[:begin].strip():
                self._drop(end)
        while self._buffer or not self._ended:
            headers = self._read_headers()
            content, is_delimited = self._read_content(_content_length(headers))
            if content.strip():
                yield Part(content, headers.get(b"content-type", b"").decode("latin-1").lower())
            if not is_delimited:
                self._skip_to_delimiter()
        if not self._is_closed:
            raise EndedEarlyError

    def _learn_token(self, boundary: str) -> bytes:
        """The part common to all boundaries, without the dashes around it."""
        while b"\n" not in self._buffer.lstrip() and len(self._buffer) < _MAX_LINE and not self._ended:
            self._fill()
        token = boundary.strip("-").encode("latin-1", "replace")
        first = _FIRST_LINE.match(self._buffer)
        if first is not None and (not token or token not in first[0]):
            token = first[1].rstrip(b"-")
        if not token or len(token) > _MAX_BOUNDARY:
            raise NotMultipartError
        return token

    def _find_delimiter(self, start: int) -> tuple[int, int] | None:
        """Start and end of the first boundary, with the line feed before it and all of its line."""
        buffer, token = self._buffer, self._token
        while (place := buffer.find(token, start)) >= 0:
            begin = place
            while begin and buffer[begin - 1 : begin] == b"-":
                begin -= 1
            # With dashes it may be anywhere, without them only at the beginning of a line.
            if place - begin >= 2 or not begin or buffer[begin - 1 : begin] == b"\n":
                after = place + len(token)
                end = buffer.find(b"\n", after, after + _MAX_GARBAGE)
                if end >= 0:
                    self._is_closed = buffer[after : after + 2] == b"--"
                    begin -= buffer[max(begin - 1, 0) : begin] == b"\n"
                    begin -= buffer[max(begin - 1, 0) : begin] == b"\r"
                    return begin, end + 1
                if len(buffer) < after + _MAX_GARBAGE:
                    return None
            start = place + 1
        return None

    def _read_headers(self) -> dict[bytes, bytes]:
        """The headers of a part, names in lower case; empty where it starts with its content."""
        headers: dict[bytes, bytes] = {}
        while True:
            end = self._buffer.find(b"\n", 0, _MAX_LINE)
            if end < 0:
                if self._ended or len(self._buffer) >= _MAX_LINE or is_picture(bytes(self._buffer[:16])):
                    return headers
                self._fill()
                continue
            line = bytes(self._buffer[:end]).strip()
            header = _HEADER.fullmatch(line)
            if line and header is None:
                return headers
            self._drop(end + 1)
            if header is not None:
                headers[header[1].lower()] = header[2].strip()
            elif headers or (self._ended and not self._buffer):
                return headers

    def _read_content(self, length: int) -> tuple[bytes, bool]:
        """The content of a part, and whether its boundary was read, too.

        A picture that ends where Content-Length says is not kept waiting for the boundary, which may come with the next
        picture only.
        """
        searched = 0
        while True:
            if found := self._find_delimiter(searched):
                begin, end = found
                content = bytes(self._buffer[:begin])
                self._drop(end)
                return content, True
            if 0 < length <= len(self._buffer) and _is_whole_jpeg(self._buffer[:length]):
                content = bytes(self._buffer[:length])
                self._drop(length)
                return content, False
            if self._ended:
                content = bytes(self._buffer)
                self._buffer.clear()
                return content, True
            searched = max(len(self._buffer) - _MAX_LINE, 0)
            self._fill()

    def _skip_to_delimiter(self) -> None:
        self._read_content(0)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]

    def _fill(self) -> None:
        if len(self._buffer) > MAX_PART_BYTES:
            raise NotMultipartError
        data = self._stream.read()
        # A last line counts as one though nothing ends it.
        self._buffer += data or b"\n"
        self._ended = not data


def _content_length(headers: Mapping[bytes, bytes]) -> int:
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < 10 else 0


def _is_whole_jpeg(content: bytes | bytearray) -> bool:
    return content.startswith(b"\xff\xd8") and content.rstrip(b"\0\r\n").endswith(b"\xff\xd9")
