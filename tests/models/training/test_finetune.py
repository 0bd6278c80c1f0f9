from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from desktop_app.catalogue.catalogue import Catalogue, ModelPackage, load_package, user_models_folder  # noqa: E402
from desktop_app.catalogue.manifest import Labels, sha256_of, write_manifest  # noqa: E402
from desktop_app.vision.classification.classifier import Classifier  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.data.labels import FAIRFACE_AGES, parse_age_buckets  # noqa: E402
from models.data.prepared import Prepared  # noqa: E402
from models.networks.architectures import NetworkSpec  # noqa: E402
from models.training.finetune import FineTuneSettings, fine_tune, main  # noqa: E402
from models.training.import_onnx import checkpoints_from_package, with_ages  # noqa: E402
from tests.helpers.portrait import astronaut_bgr  # noqa: E402
from tests.helpers.random_networks import PAPER_BATCH_NORM, SMALL, checkpoint_of, paper_pair  # noqa: E402
from tests.helpers.tiny_model import MakeModel  # noqa: E402

NEW_AGES = parse_age_buckets("0-12,13-19,20-64,65+")


def prepared_of(count: int = 24, *, gender: bool = True) -> Prepared:
    """Plain pictures: children are blue, adults are green."""
    adult = np.arange(count) % 2
    pictures = np.empty((count, 256, 256, 3), np.uint8)
    pictures[:] = np.stack([200 - 150 * adult, 50 + 150 * adult, np.full(count, 90)], axis=1)[:, None, None]
    years = np.where(adult, 40, 8).astype(np.float32)
    return Prepared(
        pictures=pictures,
        names=np.array([f"{index}" for index in range(count)]),
        low=years,
        high=years,
        gender=adult if gender else np.full(count, -1),
        race=np.full(count, ""),
        fold=np.full(count, -1),
        found=np.ones(count, bool),
        readable=np.ones(count, bool),
        margin=1.15,
    )


def pixels_of(seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 3, 227, 227)).astype(np.float32))


