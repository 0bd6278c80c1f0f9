"""Caffe's files: reading them, importing them, and what happens when they are broken or hostile."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import MAX_FILE_BYTES, load_package, refuse_shipped_name
from desktop_app.catalogue.manifest import ModelError
from desktop_app.vision.preprocessing import Preprocessing
from models.__main__ import main
from models.caffe.cli import parse_age_labels, parse_mean
from models.caffe.files import read_mean, read_weights
from models.caffe.network import read_network
from models.data.labels import LabelError
from tests.helpers.caffe_files import (
    FileFormat,
    Layer,
    ShapeStyle,
    ValueStyle,
    blob_bytes,
    bytes_field,
    caffemodel_bytes,
    number_field,
    prototxt_text,
    run_network,
    small_layers,
    varint,
)

REAL_MEAN = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "caffe" / "mean.binaryproto"
SHAPE = (3, 35, 35)
ADIENCE_AGES = ["0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60-100"]
T = TypeVar("T")
fuzz = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_one_sentence(error: BaseException) -> None:
    message = str(error)
    assert len(message) > 20
    assert "\n" not in message


# ---- weights ----


@pytest.mark.parametrize(
    ("file_format", "shape_style", "value_style"),
    list(itertools.product(["v1", "new"], ["legacy", "shape"], ["packed", "unpacked", "double"])),
)
def test_weights_are_read_from_every_format(
    tmp_path: Path, file_format: FileFormat, shape_style: ShapeStyle, value_style: ValueStyle
) -> None:
    layers = small_layers(8)
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffemodel_bytes(layers, file_format, shape_style=shape_style, value_style=value_style))
    weights = read_weights(path)
    expected = {layer.name: layer.arrays for layer in layers if layer.arrays}
    assert list(weights) == list(expected)
    for name, arrays in expected.items():
        for found, array in zip(weights[name], arrays, strict=True):
            assert found.dtype == np.float32
            assert found.size == array.size
            np.testing.assert_array_equal(found.reshape(array.shape), array)


@pytest.mark.slow
def test_values_that_are_not_packed_cost_one_array(tmp_path: Path) -> None:
    values = np.arange(200_000, dtype=np.float32)
    table = np.empty((len(values), 5), np.uint8)
    table[:, 0] = 5 << 3 | 5
    table[:, 1:] = values.view(np.uint8).reshape(-1, 4)
    blob = bytes_field(7, bytes_field(1, varint(len(values)))) + table.tobytes()
    path = tmp_path / "net.caffemodel"
    path.write_bytes(bytes_field(100, bytes_field(1, b"fc") + bytes_field(7, blob)))
    weights, peak = with_peak(lambda: read_weights(path))
    np.testing.assert_array_equal(weights["fc"][0], values)
    assert peak < 5 << 20


def with_peak(work: Callable[[], T]) -> tuple[T, int]:
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def layer_file(path: Path, blob: bytes) -> Path:
    path.write_bytes(bytes_field(100, bytes_field(1, b"fc") + bytes_field(7, blob)))
    return path


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (blob_bytes(np.zeros(6, np.float32), shape=(2, 4)), "2×4 but holds 6"),
        (blob_bytes(np.zeros(6, np.float32), shape=(2**40, 2**40)), "but holds 6"),
        (blob_bytes(np.zeros(6, np.float32), shape=(2**32, 2**32, 6)), "but holds 6"),
        (blob_bytes(np.zeros(6, np.float32), shape=(-2, -3)), "but holds 6"),
        (blob_bytes(np.zeros(0, np.float32), shape=(0,)), "holds 0"),
        (blob_bytes(np.zeros(1, np.float32), shape=[1] * 40), "too many axes"),
        (blob_bytes(np.array([1, np.nan], np.float32)), "not numbers"),
        (blob_bytes(np.array([1, np.inf], np.float32), value_style="double"), "not numbers"),
        (bytes_field(5, b"12345"), "is damaged"),
        (varint(5 << 3 | 2) + varint(2**60) + b"1234", "is damaged"),
        (varint(5 << 3 | 2) + b"\xff" * 11, "is damaged"),
        (b"\x2b", "is damaged"),
    ],
)
def test_what_a_blob_declares_is_checked(tmp_path: Path, blob: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        read_weights(layer_file(tmp_path / "net.caffemodel", blob))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"<!DOCTYPE html><html>not found</html>", "Caffe model"),
        (bytes_field(1, b"CaffeNet"), "no layer with weights"),
        (number_field(9, 1), "no layer with weights"),
        (bytes_field(100, b"") * 20_000, "too many layers"),
        (bytes_field(100, bytes_field(1, b"\xff") + bytes_field(7, b"")), "not text"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=reason) as caught:
        read_weights(path)
    assert_one_sentence(caught.value)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    with path.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)  # a hole: it takes no room on the disk

    def attempt() -> None:
        with pytest.raises(ModelError, match="larger than 768 MiB"):
            read_weights(path)

    assert with_peak(attempt)[1] < 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes_field(100, b"") * 600_000, "more than 500,000 parts"),
        (bytes_field(2, bytes_field(6, b"") * 600_000), "more than 500,000 parts"),
        (bytes_field(100, bytes_field(7, bytes_field(7, bytes_field(1, b"\x01" * 8_000_000)))), "too many axes"),
        (bytes_field(100, bytes_field(7, bytes_field(7, number_field(1, 1) * 8_000_000))), "too many axes"),
    ],
    ids=["layers", "arrays", "packed sizes", "sizes"],
)
def test_what_would_take_far_more_memory_than_the_file_has_bytes_is_not_parsed(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data)
    process = psutil.Process()
    before = process.memory_info().rss
    with pytest.raises(ModelError, match=reason) as caught:
        read_weights(path)
    assert_one_sentence(caught.value)
    # Parsed, each takes 60 MB and more.
    assert process.memory_info().rss - before < 32 << 20


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, Path("/dev/zero"), Path("a\0b")):
        for read in (read_weights, read_mean, read_network):
            with pytest.raises(ModelError) as caught:
                read(path)
            assert_one_sentence(caught.value)


# ---- mean ----


def mean_file(path: Path, planes: np.ndarray[tuple[int, ...], np.dtype[np.float32]], style: ShapeStyle) -> Path:
    path.write_bytes(blob_bytes(planes, shape_style=style))
    return path


@pytest.mark.parametrize("style", ["legacy", "shape"])
@pytest.mark.parametrize("sides", [(256, 256), (5, 9), (1, 1)])
def test_a_mean_keeps_channels_and_places(tmp_path: Path, style: ShapeStyle, sides: tuple[int, int]) -> None:
    planes = np.random.default_rng(1).uniform(0, 255, (1, 3, *sides)).astype(np.float32)
    mean = read_mean(mean_file(tmp_path / "mean.binaryproto", planes, style))
    assert mean.dtype == np.float32
    assert mean.shape == (*sides, 3)
    for channel in range(3):
        np.testing.assert_array_equal(mean[:, :, channel], planes[0, channel])


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 4, 4), (1, 4, 4, 4), (3, 4), (1, 3, 1, 3000)])
def test_a_mean_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="3 channels") as caught:
        read_mean(mean_file(tmp_path / "mean.binaryproto", np.ones(shape, np.float32), "shape"))
    assert_one_sentence(caught.value)


@pytest.mark.skipif(not REAL_MEAN.is_file(), reason="../shared is not there")
def test_the_released_mean() -> None:
    mean = read_mean(REAL_MEAN)
    assert mean.dtype == np.float32
    assert mean.shape == (256, 256, 3)
    np.testing.assert_allclose(mean.mean(axis=(0, 1), dtype=np.float64), [78.42633776, 87.76891437, 114.89584775])
    centre = mean[14:241, 14:241].mean(axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(centre, [77.697, 87.540, 116.898], atol=1e-3)


def test_a_mean_given_as_numbers() -> None:
    np.testing.assert_array_equal(parse_mean("104, 117,123.5"), np.array([[[104, 117, 123.5]]], np.float32))
    np.testing.assert_array_equal(parse_mean("0"), np.zeros((1, 1, 3), np.float32))
    with pytest.raises(ModelError, match="Cannot read"):
        parse_mean("104,117")


# ---- definitions ----


def network_of(folder: Path, text: str) -> Path:
    path = folder / "deploy.prototxt"
    path.write_text(text)
    return path


def test_the_text_format(tmp_path: Path) -> None:
    text = """
    # a comment; { with braces
    name: "Caffe" 'Net\\n"'  unknown { deep < a: -1.5e-3f, b: [x, 2] > }  input_dim: [1, 0x3]  input_dim: 8;
    input_dim: 9 input: 'data' layer < name: 'it' type: 'ReLU' top: 'it' relu_param: { negative_slope: 1.5e-1f } >
    layer { name: 'twice' name: 'once' type: 'ReLU' bottom: 'it' top: 'once' unknown: 1 }
    """
    network = read_network(network_of(tmp_path, text))
    assert (network.name, network.input, network.shape) == ('CaffeNet\n"', "data", (3, 8, 9))
    assert [layer.name for layer in network.layers] == ["it", "once"]
    assert network.layers[0].definition.relu_param.negative_slope == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: 'x'\nlayer { name: }", 2),
        ("\nlayer {\n\n", 2),
        ("layer }", 1),
        ("name: 'not closed", 1),
        ("input_dim: 12abc", 1),
        ("\n\n$", 3),
        ("input_dim: 1" + "0" * 5000, 1),
        ("input_dim [1", 1),
        ("layer {\n convolution_param { pad: 'x' } }", 2),
        ("layer {\n convolution_param { bias_term: 7 } }", 2),
        ("layer {\n convolution_param { stride: 1.5 } }", 2),
        ("layer {\n convolution_param { stride: -1 } }", 2),
        ("layer {\n convolution_param: 1 }", 2),
        ("layer {\n name: 1 }", 2),
        ("layer {\n pooling_param { pool: ODD } }", 2),
        ("layers {\n type: 'ReLU' }", 2),
    ],
)
def test_text_that_is_not_in_the_format(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ModelError, match=f"line {line}:") as caught:
        read_network(network_of(tmp_path, text))
    assert_one_sentence(caught.value)


def test_a_line_that_would_take_minutes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="shorter") as caught:
        read_network(network_of(tmp_path, "a: 1 " * 200_000))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("opening", ["a {", "layer {", "layer { unknown {"])
def test_braces_without_end(tmp_path: Path, opening: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_network(network_of(tmp_path, (opening + "\n") * 5_000))
    assert_one_sentence(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("file_format", "header"),
    [("v1", "input_dim"), ("v1", "input_shape"), ("new", "input_dim"), ("new", "input_shape"), ("new", "layer")],
)
def test_inputs_of_every_style(tmp_path: Path, file_format: FileFormat, header: str) -> None:
    text = prototxt_text(small_layers(8), file_format, shape=SHAPE, header=header)  # type: ignore[arg-type]
    network = read_network(network_of(tmp_path, text))
    assert (network.name, network.input, network.shape) == ("CaffeNet", "data", SHAPE)
    assert [layer.type for layer in network.layers] == ["Convolution", "ReLU", "Pooling", "InnerProduct", "Softmax"]
    assert [layer.name for layer in network.layers] == ["conv1", "relu1", "pool5", "fc8", "prob"]


def test_a_definition_for_training_gives_its_test_phase(tmp_path: Path) -> None:
    text = """
    layers { name: "data" type: DATA top: "data" top: "label" include: { phase: TRAIN } }
    layers { name: "data" type: DATA top: "data" top: "label" transform_param { crop_size: 35 }
             include { phase: TEST } }
    layers { name: "fc8" type: INNER_PRODUCT bottom: "data" top: "fc8" inner_product_param { num_output: 8 } }
    layers { name: "noise" type: POWER bottom: "fc8" top: "fc8" exclude { phase: TEST } }
    layers { name: "accuracy" type: ACCURACY bottom: "fc8" bottom: "label" top: "accuracy" include { phase: TEST } }
    layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc8" bottom: "label" top: "loss" }
    """
    pytest.importorskip("onnx")
    from models.caffe.onnx_builder import convert_network

    network = read_network(network_of(tmp_path, text))
    assert network.shape == SHAPE
    assert [layer.name for layer in network.layers] == ["fc8", "accuracy", "loss"]
    weights = (np.zeros((8, 3 * 35 * 35), np.float32), np.zeros(8, np.float32))
    converted = convert_network(network, {"fc8": weights})
    assert (converted.output, converted.probabilities) == ("loss", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: 'x'", "no layers"),
        ("layers { layer { name: 'conv1' type: 'conv' } }", "oldest format"),
        ("layer { name: 'fc' type: 'InnerProduct' bottom: 'data' top: 'fc' }", "0 inputs"),
        ("input: 'a' input: 'b' layer { name: 'fc' type: 'X' top: 'fc' }", "sizes of the inputs"),
        ("input: 'a' input_dim: 1 input_dim: 3 layer { name: 'fc' type: 'X' top: 'fc' }", "N×channels"),
        ("layer { name: 'data' type: 'Data' top: 'data' }", "how large"),
        ("layer { type: 'ReLU' top: 'data' }", "no name"),
        ("input: '' input_dim: [1, 3, 8, 8] layer { name: 'fc' type: 'X' top: 'fc' }", "without a name"),
        ("layer { name: 'x' type: 'ReLU' }", "no top"),
    ],
)
def test_definitions_that_are_no_network(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        read_network(network_of(tmp_path, text))
    assert_one_sentence(caught.value)


HEADER = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n"
FLAT = "layer { name: 'fc' type: 'InnerProduct' bottom: 'data' top: 'fc' inner_product_param { num_output: 2 %s } }"


def one_layer(kind: str, parameters: str = "", bottom: str = "data") -> str:
    return f"layer {{ name: 'it' type: '{kind}' bottom: '{bottom}' top: 'it' {parameters} }}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (one_layer("Deconvolution"), "layer 'it' is of the type 'Deconvolution', which cannot be imported"),
        (one_layer("ReLU", bottom="nothing"), "'it' reads 'nothing'"),
        (one_layer("Dropout", bottom="nothing"), "'it' reads 'nothing'"),
        (one_layer("ReLU", "bottom: 'data'"), "2 inputs"),
        (one_layer("Pooling", "top: 'mask' pooling_param { kernel_size: 2 }"), "2 outputs"),
        (one_layer("ReLU"), "not one list of classes"),
        (one_layer("Convolution"), "must have a positive number as its num_output"),
        (one_layer("Convolution", "convolution_param { num_output: 2 }"), "as its kernel"),
        (one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 99 }"), "larger than what it reads"),
        (
            one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 pad: 4000 }"),
            "more than 67108864",
        ),
        (one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 stride: 0 }"), "as its stride"),
        (one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 group: 2 }"), "among 2 groups"),
        (one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 }"), "no weights"),
        (one_layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 axis: 2 }"), "another axis"),
        (one_layer("Pooling", "pooling_param { kernel_size: 2 pool: STOCHASTIC }"), "at random"),
        (one_layer("Pooling", "pooling_param { kernel_size: 2 pad: 2 }"), "not smaller than its window"),
        (one_layer("Pooling", "pooling_param { kernel_size: 1 stride: 5 }"), "outside of what it reads"),
        (one_layer("Pooling", "pooling_param { kernel_size: 200 }"), "outside of what it reads"),
        (one_layer("LRN", "lrn_param { local_size: 4 }"), "odd local_size"),
        (one_layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL }"), "within a channel"),
        (one_layer("Scale", "scale_param { axis: 0 }"), "other axes"),
        (one_layer("Softmax", "softmax_param { axis: 2 }"), "another axis"),
        (one_layer("InnerProduct", "inner_product_param { num_output: 2 axis: 2 }"), "another axis"),
        (FLAT % "bias_term: false", "2 arrays of weights"),
        (FLAT.replace("num_output: 2", "num_output: 4") % "", "asks for 4×192"),
        (FLAT % "" + one_layer("LRN", bottom="fc"), "needs maps"),
        (FLAT % "" + one_layer("ReLU"), "2 outputs"),
    ],
)
def test_layers_that_cannot_be_imported_are_named(tmp_path: Path, text: str, reason: str) -> None:
    pytest.importorskip("onnx")
    from models.caffe.onnx_builder import convert_network

    network = read_network(network_of(tmp_path, HEADER + text))
    weights = {"fc": (np.zeros((2, 192), np.float32), np.zeros(2, np.float32))}
    with pytest.raises(ModelError, match=reason) as caught:
        convert_network(network, weights)
    assert_one_sentence(caught.value)


# ---- the command line ----


def write_network(folder: Path, kind: str, layers: Sequence[Layer], file_format: FileFormat) -> list[str]:
    prototxt, weights = folder / f"{kind}.prototxt", folder / f"{kind}.caffemodel"
    prototxt.write_text(prototxt_text(layers, file_format, shape=SHAPE))
    weights.write_bytes(caffemodel_bytes(layers, file_format, shape_style="legacy" if file_format == "v1" else "shape"))
    prefix = "--gender-" if kind == "gender" else "--"
    return [f"{prefix}prototxt", str(prototxt), f"{prefix}weights", str(weights)]


def command(folder: Path, *, age_softmax: bool = True, gender_softmax: bool = True, classes: int = 8) -> list[str]:
    mean = np.random.default_rng(3).uniform(60, 160, (1, 3, 41, 43)).astype(np.float32)
    arguments = write_network(folder, "age", small_layers(classes, 1, softmax=age_softmax), "v1")
    arguments += write_network(folder, "gender", small_layers(2, 2, softmax=gender_softmax), "new")
    arguments += ["--mean", str(mean_file(folder / "mean.binaryproto", mean, "legacy")), "--labels", "adience-age"]
    return ["import", *arguments, "--name", "levi-hassner-2015", "--output", str(folder / "models")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("age_softmax", "gender_softmax", "activation"),
    [(True, True, "none"), (False, False, "softmax"), (True, False, "none")],
)
def test_an_imported_model_runs_in_the_app(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    age_softmax: bool,
    gender_softmax: bool,
    activation: str,
) -> None:
    pytest.importorskip("onnx")
    from desktop_app.vision.classification.classifier import Classifier
    from desktop_app.vision.explanation.explanation import Explainer

    assert main(["caffe", *command(tmp_path, age_softmax=age_softmax, gender_softmax=gender_softmax)]) == 0
    manifest = tmp_path / "models" / "levi-hassner-2015.toml"
    assert str(manifest) in capsys.readouterr().out
    package = load_package(manifest)
    assert (package.manifest.architecture, package.manifest.activation) == ("two-network", activation)
    assert [label.name for label in package.labels.ages] == ADIENCE_AGES
    assert (package.labels.ages[-1].high, package.labels.genders) == (None, ("Male", "Female"))
    assert (package.input.size, package.input.colour, package.input.scale) == (35, "BGR", 1.0)
    assert {file.suffix for file in manifest.parent.iterdir()} == {".toml", ".onnx", ".npy"}

    shown = [layer.name for layer in Explainer(package).layers("age")]
    assert shown == ["conv1", "relu1", "pool5"]

    crops = np.random.default_rng(5).integers(0, 256, (3, 35, 35, 3)).astype(np.uint8)
    mean = read_mean(tmp_path / "mean.binaryproto")[3:38, 4:39]
    for crop, prediction in zip(crops, Classifier(package, provider="cpu").classify(crops), strict=True):
        pixels = (crop.astype(np.float64) - mean).transpose(2, 0, 1)
        for found, layers in ((prediction.age, small_layers(8, 1)), (prediction.gender, small_layers(2, 2))):
            np.testing.assert_allclose(found, run_network(layers, pixels)["prob"], atol=1e-5)


def mean_in_use(manifest: Path) -> NDArray[np.float32]:
    package = load_package(manifest)
    return Preprocessing(package.input, package.mean_image()).mean


def test_a_mean_image_is_cropped_or_resized(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    arguments, manifest = command(tmp_path), tmp_path / "models" / "levi-hassner-2015.toml"
    mean = read_mean(tmp_path / "mean.binaryproto")
    assert main(["caffe", *arguments]) == 0
    np.testing.assert_array_equal(mean_in_use(manifest), mean[3:38, 4:39])
    assert main(["caffe", *arguments, "--overwrite", "--mean-fit", "resize"]) == 0
    np.testing.assert_array_equal(mean_in_use(manifest), cv2.resize(mean, (35, 35)))


def test_a_mean_of_each_channel_goes_into_the_manifest(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    arguments = command(tmp_path)
    mean = np.array([78.5, 87.25, 114.75], np.float32).reshape(1, 3, 1, 1)
    mean_file(tmp_path / "mean.binaryproto", mean, "legacy")
    assert main(["caffe", *arguments]) == 0
    assert load_package(tmp_path / "models" / "levi-hassner-2015.toml").input.mean == (78.5, 87.25, 114.75)


def replaced(arguments: list[str], option: str, value: str) -> list[str]:
    place = arguments.index(option)
    return [*arguments[: place + 1], value, *arguments[place + 2 :]]


def test_unusable_input_gives_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    good = command(tmp_path)
    gray = tmp_path / "gray.prototxt"
    gray.write_text(prototxt_text(small_layers(2), "new", shape=(1, 35, 35)))
    larger = tmp_path / "larger.prototxt"
    larger.write_text(prototxt_text(small_layers(2), "new", shape=(3, 99, 99)))
    without_gender = [one for one in good if "gender" not in one]
    cases = [
        (without_gender, "--gender-prototxt and --gender-weights"),
        (replaced(good, "--prototxt", "nowhere.prototxt"), "Cannot read nowhere.prototxt"),
        (replaced(good, "--weights", str(tmp_path / "age.prototxt")), "as a Caffe model"),
        (replaced(good, "--gender-weights", good[good.index("--weights") + 1]), "asks for 2×384"),
        (replaced(good, "--mean", good[good.index("--weights") + 1]), "Caffe mean"),
        (replaced(good, "--labels", "0-9,10-19,20+"), "8 classes, but 3 labels"),
        (replaced(good, "--labels", "children"), "Cannot read the age group"),
        (replaced(good, "--gender-prototxt", str(gray)), "needs 3 channels"),
        (replaced(good, "--gender-prototxt", str(larger)), "and the gender network 99"),
        (replaced(good, "--name", "Not good"), "may hold only"),
        (replaced(good, "--output", str(gray)), "Cannot write to"),
        ([*good, "--scale", "nan"], "scale"),
        ([*good, "--gender-labels", "Female"], "names fewer than two"),
    ]
    for arguments, reason in cases:
        assert main(["caffe", *arguments]) == 2
        captured = capsys.readouterr()
        assert reason in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
    folder = tmp_path / "models"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_model_is_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    arguments = command(tmp_path)
    assert main(["caffe", *arguments]) == 0
    manifest = tmp_path / "models" / "levi-hassner-2015.toml"
    before = manifest.read_bytes()
    assert main(["caffe", *arguments, "--title", "Another"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert manifest.read_bytes() == before
    assert main(["caffe", *arguments, "--title", "Another", "--overwrite"]) == 0
    assert load_package(manifest).title == "Another"


def test_the_files_of_other_models_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    folder = tmp_path / "models"
    folder.mkdir()
    other = folder / "levi-hassner-2015-age.onnx"
    other.write_bytes(b"work")
    assert main(["caffe", *command(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    other.with_suffix(".toml").touch()
    assert main(["caffe", *command(tmp_path), "--overwrite"]) == 2
    assert "belongs to the model 'levi-hassner-2015-age'" in capsys.readouterr().err
    assert other.read_bytes() == b"work"
    assert sorted(folder.iterdir()) == [other, other.with_suffix(".toml")]


def test_the_name_of_a_shipped_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setenv("AGELENS_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError, match="comes with Agelens"):
        refuse_shipped_name("agelens", tmp_path / "models")
    arguments = command(tmp_path)
    arguments[arguments.index("--name") + 1] = "levi-hassner"
    assert main(["caffe", *arguments]) == 2


def test_wrong_arguments_give_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["import"], ["import", "--name", "x", "--mean", "0", "--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            main(["caffe", *arguments])
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "0-2", "5-1,7-9", "10-12,4-6", "0-2,,4-6", "0-2,4-6-8", "²-3,4+"])
def test_age_labels_that_make_no_sense(text: str) -> None:
    with pytest.raises(LabelError) as caught:
        parse_age_labels(text)
    assert_one_sentence(caught.value)


# ---- hostile files ----

PIECES = [
    caffemodel_bytes(small_layers(2), "v1", shape_style="legacy")[:4000],
    caffemodel_bytes(small_layers(2), "new"),
    caffemodel_bytes([Layer("InnerProduct", "fc", {}, (np.ones((2, 3), np.float32),))], "v1", value_style="unpacked"),
    blob_bytes(np.ones((1, 3, 4, 4), np.float32), shape_style="legacy"),
    blob_bytes(np.ones((1, 3, 4, 4), np.float32), value_style="double"),
]


WORDS = [
    *("layer", "layers", "input_param", "name", "type", "top", "input", "input_dim", "shape", "dim", "DATA", "'Input'"),
    *("{", "}", "<", ">", ":", "[", "]", "'x'", '"', "1", "-3", "1e9", "0x", "#", "\n", "\\"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, cut short or swapped, or no real file at all."""
    data = bytearray(draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=400))))
    for _ in range(draw(st.integers(0, 8)) if data else 0):
        # Most damage near the start, where lengths, numbers and shapes are.
        place = draw(st.one_of(st.integers(0, min(len(data), 80) - 1), st.integers(0, len(data) - 1)))
        data[place] = draw(st.one_of(st.integers(0, 255), st.sampled_from([0x7F, 0x80, 0xFF])))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@pytest.mark.slow
