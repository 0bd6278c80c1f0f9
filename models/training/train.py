r"""Trains a network and writes a checkpoint; a stopped training resumes when it is started again.

The paper's way, an age network (a gender network: `--task gender`, one network for both: `--task both`), judged on one
fold of five, or on each in turn with `--cross-validate`:

    python -m models train --recipe paper --task age --data adience --path ADIENCE --test-fold 0 --output age.pt

The compact network that the app ships:

    python -m models train --recipe compact --data fairface --path ../shared/data/fairface --minutes 240 \
        --output agelens.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from desktop_app.catalogue.catalogue import load_package
from desktop_app.catalogue.manifest import AgeLabel, InputSpec, Labels
from models.cli_utils import ToolError
from models.data.labels import ADIENCE_AGES, FAIRFACE_AGES, GENDERS, parse_age_buckets
from models.data.prepare import Prepared, hold_out, prepare_chosen
from models.networks.architectures import INPUT_SIZE, NetworkSpec, build_network
from models.networks.checkpoints import Checkpoint, load_checkpoint
from models.training.batches import Faces, as_faces, mean_picture
from models.training.ensemble import Ensemble
from models.training.import_onnx import checkpoints_from_package
from models.training.judging import judge, judge_ten_views
from models.training.pretrained import published_state
from models.training.recipes import DEFAULT_SIDES, CompactRecipe, PaperRecipe, Recipe, hard_group_weights
from models.training.soft_labels import load_soft_labels
from models.training.train_options import parse_options
from models.training.trainer import Budget, Trainer, TrainingSettings
from models.training.unfold_batchnorm import unfold_norms

HELD_OUT: Final = 0.1
PAPER_ITERATIONS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Split:
    """What to learn from and what to judge on.

    Attributes:
        train: the labelled faces to learn from.
        validation: the labelled faces to judge on.
        prepared: has the pictures to learn from.
        rows: all readable pictures of `prepared` that are not held out, whatever they are labelled with: the mean image
            is over these, so that an age and a gender network of the same folds share it.
    """

    train: Faces
    validation: Faces
    prepared: Prepared
    rows: NDArray[np.int64]


def age_groups(options: argparse.Namespace) -> tuple[AgeLabel, ...]:
    """The age groups asked for, or those of the data set."""
    if options.age_buckets:
        return parse_age_buckets(options.age_buckets)
    return ADIENCE_AGES if options.data == "adience" else FAIRFACE_AGES


def split_rows(prepared: Prepared, *, test_fold: int | None, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out: a fold where there are folds, else a tenth drawn from the seed."""
    rows = np.arange(len(prepared))
    if test_fold is not None:
        held_out = prepared.fold == test_fold
        if not held_out.any() or held_out.all():
            raise ToolError(f"there is no fold {test_fold} to test on; Adience has the folds 0 to 4")
    else:
        held_out = np.zeros(len(rows), bool)
        chosen = np.random.default_rng(seed).permutation(len(rows))[: max(int(len(rows) * HELD_OUT), 1)]
        held_out[chosen] = True
    return rows[~held_out], rows[held_out]


def load_split(options: argparse.Namespace, ages: tuple[AgeLabel, ...], heads: Sequence[str]) -> Split:
    """Prepare the chosen data (once), and split it."""
    prepared = prepare_chosen(options, margin=options.margin)
    targets = _targets(prepared, ages, heads)
    if options.hold_out:
        held_out = hold_out(len(prepared), options.hold_out)
        rest = np.setdiff1d(np.arange(len(prepared)), held_out)
        readable = rest[prepared.readable[rest]]
        return Split(as_faces(prepared, targets, rest), as_faces(prepared, targets, held_out), prepared, readable)
    if options.data == "fairface":
        held_options = argparse.Namespace(**{**vars(options), "split": "val"})
        val = prepare_chosen(held_options, margin=options.margin)
        return Split(
            as_faces(prepared, targets, np.arange(len(prepared))),
            as_faces(val, _targets(val, ages, heads), np.arange(len(val))),
            prepared,
            np.flatnonzero(prepared.readable),
        )
    train, validation = split_rows(prepared, test_fold=options.test_fold, seed=options.seed)
    rows = train[prepared.readable[train]]
    return Split(as_faces(prepared, targets, train), as_faces(prepared, targets, validation), prepared, rows)


