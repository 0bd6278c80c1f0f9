"""The 2015 paper's network with random weights as an ONNX file in memory, to time it.

What a network costs does not depend on its weights. The app may not need the `onnx` package, and the few messages that
are needed are quickly written: field numbers are those of `onnx/onnx.proto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

INPUT_SIZE: Final = 227
AGES: Final = 8
GENDERS: Final = 2

_OPSET: Final = 13
_IR_VERSION: Final = 7
_FLOAT: Final = 1
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7
_VARINT, _BYTES, _FIXED32 = 0, 2, 5

Setting = int | float | Sequence[int]


@dataclass(frozen=True, slots=True)
class _Learned:
    """A layer with weights: its name, and the shape of its weight."""

    name: str
    shape: tuple[int, ...]


def paper_network(classes: int, *, seed: int = 0) -> bytes:
    """The network of Levi and Hassner (2015), "Age and Gender Classification Using Convolutional Neural Networks".

    Its arithmetic is Caffe's: pools in ceiling mode, response normalisation over 5 channels. Input `data`,
    N×3×227×227 float32; output `prob`, N×classes float32 that sum to 1. With 8 classes it has 11,415,048 weights.

    Args:
        classes: 8 for age, 2 for gender.
        seed: of the random weights, which are scaled so that activations neither vanish nor grow.

    Returns:
        An ONNX model as bytes.
    """
    rng = np.random.default_rng(seed)
    layers = (
        _Learned("conv1", (96, 3, 7, 7)),
        _Learned("conv2", (256, 96, 5, 5)),
        _Learned("conv3", (384, 256, 3, 3)),
        _Learned("fc6", (512, 384 * 7 * 7)),
        _Learned("fc7", (512, 512)),
        _Learned("fc8", (classes, 512)),
    )
    parts = [_field(1, node) for node in _nodes()] + [_field(2, b"paper")]
    for layer in layers:
        spread = np.float32(np.sqrt(2 / np.prod(layer.shape[1:])))
        weight = rng.standard_normal(layer.shape, np.float32) * spread
        parts.append(_field(5, _tensor(f"{layer.name}.weight", weight)))
        parts.append(_field(5, _tensor(f"{layer.name}.bias", np.zeros(layer.shape[0], np.float32))))
    parts.append(_field(11, _value_info("data", ("N", 3, INPUT_SIZE, INPUT_SIZE))))
    parts.append(_field(12, _value_info("prob", ("N", classes))))
    opset = _field(1, b"") + _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _field(2, b"agelens benchmark") + _field(7, b"".join(parts)) + _field(8, opset)


def _nodes() -> list[bytes]:
    nodes: list[bytes] = []
    newest = "data"

    def add(kind: str, name: str, *constants: str, **settings: Setting) -> None:
        nonlocal newest
        nodes.append(_node(kind, [newest, *constants], name, settings))
        newest = name

    def learned(kind: str, name: str, **settings: Setting) -> None:
        add(kind, name, f"{name}.weight", f"{name}.bias", **settings)

    convolutions = (("conv1", 7, 4, 0), ("conv2", 5, 1, 2), ("conv3", 3, 1, 1))
    for number, (name, side, stride, pad) in enumerate(convolutions, start=1):
        learned("Conv", name, kernel_shape=(side, side), strides=(stride, stride), pads=(pad,) * 4)
        add("Relu", f"relu{number}")
        add("MaxPool", f"pool{number}", kernel_shape=(3, 3), strides=(2, 2), ceil_mode=1)
        if number < len(convolutions):
            add("LRN", f"norm{number}", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    add("Flatten", "flat", axis=1)
    for name in ("fc6", "fc7"):
        learned("Gemm", name, transB=1)
        add("Relu", f"{name}.relu")
    learned("Gemm", "fc8", transB=1)
    add("Softmax", "prob", axis=1)
    return nodes


def _node(kind: str, inputs: Sequence[str], output: str, settings: dict[str, Setting]) -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs)
    attributes = b"".join(_field(5, _attribute(name, value)) for name, value in settings.items())
    return names + _field(2, output.encode()) + _field(3, output.encode()) + _field(4, kind.encode()) + attributes


def _attribute(name: str, value: Setting) -> bytes:
    start = _field(1, name.encode())
    if isinstance(value, float):
        return start + _key(2, _FIXED32) + np.float32(value).tobytes() + _number(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return start + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    return start + b"".join(_number(8, one) for one in value) + _number(20, _ATTRIBUTE_INTS)


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    sides = b"".join(_number(1, side) for side in values.shape)
    raw = values.astype("<f4", copy=False).tobytes()
    return sides + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, raw)


def _value_info(name: str, shape: Sequence[int | str]) -> bytes:
    sides = b"".join(
        _field(1, _number(1, side) if isinstance(side, int) else _field(2, side.encode())) for side in shape
    )
    tensor_type = _number(1, _FLOAT) + _field(2, sides)
    return _field(1, name.encode()) + _field(2, _field(1, tensor_type))


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
