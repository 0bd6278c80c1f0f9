"""A fixture that makes small models; a pytest plugin, so that every test folder can use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import (
    AgeLabel,
    InputSpec,
    Labels,
    Manifest,
    OutputSpec,
    sha256_of,
    write_manifest,
)

AGES = (AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None))


def write_network(
    path: Path, *, size: int, ages: int = 3, genders: int = 2, change: Callable[[Any], None] | None = None
) -> None:
    """A network whose age answer grows with blue, and whose gender answer with red; `change` gets the ONNX model."""
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    weights = {
        "age.weight": rng.normal(size=(3, ages)).astype(np.float32),
        "gender.weight": rng.normal(size=(3, genders)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "age.weight"], ["age"]),
            helper.make_node("MatMul", ["flat", "gender.weight"], ["gender"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("input", 1, ["n", 3, size, size])],
        [
            helper.make_tensor_value_info("age", 1, ["n", ages]),
            helper.make_tensor_value_info("gender", 1, ["n", genders]),
        ],
        [numbers.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if change is not None:
        change(model)
    path.write_bytes(model.SerializeToString())


def add_to_ages(model: Any, *nodes: Any, summand: str, **weights: NDArray[Any]) -> None:
    """Add the result of further operations to the answer of a network that `write_network` makes."""
    onnx = pytest.importorskip("onnx")
    graph = model.graph
    plain = next(node for node in graph.node if node.output[0] == "age")
    plain.output[0] = "plain.age"
    graph.node.extend([*nodes, onnx.helper.make_node("Add", ["plain.age", summand], ["age"])])
    graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in weights.items())


def one_row_alone(model: Any) -> None:
    """Make a network say that it takes any number of faces, and take one alone."""
    onnx = pytest.importorskip("onnx")
    for node in model.graph.node:
        if node.op_type == "Flatten":
            node.op_type = "Reshape"
            node.input.append("one.row")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 3]), "one.row"))


def fail_from_four_faces(model: Any) -> None:
    """Make a network stumble over four faces or more, which no trial with fewer of them finds."""
    node = pytest.importorskip("onnx").helper.make_node
    add_to_ages(
        model,
        node("Shape", ["input"], ["shape"], end=1),
        node("Gather", ["four", "shape"], ["nothing"]),
        summand="nothing",
        four=np.zeros(4, np.float32),
    )


MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Writes a small model and its manifest; keywords change the manifest, `network_` ones the network."""

    def make(
        *,
        name: str = "tiny",
        folder: Path = tmp_path,
        network_ages: int = 3,
        network_size: int = 32,
        network_change: Callable[[Any], None] | None = None,
        **changes: object,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        network = folder / f"{name}.onnx"
        write_network(network, size=network_size, ages=network_ages, change=network_change)
        files = {network.name: sha256_of(network)}
        manifest = Manifest(
            name=name,
            title="Tiny",
            architecture="two-head",
            labels=Labels(AGES, ("Male", "Female")),
            age=OutputSpec(network.name, "age"),
            gender=OutputSpec(network.name, "gender"),
            input=InputSpec(size=32, mean=(1.0, 2.0, 3.0), scale=0.02, margin=1.2),
            activation="softmax",
            files=files,
        )
        manifest = replace(manifest, **changes)  # type: ignore[arg-type]
        write_manifest(manifest, folder / f"{name}.toml")
        return folder / f"{name}.toml"

    return make
