from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue, load_package
from desktop_app.catalogue.manifest import Colour, write_manifest
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.explanation.explanation import OCCLUSION_BATCH, Explainer, ExplainError, Head
from tests.helpers.conv_model import CLASSES, SIZE, STRIDE, make_weights, write_conv_model, write_corner_model
from tests.helpers.tiny_model import MakeModel

HEADS: tuple[Head, Head] = ("age", "gender")


def make_crop(size: int = SIZE, seed: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def convolved(crop: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """conv1 of the test's model, one output at a time."""
    pixels = (crop.astype(np.float64) - 127) / 64
    side = (SIZE - 5) // STRIDE + 1
    maps = np.zeros((len(weights), side, side))
    for row in range(side):
        for column in range(side):
            patch = pixels[row * STRIDE : row * STRIDE + 5, column * STRIDE : column * STRIDE + 5]
            maps[:, row, column] = np.einsum("hwc,nchw->n", patch, weights)
    return maps


@pytest.mark.parametrize("two_network", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_it_answers_as_the_classifier_does(tmp_path: Path, two_network: bool, half: bool) -> None:
    package = load_package(write_conv_model(tmp_path, two_network=two_network, half=half))
    expected = Classifier(package, provider="cpu").classify(make_crop()[None])[0]
    for head in HEADS:
        explainer = Explainer(package)
        prediction = explainer.look(make_crop(), head, explainer.layers(head)[0]).prediction
        np.testing.assert_allclose(prediction.age, expected.age, atol=1e-5)
        np.testing.assert_allclose(prediction.gender, expected.gender, atol=1e-5)


def test_layers_are_named_and_measured_in_order(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path)))
    assert [(layer.name, layer.shape) for layer in explainer.layers("age")] == [
        ("conv1", (6, 15, 15)),
        ("relu1", (6, 15, 15)),
        ("pool1", (6, 7, 7)),
        ("conv2", (60, 7, 7)),
        ("relu2", (60, 7, 7)),
    ]


def test_layers_have_the_names_that_the_model_gives_them(tmp_path: Path) -> None:
    package = load_package(write_conv_model(tmp_path))
    # Two tensors of one name, and one that is called as another would be by its number.
    names = {"a": "stem", "b": "stem", "c": "pool5", "d": "relu1"}
    write_manifest(replace(package.manifest, layers=names), package.path)
    explainer = Explainer(load_package(package.path))
    shown = [(layer.name, layer.tensor) for layer in explainer.layers("age")]
    assert shown == [("stem", "a"), ("relu1", "b"), ("pool5", "c"), ("conv2", "d"), ("relu2", "e")]


def test_maps_are_the_layers_values(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path)))
    conv, relu, *_ = explainer.layers("age")
    expected = convolved(make_crop(), make_weights()["w1"])
    np.testing.assert_allclose(explainer.look(make_crop(), "age", conv).maps, expected, atol=1e-3)
    np.testing.assert_allclose(explainer.look(make_crop(), "age", relu).maps, np.maximum(expected, 0), atol=1e-3)


def test_each_network_of_two_shows_its_own_maps(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path, two_network=True)))
    for seed, head in enumerate(HEADS):
        maps = explainer.look(make_crop(), head, explainer.layers(head)[0]).maps
        np.testing.assert_allclose(maps, convolved(make_crop(), make_weights(seed)["w1"]), atol=1e-3)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("colour", ["BGR", "RGB"])
def test_filters_share_one_scale_and_are_in_bgr(tmp_path: Path, colour: Colour, half: bool) -> None:
    package = load_package(write_conv_model(tmp_path, colour=colour, half=half))
    filters = Explainer(package).filters("age")
    weights = make_weights()["w1"].transpose(0, 2, 3, 1)
    if colour == "RGB":
        weights = weights[..., ::-1]
    assert filters.shape == (6, 5, 5, 3)
    expected = (weights - weights.min()) / (weights.max() - weights.min()) * 255
    assert np.abs(filters - expected).max() <= 1
    assert (filters.min(), filters.max()) == (0, 255)


@pytest.mark.parametrize("colour", ["BGR", "RGB"])
def test_the_input_is_shown_in_bgr_after_mean_and_scale(tmp_path: Path, colour: Colour) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path, colour=colour)))
    crop = make_crop()
    crop[0, 0], crop[0, 1] = 0, 255
    # One mean for all pixels moves and stretches them only.
    assert np.abs(explainer.look(crop, "age").seen.astype(int) - crop).max() <= 1


