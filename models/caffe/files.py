"""Caffe's files without Caffe: definitions (.prototxt), weights (.caffemodel) and mean images (.binaryproto).

All are protobuf messages (`models.caffe.schema`), the definitions in its text format. The files come from strangers:
protobuf checks each length against the bytes that are there; here, each shape is checked against the values that are
there. Parsing takes the size of a real file again; a file of millions of empty messages, which would take 40 times its
size, is refused before.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import MAX_FILE_BYTES
from desktop_app.catalogue.manifest import ModelError
from desktop_app.vision.onnx_graph import fields
from models.caffe.schema import new_message

MAX_TEXT_BYTES: Final = 1 << 20
MAX_LINE: Final = 1 << 14
"""Characters of a line; protobuf's parser copies it again and again: one of 1 MiB would take it minutes."""
MAX_MEAN_SIDE: Final = 2048
MAX_AXES: Final = 32
MAX_LAYERS: Final = 10_000
MAX_SHAPE_BYTES: Final = MAX_AXES * 12
MAX_PARTS: Final = 500_000
"""Layers, arrays and their texts; a network of 1,000 layers has 20,000. Each can take 100 bytes of memory, however few
it has in the file."""
_MAX_REASON: Final = 120
# What protobuf's messages begin with: line and column, then often the whole line.
_PLACE: Final = re.compile(r"\d+:\d+ : (?:'.*': )?", re.DOTALL)

Blobs = tuple[NDArray[np.float32], ...]
"""The learned arrays of one layer, in Caffe's order, shaped as the file says."""


def read_definition(path: Path) -> Any:
    """Read a network's definition (.prototxt); `models.caffe.network` makes a network of it.

    Returns:
        The `NetParameter` message, with the fields of `models.caffe.schema`; others are skipped.

    Raises:
        ModelError: the file cannot be read or is not in that format.
    """
    file = _File(path, "network definition (.prototxt)", MAX_TEXT_BYTES)
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise file.wrong("it is not a text file") from None
    if max(map(len, text.split("\n"))) > MAX_LINE:
        raise file.wrong(f"it has a line of more than {MAX_LINE} characters, which must be broken into shorter ones")
    try:
        # Unlike Parse, it takes the last of several values, as older versions of protobuf did.
        return text_format.Merge(text, new_message("NetParameter"), allow_unknown_field=True)
    except text_format.ParseError as error:
        reason = " ".join(_PLACE.sub("", str(error)).split())[:_MAX_REASON].rstrip(".")
        raise file.wrong(f"line {error.GetLine()}: {reason}") from error
    except RecursionError:
        raise file.wrong("its braces are nested too deeply") from None


def read_weights(path: Path) -> dict[str, Blobs]:
    """Read the learned arrays of a `.caffemodel`, in the V1 format (2014) or the newer one.

    Args:
        path: the file, as Caffe's solver writes it.

    Returns:
        The arrays (float32, finite, read-only) of every layer that has any, by the layer's name.

    Raises:
        ModelError: the file cannot be read, is not whole, or is something else.
    """
    file = _File(path, "Caffe model (.caffemodel)", MAX_FILE_BYTES)
    network = file.parse("NetWeights")
    if len(network.layers) + len(network.layer) > MAX_LAYERS:
        raise file.wrong("it has too many layers")
    layers = {layer.name: layer.blobs for layer in (*network.layers, *network.layer) if layer.blobs}
    if not layers:
        raise file.wrong("it holds no layer with weights")
    # Of what is not UTF-8, protobuf gives the bytes.
    if not all(isinstance(name, str) for name in layers):
        raise file.wrong("the name of a layer is not text")
    return {name: tuple(_array(file, blob) for blob in blobs) for name, blobs in layers.items()}


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
    file = _File(path, "Caffe mean (.binaryproto)", MAX_FILE_BYTES)
    blob = _array(file, file.parse("BlobProto"))
    shape = blob.shape[1:] if blob.ndim == 4 and blob.shape[0] == 1 else blob.shape
    if shape[:1] == (3,) and len(shape) == 1:
        shape = (3, 1, 1)
    if len(shape) != 3 or shape[0] != 3 or max(shape) > MAX_MEAN_SIDE:
        found = "×".join(str(size) for size in blob.shape)
        raise file.wrong(f"it should hold 3 channels of at most {MAX_MEAN_SIDE} pixels a side, but is {found}")
    return np.ascontiguousarray(blob.reshape(shape).transpose(1, 2, 0))


