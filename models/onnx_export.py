"""From a PyTorch network to a lean ONNX one."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Final

import onnx
import torch

from models.networks import INPUT_SIZE, NetworkSpec
from models.onnx_weights import SPEC_KEY
from models.tool import ToolError

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
