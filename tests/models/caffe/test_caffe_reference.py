"""Imported networks against an independent computation of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.caffe.files import read_weights
from models.caffe.network import read_network
from tests.helpers.caffe_files import (
    FileFormat,
    Layer,
    ShapeStyle,
    bias,
    caffemodel_bytes,
    he,
    paper_layers,
    prototxt_text,
    run_network,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = 2e-5
"""Of the largest value of a layer: float32 against float64."""

PAPER_SHAPES = {
    "conv1": (96, 56, 56),
    "pool1": (96, 28, 28),
    "norm1": (96, 28, 28),
    "conv2": (256, 28, 28),
    "pool2": (256, 14, 14),
    "norm2": (256, 14, 14),
    "conv3": (384, 14, 14),
    "pool5": (384, 7, 7),
    "fc6": (512,),
    "fc7": (512,),
}


def converted(
    folder: Path,
    layers: Sequence[Layer],
    shape: tuple[int, int, int],
    file_format: FileFormat = "new",
    shape_style: ShapeStyle = "shape",
) -> Any:
    from models.caffe.onnx_builder import convert_network

    prototxt, weights = folder / "deploy.prototxt", folder / "net.caffemodel"
    prototxt.write_text(prototxt_text(layers, file_format, shape=shape))
    weights.write_bytes(caffemodel_bytes(layers, file_format, shape_style=shape_style))
    network = convert_network(read_network(prototxt), read_weights(weights))
    onnx.checker.check_model(network.model, full_check=True)
    return network


def outputs_of_all_layers(model: Any, pictures: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    names = [name for node in model.graph.node for name in node.output]
    shown = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {model.graph.input[0].name: pictures}), strict=True))


def largest_difference(folder: Path, layers: Sequence[Layer], shape: tuple[int, int, int], **options: Any) -> float:
    """Compare each layer for two pictures, and return the largest difference over the layer's largest value."""
    pictures = np.random.default_rng(7).normal(0, 1, (2, *shape)).astype(np.float32)
    answers = outputs_of_all_layers(converted(folder, layers, shape, **options).model, pictures)
    worst = 0.0
    for index, picture in enumerate(pictures):
        for name, expected in run_network(layers, picture.astype(np.float64)).items():
            if any(layer.name == name and layer.type == "Dropout" for layer in layers):
                continue
            assert answers[name][index].shape == expected.shape, name
            largest = max(float(np.abs(expected).max()), 1e-3)
            worst = max(worst, float(np.abs(answers[name][index] - expected).max()) / largest)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "file_format", "shape_style"), [(8, "v1", "legacy"), (2, "new", "shape")], ids=["age-v1", "gender-new"]
)
def test_the_papers_network_agrees_in_every_layer(
    tmp_path: Path, classes: int, file_format: FileFormat, shape_style: ShapeStyle
) -> None:
    layers = paper_layers(classes)
    network = converted(tmp_path, layers, (3, 227, 227), file_format, shape_style)
    # Like a picture with its mean taken away.
    picture = np.random.default_rng(3).integers(-110, 140, (1, 3, 227, 227)).astype(np.float32)
    answers = outputs_of_all_layers(network.model, picture)
    expected = run_network(layers, picture[0].astype(np.float64))
    differences = {}
    for name, values in expected.items():
        if name.startswith("drop"):
            continue
        assert answers[name].shape == (1, *values.shape)
        assert values.shape == PAPER_SHAPES.get(name, values.shape)
        differences[name] = float(np.abs(answers[name][0] - values).max() / np.abs(values).max())
    print({name: f"{difference:.1e}" for name, difference in differences.items()})
    print(
        f"largest absolute difference of the probabilities: {np.abs(answers['prob'][0] - expected['prob']).max():.1e}"
    )
    assert max(differences.values()) < TOLERANCE
    assert expected["prob"].std() > 0.01
    assert (network.output, network.classes, network.probabilities) == ("prob", classes, True)
    stored = {tensor.name: tuple(tensor.dims) for tensor in network.model.graph.initializer}
    names = [
        f"{layer}.{kind}" for layer in ("conv1", "conv2", "conv3", "fc6", "fc7", "fc8") for kind in ("weight", "bias")
    ]
    assert list(stored) == names
    assert sum(int(np.prod(dims)) for dims in stored.values()) == 11_415_048 - (8 - classes) * 513


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), method=st.sampled_from(["MAX", "AVE"]))
def test_pooling_of_every_size(tmp_path: Path, data: st.DataObject, method: str) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    window: dict[str, Any] = {"pool": method}
    for axis in ("h", "w"):
        kernel = data.draw(st.integers(1, 5))
        window |= {f"kernel_{axis}": kernel, f"stride_{axis}": data.draw(st.integers(1, 4))}
        window |= {f"pad_{axis}": data.draw(st.integers(0, kernel - 1))}
    padded = window["pad_h"] or window["pad_w"]
    for side, axis in ((height, "h"), (width, "w")):
        kernel, stride, pad = (window[f"{name}_{axis}"] for name in ("kernel", "stride", "pad"))
        count = -(-(side + 2 * pad - kernel) // stride) + 1
        # Caffe gives no meaningful value for a window outside of the picture (unpadded, stride above kernel).
        assume(count >= 1 and (padded or (count - 1) * stride < side))
        assume(count > 1 or not padded or (count - 1) * stride < side + pad)
    layers = [Layer("Pooling", "pool1", window), *classes_after(2, (height, width), window)]
    assert largest_difference(tmp_path, layers, (2, height, width)) < TOLERANCE


def classes_after(channels: int, sides: tuple[int, int], window: dict[str, Any]) -> list[Layer]:
    pooled = run_network([Layer("Pooling", "pool1", window)], np.zeros((channels, *sides)))["pool1"]
    random = np.random.default_rng(5)
    return [Layer("InnerProduct", "fc", {"num_output": 3}, (he(random, 3, pooled.size), bias(random, 3)))]


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pad", "count"),
    [(56, 3, 2, 0, 28), (7, 3, 2, 0, 3), (8, 3, 2, 0, 4), (4, 2, 2, 1, 3), (5, 2, 2, 1, 3), (2, 3, 2, 0, 1)],
)
def test_pooling_counts_windows_as_caffe_does(
    tmp_path: Path, side: int, kernel: int, stride: int, pad: int, count: int
) -> None:
    pool = Layer("Pooling", "pool1", {"pool": "MAX", "kernel_size": kernel, "stride": stride, "pad": pad})
    layers = [pool, *classes_after(1, (side, side), dict(pool.settings))]
    model = converted(tmp_path, layers, (1, side, side)).model
    pictures = np.zeros((1, 1, side, side), np.float32)
    assert outputs_of_all_layers(model, pictures)["pool1"].shape == (1, 1, count, count)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.sampled_from([1, 2, 4]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.integers(1, 2),
    biased=st.booleans(),
)
def test_convolution_in_every_setting(
    tmp_path: Path,
    groups: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: int,
    biased: bool,
) -> None:
    random = np.random.default_rng(11)
    window = {"num_output": 8, "group": groups, "dilation": dilation, "bias_term": biased}
    for name, pair in (("kernel", kernel), ("stride", stride), ("pad", pad)):
        window |= {f"{name}_h": pair[0], f"{name}_w": pair[1]}
    weight = he(random, 8, 4 // groups, *kernel)
    convolution = Layer("Convolution", "conv", window, (weight, bias(random, 8)) if biased else (weight,))
    size = run_network([convolution], np.zeros((4, 11, 9)))["conv"].size
    layers = [convolution, Layer("InnerProduct", "fc", {"num_output": 3}, (he(random, 3, size), bias(random, 3)))]
    assert largest_difference(tmp_path, layers, (4, 11, 9)) < TOLERANCE


@pytest.mark.parametrize(("channels", "size", "k"), [(1, 5, 1.0), (3, 5, 1.0), (7, 3, 2.0), (12, 5, 2.0), (4, 1, 0.5)])
def test_response_normalisation(tmp_path: Path, channels: int, size: int, k: float) -> None:
    random = np.random.default_rng(2)
    layers = [
        Layer("LRN", "norm", {"local_size": size, "alpha": 0.7, "beta": 0.6, "k": k}),
        Layer("InnerProduct", "fc", {"num_output": 4}, (he(random, 4, channels * 15), bias(random, 4))),
    ]
    assert largest_difference(tmp_path, layers, (channels, 5, 3)) < TOLERANCE


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_inner_product(tmp_path: Path, transposed: bool, biased: bool) -> None:
    random = np.random.default_rng(4)
    weight = he(random, 5, 3 * 4 * 6)
    arrays = (np.ascontiguousarray(weight.T) if transposed else weight, bias(random, 5))
    options = {"num_output": 5, "transpose": transposed, "bias_term": biased}
    layers = [
        Layer("InnerProduct", "fc", options, arrays if biased else arrays[:1]),
        Layer("Softmax", "prob"),
    ]
    assert largest_difference(tmp_path, layers, (3, 4, 6)) < TOLERANCE


@pytest.mark.parametrize("factor", [0.0, 1.0, 997.5])
def test_batch_norm_scale_leaky_rectifier_and_global_pooling(tmp_path: Path, factor: float) -> None:
    random = np.random.default_rng(8)
    statistics = (
        bias(random, 6) * factor,
        (1 + random.random(6).astype(np.float32)) * np.float32(factor),
        np.array([factor], np.float32),
    )
    epsilon = {"eps": 0.5} if factor == 0 else {}
    layers = [
        Layer(
            "Convolution", "conv", {"num_output": 6, "kernel_size": 3, "bias_term": False}, (he(random, 6, 3, 3, 3),)
        ),
        Layer("BatchNorm", "bn", {"use_global_stats": True, **epsilon}, statistics, in_place=True),
        Layer("Scale", "scale", {"bias_term": True}, (1 + bias(random, 6), bias(random, 6)), in_place=True),
        Layer("ReLU", "relu", {"negative_slope": 0.1}, in_place=True),
        Layer("Pooling", "pool", {"pool": "AVE", "global_pooling": True}),
        Layer("InnerProduct", "fc", {"num_output": 5}, (he(random, 5, 6), bias(random, 5))),
        Layer("BatchNorm", "bn2", {}, (bias(random, 5), 1 + bias(random, 5), np.ones(1, np.float32))),
        Layer("Scale", "scale2", {}, (1 + bias(random, 5),)),
    ]
    assert largest_difference(tmp_path, layers, (3, 9, 7)) < TOLERANCE


def test_a_network_without_inner_products_gives_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    layers = [
        Layer("Convolution", "conv", {"num_output": 4, "kernel_size": 3}, (he(random, 4, 3, 3, 3), bias(random, 4))),
        Layer("Pooling", "pool", {"pool": "AVE", "global_pooling": True}),
        Layer("Softmax", "prob"),
    ]
    network = converted(tmp_path, layers, (3, 6, 6))
    picture = np.random.default_rng(1).normal(0, 1, (1, 3, 6, 6)).astype(np.float32)
    answer = outputs_of_all_layers(network.model, picture)[network.output]
    expected = run_network(layers, picture[0].astype(np.float64))["prob"].ravel()
    assert network.probabilities
    np.testing.assert_allclose(answer, expected[None], rtol=1e-5)


@pytest.mark.slow
def test_the_papers_network_in_pytorch_takes_the_imported_arrays(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.networks.architectures import LeviHassnerNet

    layers = paper_layers(8, softmax=False)
    stored = converted(tmp_path, layers, (3, 227, 227)).model.graph.initializer
    network = LeviHassnerNet(8).eval()
    state = {one.name: torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in stored}
    network.load_state_dict(state)
    picture = np.random.default_rng(3).integers(-110, 140, (3, 227, 227)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(picture[None]))[0].numpy()
    expected = run_network(layers, picture.astype(np.float64))["fc8"]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * float(np.abs(expected).max()))
