"""The dialects of multipart streams that cameras speak."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.sources.network.multipart import (
    EndedEarlyError,
    NotMultipartError,
    is_multipart,
    is_picture,
    read_parts,
    stated_boundary,
)

_RANDOM = random.Random(1)
# As random as compressed pictures are, with line feeds and dashes in them.
PICTURES = [b"\xff\xd8\xff\xe0" + _RANDOM.randbytes(3000) + b"\n--\r\n--fra\n\xff\xd9" for _ in range(4)]


class Chunks:
    """Bytes as a network delivers them: in pieces of up to `most`."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data, self._most = data, most

    def read(self) -> bytes:
        piece, self._data = self._data[: self._most], self._data[self._most :]
        return piece


def body(
    *,
    boundary: bytes = b"--frame",
    first: bool = True,
    line_end: bytes = b"\r\n",
    content_type: bytes | None = b"image/jpeg",
    length: Callable[[int], int] | None = lambda length: length,
    before: bytes = b"\r\n",
    garbage: bytes = b"",
    closing: bytes = b"--frame--",
) -> bytes:
    stream = b""
    for number, picture in enumerate(PICTURES):
        if first or number:
            stream += boundary + garbage + line_end
        if content_type is not None:
            stream += b"Content-Type: " + content_type + line_end
        if length is not None:
            stream += b"content-length:%d" % length(len(picture)) + line_end
        stream += line_end + picture + before
    return stream + closing


DIALECTS: dict[str, tuple[bytes, str]] = {
    "plain": (body(), "frame"),
    "no first boundary": (body(first=False), "frame"),
    "line feeds alone": (body(line_end=b"\n", before=b"\n"), "frame"),
    "no content type": (body(content_type=None), "frame"),
    "no headers": (body(content_type=None, length=None), "frame"),
    "no content length": (body(length=None), "frame"),
    "content length too large": (body(length=lambda length: length + 40), "frame"),
    "content length too small": (body(length=lambda length: length - 40), "frame"),
    "content length absurd": (body(length=lambda length: 10**30), "frame"),
    "no dashes": (body(boundary=b"frame", closing=b"frame--"), "frame"),
    "dashes in the header": (body(), "--frame"),
    "dashes twice": (body(boundary=b"----frame", closing=b"----frame--"), "--frame"),
    "garbage behind the boundary": (body(garbage=b" ;x"), "frame"),
    "nothing before the boundary": (body(before=b""), "frame"),
    "empty lines before the boundary": (body(before=b"\r\n\r\n"), "frame"),
    "another boundary than stated": (body(), "other"),
    "no boundary stated": (body(), ""),
    "line feed at the very end": (body(closing=b"--frame--\r\n"), "frame"),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("most", [1, 100, 1 << 16])
def test_every_dialect_gives_every_picture(name: str, most: int) -> None:
    data, boundary = DIALECTS[name]
    parts = list(read_parts(Chunks(data, most), boundary))
    assert [part.content.rstrip(b"\r\n") for part in parts] == PICTURES
    assert all(part.is_picture for part in parts)


def test_a_picture_does_not_wait_for_the_boundary_after_it() -> None:
    whole = body()

    class Hangs(Chunks):
        def read(self) -> bytes:
            piece = super().read()
            assert piece, "waited for what comes after the picture"
            return piece

    first = whole[: whole.index(PICTURES[0]) + len(PICTURES[0])]
    assert next(read_parts(Hangs(first, 1000), "frame")).content == PICTURES[0]


def test_a_stream_without_a_closing_boundary_broke_off() -> None:
    parts = read_parts(Chunks(body(closing=b""), 1000), "frame")
    assert [next(parts).content for _ in PICTURES] == PICTURES
    with pytest.raises(EndedEarlyError):
        next(parts)


@pytest.mark.parametrize(
    "start", [b"\xff\xd8" * 3000, b"Content-Type: image/jpeg\r\n\r\n\xff\xd8", b""], ids=["bytes", "headers", "empty"]
)
def test_what_has_no_boundary_is_no_stream(start: bytes) -> None:
    with pytest.raises(NotMultipartError):
        list(read_parts(Chunks(start, 1000), ""))


def test_a_part_without_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop_app.sources.network.multipart.MAX_PART_BYTES", 10_000)

    class Endless:
        def read(self) -> bytes:
            return b"x" * 1000

    with pytest.raises(NotMultipartError):
        list(read_parts(Endless(), "frame"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_hang_or_break_the_reader(data: st.DataObject) -> None:
    stream = bytearray(data.draw(st.sampled_from([one for one, _ in DIALECTS.values()])))
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(stream)))
        stream[place : place + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=20))
    try:
        parts = list(read_parts(Chunks(bytes(stream), 700), data.draw(st.sampled_from(["frame", "", "-", "x"]))))
    except (EndedEarlyError, NotMultipartError):
        return
    assert sum(len(part.content) for part in parts) <= len(stream) + 1


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", "frame"),
        ('multipart/x-mixed-replace;boundary="a b:c"', "a b:c"),
        ("multipart/x-mixed-replace; charset=x; Boundary = --frame ; y", "--frame"),
        ("multipart/x-mixed-replace;boundary='frame'", "frame"),
        ("multipart/x-mixed-replace; boundary=", ""),
        ("multipart/x-mixed-replace", ""),
    ],
)
def test_the_boundary_that_is_stated(content_type: str, boundary: str) -> None:
    assert stated_boundary(content_type) == boundary


def test_streams_and_pictures_are_known_by_their_first_bytes() -> None:
    assert is_multipart(body())
    assert is_multipart(b"\r\n--x\nContent-Length: 3\n")
    assert not is_multipart(b"-- a comment of SQL\nselect")
    assert is_picture(PICTURES[0])
    assert is_picture(b"RIFF\0\0\0\0WEBPVP8 ")
    assert not is_picture(b"RIFF\0\0\0\0AVI LIST")
