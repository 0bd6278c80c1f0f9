from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import load_package
from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.vision.classification.classifier import Classifier, Prediction
from models.cli_utils import ToolError, run_tool
from models.data.datasets import Sample, Years
from models.data.labels import LabelError
from models.data.pictures import Picture
from models.evaluation.card import main as write_card
from models.evaluation.conditions import CONDITIONS
from models.evaluation.evaluate import as_json, as_text, evaluate, main, write_plots, write_scores
from models.evaluation.metrics import Answers, calibration_error, confusion, expected_years, measure
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.tiny_model import MakeModel

LABELS = Labels((AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None)), ("Male", "Female"))


def one_hot(classes: list[int], count: int, sure: float = 1.0) -> NDArray[np.float32]:
    rest = (1 - sure) / (count - 1)
    return np.where(np.eye(count, dtype=bool)[classes], sure, rest).astype(np.float32)


def answers_of(**changes: Any) -> Answers:
    """Forty faces: the first half Black women of 0-19, all right; the second White men, one in four right."""
    values: dict[str, Any] = {
        "age": one_hot([0] * 20 + [1, 1, 2, 0] * 5, 3),
        "gender": one_hot([1] * 20 + [0, 1, 1, 1] * 5, 2),
        "age_target": np.array([0] * 20 + [1, 2, 0, 2] * 5),
        "gender_target": np.array([1] * 20 + [0] * 20),
        "years": np.full(40, np.nan, np.float32),
        "race": np.array(["Black"] * 20 + ["White"] * 20),
        "pose": np.array(["front", "turned"] * 20),
    }
    return Answers(**{**values, **changes})


def test_accuracies_are_shares_of_the_labelled_faces() -> None:
    report = measure(answers_of(), LABELS)
    assert report.scores["age_exact"] == pytest.approx(25 / 40)
    assert report.scores["age_within_one"] == pytest.approx(30 / 40)
    assert report.scores["gender"] == pytest.approx(25 / 40)
    assert report.scores["worst_group_gender"] == pytest.approx(0.25)
    assert "age_mean_absolute_error" not in report.scores


def test_groups_are_compared() -> None:
    report = measure(answers_of(), LABELS)
    black, white = report.groups["race"]
    assert (black.name, black.count, black.gender, black.age_exact) == ("Black", 20, 1.0, 1.0)
    assert (white.name, white.gender, white.age_exact, white.age_within_one) == ("White", 0.25, 0.25, 0.5)
    assert report.gaps["race"]["gender"] == pytest.approx(0.75)
    assert {one.name: one.count for one in report.groups["age"]} == {"0-19": 25, "20-59": 5, "60+": 10}


def test_small_groups_are_listed_but_not_compared() -> None:
    race = np.array(["Black"] * 20 + ["White"] * 19 + ["Indian"])
    report = measure(answers_of(race=race), LABELS)
    assert {one.name for one in report.groups["race"]} == {"Black", "White", "Indian"}
    assert report.gaps["race"] == {}
    # Twenty faces, but one label.
    genders = np.array([1] * 20 + [0] + [-1] * 19)
    report = measure(answers_of(gender_target=genders, gender=one_hot([1] * 40, 2)), LABELS)
    assert report.scores["worst_group_gender"] == 1.0
    assert set(report.gaps["race"]) == {"age_exact", "age_within_one"}


def test_unlabelled_faces_count_in_no_score() -> None:
    nothing = np.full(40, -1)
    report = measure(answers_of(age_target=nothing, race=np.full(40, ""), pose=np.full(40, "")), LABELS)
    assert set(report.scores) == {"gender", "gender_calibration_error", "worst_group_gender"}
    assert set(report.groups) == {"gender"}
    assert math.isnan(report.groups["gender"][0].age_exact)


def test_the_confusion_matrix_has_the_truth_in_its_rows() -> None:
    counts = confusion(one_hot([0, 1, 1, 2], 3), np.array([0, 0, 1, -1]))
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_calibration_compares_confidence_with_accuracy() -> None:
    targets = np.array([0] * 8 + [1] * 2)
    assert calibration_error(one_hot([0] * 10, 2, sure=0.8), targets) == pytest.approx(0, abs=1e-6)
    assert calibration_error(one_hot([0] * 10, 2, sure=1.0), targets) == pytest.approx(0.2, abs=1e-6)