def test_a_mean_image_shows_in_the_input(tmp_path: Path) -> None:
    package = load_package(write_conv_model(tmp_path))
    mean = np.zeros((SIZE, SIZE, 3), np.float32)
    mean[: SIZE // 2] = 200
    np.save(tmp_path / "mean.npy", mean)
    manifest = replace(package.manifest, input=replace(package.input, mean="mean.npy"))
    explainer = Explainer(replace(package, manifest=manifest))
    seen = explainer.look(np.full((SIZE, SIZE, 3), 200, np.uint8), "age").seen
    assert (seen[: SIZE // 2] == 0).all()
    assert (seen[SIZE // 2 :] == 255).all()


def test_of_a_larger_crop_the_centre_is_taken(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path)))
    large = make_crop(80)
    whole, centre = explainer.look(large, "age"), explainer.look(large[8:72, 8:72], "age")
    np.testing.assert_array_equal(whole.prediction.age, centre.prediction.age)


@pytest.mark.parametrize("head", HEADS)
def test_covering_the_corner_that_counts_costs_the_answer(tmp_path: Path, head: Head) -> None:
    explainer = Explainer(load_package(write_corner_model(tmp_path)))
    occlusion = explainer.occlude(np.full((SIZE, SIZE, 3), 255, np.uint8), head, grid=8)
    assert occlusion is not None
    assert (occlusion.head, occlusion.index) == (head, 0)
    # In 8-pixel steps, a 16-pixel patch covers 12, 12, 4 and then none of the corner's 16 rows and columns.
    covered = np.array([12, 12, 4, 0, 0, 0, 0, 0])
    logits = 4 * (1 - np.outer(covered, covered) / 256)
    others = CLASSES[head] - 1
    expected = np.exp(4) / (np.exp(4) + others) - np.exp(logits) / (np.exp(logits) + others)
    np.testing.assert_allclose(occlusion.drop, expected, atol=1e-5)


def test_covering_what_speaks_against_the_answer_helps_it(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_corner_model(tmp_path)))
    crop = np.full((SIZE, SIZE, 3), 255, np.uint8)
    crop[:8, :16] = 60
    occlusion = explainer.occlude(crop, "gender", grid=8)
    assert occlusion is not None
    assert occlusion.index == 0
    assert occlusion.drop[0, 0] < 0 < occlusion.drop[1, 0]


def test_an_occlusion_can_be_ended_after_a_run(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_conv_model(tmp_path)))
    asked = 0

    def go_on() -> bool:
        nonlocal asked
        asked += 1
        return asked < 3

    assert explainer.occlude(make_crop(), "age", grid=9, go_on=go_on) is None
    assert asked == 3
    asked = -1000
    assert explainer.occlude(make_crop(), "age", grid=9, go_on=go_on) is not None
    assert asked == -1000 + -(-81 // OCCLUSION_BATCH)


def test_a_network_without_feature_maps_still_answers(tmp_path: Path) -> None:
    explainer = Explainer(load_package(write_corner_model(tmp_path)))
    assert explainer.layers("age") == ()
    look = explainer.look(make_crop(), "age")
    assert look.maps.size == 0
    assert look.prediction.age.sum() == pytest.approx(1, abs=1e-5)


def test_a_network_without_convolutions_has_no_filters(make_model: MakeModel) -> None:
    explainer = Explainer(load_package(make_model()))
    assert len(explainer.filters("age")) == 0
    assert explainer.layers("gender") == ()


@pytest.mark.parametrize("content", [b"no network", b"\x3a\xff\xff\xff\xff\x0f", b""])
def test_a_file_that_is_no_network_gives_one_sentence(tmp_path: Path, content: bytes) -> None:
    package = load_package(write_conv_model(tmp_path))
    package.onnx_files[0].write_bytes(content)
    with pytest.raises(ExplainError, match="Cannot look into the model “Conv") as caught:
        Explainer(package)
    assert "\n" not in str(caught.value)


def test_the_shipped_model_can_be_looked_into() -> None:
    package = Catalogue().find()
    explainer = Explainer(package)
    crop = make_crop(package.input.size)
    expected = Classifier(package, provider="cpu").classify(crop[None])[0]
    first = explainer.layers("age")[0]
    look = explainer.look(crop, "gender", first)
    assert first.name == "conv1"
    assert look.maps.shape == first.shape
    assert explainer.filters("age").shape[0] == first.shape[0]
    np.testing.assert_allclose(look.prediction.age, expected.age, atol=1e-4)


@pytest.mark.parametrize("two_network", [False, True])
def test_without_gender_it_looks_at_age_alone(tmp_path: Path, two_network: bool) -> None:
    package = load_package(write_conv_model(tmp_path, two_network=two_network))
    explainer, both = Explainer(package, gender=False), Explainer(package)
    layer = explainer.layers("age")[0]
    look, expected = explainer.look(make_crop(), "age", layer), both.look(make_crop(), "age", layer)
    assert look.prediction.gender.shape == (0,)
    np.testing.assert_allclose(look.prediction.age, expected.prediction.age, atol=1e-6)
    np.testing.assert_allclose(look.maps, expected.maps, atol=1e-6)
