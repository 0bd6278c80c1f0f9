"""A fixture that makes small models; a pytest plugin, so that every test folder can use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.manifest import (
    AgeLabel,
    InputSpec,
    Labels,
    Manifest,
    OutputSpec,
    sha256_of,
)
from models.manifest_writer import write_manifest

AGES = (AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None))


def write_network(path: Path, *, size: int, ages: int = 3, genders: int = 2) -> None:
    """A network whose age answer grows with blue, and whose gender answer with red."""
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
    onnx.save(model, str(path))


MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Writes a small model and its manifest; keywords change the manifest, `network_` ones the network."""

    def make(
        *, name: str = "tiny", folder: Path = tmp_path, network_ages: int = 3, network_size: int = 32, **changes: object
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        network = folder / f"{name}.onnx"
        write_network(network, size=network_size, ages=network_ages)
        files = {network.name: sha256_of(network)}
        manifest = Manifest(
            name=name,
            title="Tiny",
            architecture="two-head",
            labels=Labels(AGES, ("Male", "Female")),
            age=OutputSpec(network.name, "age"),
            gender=OutputSpec(network.name, "gender"),
            input=InputSpec(size=32, mean=(1.0, 2.0, 3.0), scale=0.02, margin=1.2),
            files=files,
        )
        manifest = replace(manifest, **changes)  # type: ignore[arg-type]
        write_manifest(manifest, folder / f"{name}.toml")
        return folder / f"{name}.toml"

    return make
