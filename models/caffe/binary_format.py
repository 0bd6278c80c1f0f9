"""Caffe's binary files without Caffe: a network's weights (.caffemodel) and mean images (.binaryproto).

Both are protobuf messages (`NetParameter` and `BlobProto` of `caffe.proto`). The files come from strangers: each
length is checked against the bytes that are there, each shape against the values that are there, and nothing is
allocated on the word of the file alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import ModelError

MAX_FILE_BYTES: Final = 1 << 30
MAX_MEAN_SIDE: Final = 2048
MAX_AXES: Final = 32
MAX_FIELDS: Final = 200_000
"""Far more than any real network has; bounds the time and the small objects that a hostile file can cost."""

Blobs = tuple[NDArray[np.float32], ...]
"""The learned arrays of one layer, in Caffe's order, shaped as the file says."""

_Kind = Literal["varint", "bytes", "fixed32", "fixed64"]
_FIXED_BYTES: Final[dict[int, tuple[_Kind, int]]] = {1: ("fixed64", 8), 5: ("fixed32", 4)}
_LENGTH_DELIMITED: Final = 2


def read_weights(path: Path) -> dict[str, Blobs]:
    """Read the learned arrays of a `.caffemodel`, in the V1 format (2014) or the newer one.

    Args:
        path: the file, as Caffe's solver writes it.

    Returns:
        The arrays (float32, finite, read-only) of every layer that has any, by the layer's name.

    Raises:
        ModelError: the file cannot be read, is not whole, or is something else.
    """
    reader = _Reader(path, "Caffe model (.caffemodel)")
    layers: dict[str, Blobs] = {}
    for number, kind, value in reader.fields(reader.data):
        if number in _LAYER_FIELDS:
            name, blobs = _read_layer(reader, reader.message(kind, value), _LAYER_FIELDS[number])
            if blobs:
                layers[name] = blobs
    if not layers:
        raise reader.wrong("it holds no layer with weights")
    return layers


def read_mean(path: Path) -> NDArray[np.float32]:
    """Read a mean image, or the mean of each channel, from a `.binaryproto`.

    Args:
        path: the file, as Caffe's `compute_image_mean` writes it: one `BlobProto` of 1×3×H×W.

    Returns:
        H×W×3 float32, channels in the file's order (BGR for networks that were trained with OpenCV, as Caffe does),
        pixel values of 0 to 255; H and W are 1 where the file holds one value a channel.

    Raises:
        ModelError: the file cannot be read, is not whole, or is not a mean of three channels.
    """
    reader = _Reader(path, "Caffe mean (.binaryproto)")
    blob = _read_blob(reader, reader.data)
    shape = blob.shape[1:] if blob.ndim == 4 and blob.shape[0] == 1 else blob.shape
    if shape[:1] == (3,) and len(shape) == 1:
        shape = (3, 1, 1)
    if len(shape) != 3 or shape[0] != 3 or max(shape) > MAX_MEAN_SIDE:
        found = "×".join(str(size) for size in blob.shape)
        raise reader.wrong(f"it should hold 3 channels of at most {MAX_MEAN_SIDE} pixels a side, but is {found}")
    return np.ascontiguousarray(blob.reshape(shape).transpose(1, 2, 0))


