from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from desktop_app.catalogue.catalogue import load_package  # noqa: E402
from desktop_app.catalogue.manifest import InputSpec, Labels  # noqa: E402
from desktop_app.vision.classification.classifier import Classifier, Prediction  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.data.labels import GENDERS  # noqa: E402
from models.data.prepared import Prepared  # noqa: E402
from models.networks.checkpoints import load_checkpoint  # noqa: E402
from models.training.soft_labels import SoftLabels, ask, load_soft_labels, main, save_soft_labels  # noqa: E402
from models.training.train import main as train  # noqa: E402
from tests.helpers.tiny_model import AGES, MakeModel  # noqa: E402

LABELS = Labels(AGES, GENDERS)


def prepared_of(pictures: NDArray[np.uint8]) -> Prepared:
    count = len(pictures)
    return Prepared(
        pictures,
        names=np.array([f"{index}.png" for index in range(count)]),
        low=np.full(count, 30, np.float32),
        high=np.full(count, 30, np.float32),
        gender=np.zeros(count, np.int64),
        race=np.full(count, ""),
        fold=np.full(count, -1),
        found=np.ones(count, bool),
        readable=np.ones(count, bool),
        margin=1.2,
    )


def random_pictures(count: int) -> NDArray[np.uint8]:
    colours = np.random.default_rng(0).integers(0, 256, (count, 1, 1, 3), np.uint8)
    return np.broadcast_to(colours, (count, 256, 256, 3)).copy()


def sure(count: int, age: int, gender: int) -> SoftLabels:
    answers = {
        "age": np.tile(np.eye(3, dtype=np.float32)[age], (count, 1)),
        "gender": np.tile(np.eye(2, dtype=np.float32)[gender], (count, 1)),
    }
    return SoftLabels(answers, ("one", "other"))


def test_the_answers_of_teachers_are_averaged(make_model: MakeModel) -> None:
    one = Classifier(load_package(make_model()), provider="cpu")
    other = Classifier(load_package(make_model(name="other", input=InputSpec(size=32, scale=0.001))), provider="cpu")
    pictures = random_pictures(70)
    soft = ask(prepared_of(pictures), [one, other])
    both = soft.answers
    assert soft.teachers == (one.package.name, "other")
    assert (both["age"].shape, both["gender"].shape) == ((70, 3), (70, 2))
    views = pictures[:, :32, :32]
    expected = [(a.age + b.age) / 2 for a, b in zip(one.classify(views), other.classify(views), strict=True)]
    np.testing.assert_allclose(both["age"], expected, atol=1e-6)
    assert not np.allclose(both["age"], ask(prepared_of(pictures), [one]).answers["age"], atol=1e-3)


def test_a_teacher_sees_what_the_app_would_cut_out_for_it(make_model: MakeModel) -> None:
    # White within the middle 227x227, which is 1.2 times the face; black around it.
    pictures = np.zeros((1, 256, 256, 3), np.uint8)
    pictures[:, 14:241, 14:241] = 255
    white, black = np.full((1, 32, 32, 3), 255, np.uint8), np.zeros((1, 32, 32, 3), np.uint8)

    def teacher(margin: float) -> Classifier:
        spec = InputSpec(size=32, scale=0.02, margin=margin)
        return Classifier(load_package(make_model(name=f"m{margin}", input=spec)), provider="cpu")

    exact, wide = teacher(1.2), teacher(1.3)
    asked = ask(prepared_of(pictures), [exact]).answers["age"]
    np.testing.assert_allclose(asked[0], exact.classify(white)[0].age, atol=1e-6)
    assert not np.allclose(ask(prepared_of(pictures), [wide]).answers["age"][0], wide.classify(white)[0].age, atol=1e-3)
    assert not np.allclose(exact.classify(white)[0].age, exact.classify(black)[0].age, atol=1e-3)
    with pytest.raises(ToolError, match="pixels around each face"):
        ask(prepared_of(pictures), [teacher(2.0)])