def make_start(options: argparse.Namespace, ages: tuple[AgeLabel, ...], split: Split) -> tuple[Checkpoint, Recipe]:
    """An untrained network and the recipe for it."""
    train = split.train
    torch.manual_seed(options.seed)
    spec = NetworkSpec(
        architecture=options.architecture or ("levi-hassner" if options.recipe == "paper" else "compact"),
        ages=len(ages) if options.task != "gender" else 0,
        genders=len(GENDERS) if options.task != "age" else 0,
        norm=options.norm,
        stem_width=options.stem_width,
        widths=tuple(options.widths),
        blocks=tuple(options.blocks),
        side=options.side,
    )
    if spec.architecture != "levi-hassner" and len(spec.heads) < 2:
        raise ToolError(f"{spec.architecture} answers both questions; use --task both")
    notes = {"data": f"{options.data}: {len(train)} pictures", "framing": split.prepared.framing}
    labels, state = Labels(ages, GENDERS), build_network(spec).state_dict()
    if options.recipe == "paper":
        mean = mean_picture(train.pictures, split.rows, per_channel=options.mean == "channel")
        values = mean.ravel().tolist()
        spec_in = InputSpec(
            mean=(values[0], values[1], values[2]) if len(values) == 3 else 0.0, scale=1.0, margin=options.margin
        )
        image = mean if len(values) > 3 else None
        start = Checkpoint(spec=spec, labels=labels, input=spec_in, state=state, mean_image=image, notes=notes)
        return start, PaperRecipe(
            mean=mean,
            base_rate=options.rate or 1e-3,
            step=options.step_at or options.step_every,
            step_once=options.step_at is not None,
        )
    start = Checkpoint(spec=spec, labels=labels, input=InputSpec(margin=options.margin), state=state, notes=notes)
    counts = (
        np.bincount(train.targets["age"][train.rows].clip(min=-1) + 1, minlength=len(ages) + 1)[1:]
        if "age" in train.targets
        else np.ones(1)
    )
    sides = options.sides or (DEFAULT_SIDES if spec.architecture == "compact" else ((0.0, INPUT_SIZE),))
    if min(side for _, side in sides) < spec.smallest_side:
        raise ToolError(f"{spec.architecture} needs --sides of at least {spec.smallest_side}")
    return start, CompactRecipe(
        age_counts=tuple(int(one) for one in counts),
        base_rate=options.rate or 3e-3,
        strength=options.augment,
        gender_weight=options.gender_weight,
        mixing=options.mixup,
        sides=sides,
        batch_size=options.batch_size,
    )


def train(options: argparse.Namespace, output: Path) -> dict[str, float]:
    """Train one network as the options say; one fold of five that was finished before is only judged.

    Returns:
        Its accuracies on the pictures that were held out; of one fold of five also those over ten views.
    """
    budget, ages = _budget(options), age_groups(options)
    heads = ("age", "gender") if options.task == "both" else (options.task,)
    split = load_split(options, ages, heads)
    start, recipe = make_start(options, ages, split)
    if options.cross_validate and output.is_file():
        earlier = load_checkpoint(output)
        same = (earlier.spec, earlier.labels, earlier.input) == (start.spec, start.labels, start.input)
        if same and earlier.training.get("finished"):
            return _judge_fold(earlier, split.validation)
    if options.init:
        start = _begun(start, options.init, split.train)
    teacher = _load_teachers(options.teacher, start) if options.teacher else None
    faces, taught_by = split.train, [path.name for path in options.teacher]
    if options.soft_labels:
        soft = load_soft_labels(options.soft_labels, split.prepared, start.labels)
        if options.teacher_weight != 0:
            faces = replace(faces, answers={head: soft.answers[head] for head in heads})
            taught_by += soft.teachers
        if options.balance_groups:
            weights = hard_group_weights(
                split.prepared.gender, split.prepared.race, soft.answers["gender"], options.balance_groups
            )
            faces = replace(faces, weights={"gender": weights})
    if taught_by:
        # A card has to name every model whose knowledge went into another one.
        start = replace(start, notes={**start.notes, "taught_by": ", ".join(taught_by)})
    weight = 1.0 if options.teacher_weight is None else options.teacher_weight
    settings = TrainingSettings(
        budget=budget,
        seed=options.seed,
        device=options.device,
        workers=options.workers,
        bfloat16=options.bfloat16,
        teacher=teacher,
        teacher_weights=dict.fromkeys(heads, weight) if taught_by else None,
    )
    trainer = Trainer(start, recipe, faces, output, settings)

    def report(network: nn.Module, line: str) -> None:
        scores = judge(network, start, split.validation)
        print(line, *(f"{name} {value:.4f}" for name, value in scores.items()), flush=True)

    finished = trainer.run(report)
    if options.cross_validate:
        return _judge_fold(finished, split.validation)
    return judge(finished.network(), finished, split.validation)


