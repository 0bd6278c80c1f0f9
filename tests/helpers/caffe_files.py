"""Writes Caffe files of every kind, and computes small networks as Caffe defines them; shared by the Caffe tests.

Nothing here uses the code under test, ONNX or PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FileFormat = Literal["v1", "new"]
ShapeStyle = Literal["legacy", "shape"]
ValueStyle = Literal["packed", "unpacked", "double"]

V1_TYPES = {
    "Convolution": ("CONVOLUTION", 4),
    "Dropout": ("DROPOUT", 6),
    "InnerProduct": ("INNER_PRODUCT", 14),
    "LRN": ("LRN", 15),
    "Pooling": ("POOLING", 17),
    "ReLU": ("RELU", 18),
    "Softmax": ("SOFTMAX", 20),
}
PARAMETERS = {
    "BatchNorm": "batch_norm_param",
    "Convolution": "convolution_param",
    "Dropout": "dropout_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "ReLU": "relu_param",
    "Scale": "scale_param",
    "Softmax": "softmax_param",
}


@dataclass(frozen=True)
class Layer:
    """A layer of a test's network; `in_place` writes the blob that it reads."""

    type: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: tuple[NDArray[np.float32], ...] = ()
    in_place: bool = False


def he(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Weights under which values neither grow nor vanish from layer to layer."""
    return random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)


def bias(random: np.random.Generator, size: int) -> NDArray[np.float32]:
    return random.normal(0, 0.1, size).astype(np.float32)


def paper_layers(classes: int, seed: int = 1, *, softmax: bool = True) -> list[Layer]:
    """The 2015 paper's network with the layers' names of the released files."""
    random = np.random.default_rng(seed)
    layers: list[Layer] = []
    channels = 3
    for index, (outputs, kernel, settings) in enumerate(
        ((96, 7, {"stride": 4}), (256, 5, {"pad": 2}), (384, 3, {"pad": 1})), start=1
    ):
        arrays = (he(random, outputs, channels, kernel, kernel), bias(random, outputs))
        window = {"num_output": outputs, "kernel_size": kernel, **settings}
        layers.append(Layer("Convolution", f"conv{index}", window, arrays))
        layers.append(Layer("ReLU", f"relu{index}", in_place=True))
        pooling = {"pool": "MAX", "kernel_size": 3, "stride": 2}
        layers.append(Layer("Pooling", "pool5" if index == 3 else f"pool{index}", pooling))
        if index < 3:
            layers.append(Layer("LRN", f"norm{index}", {"local_size": 5, "alpha": 0.0001, "beta": 0.75}))
        channels = outputs
    inputs = 384 * 7 * 7
    for name, outputs in (("fc6", 512), ("fc7", 512), ("fc8", classes)):
        # The last layer's answers small enough for probabilities that are neither 0 nor 1.
        gain = np.float32(1 / 64 if name == "fc8" else 1)
        arrays = (he(random, outputs, inputs) * gain, bias(random, outputs))
        layers.append(Layer("InnerProduct", name, {"num_output": outputs}, arrays))
        if name != "fc8":
            layers.append(Layer("ReLU", name.replace("fc", "relu"), in_place=True))
            layers.append(Layer("Dropout", name.replace("fc", "drop"), {"dropout_ratio": 0.5}, in_place=True))
        inputs = outputs
    return [*layers, Layer("Softmax", "prob")] if softmax else layers


def small_layers(classes: int, seed: int = 1, *, softmax: bool = True) -> list[Layer]:
    """A network for 3×35×35 that is quick to run."""
    random = np.random.default_rng(seed)
    layers = [
        Layer(
            "Convolution",
            "conv1",
            {"num_output": 6, "kernel_size": 5, "stride": 2},
            (he(random, 6, 3, 5, 5) * np.float32(1 / 64), bias(random, 6)),
        ),
        Layer("ReLU", "relu1", in_place=True),
        Layer("Pooling", "pool5", {"pool": "MAX", "kernel_size": 3, "stride": 2}),
        Layer("InnerProduct", "fc8", {"num_output": classes}, (he(random, classes, 6 * 8 * 8), bias(random, classes))),
    ]
    return [*layers, Layer("Softmax", "prob")] if softmax else layers


# ---- files ----


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def bytes_field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob_bytes(
    values: NDArray[np.float32],
    *,
    shape_style: ShapeStyle = "shape",
    value_style: ValueStyle = "packed",
    shape: Sequence[int] | None = None,
) -> bytes:
    """A `BlobProto`; `shape` declares another shape than the array's own."""
    shape = values.shape if shape is None else shape
    if shape_style == "legacy":
        padded = (*(1 for _ in range(4 - len(shape))), *shape)
        header = b"".join(number_field(number, size) for number, size in enumerate(padded, start=1))
    else:
        header = bytes_field(7, bytes_field(1, b"".join(varint(size) for size in shape)))
    if value_style == "packed":
        return header + bytes_field(5, values.astype("<f4").tobytes())
    if value_style == "double":
        return header + bytes_field(8, values.astype("<f8").tobytes())
    return header + b"".join(varint(5 << 3 | 5) + value.tobytes() for value in values.astype("<f4").ravel())


def caffemodel_bytes(
    layers: Sequence[Layer],
    file_format: FileFormat,
    *,
    shape_style: ShapeStyle = "shape",
    value_style: ValueStyle = "packed",
) -> bytes:
    """A trained network as Caffe's solver writes it: with its data and loss layers, which have no weights."""
    data = bytes_field(1, b"CaffeNet")
    for layer in [Layer("Data", "data"), *layers, Layer("SoftmaxWithLoss", "loss")]:
        blobs = [blob_bytes(values, shape_style=shape_style, value_style=value_style) for values in layer.arrays]
        if file_format == "v1":
            content = bytes_field(2, b"bottom") + bytes_field(3, b"top") + bytes_field(4, layer.name.encode())
            content += number_field(5, V1_TYPES.get(layer.type, ("", 21))[1])
            content += b"".join(bytes_field(6, blob) for blob in blobs)
            # blobs_lr, a repeated float that is not packed.
            content += (varint(7 << 3 | 5) + np.float32(1).tobytes()) * len(blobs)
            data += bytes_field(2, content)
        else:
            content = bytes_field(1, layer.name.encode()) + bytes_field(2, layer.type.encode())
            content += bytes_field(3, b"bottom") + bytes_field(4, b"top")
            content += b"".join(bytes_field(7, blob) for blob in blobs)
            data += bytes_field(100, content)
    return data


def prototxt_text(
    layers: Sequence[Layer],
    file_format: FileFormat,
    *,
    shape: tuple[int, int, int] = (3, 227, 227),
    header: Literal["input_dim", "input_shape", "layer"] | None = None,
) -> str:
    """A deploy.prototxt: `layers` with names in capitals (2014), or `layer` with an Input layer (today)."""
    header = header or ("input_dim" if file_format == "v1" else "layer")
    dims = [1, *shape]
    lines = ['name: "CaffeNet"  # a comment']
    if header == "layer":
        sizes = " ".join(f"dim: {size}" for size in dims)
        lines.append(f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape: {{ {sizes} }} }} }}')
    elif header == "input_shape":
        lines += ['input: "data"', "input_shape {", *(f"  dim: {size}" for size in dims), "}"]
    else:
        lines += ['input: "data"', *(f"input_dim: {size}" for size in dims)]
    bottom = "data"
    for layer in layers:
        top = bottom if layer.in_place else layer.name
        kind = V1_TYPES[layer.type][0] if file_format == "v1" else f'"{layer.type}"'
        lines.append("layers {" if file_format == "v1" else "layer {")
        lines += [f'  name: "{layer.name}"', f"  type: {kind}", f'  bottom: "{bottom}"', f'  top: "{top}"']
        if layer.settings:
            settings = [f"    {name}: {_text_value(value)}" for name, value in layer.settings.items()]
            lines += [f"  {PARAMETERS[layer.type]} {{", *settings, "  }"]
        lines.append("}")
        bottom = top
    return "\n".join(lines) + "\n"


