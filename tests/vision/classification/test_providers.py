from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from desktop_app.catalogue.catalogue import load_package
from desktop_app.vision.classification.providers import available_providers, choose_fastest, open_sessions
from tests.helpers.tiny_model import MakeModel


def session_of(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture
def runs(make_model: MakeModel) -> Any:
    return session_of(load_package(make_model()).onnx_files[0])


@pytest.fixture
def fails(tmp_path: Path) -> Any:
    """A session that loads and then cannot run: it reshapes its input to what that does not hold."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["input", "shape"], ["output"])],
        "fails",
        [helper.make_tensor_value_info("input", 1, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info("output", 1, None)],
        [helper.make_tensor("shape", 7, [1], [1_000_003])],
    )
    path = tmp_path / "fails.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return session_of(path)


def test_a_provider_that_loads_but_does_not_run_is_passed_over(runs: Any, fails: Any) -> None:
    assert choose_fastest({"cuda": [fails], "cpu": [runs]}) == "cpu"
    assert choose_fastest({"cuda": [runs], "cpu": [runs, fails]}) == "cuda"


def test_a_provider_without_rival_is_taken_as_it_is(fails: Any) -> None:
    assert choose_fastest({"cuda": [fails]}) == "cuda"
    assert choose_fastest({"cuda": [fails], "cpu": [fails]}) == "cuda"


def test_auto_takes_one_of_those_that_are_here(make_model: MakeModel) -> None:
    opened = open_sessions(load_package(make_model()).onnx_files)
    assert opened.provider in available_providers()
    assert len(opened.sessions) == 1
