"""Just enough of the ONNX file format to look inside a network without the `onnx` package.

An ONNX file is one serialised protobuf message, and two serialised messages of a kind, one behind the
other, are read as their merger. So a further output of the graph takes a few bytes at the end of the file,
and ONNX Runtime works out its type and shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

# Field numbers of onnx.proto.
_MODEL_GRAPH: Final = 7
_GRAPH_NODE, _GRAPH_OUTPUT = 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP_TYPE = 1, 2, 4
_VALUE_NAME: Final = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its type as ONNX spells it ("Conv"), the tensors it takes ("" if left out) and makes."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network's operations in the order of the file, and the names of its outputs."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]


def read_graph(model: bytes) -> Graph:
    """Read operations and output names from the bytes of an ONNX file; weights are skipped.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    nodes: list[Node] = []
    outputs: list[str] = []
    for field, graph in fields(memoryview(model)):
        if field != _MODEL_GRAPH:
            continue
        for part, payload in fields(graph):
            if part == _GRAPH_NODE:
                nodes.append(_read_node(payload))
            elif part == _GRAPH_OUTPUT:
                outputs += [_text(value) for key, value in fields(payload) if key == _VALUE_NAME]
    return Graph(tuple(nodes), tuple(outputs))


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The same network with more of its tensors as outputs, behind those it has.

    Args:
        model: bytes of an ONNX file.
        names: tensors of the graph, weights included; none may be an output already.

    Returns:
        Bytes that ONNX Runtime loads as a model.
    """
    values = (_field(_GRAPH_OUTPUT, _field(_VALUE_NAME, name.encode())) for name in names)
    return model + _field(_MODEL_GRAPH, b"".join(values))


def _read_node(payload: memoryview) -> Node:
    op_type, inputs, outputs = "", [], []
    for field, value in fields(payload):
        if field == _NODE_INPUT:
            inputs.append(_text(value))
        elif field == _NODE_OUTPUT:
            outputs.append(_text(value))
        elif field == _NODE_OP_TYPE:
            op_type = _text(value)
    return Node(op_type, tuple(inputs), tuple(outputs))


def _text(payload: memoryview) -> str:
    return bytes(payload).decode("utf-8", "replace")


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Field number and payload of each length-delimited field; numbers are skipped."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        field, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            _, position = _read_varint(message, position)
        elif wire_type == _BYTES:
            length, position = _read_varint(message, position)
            if length > len(message) - position:
                raise ValueError("the file ends in the middle of a field")
            yield field, message[position : position + length]
            position += length
        elif wire_type in (_FIXED32, _FIXED64):
            position += 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire_type}")


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("the file ends in the middle of a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number has too many bytes")


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