@fuzz
@given(data=damaged())
@example(data=bytes_field(2, b"") * 2000)
@example(data=bytes_field(100, bytes_field(7, b"")) * 2000)
@example(data=bytes_field(100, bytes_field(7, bytes_field(5, b"") * 3000)))
def test_damaged_files_give_one_sentence_and_cost_little(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    for read in (read_weights, read_mean):

        def attempt(read: Callable[[Path], object] = read) -> None:
            try:
                read(path)
            except ModelError as error:
                assert_one_sentence(error)

        assert with_peak(attempt)[1] < (1 << 20) + 40 * len(data)


@fuzz
@given(
    text=st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(WORDS),
            max_size=60,
        ).map(" ".join),
        st.integers(0, 600).map(lambda end: prototxt_text(small_layers(2), "v1")[:end]),
    )
)
def test_damaged_definitions_give_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deploy.prototxt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        network = read_network(path)
    except ModelError as error:
        assert_one_sentence(error)
    else:
        assert len(network.shape) == 3


@pytest.mark.slow
@fuzz
@given(data=st.data())
def test_changed_definitions_are_converted_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    pytest.importorskip("onnx")
    from models.caffe.onnx_builder import convert_network

    layers = small_layers(2)
    text = prototxt_text(layers, "v1", shape=SHAPE)
    words = text.split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(
            st.sampled_from(["0", "-1", "2147483648", "99999999999999999999", "1.5", "AVE", "{", "", "LRN", '"conv1"'])
        )
    path = network_of(tmp_path, " ".join(words))
    weights = {layer.name: layer.arrays for layer in layers if layer.arrays}

    def attempt() -> None:
        try:
            converted = convert_network(read_network(path), weights)
        except ModelError as error:
            assert_one_sentence(error)
        else:
            assert converted.classes >= 1

    assert with_peak(attempt)[1] < 4 << 20
