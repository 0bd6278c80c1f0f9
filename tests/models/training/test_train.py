from __future__ import annotations

import csv
import json
import math
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from desktop_app.catalogue.catalogue import load_package  # noqa: E402
from desktop_app.catalogue.manifest import InputSpec, Labels  # noqa: E402
from desktop_app.vision.preprocessing import Preprocessing  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.data.augment import random_crop, random_webcam_view  # noqa: E402
from models.data.labels import FAIRFACE_AGES, GENDERS, parse_age_buckets  # noqa: E402
from models.data.prepare import main as prepare_main  # noqa: E402
from models.data.prepared import load_prepared  # noqa: E402
from models.evaluation.evaluate import main as evaluate_main  # noqa: E402
from models.export.export import ExportSettings, export_model  # noqa: E402
from models.networks.architectures import LeviHassnerNet, NetworkSpec, build_network  # noqa: E402
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.training.batches import Faces, Normaliser, Views, mean_picture  # noqa: E402
from models.training.ensemble import Ensemble  # noqa: E402
from models.training.recipes import (  # noqa: E402
    CompactRecipe,
    PaperRecipe,
    age_weights,
    distillation_loss,
    hard_group_weights,
    soft_ages,
)
from models.training.scoring import score  # noqa: E402
from models.training.train import main  # noqa: E402
from models.training.trainer import Budget, Progress, Trainer, TrainingSettings, choose_device  # noqa: E402
from models.training.training_log import TrainingLog  # noqa: E402
from tests.helpers.labelled_pictures import write_folder  # noqa: E402

AGES = parse_age_buckets("0-19,20-59,60+")
TINY = NetworkSpec(architecture="compact", ages=3, genders=2, stem_width=8, widths=(8,), blocks=(1,))


def faces_of(count: int = 24) -> Faces:
    """Plain pictures: their colour tells the age group, a dark middle the gender."""
    age, gender = np.arange(count) % 3, np.arange(count) % 2
    pictures = np.empty((count, 256, 256, 3), np.uint8)
    pictures[:] = np.where(np.eye(3, dtype=bool)[age], 200, 80)[:, None, None]
    pictures[gender == 1, 68:188, 68:188] = 20
    return Faces(pictures=pictures, targets={"age": age, "gender": gender}, rows=np.arange(count))


def tiny_start(seed: int = 3, *, spec: NetworkSpec = TINY) -> Checkpoint:
    torch.manual_seed(seed)
    state = build_network(spec).state_dict()
    return Checkpoint(spec=spec, labels=Labels(AGES, GENDERS), input=InputSpec(), state=state)


def tiny_recipe(**changes: Any) -> CompactRecipe:
    values: dict[str, Any] = {"age_counts": (8, 8, 8), "batch_size": 8, "sides": ((0.0, 64),), "strength": 0.3}
    return CompactRecipe(**{**values, **changes})


def settings_for(iterations: int, **changes: Any) -> TrainingSettings:
    values: dict[str, Any] = {
        "budget": Budget(iterations=iterations),
        "device": "cpu",
        "workers": 0,
        "quiet": True,
    }
    return TrainingSettings(**{**values, **changes})


def train_tiny(path: Path, iterations: int, **changes: Any) -> Checkpoint:
    return Trainer(tiny_start(), tiny_recipe(), faces_of(), path, settings_for(iterations, **changes)).run()


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
@pytest.mark.parametrize(("bfloat16", "mixing"), [(False, 0.0), (True, 0.0), (False, 0.2)])
def test_a_network_learns_what_is_plain_to_see(tmp_path: Path, bfloat16: bool, mixing: float) -> None:
    recipe = tiny_recipe(base_rate=3e-2, strength=0.0, averaging=0.9, spread=0.3, mixing=mixing)
    faces = faces_of()
    finished = Trainer(tiny_start(), recipe, faces, tmp_path / "tiny.pt", settings_for(40, bfloat16=bfloat16)).run()
    before = score(tiny_start().network(), tiny_start(), faces)
    after = score(finished.network(), finished, faces)
    assert after["gender"] == 1.0
    assert after["age_exact"] >= 0.9 > before["age_exact"]
    assert load_checkpoint(tmp_path / "tiny.pt").training["finished"]
    assert all(value.dtype != torch.bfloat16 for value in finished.state.values())


