from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.catalogue.catalogue import load_package
from desktop_app.vision.onnx_graph import read_graph, with_outputs
from tests.helpers.conv_model import write_conv_model


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return load_package(write_conv_model(tmp_path)).onnx_files[0].read_bytes()


def test_nodes_are_read_as_the_onnx_package_reads_them(model: bytes) -> None:
    onnx = pytest.importorskip("onnx")
    graph, expected = read_graph(model), onnx.load_from_string(model).graph
    assert [(node.op_type, node.inputs, node.outputs) for node in graph.nodes] == [
        (node.op_type, tuple(node.input), tuple(node.output)) for node in expected.node
    ]
    assert graph.outputs == tuple(value.name for value in expected.output) == ("age", "gender")


def test_outputs_are_added_behind_those_there_are(model: bytes) -> None:
    onnx = pytest.importorskip("onnx")
    # A name of more than 127 bytes takes a length of two bytes.
    names = ["a", "b" * 300, "größe"]
    graph = onnx.load_from_string(with_outputs(model, names)).graph
    assert [value.name for value in graph.output] == ["age", "gender", *names]
    assert len(graph.node) == len(read_graph(model).nodes)
    assert read_graph(with_outputs(model, names)).outputs == ("age", "gender", *names)


def test_a_cut_file_is_refused(model: bytes) -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        read_graph(model[:-10])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    try:
        graph = read_graph(junk)
    except ValueError:
        return
    assert isinstance(graph.nodes, tuple)
