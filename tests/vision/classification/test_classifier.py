from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.catalogue.catalogue import Catalogue, load_package
from desktop_app.catalogue.manifest import ModelError, OutputSpec, sha256_of
from desktop_app.vision.classification.classifier import Classifier, softmax
from desktop_app.vision.classification.providers import ProviderError, available_providers
from desktop_app.vision.preprocessing import ten_views
from tests.helpers.conv_model import write_conv_model
from tests.helpers.tiny_model import MakeModel, add_to_ages, fail_from_four_faces, one_row_alone

onnx = pytest.importorskip("onnx")


def crops(count: int, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


def test_the_shipped_model_answers_with_probabilities() -> None:
    classifier = Classifier(Catalogue().find(), provider="cpu")
    assert classifier.crop_size == 227
    assert classifier.provider == "cpu"
    predictions = classifier.classify(crops(3, 227))
    assert len(predictions) == 3
    for prediction in predictions:
        assert prediction.age.dtype == prediction.gender.dtype == np.float32
        assert prediction.age.shape == (9,)
        assert prediction.age.sum() == pytest.approx(1, abs=1e-5)
        assert prediction.gender.sum() == pytest.approx(1, abs=1e-5)


def test_a_batch_is_answered_like_its_crops_one_by_one(make_model: MakeModel) -> None:
    classifier = Classifier(load_package(make_model()), provider="cpu")
    batch = crops(70, 32)
    together = classifier.classify(batch)
    for index in (0, 31, 32, 69):
        alone = classifier.classify(batch[index : index + 1])[0]
        np.testing.assert_allclose(together[index].age, alone.age, atol=1e-6)
        np.testing.assert_allclose(together[index].gender, alone.gender, atol=1e-6)
    assert classifier.classify(batch[:0]) == []


def test_oversampling_averages_the_ten_answers(make_model: MakeModel) -> None:
    package = load_package(make_model())
    plain, oversampled = Classifier(package, provider="cpu"), Classifier(package, provider="cpu", oversample=True)
    assert oversampled.crop_size == 36
    assert oversampled.margin == pytest.approx(plain.margin * 36 / 32)
    pictures = crops(4, 36)
    for picture, prediction in zip(pictures, oversampled.classify(pictures), strict=True):
        views = plain.classify(ten_views(picture[np.newaxis], 32))
        np.testing.assert_allclose(prediction.age, np.mean([view.age for view in views], axis=0), atol=1e-6)


def test_crops_of_another_size_are_a_programming_error(make_model: MakeModel) -> None:
    classifier = Classifier(load_package(make_model()), provider="cpu")
    with pytest.raises(ValueError, match="N×32×32×3"):
        classifier.classify(crops(1, 31))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network_ages": 4}, "lists 3 age labels but the network answers with 4"),
        ({"network_size": 48}, r"takes .* not N×3×32×32"),
        ({"age": OutputSpec("tiny.onnx", "years")}, "has no output “years” but age, gender"),
        ({"activation": "none"}, "not probabilities"),
    ],
)
def test_a_manifest_that_lies_about_its_network(make_model: MakeModel, changes: dict[str, object], says: str) -> None:
    package = load_package(make_model(**changes))
    with pytest.raises(ModelError, match=says):
        Classifier(package, provider="cpu")


def endless(model: Any) -> None:
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["go.on"])],
        "body",
        [value("round", 7, []), value("go", 9, [])],
        [value("go.on", 9, [])],
    )
    model.graph.node.append(node("Loop", ["", "yes"], ["last"], body=body))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))


def immense(model: Any) -> None:
    node = onnx.helper.make_node
    add_to_ages(
        model,
        node("ConstantOfShape", ["many"], ["ones"]),
        node("ReduceSum", ["ones"], ["nothing"], keepdims=0),
        summand="nothing",
        many=np.array([2_000_000_000]),
    )


def immense_by_broadcast(model: Any) -> None:
    node = onnx.helper.make_node
    side = np.zeros((50_000, 1), np.float32)
    add_to_ages(
        model,
        node("Mul", ["column", "row"], ["plane"]),
        node("ReduceSum", ["plane"], ["nothing"], keepdims=0),
        summand="nothing",
        column=side,
        row=side.T.copy(),
    )


def endless_by_size(model: Any) -> None:
    node = onnx.helper.make_node
    sides = [node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(2000)]
    add_to_ages(
        model,
        *sides,
        node("ReduceSum", ["m2000"], ["nothing"], keepdims=0),
        summand="nothing",
        m0=np.eye(512, dtype=np.float32),
    )


