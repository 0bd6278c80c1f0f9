"""Intermediate tensors of a network in the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.onnx_graph import Graph, Node, read_graph, with_outputs
from desktop_app.vision.onnx_sessions import session_options

_CONVOLUTIONS: Final = {"Conv": 1, "QLinearConv": 3}
"""Operations with filters, and which of their inputs those are."""

_LAYER_NAMES: Final = {
    "QLinearConv": "conv",
    "MaxPool": "pool",
    "AveragePool": "pool",
    "LRN": "norm",
    "BatchNormalization": "bn",
    # ReLU6.
    "Clip": "relu",
}
_LAYER_KINDS: Final = {
    *(
        "Conv",
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Gelu",
        "HardSwish",
        "Mish",
        "Mul",
        "Add",
        "Concat",
    ),
    *_LAYER_NAMES,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor of the network that is made of feature maps.

    Attributes:
        name: short name in the manner of Caffe, as in "conv1": the model's own, else its kind, numbered over the layers
            with maps.
        tensor: its name in the ONNX file.
        shape: channels, rows, columns.
    """

    name: str
    tensor: str
    shape: tuple[int, int, int]


class OpenNetwork:
    """One ONNX file whose feature maps and first filters can be asked for like its outputs.

    Use it from one thread at a time.

    Args:
        file: the `.onnx` file.
        probe: a batch of one as the network takes it; one run shows the shape of each tensor.
        threads: CPU threads of ONNX Runtime.
        names: what the model calls its layers, by tensor.

    Attributes:
        layers: the tensors made of feature maps, in the order of the file.
        first_weights: filters×channels×rows×columns float32 of the first convolution; 0 filters where there is
            none.

    Raises:
        ValueError: the file is no ONNX file.
        Exception: ONNX Runtime's own, where it cannot load or run the network.
    """

    def __init__(
        self, file: Path, probe: NDArray[np.float32], threads: int, names: Mapping[str, str] | None = None
    ) -> None:
        model = file.read_bytes()
        graph = read_graph(model)
        kinds = _candidates(graph)
        weights = _first_weights(graph)
        wanted = dict.fromkeys([*kinds, *([weights] if weights else [])])
        self._session = _open(with_outputs(model, (name for name in wanted if name not in graph.outputs)), threads)
        self._input = self._session.get_inputs()[0].name
        values = dict(zip(wanted, self.run(probe, list(wanted)), strict=True))
        self.first_weights = values[weights] if weights else np.zeros((0, 1, 1, 1), np.float32)
        with_maps = {tensor: kind for tensor, kind in kinds.items() if _is_maps(values[tensor])}
        self.layers = _named(with_maps, values, names or {})

    def run(self, pixels: NDArray[np.float32], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """The named tensors for a batch of inputs (N×3×H×W float32), as float32 of their own shapes, N first."""
        if not names:
            return []
        results = self._session.run(list(names), {self._input: pixels})
        return [np.asarray(result, np.float32) for result in results]


def _open(model: bytes, threads: int) -> Any:
    # Imported late, so that importing this module stays cheap for the window.
    import onnxruntime

    options = session_options(threads=threads)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _candidates(graph: Graph) -> dict[str, str]:
    """Tensors that may be feature maps and the kinds of layer that make them, in the order of the file.

    What comes before the first convolution is the picture itself, resized and scaled.
    """
    is_convolution = [node.op_type in _CONVOLUTIONS for node in graph.nodes]
    first = is_convolution.index(True) if any(is_convolution) else 0
    return {
        node.outputs[0]: _LAYER_NAMES.get(node.op_type, node.op_type.lower())
        for node in graph.nodes[first:]
        if node.op_type in _LAYER_KINDS and node.outputs
    }


def _is_maps(value: NDArray[np.float32]) -> bool:
    """Whether a tensor that was computed for one input has channels, rows and columns (weights may look alike)."""
    return value.ndim == 4 and value.shape[0] == 1 and min(value.shape[1:]) > 1


def _named(
    kinds: Mapping[str, str], values: Mapping[str, NDArray[np.float32]], names: Mapping[str, str]
) -> tuple[Layer, ...]:
    counts: Counter[str] = Counter()
    layers: dict[str, Layer] = {}
    for tensor, kind in kinds.items():
        counts[kind] += 1
        name = names.get(tensor, "")
        # A name stands for one layer only, as layers are chosen by it.
        while not name or name in layers:
            name = f"{kind}{counts[kind]}"
            counts[kind] += name in layers
        _, channels, rows, columns = values[tensor].shape
        layers[name] = Layer(name, tensor, (channels, rows, columns))
    return tuple(layers.values())


def _first_weights(graph: Graph) -> str:
    first: Node | None = next((node for node in graph.nodes if node.op_type in _CONVOLUTIONS), None)
    return first.inputs[_CONVOLUTIONS[first.op_type]] if first is not None else ""