def _text_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- Caffe's definitions of the layers, in NumPy and float64 ----


def run_network(layers: Sequence[Layer], picture: Array) -> dict[str, Array]:
    """What every layer gives for one picture (channels×height×width), by the layer's name."""
    values = picture
    answers = {}
    for layer in layers:
        values = _COMPUTATIONS[layer.type](values, layer)
        answers[layer.name] = values
    return answers


def _pair(settings: Mapping[str, Any], stem: str, default: int) -> tuple[int, int]:
    value = settings.get("kernel_size" if stem == "kernel" else stem, default)
    return int(settings.get(f"{stem}_h", value)), int(settings.get(f"{stem}_w", value))


def convolution(values: Array, layer: Layer) -> Array:
    settings = layer.settings
    (pad_y, pad_x), (step_y, step_x) = _pair(settings, "pad", 0), _pair(settings, "stride", 1)
    gap_y, gap_x = _pair(settings, "dilation", 1)
    weight = layer.arrays[0].astype(np.float64)
    outputs, inputs, rows, columns = weight.shape
    groups = int(settings.get("group", 1))
    padded = np.pad(values, ((0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    reach = ((rows - 1) * gap_y + 1, (columns - 1) * gap_x + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, ::step_y, ::step_x, ::gap_y, ::gap_x]
    parts = []
    for group in range(groups):
        kernels = weight[group * outputs // groups : (group + 1) * outputs // groups]
        part = windows[group * inputs : (group + 1) * inputs]
        parts.append(np.tensordot(kernels, part, axes=([1, 2, 3], [0, 3, 4])))
    result = np.concatenate(parts)
    if len(layer.arrays) == 2:
        result = result + layer.arrays[1].astype(np.float64)[:, None, None]
    return result


def pooling(values: Array, layer: Layer) -> Array:
    """`PoolingLayer::Reshape` and `Forward_cpu`, window by window."""
    settings = layer.settings
    channels, height, width = values.shape
    if settings.get("global_pooling"):
        method = values.max if settings["pool"] == "MAX" else values.mean
        return np.asarray(method(axis=(1, 2), keepdims=True))
    (rows, columns), (step_y, step_x) = _pair(settings, "kernel", 1), _pair(settings, "stride", 1)
    pad_y, pad_x = _pair(settings, "pad", 0)
    count_y = int(np.ceil((height + 2 * pad_y - rows) / step_y)) + 1
    count_x = int(np.ceil((width + 2 * pad_x - columns) / step_x)) + 1
    if pad_y or pad_x:
        count_y -= (count_y - 1) * step_y >= height + pad_y
        count_x -= (count_x - 1) * step_x >= width + pad_x
    result = np.zeros((channels, count_y, count_x))
    for y in range(count_y):
        for x in range(count_x):
            top, left = y * step_y - pad_y, x * step_x - pad_x
            bottom, right = min(top + rows, height + pad_y), min(left + columns, width + pad_x)
            area = (bottom - top) * (right - left)
            window = values[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            result[:, y, x] = window.max(axis=(1, 2)) if settings["pool"] == "MAX" else window.sum(axis=(1, 2)) / area
    return result


def response_normalisation(values: Array, layer: Layer) -> Array:
    size = int(layer.settings.get("local_size", 5))
    alpha, beta = float(layer.settings.get("alpha", 1)), float(layer.settings.get("beta", 0.75))
    scale = np.full(values.shape, float(layer.settings.get("k", 1)))
    half = (size - 1) // 2
    for channel in range(len(values)):
        near = values[max(channel - half, 0) : channel + half + 1]
        scale[channel] += alpha / size * (near**2).sum(axis=0)
    return values / scale**beta


def inner_product(values: Array, layer: Layer) -> Array:
    weight = layer.arrays[0].astype(np.float64)
    if layer.settings.get("transpose"):
        weight = weight.T
    result = weight @ values.ravel()
    return result + layer.arrays[1] if len(layer.arrays) == 2 else result


def rectifier(values: Array, layer: Layer) -> Array:
    return np.where(values > 0, values, values * float(layer.settings.get("negative_slope", 0)))


def softmax(values: Array, layer: Layer) -> Array:
    powers = np.exp(values - values.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))


def batch_normalisation(values: Array, layer: Layer) -> Array:
    sums, squares, factor = (array.astype(np.float64) for array in layer.arrays)
    share = 0.0 if factor[0] == 0 else 1 / factor[0]
    spread = (-1, *(1 for _ in values.shape[1:]))
    mean, variance = (sums * share).reshape(spread), (squares * share).reshape(spread)
    return np.asarray((values - mean) / np.sqrt(variance + float(layer.settings.get("eps", 1e-5))))


def scaling(values: Array, layer: Layer) -> Array:
    spread = (-1, *(1 for _ in values.shape[1:]))
    result = values * layer.arrays[0].astype(np.float64).reshape(spread)
    return result + layer.arrays[1].astype(np.float64).reshape(spread) if len(layer.arrays) == 2 else result


_COMPUTATIONS = {
    "BatchNorm": batch_normalisation,
    "Convolution": convolution,
    "Dropout": lambda values, layer: values,
    "InnerProduct": inner_product,
    "LRN": response_normalisation,
    "Pooling": pooling,
    "ReLU": rectifier,
    "Scale": scaling,
    "Softmax": softmax,
}