def test_equal_seeds_give_equal_weights(tmp_path: Path) -> None:
    one = train_tiny(tmp_path / "one.pt", 5)
    assert same(one.state, train_tiny(tmp_path / "other.pt", 5).state)
    assert not same(one.state, train_tiny(tmp_path / "third.pt", 5, seed=1).state)


def test_an_interrupted_training_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = train_tiny(tmp_path / "whole.pt", 8)

    def interrupt(_network: Any, _progress: Progress) -> None:
        raise KeyboardInterrupt

    # The first pass over the pictures ends after three of the eight steps.
    trainer = Trainer(tiny_start(), tiny_recipe(), faces_of(), tmp_path / "cut.pt", settings_for(8))
    with pytest.raises(KeyboardInterrupt):
        trainer.run(interrupt)
    halfway = load_checkpoint(tmp_path / "cut.pt").training
    assert (halfway["finished"], halfway["iteration"]) == (False, 3)
    assert same(whole.state, train_tiny(tmp_path / "cut.pt", 8).state)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptedRecipe(CompactRecipe):
    """Ctrl-C is pressed in the middle of the fifth step, which is the second of the second pass."""

    calls: list[int] = field(default_factory=list)

    def loss(self, logits: Any, targets: Any, weights: Any) -> Any:
        """The loss, after the network has drawn its dropout."""
        self.calls.append(1)
        if len(self.calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return super(InterruptedRecipe, self).loss(logits, targets, weights)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_an_interrupt_waits_for_the_end_of_a_step(tmp_path: Path) -> None:
    whole = train_tiny(tmp_path / "whole.pt", 8)
    recipe = InterruptedRecipe(age_counts=(8, 8, 8), batch_size=8, sides=((0.0, 64),), strength=0.3)
    with pytest.raises(KeyboardInterrupt):
        Trainer(tiny_start(), recipe, faces_of(), tmp_path / "cut.pt", settings_for(8)).run()
    assert load_checkpoint(tmp_path / "cut.pt").training["iteration"] == 5
    assert same(whole.state, train_tiny(tmp_path / "cut.pt", 8).state)


@pytest.mark.parametrize("damage", ["optimiser", "random", "iteration"])
def test_a_training_that_cannot_go_on_says_so(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "cut.pt"
    recipe = InterruptedRecipe(age_counts=(8, 8, 8), batch_size=8, sides=((0.0, 64),), calls=[1] * 4)
    with pytest.raises(KeyboardInterrupt):
        Trainer(tiny_start(), recipe, faces_of(), path, settings_for(8)).run()
    halfway = load_checkpoint(path)
    save_checkpoint(replace(halfway, training={**halfway.training, damage: {}}), path)
    with pytest.raises(ToolError, match="of another --recipe"):
        train_tiny(path, 8)


def test_another_runs_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    train_tiny(path, 2)
    with pytest.raises(ToolError, match="it is finished"):
        train_tiny(path, 2)
    other = NetworkSpec(architecture="compact", ages=3, genders=2, stem_width=8, widths=(16,), blocks=(1,))
    with pytest.raises(ToolError, match="another network"):
        Trainer(tiny_start(spec=other), tiny_recipe(), faces_of(), path, settings_for(2))


def test_a_training_does_not_go_on_with_another_mean_image(tmp_path: Path) -> None:
    means = [np.full((256, 256, 3), value, np.float32) for value in (100, 101)]
    one, other = (replace(tiny_start(), mean_image=mean) for mean in means)
    save_checkpoint(replace(one, training={"finished": False}), tmp_path / "tiny.pt")
    with pytest.raises(ToolError, match="other pictures or folds"):
        Trainer(other, tiny_recipe(), faces_of(), tmp_path / "tiny.pt", settings_for(1))


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    recipe = tiny_recipe(base_rate=1e30, warm_up=0.01, largest_gradient=math.inf)
    with pytest.raises(ToolError, match="diverged"):
        Trainer(tiny_start(), recipe, faces_of(), tmp_path / "tiny.pt", settings_for(20)).run()


def test_an_untold_answer_can_be_learnt_from_a_teacher(tmp_path: Path) -> None:
    teacher = tiny_start().network()
    faces = faces_of()
    blind = Faces(
        pictures=faces.pictures, targets={"age": faces.targets["age"], "gender": np.full(24, -1)}, rows=faces.rows
    )

    def drift(**changes: Any) -> float:
        path = tmp_path / f"{len(changes)}.pt"
        trainer = Trainer(tiny_start(), tiny_recipe(base_rate=1e-2), blind, path, settings_for(8, **changes))
        student = trainer.run().network()
        pixels = Normaliser(tiny_start())(torch.from_numpy(faces.pictures[:6, 14:241, 14:241]))
        with torch.no_grad():
            return float(distillation_loss(student(pixels)[1], teacher(pixels)[1]))

    assert drift(teacher=teacher, teacher_weights={"gender": 5.0}) < drift()


def test_the_papers_rate_falls_as_in_the_solver_files_and_keeps_the_factors() -> None:
    recipe = PaperRecipe(mean=np.zeros((1, 1, 3), np.float32))
    steps = (0, 9_999, 10_000, 19_999, 20_000, 49_999)
    assert [recipe.rate(step, 0.0) for step in steps] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-7])
    once = replace(recipe, step=7_000, step_once=True)
    assert [once.rate(step, 0.0) for step in (6_999, 7_000, 49_999)] == pytest.approx([1e-3, 1e-4, 1e-4])
    optimiser = recipe.make_optimiser(LeviHassnerNet(8))
    assert isinstance(optimiser, torch.optim.SGD)
    assert {group["momentum"] for group in optimiser.param_groups} == {0.9}
    assert sorted({group["factor"] for group in optimiser.param_groups}) == [1, 2, 10, 20]
    assert recipe.batch_size == 50