def test_the_range_of_years_is_compared_with_the_labelled_ones() -> None:
    # All of 20-59 is guessed alike: the range leaves out a tenth of it, or four years, at each end.
    found = {"age": one_hot([1] * 40, 3), "age_target": np.ones(40, np.int64)}
    assert measure(answers_of(**found), LABELS).scores["age_range_coverage"] == pytest.approx(32 / 40)
    years = np.array([23.0] * 10 + [24.0] * 30, np.float32)
    assert measure(answers_of(**found, years=years), LABELS).scores["age_range_coverage"] == pytest.approx(3 / 4)


def test_years_are_the_mean_over_the_groups() -> None:
    np.testing.assert_allclose(expected_years(one_hot([1], 3), LABELS), [39.5])
    years = np.array([39.5] * 30 + [49.5] * 10, np.float32)
    report = measure(answers_of(age=one_hot([1] * 40, 3), years=years), LABELS)
    assert report.scores["age_mean_absolute_error"] == pytest.approx(2.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a face, one without, and their labels."""
    folder = tmp_path_factory.mktemp("faces")
    face = astronaut_bgr()
    cv2.imwrite(str(folder / "a.png"), face)
    cv2.imwrite(str(folder / "b.png"), face[:, ::-1])
    cv2.imwrite(str(folder / "c.png"), np.full((200, 200, 3), 90, np.uint8))
    (folder / "labels.csv").write_text("file,age,gender\na.png,36,Female\nb.png,15-25,Female\nc.png,40,Male\n")
    return folder


def samples_of(folder: Path) -> list[Sample]:
    return [
        Sample(picture=Picture(folder / "a.png"), name="a", age=Years(36, 36), gender=1),
        Sample(picture=Picture(folder / "b.png"), name="b", age=Years(15, 25), gender=1),
        Sample(picture=Picture(folder / "c.png"), name="c", age=Years(40, 40), gender=0),
    ]


@pytest.mark.parametrize(("oversample", "views"), [(False, "one view"), (True, "ten averaged views")])
def test_a_model_is_judged_through_the_apps_own_eyes(
    folder: Path, make_model: MakeModel, oversample: bool, views: str
) -> None:
    classifier = Classifier(load_package(make_model()), provider="cpu", oversample=oversample)
    evaluation = evaluate(samples_of(folder), classifier, data="two portraits")
    assert (evaluation.images, evaluation.not_found, evaluation.ages_left_out) == (2, 1, 1)
    # Mirror images of one face are answered alike by a network that looks at the mean colour.
    assert evaluation.report.scores["gender"] in (0.0, 1.0)
    assert evaluation.report.age_confusion.sum() == 1
    assert "no face found in 1 pictures" in as_text(evaluation)
    assert json.loads(json.dumps(as_json(evaluation)))["views"] == views


def test_both_sides_of_a_face_are_averaged(
    folder: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(load_package(make_model()), provider="cpu")
    seen: list[NDArray[np.uint8]] = []
    sides = [
        [Prediction(np.array([0.6, 0.4, 0.0], np.float32), np.array([0.9, 0.1], np.float32))],
        [Prediction(np.array([0.1, 0.4, 0.5], np.float32), np.array([0.0, 1.0], np.float32))],
    ]

    def answer(crops: NDArray[np.uint8]) -> list[Prediction]:
        seen.append(crops.copy())
        return sides[len(seen) - 1]

    monkeypatch.setattr(classifier, "classify", answer)
    evaluation = evaluate(samples_of(folder)[:1], classifier, data="a portrait", both_sides=True)
    np.testing.assert_array_equal(seen[0], seen[1][:, :, ::-1])
    # 0.35, 0.4 and 0.25: neither side's own choice alone decides.
    assert evaluation.report.scores["age_exact"] == 1
    assert evaluation.report.scores["gender"] == 1
    assert as_json(evaluation)["views"] == "one view and its mirror image"


def test_a_picture_that_cannot_be_read_is_counted_apart(
    folder: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [replace(samples_of(folder)[0], picture=Picture(folder / "gone.png")), *samples_of(folder)]
    classifier = Classifier(load_package(make_model()), provider="cpu")
    evaluation = evaluate(samples, classifier, data="portraits")
    assert (evaluation.images, evaluation.not_found, evaluation.not_read) == (2, 1, 1)
    assert "1 pictures cannot be read" in as_text(evaluation)
    (line,) = capsys.readouterr().err.splitlines()
    assert "gone.png: it is missing" in line


def test_genders_of_a_model_may_come_in_another_order(folder: Path, make_model: MakeModel) -> None:
    swapped = Labels(LABELS.ages, ("Female", "Male"))
    usual = Classifier(load_package(make_model()), provider="cpu")
    other = Classifier(load_package(make_model(name="swapped", labels=swapped)), provider="cpu")
    scores = [evaluate(samples_of(folder), one, data="x").report.scores["gender"] for one in (usual, other)]
    assert sorted(scores) == [0.0, 1.0]
    strange = Labels(LABELS.ages, ("Tall", "Short"))
    with pytest.raises(LabelError, match="Tall"):
        evaluate(samples_of(folder), Classifier(load_package(make_model(name="odd", labels=strange))), data="x")


def test_pictures_without_any_face_are_refused(folder: Path, make_model: MakeModel) -> None:
    classifier = Classifier(load_package(make_model()), provider="cpu")
    with pytest.raises(ToolError, match="no face was found"):
        evaluate(samples_of(folder)[2:], classifier, data="x")


def test_scores_and_a_card_are_written(
    folder: Path, make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = f"age 1.1, gender 0.9, fitted on 2 pictures of {folder.name}"
    manifest_path = make_model(about={"licence": "CC0-1.0", "temperatures": fitted})
    arguments = ["--model", str(manifest_path), "--data", "csv", "--path", str(folder), "--provider", "cpu"]
    assert run_tool(main, [*arguments, "--json", str(tmp_path / "scores.json"), "--write-scores"]) == 0
    package = load_package(manifest_path)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert package.manifest.scores["images"] == written["images"] == 2
    assert package.manifest.scores["gender"] == written["scores"]["gender"]
    card = ["--model", str(manifest_path), "--evaluation", str(tmp_path / "scores.json")]
    assert run_tool(write_card, card) == 0
    assert "one view each" in manifest_path.with_suffix(".md").read_text(encoding="utf-8")
    text = manifest_path.with_suffix(".md").read_text(encoding="utf-8")
    for part in (
        "# Tiny",
        "CC0-1.0",
        "2 faces",
        f"{written['scores']['gender']:.3f}",
        "## Limits",
        "| 20-59 | 1 |",
        "these same pictures",
    ):
        assert part in text
    (tmp_path / "scores.json").write_text(json.dumps({**written, "model": "other"}))
    capsys.readouterr()
    assert run_tool(write_card, card) == 2
    assert "'other'" in capsys.readouterr().err
    wrong = {"[1]": "holds no measured model", "[" * 100_000: "nested too deeply", "{": "Cannot read the evaluation"}
    wrong |= {json.dumps({**written, part: value}): "incomplete" for part in ("scores", "groups") for value in (1, [1])}
    for text, says in {**wrong, json.dumps({**written, "scores": {"gender": "good"}}): "incomplete"}.items():
        (tmp_path / "scores.json").write_text(text)
        assert run_tool(write_card, card) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line


@pytest.mark.slow
def test_the_course_of_a_training_is_drawn_in_the_card_and_stays_there(
    folder: Path, make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    manifest_path = make_model()
    arguments = ["--model", str(manifest_path), "--data", "csv", "--path", str(folder), "--provider", "cpu"]
    assert run_tool(main, [*arguments, "--json", str(tmp_path / "scores.json"), "--write-scores"]) == 0
    card = ["--model", str(manifest_path), "--evaluation", str(tmp_path / "scores.json")]
    log, drawing = tmp_path / "log.csv", manifest_path.with_name(f"{manifest_path.stem}-training.svg")
    log.write_text(
        "share,epoch,iteration,loss,age_exact,age_within_one,gender\n0.5,1,1,2.5,0.4,,0.8\n1,2,2,2,0.5,,0.9\n"
    )
    assert run_tool(write_card, [*card, "--training-log", str(log)]) == 0
    assert f"]({drawing.name})" in manifest_path.with_suffix(".md").read_text(encoding="utf-8")
    drawn = drawing.read_bytes()
    assert b"Age group exact" in drawn
    assert b"within one" not in drawn
    assert run_tool(write_card, card) == 0
    assert f"]({drawing.name})" in manifest_path.with_suffix(".md").read_text(encoding="utf-8")
    capsys.readouterr()
    for wrong_log in ("", "share,loss\n", "share,loss\n1\n", "a,b\n1,2\n", "share,loss\nx,y\n", "share,loss\n1,2,3\n"):
        log.write_text(wrong_log)
        assert run_tool(write_card, [*card, "--training-log", str(log)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Cannot read the training log")
    assert drawing.read_bytes() == drawn


def test_a_model_can_be_judged_on_what_a_training_left_out(
    folder: Path, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(make_model()), "--data", "csv", "--path", str(folder), "--provider", "cpu"]
    assert run_tool(main, [*arguments, "--held-out", "1"]) == 0
    assert "csv, held out pictures: 1 faces" in capsys.readouterr().out.replace(folder.name, "csv")
    assert run_tool(main, [*arguments, "--held-out", "2"]) == 2
    assert "Hold out less than half" in capsys.readouterr().err


@pytest.mark.slow
def test_confusion_matrices_are_drawn(folder: Path, make_model: MakeModel, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    classifier = Classifier(load_package(make_model()), provider="cpu")
    paths = write_plots(evaluate(samples_of(folder), classifier, data="x"), tmp_path / "plots")
    assert [path.name for path in paths] == ["tiny-age-confusion.png", "tiny-gender-confusion.png"]
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert min(picture.shape[:2]) > 200
        assert picture.std() > 5


def test_scores_of_a_changed_model_are_replaced_whole(folder: Path, make_model: MakeModel) -> None:
    manifest_path = make_model(scores={"age_exact": 0.99, "made_up": 1.0})
    classifier = Classifier(load_package(manifest_path), provider="cpu")
    write_scores(evaluate(samples_of(folder), classifier, data="two portraits"), manifest_path)
    manifest = load_package(manifest_path).manifest
    assert "made_up" not in manifest.scores
    assert manifest.about["scores_on"] == "two portraits, one view of each face"
    assert np.shape(manifest.confusion) == (6, 6)
    # One of the two has both labels.
    assert np.sum(manifest.confusion) == 1
    write_scores(evaluate(samples_of(folder), classifier, data="two portraits", both_sides=True), manifest_path)
    scores_on = load_package(manifest_path).manifest.about["scores_on"]
    assert scores_on == "two portraits, one view and its mirror image of each face"


@pytest.mark.parametrize("arguments", [["--model", "no-such-model"], ["--model", "nowhere.onnx"]])
def test_a_model_that_is_not_there_is_one_sentence(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tool(main, [*arguments, "--data", "csv", "--path", str(folder)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_faces_of_one_race_and_age_are_a_group_and_so_are_turned_ones() -> None:
    report = measure(answers_of(), LABELS)
    assert {one.name: one.count for one in report.groups["pose"]} == {"front": 20, "turned": 20}
    assert {one.name: one.count for one in report.groups["race and age"]} == {
        "Black, 0-19": 20,
        "White, 0-19": 5,
        "White, 20-59": 5,
        "White, 60+": 10,
    }


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_worse_condition_keeps_the_size_and_changes_the_crop(name: str) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (227, 227, 3), np.uint8)
    worse = CONDITIONS[name](crop, 1.3)
    assert worse.shape == crop.shape
    assert worse.dtype == np.uint8
    # Each takes away detail or light.
    assert worse.std() < 0.75 * crop.std()
