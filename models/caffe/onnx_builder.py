"""Converts a Caffe network to ONNX, layer by layer, with Caffe's arithmetic (needs the `train` extra: onnx).

Learned arrays are named like PyTorch's: `<layer>.weight`, `<layer>.bias`; tensors are named like the layer that writes
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.caffe.files import Blobs
from models.caffe.graph import MAX_VALUES, Graph, OnnxNetwork, Shape
from models.caffe.network import CaffeLayer, CaffeNetwork
from models.caffe.schema import enum_name

MAX_WINDOW: Final = 4096


def convert_network(network: CaffeNetwork, weights: Mapping[str, Blobs], *, softmax: bool = False) -> OnnxNetwork:
    """Convert a network for prediction.

    Args:
        network: its definition.
        weights: its learned arrays by the layer's name; layers that the definition lacks are skipped, as in Caffe.
        softmax: add a softmax where the network does not end in one.

    Raises:
        ModelError: a layer is of a kind or in a setting that cannot be imported, its weights are missing or of another
            shape, or the network does not end in one list of classes.
    """
    graph = Graph(network, weights)
    for layer in network.layers:
        if layer.type in _LEFT_OUT:
            continue
        convert = _CONVERTERS.get(layer.type)
        if convert is None:
            known = ", ".join(sorted({"Input", *_CONVERTERS}))
            raise layer.wrong(f"is of the type {layer.type!r}, which cannot be imported (only {known})")
        convert(graph, layer)
    return graph.finish(softmax)


def _convolution(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer, axes=3)
    parameters = layer.definition.convolution_param
    if parameters.axis != 1:
        raise layer.wrong("works along another axis than the channels, which cannot be imported")
    outputs, groups = _count(layer, parameters, "num_output"), parameters.group
    kernel, stride = _pair(layer, parameters, "kernel", None), _pair(layer, parameters, "stride", 1)
    pad, dilation = _pair(layer, parameters, "pad", 0), _pair(layer, parameters, "dilation", 1)
    channels, *sides = source.shape
    if groups < 1 or channels % groups or outputs % groups:
        raise layer.wrong(f"cannot share {channels} channels and {outputs} outputs among {groups} groups")
    size = tuple(
        (side + 2 * p - (d * (k - 1) + 1)) // s + 1
        for side, p, d, k, s in zip(sides, pad, dilation, kernel, stride, strict=True)
    )
    graph.check_size(layer, (outputs, *size))
    weight_shape: Shape = (outputs, channels // groups, *kernel)
    graph.add(
        layer,
        "Conv",
        [source.tensor, *_weight_and_bias(graph, layer, parameters, weight_shape)],
        (outputs, *size),
        kernel_shape=kernel,
        strides=stride,
        pads=[*pad, *pad],
        dilations=dilation,
        group=groups,
    )


def _inner_product(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer)
    parameters = layer.definition.inner_product_param
    if parameters.axis != 1:
        raise layer.wrong("works along another axis than the first, which cannot be imported")
    outputs, inputs = _count(layer, parameters, "num_output"), math.prod(source.shape)
    tensor = source.tensor
    if len(source.shape) > 1:
        tensor = graph.step(f"{layer.name}.flat", "Flatten", [tensor], axis=1)
    transposed = parameters.transpose
    shape = (inputs, outputs) if transposed else (outputs, inputs)
    names = _weight_and_bias(graph, layer, parameters, shape, transposed=transposed)
    graph.add(layer, "Gemm", [tensor, *names], (outputs,), transB=1)


def _weight_and_bias(
    graph: Graph, layer: CaffeLayer, parameters: Any, shape: Shape, *, transposed: bool = False
) -> list[str]:
    outputs = shape[1] if transposed else shape[0]
    biased = parameters.bias_term
    weight, *bias = graph.weights(layer, [shape, (outputs,)] if biased else [shape])
    weight = weight.T if transposed else weight
    names = [graph.constant(f"{layer.name}.weight", weight)]
    return names + [graph.constant(f"{layer.name}.bias", values) for values in bias]


def _pooling(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer, axes=3)
    parameters = layer.definition.pooling_param
    method = enum_name(parameters, "pool")
    if method == "STOCHASTIC":
        raise layer.wrong("pools at random, which cannot be imported (only MAX and AVE)")
    channels, *sides = source.shape
    if parameters.global_pooling:
        operator = "GlobalMaxPool" if method == "MAX" else "GlobalAveragePool"
        graph.add(layer, operator, [source.tensor], (channels, 1, 1))
        return
    ceiling = enum_name(parameters, "round_mode") == "CEIL"
    kernel, stride = _pair(layer, parameters, "kernel", None), _pair(layer, parameters, "stride", 1)
    pad = _pair(layer, parameters, "pad", 0)
    axes = [
        _PooledAxis.of(layer, *sizes, ceiling=ceiling, padded=any(pad))
        for sizes in zip(sides, kernel, stride, pad, strict=True)
    ]
    pads = [*pad, *(axis.end_pad for axis in axes)]
    settings: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": pads}
    shape = (channels, *(axis.count for axis in axes))
    if method == "MAX":
        graph.add(layer, "MaxPool", [source.tensor], shape, **settings)
        return
    full = kernel[0] * kernel[1]
    lengths = np.outer(axes[0].lengths, axes[1].lengths)
    settings["count_include_pad"] = 1
    if (lengths == full).all():
        graph.add(layer, "AveragePool", [source.tensor], shape, **settings)
        return
    average = graph.step(f"{layer.name}.whole", "AveragePool", [source.tensor], **settings)
    factor = graph.constant(f"{layer.name}.factor", (full / lengths).astype(np.float32)[None, None])
    graph.add(layer, "Mul", [average, factor], shape)


@dataclass(frozen=True, slots=True)
class _PooledAxis:
    """Caffe's pooling along one axis (`PoolingLayer::Reshape`): ceiling mode, last window inside the padded picture.

    Attributes:
        count: how many windows there are.
        end_pad: the padding after the end that makes each window whole.
        lengths: what Caffe divides an average by: a window's length up to the end of the declared padding.
    """

    count: int
    end_pad: int
    lengths: NDArray[np.int64]

    @classmethod
    def of(
        cls, layer: CaffeLayer, side: int, kernel: int, stride: int, pad: int, *, ceiling: bool, padded: bool
    ) -> _PooledAxis:
        if pad >= kernel:
            raise layer.wrong("has a padding that is not smaller than its window")
        room = side + 2 * pad - kernel
        count = (-(-room // stride) if ceiling else room // stride) + 1
        if padded and (count - 1) * stride >= side + pad:
            count -= 1
        if count < 1 or (count - 1) * stride >= side + pad:
            raise layer.wrong("has a window outside of what it reads")
        starts = np.arange(count, dtype=np.int64) * stride - pad
        lengths = np.minimum(starts + kernel, side + pad) - starts
        return cls(count, max((count - 1) * stride + kernel - side - pad, 0), lengths)


def _lrn(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer, axes=3)
    parameters = layer.definition.lrn_param
    if enum_name(parameters, "norm_region") != "ACROSS_CHANNELS":
        raise layer.wrong("normalises within a channel, which cannot be imported (only ACROSS_CHANNELS)")
    size = parameters.local_size
    if not 1 <= size <= MAX_WINDOW or size % 2 == 0:
        raise layer.wrong("must have an odd local_size")
    graph.add(
        layer,
        "LRN",
        [source.tensor],
        source.shape,
        size=size,
        alpha=_number(layer, parameters, "alpha"),
        beta=_number(layer, parameters, "beta"),
        bias=_number(layer, parameters, "k"),
    )


def _relu(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer)
    slope = _number(layer, layer.definition.relu_param, "negative_slope")
    if slope:
        graph.add(layer, "LeakyRelu", [source.tensor], source.shape, alpha=slope)
    else:
        graph.add(layer, "Relu", [source.tensor], source.shape)


def _softmax(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer)
    if layer.definition.softmax_param.axis != 1:
        raise layer.wrong("works along another axis than the classes, which cannot be imported")
    graph.add(layer, "Softmax", [source.tensor], source.shape, axis=1)


def _softmax_loss(graph: Graph, layer: CaffeLayer) -> None:
    # What the loss of a training definition computes from its first bottom, without the labels.
    _softmax(graph, replace(layer, type="Softmax", bottoms=layer.bottoms[:1], tops=layer.tops[:1]))


def _batch_norm(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer)
    channels: Shape = source.shape[:1]
    mean, variance, factor = graph.weights(layer, [channels, channels, (1,)])
    # Caffe stores running sums, and what to divide them by; nothing was seen yet where that is 0.
    share = 1 / factor[0] if factor[0] else np.float32(0)
    epsilon = _number(layer, layer.definition.batch_norm_param, "eps")
    stored = {
        "weight": np.ones(channels, np.float32),
        "bias": np.zeros(channels, np.float32),
        "running_mean": mean * share,
        "running_var": variance * share,
    }
    names = [graph.constant(f"{layer.name}.{name}", values) for name, values in stored.items()]
    graph.add(layer, "BatchNormalization", [source.tensor, *names], source.shape, epsilon=epsilon)


def _scale(graph: Graph, layer: CaffeLayer) -> None:
    source = graph.source(layer)
    parameters = layer.definition.scale_param
    if parameters.axis != 1 or parameters.num_axes != 1:
        raise layer.wrong("scales along other axes than the channels, which cannot be imported")
    channels, spread = source.shape[:1], (*source.shape[:1], *(1 for _ in source.shape[1:]))
    biased = parameters.bias_term
    weight, *bias = graph.weights(layer, [channels] * (2 if biased else 1))
    name = graph.constant(f"{layer.name}.weight", weight.reshape(spread))
    if not bias:
        graph.add(layer, "Mul", [source.tensor, name], source.shape)
        return
    scaled = graph.step(f"{layer.name}.scaled", "Mul", [source.tensor, name])
    offset = graph.constant(f"{layer.name}.bias", bias[0].reshape(spread))
    graph.add(layer, "Add", [scaled, offset], source.shape)


_LEFT_OUT: Final = frozenset({"Accuracy", "Silence"})
_CONVERTERS: Final[Mapping[str, Callable[[Graph, CaffeLayer], None]]] = {
    "BatchNorm": _batch_norm,
    "Convolution": _convolution,
    "Dropout": Graph.pass_on,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": _pooling,
    "ReLU": _relu,
    "Scale": _scale,
    "Softmax": _softmax,
    "SoftmaxWithLoss": _softmax_loss,
}


def _pair(layer: CaffeLayer, parameters: Any, stem: str, default: int | None) -> list[int]:
    """Height and width of a window's property, given once, twice, or as two fields."""
    low = 0 if stem == "pad" else 1
    given = {field.name: value for field, value in parameters.ListFields()}
    sides = (f"{stem}_h", f"{stem}_w")
    if any(side in given for side in sides):
        values = [given.get(side, default or 0) for side in sides]
    else:
        values = list(given.get("kernel_size" if stem == "kernel" else stem, [] if default is None else [default]))
    if len(values) not in {1, 2} or not all(low <= value <= MAX_WINDOW for value in values):
        raise layer.wrong(f"must have one or two numbers from {low} to {MAX_WINDOW} as its {stem}")
    return [values[0], values[-1]]


def _number(layer: CaffeLayer, parameters: Any, name: str) -> float:
    value = float(getattr(parameters, name))
    if not math.isfinite(value):
        raise layer.wrong(f"must have a number as its {name}")
    return value


def _count(layer: CaffeLayer, parameters: Any, name: str) -> int:
    count = int(getattr(parameters, name))
    if not 1 <= count <= MAX_VALUES:
        raise layer.wrong(f"must have a positive number as its {name}")
    return count