def test_the_papers_mean_is_taken_away_where_the_crop_was_taken() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    recipe = PaperRecipe(mean=picture.astype(np.float32))
    for seed in range(5):
        view = recipe.view(picture, 227, np.random.default_rng(seed))
        assert view.shape == (227, 227, 3)
        assert (view == 0).all()


def test_crops_are_taken_everywhere_and_mirrored_half_of_the_time() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    rng = np.random.default_rng(0)
    crops = [random_crop(picture, 227, rng) for _ in range(600)]
    for view, top, left, mirrored in crops[:20]:
        expected = picture[top : top + 227, left : left + 227]
        assert (view == (expected[:, ::-1] if mirrored else expected)).all()
    assert {top for _, top, _, _ in crops} == {left for _, _, left, _ in crops} == set(range(30))
    assert 240 < sum(mirrored for *_, mirrored in crops) < 360


def test_the_mean_picture_is_the_mean_of_the_chosen_rows() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 256, 256, 3), np.uint8)
    rows = np.array([0, 2, 5])
    np.testing.assert_allclose(mean_picture(pictures, rows, per_channel=False), pictures[rows].mean(axis=0), rtol=1e-5)
    per_channel = mean_picture(pictures, rows, per_channel=True)
    np.testing.assert_allclose(per_channel.ravel(), pictures[rows].mean(axis=(0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_webcam_views_keep_the_face_in_the_middle(strength: float) -> None:
    picture = np.full((256, 256, 3), 30, np.uint8)
    cv2.circle(picture, (128, 128), 40, (220, 220, 220), -1)
    rng = np.random.default_rng(0)
    views = np.stack([random_webcam_view(picture, 96, strength, rng) for _ in range(200)]).astype(float)
    assert views.shape == (200, 96, 96, 3)
    mean = views.mean(axis=(0, 3))
    assert mean[40:56, 40:56].mean() > 2 * np.concatenate([mean[:10].ravel(), mean[-10:].ravel()]).mean()
    assert views.std(axis=0).min() > 1


def test_the_middle_of_a_plain_view_is_the_apps_crop() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    picture = np.asarray(cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)

    class Still(np.random.Generator):
        """Chance that never moves anything."""

        def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
            return 0.0 if size is None else np.zeros(size)

        def random(self, *_: Any, **__: Any) -> Any:
            return 0.99

    view = random_webcam_view(picture, 227, 0.0, Still(np.random.PCG64(0)))
    assert np.abs(view.astype(int) - picture[14:241, 14:241].astype(int)).mean() < 8


def test_batches_depend_on_seed_and_number_alone() -> None:
    faces, recipe = faces_of(), tiny_recipe()

    def views(first: int, seed: int = 0) -> Views:
        return Views(faces, recipe, batch_size=8, side=64, seed=seed, epoch=1, first=first)

    whole, rest = views(0), views(2)
    assert (len(whole), len(rest)) == (3, 1)
    assert torch.equal(whole[2].views, rest[0].views)
    assert torch.equal(whole[2].targets["age"], rest[0].targets["age"])
    assert not torch.equal(views(0, seed=1)[0].views, whole[0].views)
    with pytest.raises(IndexError):
        rest[1]


def test_age_targets_are_narrow_and_rare_groups_weigh_more() -> None:
    soft = soft_ages(9, 0.55)
    torch.testing.assert_close(soft.sum(1), torch.ones(9))
    assert soft[4, 4] > 3 * soft[4, 3] > 3 * soft[4, 2]
    weights = age_weights((100, 1000), 0.5)
    assert float(weights[0] / weights[1]) == pytest.approx(math.sqrt(10))
    assert float((weights * torch.tensor([100.0, 1000.0])).sum()) == pytest.approx(1100)


def test_unknown_labels_count_in_no_loss() -> None:
    recipe = tiny_recipe()
    logits = {"age": torch.randn(4, 3), "gender": torch.randn(4, 2)}
    known = {"age": torch.tensor([0, 1]), "gender": torch.tensor([1, 0])}
    padded = {head: torch.cat([one, torch.tensor([-1, -1])]) for head, one in known.items()}
    expected = recipe.loss({head: one[:2] for head, one in logits.items()}, known, {})
    torch.testing.assert_close(recipe.loss(logits, padded, {}), expected)
    nothing = {head: torch.full((4,), -1) for head in logits}
    assert float(recipe.loss(logits, nothing, {})) == 0


def test_weights_count_single_labels_and_a_head() -> None:
    logits = {"age": torch.randn(2, 3), "gender": torch.randn(2, 2)}
    targets = {"age": torch.tensor([0, 1]), "gender": torch.tensor([1, 0])}

    def loss(gender_weight: float, *weights: float) -> float:
        recipe = CompactRecipe(age_counts=(8, 8, 8), gender_weight=gender_weight)
        return float(recipe.loss(logits, targets, {"gender": torch.tensor(weights)} if weights else {}))

    ages = loss(1, 0, 0)
    assert loss(1, 1, 1) == pytest.approx(loss(1))
    assert loss(1, 1, 0) + loss(1, 0, 1) == pytest.approx(loss(1) + ages)
    assert loss(3) - ages == pytest.approx(3 * (loss(1) - ages))


def test_groups_that_a_network_misreads_weigh_more() -> None:
    gender, race = np.array([0] * 8 + [1] * 8 + [-1]), np.array(["x"] * 17)
    answers = np.tile(np.array([1, 0], np.float32), (17, 1))
    answers[8:13] = 0, 1  # three of the eight of gender 1 are misread, and none of gender 0
    weights = hard_group_weights(gender, race, answers, 1.0)
    assert weights[8] == pytest.approx(4 * weights[0])
    assert weights[:16].mean() == pytest.approx(1)
    assert weights[16] == 1
    assert (hard_group_weights(gender, race, answers, 0.0) == 1).all()


def test_the_rate_rises_and_falls_and_pictures_grow() -> None:
    recipe = CompactRecipe(age_counts=(1, 1), base_rate=1.0)
    rates = [recipe.rate(0, step / 100) for step in range(101)]
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates.index(max(rates)) == 10
    assert rates[-1] < 1e-5
    assert [recipe.side(one) for one in (0.0, 0.5, 1.0)] == [128, 160, 227]


def test_a_missing_gpu_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ToolError, match="--device cpu"):
        choose_device("cuda")


def test_the_tool_trains_the_compact_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "data")
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data")]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    arguments += ["--widths", "8", "--blocks", "1", "--stem-width", "8", "--sides", "0:48", "--device", "cpu"]
    assert run_tool(main, arguments) == 2
    assert "--minutes or --iterations" in capsys.readouterr().err
    assert run_tool(main, [*arguments, "--iterations", "2"]) == 0
    finished = load_checkpoint(tmp_path / "out.pt")
    assert finished.labels.ages == FAIRFACE_AGES
    assert finished.training["iteration"] == 2
    assert "age_exact" in capsys.readouterr().out
    with (tmp_path / "out-training.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["share"], row["iteration"]) for row in rows] == [("0.5", "1"), ("1", "2")]
    assert all(float(row["loss"]) > 0 and 0 <= float(row["age_exact"]) <= 1 for row in rows)


def test_the_log_of_a_training_goes_on_where_the_training_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def add(iterations: Sequence[int], *, goes_on: bool) -> list[int]:
        log = TrainingLog(tmp_path / "log.csv", goes_on=goes_on)
        for iteration in iterations:
            log.add({"share": iteration / 9, "iteration": iteration, "loss": 1.0})
        with (tmp_path / "log.csv").open(newline="", encoding="utf-8") as file:
            return [int(row["iteration"]) for row in csv.DictReader(file)]

    assert add([2, 4, 6], goes_on=False) == [2, 4, 6]
    # Interrupted after step 5, it goes on from the checkpoint of step 3.
    assert add([4, 8], goes_on=True) == [2, 4, 8]
    assert add([3], goes_on=False) == [3]
    assert capsys.readouterr().err == ""
    (tmp_path / "log.csv").write_text("iteration,loss\n1,2\n")
    assert add([5], goes_on=True) == [5]
    assert "begins anew" in capsys.readouterr().err


def test_a_network_remembers_how_much_it_saw_around_the_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data")
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data"), "--workers", "0"]
    arguments += ["--widths", "8", "--blocks", "1", "--stem-width", "8", "--sides", "0:48", "--device", "cpu"]
    arguments += ["--cache", str(tmp_path / "cache"), "--iterations", "2", "--output", str(tmp_path / "out.pt")]
    assert run_tool(main, [*arguments, "--margin", "1.3"]) == 0
    assert load_checkpoint(tmp_path / "out.pt").input.margin == 1.3
    (folder,) = (tmp_path / "cache").iterdir()
    assert load_prepared(folder).margin == 1.3
    capsys.readouterr()
    # The same cache serves another margin, but the same checkpoint cannot.
    assert run_tool(main, arguments) == 2
    assert "holds another network" in capsys.readouterr().err
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.slow
def test_the_tool_trains_the_papers_network(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", count=4)
    arguments = ["--recipe", "paper", "--task", "gender", "--data", "csv", "--path", str(tmp_path / "data")]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    assert run_tool(main, [*arguments, "--iterations", "1", "--device", "cpu"]) == 0
    finished = load_checkpoint(tmp_path / "out.pt")
    assert finished.spec == NetworkSpec(architecture="levi-hassner", ages=0, genders=2)
    assert finished.mean_image is not None
    assert finished.mean_image.shape == (256, 256, 3)


def write_adience(folder: Path, labels: Sequence[tuple[str, str]] = (("(0, 2)", "m"), ("(60, 100)", "f"))) -> None:
    """A grey picture for each label in each fold, no two alike."""
    header = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score"
    for fold in range(5):
        place = folder / "aligned" / f"{fold}@N00"
        place.mkdir(parents=True)
        rows = [header]
        for face, (age, gender) in enumerate(labels):
            grey: NDArray[np.uint8] = np.full((64, 64, 3), 40 * fold + 5 * face, np.uint8)
            cv2.imwrite(str(place / f"landmark_aligned_face.{face}.a.jpg"), grey)
            rows.append("\t".join([place.name, "a.jpg", str(face), age, gender, *"0123456"]))
        (folder / f"fold_{fold}_data.txt").write_text("\n".join(rows) + "\n")


def test_five_folds_are_each_held_out_once_and_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_adience(tmp_path / "data")
    arguments = ["--recipe", "compact", "--data", "adience", "--path", str(tmp_path / "data")]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    arguments += ["--widths", "8", "--blocks", "1", "--stem-width", "8", "--sides", "0:48", "--device", "cpu"]
    arguments += ["--iterations", "1", "--cross-validate"]
    assert run_tool(main, arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("fold ")] == [
        line for fold in range(5) for line in printed if line.startswith(f"fold {fold} age_exact")
    ]
    summary = [line.split() for line in printed if "over five folds" in line]
    names = ["age_exact", "age_within_one", "gender"]
    assert [line[0] for line in summary] == [*names, *(f"{name}_oversampled" for name in names)]
    for name, mean, _, deviation, *_ in summary:
        scores = [float(line.split(f" {name} ")[1].split()[0]) for line in printed if line.startswith("fold ")]
        assert (float(mean), float(deviation)) == pytest.approx((np.mean(scores), np.std(scores, ddof=1)), abs=1e-3)
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out-fold*.pt")}
    assert sorted(made) == [f"out-fold{fold}.pt" for fold in range(5)]
    # Stopped in the fourth fold and started again, only what is missing is trained.
    (tmp_path / "out-fold3.pt").unlink()
    assert run_tool(main, arguments) == 0
    again = {path.name for path in tmp_path.glob("out-fold*.pt") if made[path.name] != path.stat().st_mtime_ns}
    assert again == {"out-fold3.pt"}
    assert capsys.readouterr().out.splitlines()[-6:] == printed[-6:]


@pytest.mark.slow
def test_an_age_and_a_gender_network_of_adience_become_one_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    from models.export.export import main as export

    labels = [("(0, 2)", "m"), ("(60, 100)", "f"), ("35", "m"), ("(25, 23)", "u")]
    write_adience(tmp_path / "data", labels)
    (tmp_path / "data" / "aligned" / "3@N00" / "landmark_aligned_face.1.a.jpg").write_bytes(b"no picture")
    for task in ("age", "gender"):
        arguments = ["--recipe", "paper", "--task", task, "--data", "adience", "--path", str(tmp_path / "data")]
        arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / f"{task}.pt"), "--workers", "0"]
        assert run_tool(main, [*arguments, "--test-fold", "0", "--iterations", "1", "--device", "cpu"]) == 0
    checkpoints = [str(tmp_path / f"{task}.pt") for task in ("age", "gender")]
    assert run_tool(export, ["--checkpoint", *checkpoints, "--name", "pair", "--folder", str(tmp_path)]) == 0
    package = load_package(tmp_path / "pair.toml")
    assert [one.name for one in package.labels.ages][2::5] == ["8-12", "60-100"]
    assert package.input.margin == 1.5
    assert package.manifest.about["framing"] == "whole"
    # Whatever a picture is labelled with, it counts in the mean: all of the folds 1 to 4 but the one that is none.
    shades = [40 * fold + 5 * face for fold in range(1, 5) for face in range(4) if (fold, face) != (3, 1)]
    mean = Preprocessing(package.input, package.mean_image()).mean
    np.testing.assert_allclose(mean, float(np.mean(shades)), atol=1)
    evaluate = ["--data", "adience", "--path", str(tmp_path / "data"), "--model", str(package.path), "--folds", "3"]
    assert run_tool(evaluate_main, [*evaluate, "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    # Grey squares are no faces; they are judged whole, as they were learnt.
    assert (scores["images"], scores["not_found"], scores["not_read"], scores["framing"]) == (3, 0, 1, "whole")
    # A model that learnt from the detector's crops gets those, and it finds no face here.
    capsys.readouterr()
    assert run_tool(evaluate_main, [*evaluate, "--model", "agelens"]) == 2
    assert "no face was found" in capsys.readouterr().err.splitlines()[-1]


def test_adience_is_learnt_from_whole_pictures_or_from_the_apps_crops(tmp_path: Path) -> None:
    write_adience(tmp_path / "data")
    noise = np.random.default_rng(0).integers(0, 256, (816, 816, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "data/aligned/0@N00/landmark_aligned_face.0.a.jpg"), noise)
    arguments = ["--data", "adience", "--path", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    assert run_tool(prepare_main, arguments) == 0
    (folder,) = (tmp_path / "cache").iterdir()
    whole = load_prepared(folder)
    assert (whole.framing, whole.margin, bool(whole.found.all())) == ("whole", 1.5, True)
    read = cv2.imread(str(tmp_path / "data/aligned/0@N00/landmark_aligned_face.0.a.jpg"))
    assert read is not None
    assert (whole.pictures[0] == cv2.resize(read, (256, 256))).all()
    # About how much they show can be said anew; they are not cut again.
    assert run_tool(prepare_main, [*arguments, "--margin", "1.4"]) == 0
    assert load_prepared(folder).margin == 1.4
    assert run_tool(prepare_main, [*arguments, "--framing", "detector"]) == 0
    (other,) = set((tmp_path / "cache").iterdir()) - {folder}
    cut = load_prepared(other)
    assert (cut.framing, cut.margin, bool(cut.found.any())) == ("detector", 1.15, False)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--test-fold", "1"], "only Adience has them"),
        (["--cross-validate"], "only Adience has them"),
        (["--device", "quick"], "no such device"),
        (["--step-at", "7"], "--step-at with --recipe compact"),
        (["--step-every", "7"], "--step-every with --recipe compact"),
        (["--recipe", "paper", "--mixup", "0.4"], "--mixup with --recipe paper"),
        (["--data", "fairface", "--split", "val"], "Leave out --split"),
        (["--output", "."], "it is a folder"),
        (["--teacher-weight", "2"], "it has no teacher"),
        (["--widths", "4", "--blocks", "1"], "no network can be made with widths"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str], says: str
) -> None:
    write_folder(tmp_path / "data", count=4)
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data"), "--iterations", "1"]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    assert run_tool(main, [*arguments, *wrong]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize("changes", [{"input": InputSpec(scale=1.0)}, {"labels": Labels(FAIRFACE_AGES[:3], GENDERS)}])
def test_a_teacher_that_sees_or_says_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    write_folder(tmp_path / "data", count=4)
    save_checkpoint(replace(tiny_start(), **changes), tmp_path / "teacher.pt")
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data"), "--iterations", "1"]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    arguments += ["--age-buckets", "0-19,20-59,60+", "--teacher", str(tmp_path / "teacher.pt")]
    assert run_tool(main, arguments) == 2
    assert "Cannot learn from" in capsys.readouterr().err


def test_several_teachers_answer_with_the_mean_of_their_probabilities() -> None:
    torch.manual_seed(0)
    pixels = torch.randn(3, 3, 64, 64)
    members = [tiny_start(seed).network() for seed in (1, 2)]
    with torch.no_grad():
        together = Ensemble(members)(pixels)
        alone = [member(pixels) for member in members]
    for head, answer in enumerate(together):
        expected = torch.stack([one[head].softmax(1) for one in alone]).mean(0)
        torch.testing.assert_close(answer.exp(), expected)


@pytest.mark.slow
def test_a_network_learns_from_a_checkpoint_and_a_model_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", count=4)
    teachers = [tiny_start(seed) for seed in (1, 2)]
    save_checkpoint(teachers[0], tmp_path / "teacher.pt")
    model = export_model([teachers[1]], ExportSettings(name="other", folder=tmp_path)).manifest_path
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data"), "--iterations", "1"]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--workers", "0"]
    arguments += ["--age-buckets", "0-19,20-59,60+", "--batch-size", "2"]
    arguments += ["--teacher", str(tmp_path / "teacher.pt"), str(model)]
    assert run_tool(main, arguments) == 0
    assert load_checkpoint(tmp_path / "out.pt").notes["taught_by"] == "teacher.pt, other.toml"