def _load_teachers(paths: Sequence[Path], student: Checkpoint) -> nn.Module:
    teachers: list[nn.Module] = []
    for path in paths:
        one = load_checkpoint(path)
        if (one.spec.heads, one.labels) != (student.spec.heads, student.labels):
            raise ToolError(f"{path} answers other questions; a teacher must have the labels of its student")
        if one.input != student.input or one.mean_image is not None or student.mean_image is not None:
            raise ToolError(f"{path} takes other pixels; a teacher must have the mean and scale of its student")
        teachers.append(one.network())
    return Ensemble(teachers) if len(teachers) > 1 else teachers[0]


def _judge_fold(finished: Checkpoint, held_out: Faces) -> dict[str, float]:
    network = finished.network()
    return {**judge(network, finished, held_out), **judge_ten_views(network, finished, held_out)}


def _begun(start: Checkpoint, path: Path, faces: Faces) -> Checkpoint:
    """An untrained network with the weights of a file, and a note of whose they are."""
    published = published_state(path, start.spec)
    if published is not None:
        state, credit = published
        # Its norms are used to other pictures, or have never normalised at all.
        unfolded = unfold_norms(replace(start, state=state), faces)
        return replace(unfolded, notes={**start.notes, "started_from": credit})
    is_model = path.suffix == ".toml"
    known = checkpoints_from_package(load_package(path)) if is_model else [load_checkpoint(path)]
    # What a network shrinks its input to is no part of its weights.
    fitting = next((one for one in known if replace(one.spec, side=start.spec.side) == start.spec), None)
    if fitting is None:
        raise ToolError("--init holds another network than the one to train; give the options that it was trained with")
    inherited = {key: value for key, value in fitting.notes.items() if key == "started_from"}
    state = (unfold_norms(fitting, faces) if is_model else fitting).state
    return replace(start, state=state, notes={**start.notes, **inherited})


def _targets(prepared: Prepared, ages: tuple[AgeLabel, ...], heads: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    every = {"age": prepared.ages(ages), "gender": prepared.gender}
    return {head: every[head] for head in heads}


def _budget(options: argparse.Namespace) -> Budget:
    if options.minutes:
        return Budget(minutes=options.minutes)
    if options.iterations or options.recipe == "paper":
        return Budget(iterations=options.iterations or PAPER_ITERATIONS)
    raise ToolError("say how long to train: --minutes or --iterations")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    options = parse_options(arguments, __doc__ or "")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if not options.cross_validate:
        scores = train(options, options.output)
        print(options.output, *(f"{name} {value:.4f}" for name, value in scores.items()))
        return
    rows: list[dict[str, float]] = []
    for fold in range(5):
        options.test_fold = fold
        path = options.output.with_stem(f"{options.output.stem}-fold{fold}")
        rows.append(train(options, path))
        print(f"fold {fold}", *(f"{name} {value:.4f}" for name, value in rows[-1].items()))
    for name in dict.fromkeys(name for row in rows for name in row):
        # A fold without a label of a kind has no score of that kind.
        values = [row[name] for row in rows if name in row]
        spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
        print(f"{name} {np.mean(values):.4f}{spread} over {'five' if len(values) == 5 else len(values)} folds")
