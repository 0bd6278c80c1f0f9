"""Reads the weights of an ONNX file, or stores them in fewer bytes (needs the `train` extra)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from desktop_app.catalogue.manifest import ModelError

Storage = Literal["fp32", "fp16", "int8"]
Weights = dict[str, NDArray[np.float32]]

SPEC_KEY: Final = "agelens.network"
"""The entry of an ONNX file's metadata that holds the `NetworkSpec` as JSON."""

MIN_VALUES: Final = 1024
"""Smaller arrays stay in full precision: they weigh nothing, and biases are sensitive."""

_CONSTANT_INPUTS: Final = {"Cast": 1, "Mul": 2, "DequantizeLinear": 3}


def store_weights(model: onnx.ModelProto, storage: Storage) -> None:
    """Store the large weights of a network in fewer bytes, in place; it still computes in float32.

    A stored weight keeps its name as the output of the node that restores it. ONNX Runtime computes those nodes once,
    when the network is loaded. `int8` has one scale per output channel (symmetric, round to nearest).

    Args:
        model: a network whose weights are float32 initializers.
        storage: `fp32` changes nothing.
    """
    if storage == "fp32":
        return
    graph = model.graph
    restored: list[onnx.NodeProto] = []
    for initializer in list(graph.initializer):
        if initializer.data_type != onnx.TensorProto.FLOAT or np.prod(initializer.dims) < MIN_VALUES:
            continue
        name, values = initializer.name, numpy_helper.to_array(initializer)
        graph.initializer.remove(initializer)
        restored += _halved(graph, name, values) if storage == "fp16" else _quantised(graph, name, values)
    for node in reversed(restored):
        graph.node.insert(0, node)


def read_weights(path: Path) -> Weights:
    """The weights of the convolutions, dense layers and batch norms of an ONNX file.

    Returns:
        float32 arrays under `<layer>.weight` and `<layer>.bias`, and of a norm also `<layer>.running_mean` and
        `<layer>.running_var`, shaped as PyTorch shapes them; the layer is named by the weight's own name. A bias that
        the file lacks is zeros.

    Raises:
        ModelError: the file cannot be read, or its weights are not inside it.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        return _layer_weights(model.graph)
    except Exception as error:
        # protobuf, numpy and onnx each have their own kinds of error for a damaged file.
        raise ModelError(
            f"Cannot read the ONNX network {path}: it is damaged or of another kind. Export it again."
        ) from error


def read_metadata(path: Path, key: str) -> str:
    """One entry of an ONNX file's metadata; empty where there is none.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(
            f"Cannot read the ONNX network {path}: it is damaged or of another kind. Export it again."
        ) from error
    return next((one.value for one in model.metadata_props if one.key == key), "")


def quantise_static(path: Path, batches: Iterator[NDArray[np.float32]]) -> None:
    """Make a network compute in int8, in place: QDQ form, one scale a channel for weights, min-max for activations.

    Args:
        path: an ONNX file with float32 weights.
        batches: N×3×size×size inputs to measure the activations with, as the network sees them in use.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    model = onnx.load(str(path))
    name = model.graph.input[0].name

    class _Reader(CalibrationDataReader):  # type: ignore[misc,unused-ignore]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(batches, None)
            return None if batch is None else {name: batch}

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        quantised = Path(folder) / "quantised.onnx"
        quantize_static(
            str(path),
            str(quantised),
            _Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        quantised.replace(path)


def _halved(graph: onnx.GraphProto, name: str, values: NDArray[np.float32]) -> list[onnx.NodeProto]:
    stored = f"{name}.fp16"
    graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
    return [helper.make_node("Cast", [stored], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT)]


def _quantised(graph: onnx.GraphProto, name: str, values: NDArray[np.float32]) -> list[onnx.NodeProto]:
    rows = np.abs(values).reshape(len(values), -1).max(axis=1)
    scale = np.where(rows > 0, rows / 127, 1).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    integers = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    graph.initializer.append(numpy_helper.from_array(integers, f"{name}.int8"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
    # Cast and Mul, not DequantizeLinear, which ONNX Runtime would keep and compute again in each run.
    cast = helper.make_node("Cast", [f"{name}.int8"], [f"{name}.unscaled"], f"{name}.cast", to=onnx.TensorProto.FLOAT)
    return [cast, helper.make_node("Mul", [f"{name}.unscaled", f"{name}.scale"], [name], f"{name}.restore")]


def _layer_weights(graph: onnx.GraphProto) -> Weights:
    constants: dict[str, NDArray[np.generic]] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    weights: Weights = {}
    for node in graph.node:
        if node.op_type in _CONSTANT_INPUTS and all(name in constants for name in node.input):
            constants[node.output[0]] = _restore(node, [constants[name] for name in node.input])
        if node.op_type in {"Conv", "Gemm"} and node.input[1] in constants:
            _take_layer(node, constants, weights)
        if node.op_type == "BatchNormalization" and all(name in constants for name in node.input[1:5]):
            # Named by the mean: exporters store equal arrays once, and fresh norms have weights and biases alike.
            layer = node.input[3].removesuffix(".running_mean")
            for kind, name in zip(("weight", "bias", "running_mean", "running_var"), node.input[1:5], strict=True):
                weights[f"{layer}.{kind}"] = np.array(constants[name], np.float32)
    return weights


def _take_layer(node: onnx.NodeProto, constants: dict[str, NDArray[np.generic]], weights: Weights) -> None:
    weight = np.asarray(constants[node.input[1]], np.float32)
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    if node.op_type == "Gemm" and not transposed:
        weight = weight.T
    layer = node.input[1].removesuffix("_DequantizeLinear_Output").removesuffix(".weight")
    bias = constants.get(node.input[2]) if len(node.input) > 2 else None
    weights[f"{layer}.weight"] = np.ascontiguousarray(weight)
    weights[f"{layer}.bias"] = np.zeros(len(weight), np.float32) if bias is None else np.array(bias, np.float32)


def _restore(node: onnx.NodeProto, inputs: list[NDArray[np.generic]]) -> NDArray[np.generic]:
    if node.op_type == "Cast":
        return inputs[0].astype(np.float32)
    if node.op_type == "Mul":
        return np.asarray(np.multiply(inputs[0], inputs[1]))
    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    values, scale, *zero = (np.asarray(one, np.float32) for one in inputs)
    if scale.ndim:
        shape = [-1 if index == axis % values.ndim else 1 for index in range(values.ndim)]
        scale, zero = scale.reshape(shape), [one.reshape(shape) for one in zero]
    return (values - (zero[0] if zero else 0)) * scale