class _File:
    """One of Caffe's files.

    Args:
        path: the file.
        title: what the file should be, for messages.
        most_bytes: a larger file is not read.
    """

    def __init__(self, path: Path, title: str, most_bytes: int) -> None:
        self._path, self._title, self._most_bytes = path, title, most_bytes

    def wrong(self, reason: str) -> ModelError:
        """The error that says what is wrong with this file."""
        return ModelError(f"Cannot use {self._path} as a {self._title}: {reason}. Correct the file, or get it again.")

    def read(self) -> bytes:
        """The bytes of the file, at least one."""
        try:
            # A pipe or a device may never end.
            if self._path.exists() and not self._path.is_file():
                raise self.wrong("it is not a file")
            with self._path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > self._most_bytes:
                    raise self.wrong(f"it is larger than {self._most_bytes >> 20} MiB")
                # Not more than its size: reading up to the limit would allocate the limit.
                data = stream.read(size)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"Cannot read {self._path}: {reason}. Check the name of the file.") from error
        if not data:
            raise self.wrong("it is empty")
        return data

    def parse(self, name: str) -> Any:
        """The file's content as the message of that name."""
        message, data = new_message(name), self.read()
        if data.startswith(b"\x89HDF\r\n"):
            raise self.wrong("it is in Caffe's HDF5 format, and only the protobuf one can be imported")
        try:
            self._check_parts(memoryview(data), message.DESCRIPTOR, iter(range(MAX_PARTS)))
            message.ParseFromString(data)
        except (DecodeError, ValueError):
            raise self.wrong("it is damaged, ends too early or is of another kind") from None
        return message

    def _check_parts(self, data: memoryview, descriptor: Any, budget: Iterator[int]) -> None:
        """Refuse what would take far more memory parsed than it has bytes; `budget` gives an element for each part.

        Raises:
            ValueError: the bytes are no protobuf message.
        """
        for number, payload in fields(data):
            if next(budget, None) is None:
                raise self.wrong(f"it has more than {MAX_PARTS:,} parts, more than any network")
            field = descriptor.fields_by_number.get(number)
            if field is None or field.message_type is None:
                continue
            if field.message_type.name == "BlobShape" and len(payload) > MAX_SHAPE_BYTES:
                raise self.wrong("a shape has too many axes")
            # No deeper than the schema: none of its messages holds one of its kind.
            self._check_parts(payload, field.message_type, budget)


def _array(file: _File, blob: Any) -> NDArray[np.float32]:
    """The values of a `BlobProto` in the shape that it states."""
    if len(blob.shape.dim) > MAX_AXES:
        raise file.wrong("a shape has too many axes")
    shape = list(blob.shape.dim) if blob.HasField("shape") else [blob.num, blob.channels, blob.height, blob.width]
    with np.errstate(over="ignore"):
        values = np.fromiter(blob.double_data or blob.data, np.float32, len(blob.double_data) or len(blob.data))
    if not np.isfinite(values).all():
        raise file.wrong("an array holds values that are not numbers")
    # Python's integers: a product of hostile sizes cannot wrap round to the right count.
    if not shape or not all(0 < size <= values.size for size in shape) or math.prod(shape) != values.size:
        declared = "×".join(str(size) for size in shape[:8]) or "empty"
        raise file.wrong(f"an array states the shape {declared} but holds {values.size} values")
    values.flags.writeable = False
    return values.reshape(shape)