def test_a_shipped_network_comes_back_with_the_same_answers(small_package: ModelPackage) -> None:
    (restored,) = checkpoints_from_package(small_package)
    assert restored.spec == SMALL
    assert restored.labels == small_package.labels
    for one, other in zip(checkpoint_of(SMALL).network()(pixels_of()), restored.network()(pixels_of()), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_papers_network_comes_back_with_the_same_answers(batch_norm_package: ModelPackage) -> None:
    (restored,) = checkpoints_from_package(batch_norm_package)
    assert restored.spec == PAPER_BATCH_NORM
    start = checkpoint_of(PAPER_BATCH_NORM)
    for one, other in zip(start.network()(pixels_of()), restored.network()(pixels_of()), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_a_network_that_lacks_a_layer_is_refused(small_package: ModelPackage, tmp_path: Path) -> None:
    for path in (small_package.path, *small_package.onnx_files):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / small_package.onnx_files[0].name
    model = onnx.load(str(path))
    (head,) = (node for node in model.graph.node if "gender.weight" in node.input)
    head.input[1] = "age.weight"
    onnx.save(model, str(path))
    manifest = replace(small_package.manifest, files={path.name: sha256_of(path)})
    write_manifest(manifest, tmp_path / small_package.path.name)
    with pytest.raises(ToolError, match=r"lacks gender\.weight"):
        checkpoints_from_package(load_package(tmp_path / small_package.path.name))


@pytest.mark.slow
@pytest.mark.parametrize("imported", [False, True])
def test_a_pair_comes_back_with_the_same_answers(paper_package: ModelPackage, tmp_path: Path, imported: bool) -> None:
    pair = paper_pair()
    age, gender = checkpoints_from_package(without_specs(paper_package, tmp_path) if imported else paper_package)
    assert (age.spec, gender.spec) == (pair[0].spec, pair[1].spec)
    assert age.mean_image is not None
    assert pair[0].mean_image is not None
    np.testing.assert_array_equal(age.mean_image, pair[0].mean_image[14:241, 14:241])
    for one, other in zip(pair, (age, gender), strict=True):
        expected = one.network()(100 * pixels_of())
        close = 2e-3 * float(expected.detach().abs().max())
        torch.testing.assert_close(other.network()(100 * pixels_of()), expected, rtol=0, atol=close)


def without_specs(package: ModelPackage, folder: Path) -> ModelPackage:
    """A copy as an import from Caffe leaves it: names of layers, no spec."""
    files = dict(package.manifest.files)
    for name in files:
        copied = Path(shutil.copy(package.path.parent / name, folder))
        if copied.suffix == ".onnx":
            model = onnx.load(str(copied))
            del model.metadata_props[:]
            onnx.save(model, str(copied))
            files[name] = sha256_of(copied)
    write_manifest(replace(package.manifest, files=files), folder / package.path.name)
    return load_package(folder / package.path.name)


def test_a_network_of_another_kind_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(ToolError, match="Cannot fine-tune"):
        checkpoints_from_package(load_package(make_model()))


def test_new_age_groups_start_from_the_old_ones_that_they_overlap() -> None:
    start = checkpoint_of(SMALL)
    ages = parse_age_buckets("0-2,20-39")
    changed = with_ages(start, ages, seed=0)
    old, new = start.state["age.weight"], changed.state["age.weight"]
    torch.testing.assert_close(new[0], old[0])
    torch.testing.assert_close(new[1], (old[3] + old[4]) / 2)
    assert torch.equal(changed.state["gender.weight"], start.state["gender.weight"])
    both = checkpoint_of(NetworkSpec(architecture="levi-hassner", ages=9, genders=2))
    shared = with_ages(both, ages, seed=0)
    assert torch.equal(shared.state["fc8.weight"][2:], both.state["fc8.weight"][9:])
    torch.testing.assert_close(shared.state["fc8.bias"][1], both.state["fc8.bias"][3:5].mean())


def tuned(package: ModelPackage, prepared: Prepared, folder: Path, **changes: Any) -> ModelPackage:
    values: dict[str, Any] = {"name": "mine", "folder": folder, "device": "cpu", "workers": 0, "quiet": True}
    settings = FineTuneSettings(**{**values, **changes})
    return load_package(fine_tune(checkpoints_from_package(package), prepared, settings))


@pytest.mark.slow
def test_a_model_learns_the_users_pictures_and_groups(small_package: ModelPackage, tmp_path: Path) -> None:
    prepared = prepared_of(25)
    # What has no label teaches nothing, and is not counted.
    prepared.low[-1] = prepared.high[-1] = np.nan
    prepared.gender[-1] = -1
    package = tuned(small_package, prepared, tmp_path, ages=NEW_AGES, epochs=20, rate=1e-2)
    assert [label.name for label in package.labels.ages] == ["0-12", "13-19", "20-64", "65+"]
    predictions = Classifier(package, provider="cpu").classify(np.array(prepared.pictures[:2, 14:241, 14:241]))
    assert [int(one.age.argmax()) for one in predictions] == [0, 2]
    assert [int(one.gender.argmax()) for one in predictions] == [0, 1]
    assert "fine-tuned on 24" in package.manifest.about["data"]


@pytest.mark.slow
def test_an_answer_without_labels_stays_as_it_was(small_package: ModelPackage, tmp_path: Path) -> None:
    prepared = prepared_of(gender=False)
    package = tuned(small_package, prepared, tmp_path, epochs=12, rate=1e-2)
    pictures = np.array(prepared.pictures[:2, 14:241, 14:241])
    before, after = (Classifier(one, provider="cpu").classify(pictures) for one in (small_package, package))
    shifts = [
        max(
            float(np.abs(getattr(one, head) - getattr(other, head)).max())
            for one, other in zip(before, after, strict=True)
        )
        for head in ("gender", "age")
    ]
    assert shifts[0] < 0.1 < 0.3 < shifts[1]


def test_labels_that_fit_no_group_are_refused(small_package: ModelPackage, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="--age-buckets"):
        tuned(small_package, prepared_of(), tmp_path, ages=parse_age_buckets("50-59,60+"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_genders_in_another_order_are_learnt_in_that_order(tmp_path: Path) -> None:
    start = checkpoint_of(SMALL, labels=Labels(FAIRFACE_AGES, ("Female", "Male")))
    settings = FineTuneSettings(name="mine", folder=tmp_path, epochs=8, rate=1e-2, device="cpu", workers=0, quiet=True)
    prepared = replace(prepared_of(), gender=np.zeros(24, np.int64))
    classifier = Classifier(load_package(fine_tune([start], prepared, settings)), provider="cpu", threads=1)
    assert classifier.labels.genders == ("Female", "Male")
    answers = classifier.classify(np.ascontiguousarray(prepared.pictures[:6, 14:241, 14:241]))
    assert all(one.gender.argmax() == 1 for one in answers)


def test_checkpoints_that_make_no_model_are_refused_before_the_work(tmp_path: Path) -> None:
    alone = checkpoint_of(NetworkSpec(architecture="levi-hassner", ages=9, genders=0))
    with pytest.raises(ToolError, match="one checkpoint for age and one for gender"):
        fine_tune([alone], prepared_of(), FineTuneSettings(name="mine", folder=tmp_path, device="cpu", workers=0))


def test_a_file_that_is_there_is_refused_before_the_work(small_package: ModelPackage, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"work")
    with pytest.raises(ToolError, match="exists already"):
        fine_tune(
            checkpoints_from_package(small_package), prepared_of(), FineTuneSettings(name="mine", folder=tmp_path)
        )
    assert [file.name for file in tmp_path.iterdir()] == ["mine.onnx"]


def test_pictures_without_any_label_of_use_are_refused(small_package: ModelPackage, tmp_path: Path) -> None:
    prepared = replace(prepared_of(gender=False), low=np.full(24, np.nan, np.float32))
    with pytest.raises(ToolError, match="no picture has a label that the model knows"):
        tuned(small_package, prepared, tmp_path)


def test_a_name_that_no_model_can_have_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    assert run_tool(main, ["--path", str(tmp_path), "--cache", str(cache), "--name", "My Model"]) == 2
    assert "“My Model”: the name may hold only" in capsys.readouterr().err
    assert run_tool(main, ["--path", str(tmp_path), "--cache", str(cache), "--name", "agelens"]) == 2
    assert "comes with Agelens" in capsys.readouterr().err


@pytest.mark.slow
def test_the_tool_puts_a_model_where_the_app_finds_it(
    small_package: ModelPackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    face: NDArray[np.uint8] = astronaut_bgr()
    rows = ["file,age,gender"]
    for index in range(6):
        cv2.imwrite(str(folder / f"{index}.png"), np.asarray(face * (1 - 0.1 * index), np.uint8)[40:260, 100:340])
        rows.append(f"{index}.png,36,Female")
    (folder / "labels.csv").write_text("\n".join(rows))
    arguments = ["--model", str(small_package.path), "--path", str(folder), "--cache", str(tmp_path / "cache")]
    arguments += ["--name", "mine", "--age-buckets", "0-29,30+", "--epochs", "1", "--workers", "0", "--device", "cpu"]
    assert run_tool(main, arguments) == 0
    package = Catalogue([user_models_folder()]).find("mine")
    assert package.manifest.scores["images"] == 1
    capsys.readouterr()
    assert run_tool(main, arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    # The pictures are drawn anew, and prepared no second time.
    prepared = list((tmp_path / "cache").rglob("pictures.npy"))
    assert run_tool(main, [*arguments, "--overwrite", "--seed", "1"]) == 0
    assert list((tmp_path / "cache").rglob("pictures.npy")) == prepared