def with_weights_elsewhere(model: Any) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")


def with_packed_weights(model: Any) -> None:
    packed = model.graph.sparse_initializer.add(dims=[2_000_000_000])
    packed.values.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "packed"))
    packed.indices.CopyFrom(onnx.numpy_helper.from_array(np.zeros(1, np.int64), "where"))


def with_names_of_no_text(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "NAME"


def with_foreign_operations(model: Any) -> None:
    model.graph.node[0].domain = "com.elsewhere"
    model.opset_import.add(domain="com.elsewhere", version=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (one_row_alone, "does not run on 2 faces"),
        (endless, "contains a loop"),
        (immense, "far more memory"),
        (immense_by_broadcast, "far more memory"),
        (endless_by_size, "far more (time|memory)"),
        (with_weights_elsewhere, "its weights are in other files"),
        (with_packed_weights, "its weights are in other files or packed"),
        (with_names_of_no_text, "names in its network are not UTF-8|Cannot load the network"),
        (with_foreign_operations, "Cannot load the network"),
    ],
)
def test_a_network_that_does_harm_is_refused(
    make_model: MakeModel, capfd: pytest.CaptureFixture[str], change: Callable[[Any], None], says: str
) -> None:
    manifest = make_model(network_change=change)
    network = manifest.with_suffix(".onnx")
    network.write_bytes(network.read_bytes().replace(b"NAME", b"\xff\xfe\xfd\xfc"))
    package = load_package(make_model_manifest(manifest.parent, sha256_of(network)))
    with pytest.raises(ModelError, match=says) as error:
        Classifier(package, provider="cpu")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    # Results may be written there.
    assert capfd.readouterr().out == ""


def test_a_failure_while_it_runs_is_one_sentence(make_model: MakeModel) -> None:
    classifier = Classifier(load_package(make_model(network_change=fail_from_four_faces)), provider="cpu")
    assert len(classifier.classify(crops(3, 32))) == 3
    with pytest.raises(
        ModelError, match="Cannot classify faces: the network of the model “tiny” failed on cpu"
    ) as error:
        classifier.classify(crops(4, 32))
    assert "\n" not in str(error.value)
    assert len(classifier.classify(crops(2, 32))) == 2


def test_a_file_that_is_no_network(make_model: MakeModel, tmp_path: Path) -> None:
    make_model()
    network = tmp_path / "tiny.onnx"
    network.write_bytes(b"not a network")
    package = load_package(make_model_manifest(tmp_path, sha256_of(network)))
    with pytest.raises(ModelError, match="Cannot load the network"):
        Classifier(package, provider="cpu")


def make_model_manifest(folder: Path, checksum: str) -> Path:
    path = folder / "tiny.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    fixed = [f'"tiny.onnx" = "{checksum}"' if line.startswith('"tiny.onnx"') else line for line in lines]
    path.write_text("\n".join(fixed), encoding="utf-8")
    return path


def test_a_provider_that_is_not_there_is_said_so(make_model: MakeModel) -> None:
    package = load_package(make_model())
    absent = next(one for one in ("directml", "cuda", "coreml", "openvino") if one not in available_providers())
    with pytest.raises(ProviderError, match=f"“{absent}”: this ONNX Runtime has only"):
        Classifier(package, provider=absent)
    with pytest.raises(ProviderError, match="“tpu”: there is no such provider"):
        Classifier(package, provider="tpu")


def test_auto_names_what_it_took(make_model: MakeModel) -> None:
    classifier = Classifier(load_package(make_model()))
    assert classifier.provider in available_providers()


def test_softmax_does_not_overflow() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0, -1e4]], np.float32)), [[1, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("oversample", [False, True])
def test_without_gender_only_the_age_is_computed(make_model: MakeModel, oversample: bool) -> None:
    package = load_package(make_model())
    both = Classifier(package, provider="cpu", oversample=oversample)
    alone = Classifier(package, provider="cpu", oversample=oversample, gender=False)
    batch = crops(3, both.crop_size)
    for one, other in zip(both.classify(batch), alone.classify(batch), strict=True):
        np.testing.assert_allclose(one.age, other.age, atol=1e-6)
        assert other.gender.shape == (0,)


def test_without_gender_a_second_network_is_not_even_opened(tmp_path: Path) -> None:
    package = load_package(write_conv_model(tmp_path, two_network=True))
    (package.path.parent / package.manifest.gender.file).unlink()
    prediction = Classifier(package, provider="cpu", gender=False).classify(crops(1, package.input.size))[0]
    assert prediction.age.sum() == pytest.approx(1, abs=1e-5)
