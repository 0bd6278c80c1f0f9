"""Builder for the ONNX graph of a Caffe network (needs the `train` extra: onnx)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from desktop_app.catalogue.manifest import ModelError
from models.caffe.files import Blobs
from models.caffe.network import CaffeLayer, CaffeNetwork

OPSET: Final = 17
IR_VERSION: Final = 8
"""What every ONNX Runtime of the last years reads (the DirectML build is older than the others)."""

MAX_VALUES: Final = 1 << 26
"""Values that one layer may give for one picture; a definition beyond is a mistake or malice."""

MAX_LAYER_NAME: Final = 40
"""A longer name would not fit where layers are chosen."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """A converted network.

    Attributes:
        model: the `onnx.ModelProto`; its input is N×channels×height×width, its output N×classes, both float32.
        output: the output's name.
        classes: how many values the output has for a picture.
        probabilities: whether they went through a softmax already.
        layers: names of the layers that write maps, by tensor.
    """

    model: Any
    output: str
    classes: int
    probabilities: bool
    layers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Blob:
    """What a Caffe blob is at the moment: a tensor of the ONNX graph, and its shape without the number of pictures."""

    tensor: str
    shape: Shape


class Graph:
    """The ONNX graph while it grows, and which tensor each Caffe blob is at the moment (layers may work in place).

    Args:
        network: the definition.
        weights: the learned arrays by the layer's name.
    """

    def __init__(self, network: CaffeNetwork, weights: Mapping[str, Blobs]) -> None:
        self._network, self._weights = network, weights
        self._blobs = {network.input: Blob(network.input, network.shape)}
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self._names = {network.input}
        self._read: set[str] = set()
        self._softmaxes: set[str] = set()
        self._layers: dict[str, str] = {}

    def source(self, layer: CaffeLayer, axes: int | None = None) -> Blob:
        """What a layer with one bottom reads, with that many axes (without the number of pictures) if given."""
        if len(layer.bottoms) != 1:
            raise layer.wrong(f"has {len(layer.bottoms)} inputs, which cannot be imported (only 1)")
        blob = self._blobs.get(layer.bottoms[0])
        if blob is None:
            raise layer.wrong(f"reads {layer.bottoms[0]!r}, which no layer before it writes")
        if axes is not None and len(blob.shape) != axes:
            raise layer.wrong(f"needs maps of channels×height×width, but {layer.bottoms[0]!r} has other axes")
        self._read.add(blob.tensor)
        return blob

    def add(self, layer: CaffeLayer, operator: str, inputs: list[str], shape: Shape, **attributes: Any) -> None:
        """Add a layer's last node and make what it writes the layer's top."""
        self.check_size(layer, shape)
        if len(layer.tops) != 1:
            raise layer.wrong(f"has {len(layer.tops)} outputs, which cannot be imported (only 1)")
        tensor = self.step(layer.name, operator, inputs, **attributes)
        self._blobs[layer.tops[0]] = Blob(tensor, shape)
        if len(shape) == 3 and layer.name.isprintable() and len(layer.name) <= MAX_LAYER_NAME:
            self._layers[tensor] = layer.name

    def step(self, name: str, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node and return the name of what it writes: the wanted name, or one like it where that is taken."""
        tensor = self._free_name(name)
        self._nodes.append(helper.make_node(operator, inputs, [tensor], name=tensor, **attributes))
        if operator == "Softmax":
            self._softmaxes.add(tensor)
        return tensor

    def pass_on(self, layer: CaffeLayer) -> None:
        """Make a layer's top its bottom: the layer does nothing in prediction."""
        if not layer.bottoms or layer.bottoms[0] not in self._blobs:
            raise layer.wrong(f"reads {''.join(layer.bottoms[:1])!r}, which no layer before it writes")
        self._blobs[layer.tops[0]] = self._blobs[layer.bottoms[0]]

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Store an array and return its name."""
        name = self._free_name(name)
        self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def check_size(self, layer: CaffeLayer, shape: Shape) -> None:
        """Refuse a layer that would give nothing or far too much."""
        if min(shape) < 1:
            raise layer.wrong("has a window that is larger than what it reads")
        if math.prod(shape) > MAX_VALUES:
            raise layer.wrong(f"gives {sizes_text(shape)} values for a picture, more than {MAX_VALUES}")

    def weights(self, layer: CaffeLayer, shapes: list[Shape]) -> list[NDArray[np.float32]]:
        """The learned arrays of a layer, which must have these shapes (leading ones aside, as old files write them)."""
        blobs = self._weights.get(layer.name)
        if blobs is None:
            raise layer.wrong("has no weights in the .caffemodel, which belongs to another network")
        if len(blobs) != len(shapes):
            raise layer.wrong(f"has {len(blobs)} arrays of weights in the .caffemodel, but should have {len(shapes)}")
        for blob, shape in zip(blobs, shapes, strict=True):
            if _without_leading_ones(blob.shape) != _without_leading_ones(shape):
                raise layer.wrong(
                    f"has weights of {sizes_text(blob.shape)} in the .caffemodel, "
                    f"but its definition asks for {sizes_text(shape)}"
                )
        return [blob.reshape(shape) for blob, shape in zip(blobs, shapes, strict=True)]

    def finish(self, softmax: bool) -> OnnxNetwork:
        """The whole model, with the one blob that no layer reads as its output."""
        path = self._network.path
        ends = {blob.tensor: blob for blob in self._blobs.values() if blob.tensor not in self._read}
        if len(ends) != 1 or not self._nodes:
            names = ", ".join(repr(name) for name in list(ends)[:8])
            raise ModelError(
                f"Cannot import {path}: it has {len(ends)} outputs ({names}). "
                "Import a network with one list of classes."
            )
        (end,) = ends.values()
        if any(size != 1 for size in end.shape[1:]):
            raise ModelError(
                f"Cannot import {path}: it gives {sizes_text(end.shape)} values for a picture, not one list of "
                "classes. Import a network that classifies."
            )
        output, probabilities = end.tensor, end.tensor in self._softmaxes
        if softmax and not probabilities:
            output, probabilities = self.step(f"{output}.softmax", "Softmax", [output], axis=1), True
        if len(end.shape) > 1:
            output = self.step(f"{output}.classes", "Flatten", [output], axis=1)
        return OnnxNetwork(self._model(output, end.shape[0]), output, end.shape[0], probabilities, self._layers)

    def _model(self, output: str, classes: int) -> Any:
        network = self._network
        graph = helper.make_graph(
            self._nodes,
            network.name,
            [helper.make_tensor_value_info(network.input, TensorProto.FLOAT, ["N", *network.shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", classes])],
            list(self._initializers.values()),
        )
        return helper.make_model(
            graph,
            producer_name="agelens",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )

    def _free_name(self, name: str) -> str:
        free, count = name, 1
        while free in self._names:
            count += 1
            free = f"{name}_{count}"
        self._names.add(free)
        return free


def _without_leading_ones(shape: Shape) -> Shape:
    first = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


def sizes_text(shape: Shape) -> str:
    """A shape for people: 3×227×227."""
    return "×".join(str(size) for size in shape)
