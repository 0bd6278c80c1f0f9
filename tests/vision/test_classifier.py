from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from desktop_app.vision.classifier import Classifier, preprocess, softmax, ten_views
from desktop_app.vision.providers import ProviderError, available_providers
from models.catalogue import Catalogue, load_package
from models.manifest import InputSpec, ModelError, OutputSpec, sha256_of
from tests.conv_model import write_conv_model
from tests.tiny_model import MakeModel


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


@pytest.mark.parametrize("colour", ["BGR", "RGB"])
def test_pixels_are_prepared_as_the_manifest_says(make_model: MakeModel, colour: str) -> None:
    spec = InputSpec(size=32, colour=colour, mean=(1.0, 2.0, 3.0), scale=0.5)  # type: ignore[arg-type]
    package = load_package(make_model(input=spec))
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[...] = (10, 20, 30)
    prepared = preprocess(picture, package.input, package.mean())
    assert prepared.shape == (1, 3, 32, 32)
    first, last = (10, 30) if colour == "BGR" else (30, 10)
    assert prepared[0, :, 5, 7].tolist() == [(first - 1) * 0.5, (20 - 2) * 0.5, (last - 3) * 0.5]


def test_ten_views_are_corners_centre_and_their_mirrors() -> None:
    picture = crops(1, 8)
    views = ten_views(picture, 6)
    assert views.shape == (10, 6, 6, 3)
    expected = [picture[0, y : y + 6, x : x + 6] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    for view, mirrored, wanted in zip(views[:5], views[5:], expected, strict=True):
        np.testing.assert_array_equal(view, wanted)
        np.testing.assert_array_equal(mirrored, wanted[:, ::-1])


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
        ({"age": OutputSpec("tiny.onnx", "years")}, "has no output 'years' but age, gender"),
        ({"activation": "none"}, "not probabilities"),
    ],
)
def test_a_manifest_that_lies_about_its_network(make_model: MakeModel, changes: dict[str, object], says: str) -> None:
    package = load_package(make_model(**changes))
    with pytest.raises(ModelError, match=says):
        Classifier(package, provider="cpu")


def test_a_file_that_is_no_network(make_model: MakeModel, tmp_path: Path) -> None:
    make_model()
    network = tmp_path / "tiny.onnx"
    network.write_bytes(b"not a network")
    package = load_package(make_model_manifest(tmp_path, sha256_of(network)))
    with pytest.raises(ModelError, match="cannot be loaded"):
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
    with pytest.raises(ProviderError, match=f"'{absent}' is not in this ONNX Runtime"):
        Classifier(package, provider=absent)
    with pytest.raises(ProviderError, match="no provider 'tpu'"):
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
