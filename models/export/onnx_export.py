"""Converts a PyTorch network to ONNX."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Final

import onnx
import torch

from models.cli_utils import ToolError
from models.export.onnx_weights import SPEC_KEY
from models.networks.architectures import INPUT_SIZE, NetworkSpec

OPSET: Final = 18


def to_onnx(network: torch.nn.Module, spec: NetworkSpec) -> onnx.ModelProto:
    """A network as ONNX, with any number of inputs.

    Its input is `pixels`, N×3×227×227 float32; its outputs are named like the heads.

    Raises:
        ToolError: PyTorch gives none.
    """
    with _quietly():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, INPUT_SIZE, INPUT_SIZE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=list(spec.heads),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ToolError("PyTorch gave no ONNX network")
    model = program.model_proto
    _drop_traces(model)
    model.metadata_props.add(key=SPEC_KEY, value=json.dumps(spec.as_dict()))
    onnx.checker.check_model(model)
    return model


_PAPER_LAYERS: Final = (
    *(("Conv", "conv1"), ("Relu", "relu1"), ("MaxPool", "pool1"), ("Norm", "norm1")),
    *(("Conv", "conv2"), ("Relu", "relu2"), ("MaxPool", "pool2"), ("Norm", "norm2")),
    *(("Conv", "conv3"), ("Relu", "relu3"), ("MaxPool", "pool5")),
)
"""What the authors of the paper call the layers with maps, and the operations that they are in ONNX."""


def published_names(model: onnx.ModelProto, spec: NetworkSpec) -> dict[str, str]:
    """What the layers with maps are called in the paper's definition, by tensor; empty for another network."""
    if spec.architecture != "levi-hassner":
        return {}
    operations = {kind for kind, _ in _PAPER_LAYERS}
    written = [
        (kind, node.output[0])
        for node in model.graph.node
        if (kind := "Norm" if node.op_type in {"LRN", "BatchNormalization"} else node.op_type) in operations
    ][: len(_PAPER_LAYERS)]
    if [kind for kind, _ in written] != [kind for kind, _ in _PAPER_LAYERS]:
        return {}
    return {tensor: name for (_, tensor), (_, name) in zip(written, _PAPER_LAYERS, strict=True)}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """PyTorch's exporter warns about packages that nobody here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _drop_traces(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes of the source code, with paths of this machine."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
        item.ClearField("doc_string")
    del graph.value_info[:]