def test_what_is_not_symmetric_is_seen_from_both_sides(make_model: MakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Classifier(load_package(make_model()), provider="cpu")
    seen: list[NDArray[np.uint8]] = []
    classify = teacher.classify

    def watch(views: NDArray[np.uint8]) -> list[Prediction]:
        seen.append(views)
        return classify(views)

    monkeypatch.setattr(teacher, "classify", watch)
    pictures = random_pictures(1)
    pictures[:, :, :128] = 0
    ask(prepared_of(pictures), [teacher])
    np.testing.assert_array_equal(seen[0], seen[1][:, :, ::-1])
    assert (seen[0] != seen[1]).any()


def write_data(folder: Path) -> None:
    folder.mkdir()
    rows = ["file,age,gender"]
    for index in range(6):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((64, 64, 3), 40 * index, np.uint8))
        rows.append(f"{index}.png,{5 + 12 * index},{GENDERS[index % 2]}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def test_groups_cannot_be_balanced_without_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path / "data")
    data = ["--data", "csv", "--path", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    arguments = ["--recipe", "compact", *data, "--output", str(tmp_path / "no.pt"), "--balance-groups", "1"]
    assert run_tool(train, arguments) == 2
    assert "--soft-labels" in capsys.readouterr().err
    assert run_tool(train, [*arguments, "--soft-labels", str(tmp_path / "soft.npz"), "--task", "age"]) == 2
    assert "--task age" in capsys.readouterr().err


def test_a_network_learns_what_another_kind_of_model_answered(
    tmp_path: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "data")
    data = ["--data", "csv", "--path", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    soft = tmp_path / "made" / "soft.npz"
    asking = ["--models", str(make_model(input=InputSpec(size=32, scale=0.02))), *data, "--output", str(soft)]
    assert run_tool(main, asking) == 0
    assert "6 pictures" in capsys.readouterr().out
    assert run_tool(main, asking) == 2
    assert "--overwrite" in capsys.readouterr().err

    def weights(name: str, *more: str) -> dict[str, Any]:
        arguments = ["--recipe", "compact", *data, "--output", str(tmp_path / name), "--workers", "0"]
        arguments += ["--age-buckets", "0-19,20-59,60+", "--widths", "8", "--blocks", "1", "--stem-width", "8"]
        arguments += ["--sides", "0:48", "--device", "cpu", "--iterations", "3", *more]
        assert run_tool(train, arguments) == 0, capsys.readouterr().err
        made = load_checkpoint(tmp_path / name)
        assert (made.notes.get("taught_by") == "tiny") is bool(more)
        return dict(made.state)

    alone, taught = weights("alone.pt"), weights("taught.pt", "--soft-labels", str(soft))
    much = weights("much.pt", "--soft-labels", str(soft), "--teacher-weight", "5")
    balanced = weights("balanced.pt", "--soft-labels", str(soft), "--balance-groups", "1")
    mixed = weights("mixed.pt", "--soft-labels", str(soft), "--mixup", "0.4")
    biases = [one["gender.bias"] for one in (alone, taught, much, balanced, mixed)]
    for index, bias in enumerate(biases):
        assert not any(torch.equal(bias, other) for other in biases[index + 1 :])


def test_answers_for_something_else_are_refused(tmp_path: Path) -> None:
    prepared = prepared_of(random_pictures(4))
    path = tmp_path / "soft.npz"
    save_soft_labels(sure(4, 1, 0), LABELS, prepared.names, path)
    loaded = load_soft_labels(path, prepared, LABELS)
    np.testing.assert_array_equal(loaded.answers["age"], sure(4, 1, 0).answers["age"])
    assert loaded.teachers == ("one", "other")
    with pytest.raises(ToolError, match="other pictures"):
        load_soft_labels(path, replace(prepared, names=prepared.names[::-1]), LABELS)
    for labels in (Labels(AGES[:2], GENDERS), Labels(AGES, GENDERS[::-1])):
        with pytest.raises(ToolError, match="age groups or genders differ"):
            load_soft_labels(path, prepared, labels)
    save_soft_labels(sure(3, 1, 0), LABELS, prepared.names, path)
    with pytest.raises(ToolError, match="damaged"):
        load_soft_labels(path, prepared, LABELS)
    np.savez(path, names=prepared.names)
    with pytest.raises(ToolError, match="Cannot read soft labels"):
        load_soft_labels(path, prepared, LABELS)
    for rubbish in (path.read_bytes()[:-30], b"rubbish", b""):
        path.write_bytes(rubbish)
        with pytest.raises(ToolError, match="Cannot read soft labels"):
            load_soft_labels(path, prepared, LABELS)


def test_teachers_that_disagree_on_the_classes_are_refused(
    tmp_path: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "data")
    other = make_model(name="other", labels=Labels(AGES[:2], GENDERS), network_ages=2)
    arguments = ["--models", str(make_model()), str(other), "--data", "csv", "--path", str(tmp_path / "data")]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "soft.npz")]
    assert run_tool(main, arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "their age groups or genders differ" in line
    assert not (tmp_path / "soft.npz").exists()
