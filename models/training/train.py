r"""Trains a network and writes a checkpoint; a stopped training resumes when it is started again.

How well it did after each pass is printed, and kept as CSV beside the checkpoint; `models card --training-log` draws
it.

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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from desktop_app.catalogue.catalogue import load_package
from desktop_app.catalogue.manifest import AgeLabel, InputSpec, Labels
from models.cli_utils import ToolError, not_negative, not_negative_real, positive, positive_real
from models.data.labels import ADIENCE_AGES, FAIRFACE_AGES, GENDERS, parse_age_buckets
from models.data.prepare import add_cache_option, add_data_options, add_margin_option, margin_of, prepare_chosen
from models.data.prepared import Prepared, hold_out
from models.networks.architectures import INPUT_SIZE, NetworkName, NetworkSpec, build_network
from models.networks.checkpoints import Checkpoint, load_checkpoint
from models.training.batches import Faces, as_faces, mean_picture
from models.training.ensemble import Ensemble
from models.training.import_onnx import checkpoints_from_package
from models.training.pretrained import published_state
from models.training.recipes import DEFAULT_SIDES, CompactRecipe, PaperRecipe, Recipe, hard_group_weights
from models.training.scoring import score, score_ten_views
from models.training.soft_labels import load_soft_labels
from models.training.trainer import DEFAULT_WORKERS, Budget, Progress, Trainer, TrainingSettings
from models.training.training_log import TrainingLog
from models.training.unfold_batchnorm import unfold_norms

HELD_OUT: Final = 0.1
PAPER_ITERATIONS: Final = 50_000
PAPER_OPTIONS: Final = ("mean", "step_every", "step_at")
COMPACT_OPTIONS: Final = ("side", "sides", "augment", "batch_size", "gender_weight", "mixup")
"""Options that only one recipe knows."""


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
            raise ToolError(f"Cannot test on fold {test_fold}: there is no such fold. Adience has the folds 0 to 4.")
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
        raise ToolError(f"Cannot train {spec.architecture} for one question. Use --task both.")
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
        raise ToolError(
            f"Cannot train {spec.architecture} at that size. Give --sides of at least {spec.smallest_side}."
        )
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
            return _score_fold(earlier, split.validation)
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

    log = TrainingLog(output.with_name(f"{output.stem}-training.csv"), goes_on=output.is_file())

    def report(network: nn.Module, progress: Progress) -> None:
        scores = score(network, start, split.validation)
        said = f"{progress.share:.1%} epoch {progress.epoch} loss {progress.loss:.4f}"
        print(said, *(f"{name} {value:.4f}" for name, value in scores.items()), flush=True)
        log.add({**asdict(progress), **scores})

    finished = trainer.run(report)
    if options.cross_validate:
        return _score_fold(finished, split.validation)
    return score(finished.network(), finished, split.validation)


def _is_model(path: Path) -> bool:
    return path.suffix == ".toml"


def _load_networks(path: Path) -> list[Checkpoint]:
    """The network of a checkpoint, or those of a model of the catalogue."""
    return checkpoints_from_package(load_package(path)) if _is_model(path) else [load_checkpoint(path)]


def _load_teachers(paths: Sequence[Path], student: Checkpoint) -> nn.Module:
    teachers: list[nn.Module] = []
    for path in paths:
        one, *others = _load_networks(path)
        if others:
            raise ToolError(f"Cannot learn from {path}: it has a network for each question. Name one with two heads.")
        if (one.spec.heads, one.labels) != (student.spec.heads, student.labels):
            raise ToolError(
                f"Cannot learn from {path}: its labels differ from the network's. Choose a teacher with the same ones."
            )
        if one.input != student.input or one.mean_image is not None or student.mean_image is not None:
            raise ToolError(
                f"Cannot learn from {path}: its mean, scale or margin differ from the network's. Choose another."
            )
        teachers.append(one.network())
    return Ensemble(teachers) if len(teachers) > 1 else teachers[0]


def _score_fold(finished: Checkpoint, held_out: Faces) -> dict[str, float]:
    network = finished.network()
    return {**score(network, finished, held_out), **score_ten_views(network, finished, held_out)}


def _begun(start: Checkpoint, path: Path, faces: Faces) -> Checkpoint:
    """An untrained network with the weights of a file, and a note of whose they are."""
    published = published_state(path, start.spec)
    if published is not None:
        state, credit = published
        # Its norms are used to other pictures, or have never normalised at all.
        unfolded = unfold_norms(replace(start, state=state), faces)
        return replace(unfolded, notes={**start.notes, "started_from": credit})
    # What a network shrinks its input to is no part of its weights.
    fitting = next((one for one in _load_networks(path) if replace(one.spec, side=start.spec.side) == start.spec), None)
    if fitting is None:
        raise ToolError(
            "Cannot begin with the file of --init: it holds another network. Give the options that it was trained with."
        )
    inherited = {key: value for key, value in fitting.notes.items() if key == "started_from"}
    state = (unfold_norms(fitting, faces) if _is_model(path) else fitting).state
    return replace(start, state=state, notes={**start.notes, **inherited})


def _targets(prepared: Prepared, ages: tuple[AgeLabel, ...], heads: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    every = {"age": prepared.ages(ages), "gender": prepared.gender}
    return {head: every[head] for head in heads}


def _budget(options: argparse.Namespace) -> Budget:
    if options.minutes:
        return Budget(minutes=options.minutes)
    if options.iterations or options.recipe == "paper":
        return Budget(iterations=options.iterations or PAPER_ITERATIONS)
    raise ToolError("Cannot train without an end. Give --minutes or --iterations.")


def parse_options(arguments: Sequence[str] | None, description: str) -> argparse.Namespace:
    """What was asked for.

    Args:
        arguments: None: those of the process.
        description: the tool's, for its help.

    Raises:
        ToolError: options that do not go together.
    """
    parser = _build_parser(description)
    options = parser.parse_args(arguments)
    if len(options.widths) != len(options.blocks):
        raise ToolError(
            "Cannot build the network: --widths and --blocks differ in number. Give one block count for each width."
        )
    if options.teacher_weight is not None and not (options.teacher or options.soft_labels):
        raise ToolError("Cannot use --teacher-weight: it has no teacher. Name one with --teacher or --soft-labels.")
    if options.balance_groups and not options.soft_labels:
        raise ToolError(
            "Cannot use --balance-groups: it needs a network's errors. Give its answers with --soft-labels."
        )
    if options.balance_groups and options.task == "age":
        raise ToolError("Cannot use --balance-groups with --task age: it weighs gender. Leave one of them out.")
    if options.data == "fairface" and options.split != "train":
        raise ToolError("Cannot train on val: the training is scored on it. Leave out --split.")
    if options.output.is_dir():
        raise ToolError(f"Cannot write to {options.output}: it is a folder. Name a file in it with --output.")
    others = PAPER_OPTIONS if options.recipe == "compact" else COMPACT_OPTIONS
    for name in others:
        if getattr(options, name) != parser.get_default(name):
            raise ToolError(f"Cannot use --{name.replace('_', '-')} with --recipe {options.recipe}. Leave it out.")
    if options.hold_out and (options.cross_validate or options.test_fold is not None):
        raise ToolError("Cannot use --hold-out: a fold is held out already. Leave it out.")
    if options.data != "adience" and (options.cross_validate or options.test_fold is not None):
        raise ToolError("Cannot use folds: only Adience has them. Leave out --cross-validate and --test-fold.")
    options.margin = margin_of(options)
    return options


def _parse_sides(text: str) -> tuple[tuple[float, int], ...]:
    stages = tuple((float(one.split(":")[0]), int(one.split(":")[1])) for one in text.split(","))
    if stages[0][0] != 0 or list(stages) != sorted(stages) or not all(32 <= side <= 256 for _, side in stages):
        raise ValueError(text)
    return stages


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _build_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models train", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", choices=("paper", "compact"), required=True, help="how to train")
    parser.add_argument("--architecture", choices=get_args(NetworkName), help="network (default: the recipe's)")
    parser.add_argument("--task", choices=("age", "gender", "both"), default="both", help="what to answer")
    add_data_options(parser)
    add_margin_option(parser)
    parser.add_argument(
        "--hold-out",
        type=positive,
        metavar="N",
        help="judge on N pictures that are drawn from these and not learnt (default: a tenth; FairFace: those of val)",
    )
    parser.add_argument("--age-buckets", default="", help="age groups, such as 0-12,13-19,20-64,65+")
    parser.add_argument("--test-fold", type=int, choices=range(5), help="Adience: hold this fold out")
    parser.add_argument(
        "--cross-validate", action="store_true", help="Adience: train five times, each fold held out once"
    )
    add_cache_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write, and to go on from")
    parser.add_argument("--iterations", type=positive, help="steps (paper: 50,000)")
    parser.add_argument("--minutes", type=positive_real, help="time to train for, instead of steps")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="checkpoint, or manifest of a model, or published weights (CONTRIBUTING.md says which) to start from",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoint whose answers are learnt as well; of several, the mean",
    )
    parser.add_argument("--soft-labels", type=Path, metavar="FILE", help="answers to learn, from `models soft-labels`")
    parser.add_argument(
        "--teacher-weight",
        type=not_negative_real,
        help="how much such answers count beside the labels (default: 1; 0: they only serve --balance-groups)",
    )
    parser.add_argument(
        "--balance-groups",
        type=positive_real,
        metavar="POWER",
        help="count the gender of each group of race and gender by how often the soft labels err there, to this power",
    )
    parser.add_argument("--rate", type=positive_real, help="highest learning rate (paper 1e-3, compact 3e-3)")
    parser.add_argument("--seed", type=not_negative, default=0, help="where all chance comes from")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--bfloat16", action="store_true", help="calculate in half the width: faster, where supported")
    parser.add_argument(
        "--workers", type=not_negative, default=DEFAULT_WORKERS, help="processes that make random views"
    )
    paper = parser.add_argument_group("recipe paper")
    paper.add_argument("--norm", choices=("lrn", "batch"), default="lrn", help="normalisation after the first pools")
    paper.add_argument("--mean", choices=("image", "channel"), default="image", help="what is taken from the pixels")
    steps = paper.add_mutually_exclusive_group()
    steps.add_argument(
        "--step-every",
        type=positive,
        default=10_000,
        metavar="N",
        help="the rate falls to a tenth every N steps, as in the authors' solver files (default: %(default)s)",
    )
    steps.add_argument(
        "--step-at",
        type=positive,
        metavar="N",
        help="the rate falls to a tenth once, at step N, as the paper's text says",
    )
    compact = parser.add_argument_group("recipe compact")
    compact.add_argument("--sides", type=_parse_sides, help="e.g. 0:128,0.35:160,0.8:227")
    compact.add_argument("--augment", type=_share, default=0.5, help="how often views are damaged, 0 to 1")
    compact.add_argument(
        "--gender-weight", type=positive_real, default=1.0, help="how much gender counts beside age (default: 1)"
    )
    compact.add_argument(
        "--mixup",
        type=positive_real,
        default=0.0,
        metavar="ALPHA",
        help="blend pictures in pairs, by shares from a beta distribution with this parameter (default: not)",
    )
    compact.add_argument("--batch-size", type=positive, default=128, help="pictures a step (default: %(default)s)")
    compact.add_argument(
        "--side", type=positive, default=INPUT_SIZE, help="shrink the input to this side inside the network"
    )
    compact.add_argument("--stem-width", type=int, default=24, help="channels of the first convolution")
    compact.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256], help="channels of the stages")
    compact.add_argument("--blocks", type=int, nargs="+", default=[1, 1, 2, 1], help="blocks of the stages")
    return parser


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