class _Reader:
    """Walks the protobuf messages in one file (protobuf's wire format) and never trusts a length.

    Args:
        path: the file.
        title: what the file should be, for messages.
    """

    def __init__(self, path: Path, title: str) -> None:
        self._path, self._title = path, title
        self._fields_left = MAX_FIELDS
        self.data = memoryview(self._read_file())

    def wrong(self, reason: str) -> ModelError:
        """The error that says what is wrong with this file."""
        return ModelError(f"{self._path} is not a usable {self._title}: {reason}; get the file again")

    def fields(self, data: memoryview) -> Iterator[tuple[int, _Kind, int | memoryview]]:
        """The fields of one message: number, kind, and the value.

        Consecutive values of a fixed size under one number (a repeated field that is not packed) come as one field, so
        that ten million of them cost one array rather than ten million objects.
        """
        position = 0
        while position < len(data):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise self.wrong("it has too many fields")
            start = position
            tag, position = self._varint(data, position)
            number, wire_type = tag >> 3, tag & 7
            if wire_type == 0:
                value, position = self._varint(data, position)
                yield number, "varint", value
            elif wire_type == _LENGTH_DELIMITED:
                length, position = self._varint(data, position)
                yield number, "bytes", self._slice(data, position, length)
                position += length
            elif wire_type in _FIXED_BYTES:
                kind, size = _FIXED_BYTES[wire_type]
                run, position = self._fixed_run(data, start, position - start, size)
                yield number, kind, run
            else:
                raise self.wrong("its bytes make no sense")

    def message(self, kind: _Kind, value: int | memoryview) -> memoryview:
        """The bytes of a field that must hold a message, a string or packed values."""
        if kind != "bytes" or not isinstance(value, memoryview):
            raise self.wrong("its bytes make no sense")
        return value

    def integers(self, kind: _Kind, value: int | memoryview, limit: int) -> list[int]:
        """The integers of a field of a repeated integer, packed or one by one, at most `limit` of them."""
        if isinstance(value, int):
            return [value]
        data, position = self.message(kind, value), 0
        values: list[int] = []
        while position < len(data):
            if len(values) == limit:
                raise self.wrong("a shape has too many axes")
            number, position = self._varint(data, position)
            values.append(number)
        return values

    def _read_file(self) -> bytes:
        try:
            # A pipe or a device could go on for ever.
            if self._path.exists() and not self._path.is_file():
                raise self.wrong("it is not a file")
            with self._path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise self.wrong(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
                # Not more than its size: reading up to the limit would allocate the limit.
                data = stream.read(size)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"{self._path} cannot be read ({reason}); check the file's name") from error
        if not data:
            raise self.wrong("it is empty")
        if data.startswith(b"\x89HDF\r\n"):
            raise self.wrong("it is in Caffe's HDF5 format, which cannot be imported (only the protobuf one can)")
        return data

    def _varint(self, data: memoryview, position: int) -> tuple[int, int]:
        value = 0
        for index in range(10):
            if position + index >= len(data):
                raise self.wrong("it ends too early")
            byte = data[position + index]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, position + index + 1
        raise self.wrong("its bytes make no sense")

    def _slice(self, data: memoryview, position: int, length: int) -> memoryview:
        if length > len(data) - position:
            raise self.wrong("it ends too early")
        return data[position : position + length]

    def _fixed_run(self, data: memoryview, start: int, tag_size: int, size: int) -> tuple[memoryview, int]:
        stride = tag_size + size
        self._slice(data, start, stride)
        tag = np.frombuffer(data[start : start + tag_size], np.uint8)
        count, block = 1, 64
        # Blocks that double: a long run is found by few steps, a short one without looking at the whole file.
        while True:
            begin = start + count * stride
            rows = min(block, (len(data) - begin) // stride)
            if rows <= 0:
                break
            table = np.frombuffer(data[begin : begin + rows * stride], np.uint8).reshape(rows, stride)
            same = (table[:, :tag_size] == tag).all(axis=1)
            matching = rows if same.all() else int(same.argmin())
            count, block = count + matching, block * 2
            if matching < rows:
                break
        run = np.frombuffer(data[start : start + count * stride], np.uint8).reshape(count, stride)
        return memoryview(run[:, tag_size:].tobytes()), start + count * stride


# Numbers of the fields `name` and `blobs` (caffe.proto): NetParameter.layers (V1) and NetParameter.layer.
_LAYER_FIELDS: Final[Mapping[int, tuple[int, int]]] = {2: (4, 6), 100: (1, 7)}


def _read_layer(reader: _Reader, data: memoryview, numbers: tuple[int, int]) -> tuple[str, Blobs]:
    name_number, blobs_number = numbers
    name, blobs = "", []
    for number, kind, value in reader.fields(data):
        if number == name_number:
            try:
                name = bytes(reader.message(kind, value)).decode("utf-8")
            except UnicodeDecodeError:
                raise reader.wrong("the name of a layer is not text") from None
        elif number == blobs_number:
            blobs.append(_read_blob(reader, reader.message(kind, value)))
    return name, tuple(blobs)


def _read_blob(reader: _Reader, data: memoryview) -> NDArray[np.float32]:
    """One `BlobProto`: values as floats (5) or doubles (8); shape as `BlobShape` (7) or as four numbers (1 to 4)."""
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    singles: list[memoryview] = []
    doubles: list[memoryview] = []
    for number, kind, value in reader.fields(data):
        if number in {1, 2, 3, 4} and isinstance(value, int):
            legacy[number] = value
        elif number == 7:
            shape = _read_shape(reader, reader.message(kind, value))
        elif number == 5 and kind in {"bytes", "fixed32"} and isinstance(value, memoryview):
            singles.append(value)
        elif number == 8 and kind in {"bytes", "fixed64"} and isinstance(value, memoryview):
            doubles.append(value)
    if shape is None:
        shape = [legacy.get(number, 1) for number in (1, 2, 3, 4)]
    return _shaped(reader, _values(reader, singles, doubles), shape)


def _read_shape(reader: _Reader, data: memoryview) -> list[int]:
    shape: list[int] = []
    for number, kind, value in reader.fields(data):
        if number == 1:
            shape += reader.integers(kind, value, MAX_AXES)
        if len(shape) > MAX_AXES:
            raise reader.wrong("a shape has too many axes")
    return shape


def _values(reader: _Reader, singles: list[memoryview], doubles: list[memoryview]) -> NDArray[np.float32]:
    chunks, size, kind = (doubles, 8, "<f8") if doubles else (singles, 4, "<f4")
    data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(data) % size:
        raise reader.wrong("an array ends within a number")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.frombuffer(data, kind).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise reader.wrong("an array holds values that are no numbers")
    return values


def _shaped(reader: _Reader, values: NDArray[np.float32], shape: list[int]) -> NDArray[np.float32]:
    # Python's integers: a product of hostile sizes cannot wrap round to the right count.
    if not shape or not all(0 < size <= values.size for size in shape) or math.prod(shape) != values.size:
        declared = "×".join(str(size) for size in shape[:8]) or "empty"
        raise reader.wrong(f"an array is said to be {declared} but holds {values.size} values")
    return values.reshape(shape)
