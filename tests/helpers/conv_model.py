"""Small convolutional models whose every value a test can work out by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import (
    AgeLabel,
    Colour,
    InputSpec,
    Labels,
    Manifest,
    OutputSpec,
    sha256_of,
    write_manifest,
)

SIZE = 64
STRIDE = 4
LABELS = Labels((AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None)), ("Male", "Female"))
CLASSES = {"age": 3, "gender": 2}

Weights = dict[str, NDArray[np.float32]]


def make_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = {"w1": (6, 3, 5, 5), "w2": (60, 6, 3, 3), "age.weight": (60, 3), "gender.weight": (60, 2)}
    return {name: np.asarray(rng.normal(size=shape) / 5, np.float32) for name, shape in shapes.items()}


def write_conv_model(
    folder: Path,
    *,
    name: str = "conv",
    two_network: bool = False,
    half: bool = False,
    colour: Colour = "BGR",
    seed: int = 0,
) -> Path:
    """conv, relu, pool, conv, relu, global mean, one matrix an answer; returns the manifest's path.

    `half` stores the filters as float16 and casts them in the network, as exported small models do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"age": f"{name}.onnx", "gender": f"{name}.onnx"}
    if two_network:
        files = {"age": f"{name}-age.onnx", "gender": f"{name}-gender.onnx"}
        _save(folder / files["age"], make_weights(seed), ["age"], half)
        _save(folder / files["gender"], make_weights(seed + 1), ["gender"], half)
    else:
        _save(folder / files["age"], make_weights(seed), ["age", "gender"], half)
    return _describe(folder, name, files, colour)


def write_corner_model(folder: Path) -> Path:
    """The first age group and the first gender are the likelier, the lighter the top left 16×16 pixels are."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {head: np.zeros((count, 3, SIZE, SIZE), np.float32) for head, count in CLASSES.items()}
    for values in weights.values():
        values[0, :, :16, :16] = 2 / (3 * 16 * 16)
    onnx = pytest.importorskip("onnx")
    nodes = []
    for head in CLASSES:
        nodes.append(onnx.helper.make_node("Conv", ["input", f"w.{head}"], [f"c.{head}"]))
        nodes.append(onnx.helper.make_node("Flatten", [f"c.{head}"], [head]))
    named = {f"w.{head}": values for head, values in weights.items()}
    _write(folder / "corner.onnx", nodes, named, list(CLASSES))
    return _describe(folder, "corner", {"age": "corner.onnx", "gender": "corner.onnx"}, "BGR")


def _save(path: Path, weights: Weights, heads: list[str], half: bool) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    nodes, stored = [], dict(weights)
    if half:
        stored["w1.half"] = weights["w1"].astype(np.float16)
        del stored["w1"]
        nodes.append(node("Cast", ["w1.half"], ["w1"], to=1))
    nodes += [
        node("Conv", ["input", "w1"], ["a"], strides=[STRIDE, STRIDE]),
        node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        node("Conv", ["c", "w2"], ["d"], pads=[1, 1, 1, 1]),
        node("Relu", ["d"], ["e"]),
        node("GlobalAveragePool", ["e"], ["f"]),
        node("Flatten", ["f"], ["g"]),
        *(node("MatMul", ["g", f"{head}.weight"], [head]) for head in heads),
    ]
    used = {name for one in nodes for name in one.input}
    _write(path, nodes, {name: value for name, value in stored.items() if name in used}, heads)


def _write(path: Path, nodes: list[Any], weights: Weights, heads: list[str]) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("input", 1, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(head, 1, ["n", CLASSES[head]]) for head in heads],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def _describe(folder: Path, name: str, files: dict[str, str], colour: Colour) -> Path:
    manifest = Manifest(
        name=name,
        title=name.capitalize(),
        architecture="two-head" if files["age"] == files["gender"] else "two-network",
        labels=LABELS,
        age=OutputSpec(files["age"], "age"),
        gender=OutputSpec(files["gender"], "gender"),
        input=InputSpec(size=SIZE, colour=colour, mean=127.0, scale=1 / 64, margin=1.2),
        activation="softmax",
        files={file: sha256_of(folder / file) for file in files.values()},
    )
    path = folder / f"{name}.toml"
    write_manifest(manifest, path)
    return path
