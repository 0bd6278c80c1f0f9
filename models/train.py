r"""Trains a network and writes a checkpoint; stopped and started again, it goes on.

The paper's way, an age network (a gender network: `--task gender`, one network for both: `--task both`):

    python -m models.train --recipe paper --task age --data adience --path ADIENCE --test-fold 0 --cache CACHE \
        --output age.pt

The compact network that the app ships:

    python -m models.train --recipe compact --data fairface --path ../shared/data/fairface --cache CACHE --minutes 240 \
        --output agelens.pt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.batches import Faces, as_faces, mean_picture
from models.catalogue import load_package
from models.checkpoints import Checkpoint, load_checkpoint
from models.judging import judge
from models.labels import ADIENCE_AGES, FAIRFACE_AGES, GENDERS, parse_age_buckets
from models.manifest import AgeLabel, InputSpec, Labels
from models.networks import INPUT_SIZE, NetworkSpec, build_network
from models.norms import unfold_norms
from models.prepare import Prepared, add_data_options, add_margin_option, prepare_chosen
from models.recipes import DEFAULT_SIDES, CompactRecipe, PaperRecipe, Recipe, hard_group_weights
from models.restore import checkpoints_from_package
from models.soft_labels import load_soft_labels
from models.tool import ToolError, not_negative, positive, positive_real, run_tool
from models.trainer import DEFAULT_WORKERS, Budget, Trainer, TrainingSettings

HELD_OUT: Final = 0.1
PAPER_ITERATIONS: Final = 50_000
PAPER_OPTIONS: Final = ("mean", "step_at")
COMPACT_OPTIONS: Final = ("sides", "augment", "gender_weight", "mixup")
"""Options that only one recipe knows."""


@dataclass(frozen=True, slots=True)
class Split:
    """What to learn from and what to judge on; `prepared` has the pictures to learn from."""

    train: Faces
    validation: Faces
    prepared: Prepared


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
    if options.data == "fairface":
        held_options = argparse.Namespace(**{**vars(options), "split": "val"})
        held_out = prepare_chosen(held_options, margin=options.margin)
        return Split(
            as_faces(prepared, targets, np.arange(len(prepared))),
            as_faces(held_out, _targets(held_out, ages, heads), np.arange(len(held_out))),
            prepared,
        )
    train, validation = split_rows(prepared, test_fold=options.test_fold, seed=options.seed)
    return Split(as_faces(prepared, targets, train), as_faces(prepared, targets, validation), prepared)


def make_start(options: argparse.Namespace, ages: tuple[AgeLabel, ...], train: Faces) -> tuple[Checkpoint, Recipe]:
    """An untrained network and the recipe for it."""
    torch.manual_seed(options.seed)
    spec = NetworkSpec(
        architecture=options.architecture or ("levi-hassner" if options.recipe == "paper" else "compact"),
        ages=len(ages) if options.task != "gender" else 0,
        genders=len(GENDERS) if options.task != "age" else 0,
        norm=options.norm,
        stem_width=options.stem_width,
        widths=tuple(options.widths),
        blocks=tuple(options.blocks),
    )
    if spec.architecture == "compact" and len(spec.heads) < 2:
        raise ToolError("the compact network answers both questions; use --task both")
    notes = {"data": f"{options.data}: {len(train)} pictures"}
    labels, state = Labels(ages, GENDERS), build_network(spec).state_dict()
    if options.recipe == "paper":
        mean = mean_picture(train.pictures, train.rows, per_channel=options.mean == "channel")
        values = mean.ravel().tolist()
        spec_in = InputSpec(
            mean=(values[0], values[1], values[2]) if len(values) == 3 else 0.0, scale=1.0, margin=options.margin
        )
        image = mean if len(values) > 3 else None
        start = Checkpoint(spec=spec, labels=labels, input=spec_in, state=state, mean_image=image, notes=notes)
        return start, PaperRecipe(mean=mean, base_rate=options.rate or 1e-3, step_at=options.step_at)
    start = Checkpoint(spec=spec, labels=labels, input=InputSpec(margin=options.margin), state=state, notes=notes)
    counts = (
        np.bincount(train.targets["age"][train.rows].clip(min=-1) + 1, minlength=len(ages) + 1)[1:]
        if "age" in train.targets
        else np.ones(1)
    )
    sides = options.sides or (DEFAULT_SIDES if spec.architecture == "compact" else ((0.0, INPUT_SIZE),))
    return start, CompactRecipe(
        age_counts=tuple(int(one) for one in counts),
        base_rate=options.rate or 3e-3,
        strength=options.augment,
        gender_weight=options.gender_weight,
        mixing=options.mixup,
        sides=sides,
    )


def train(options: argparse.Namespace, output: Path) -> dict[str, float]:
    """Train one network as the options say; one fold of five that was finished before is only judged.

    Returns:
        Its accuracies on the pictures that were held out.
    """
    budget, ages = _budget(options), age_groups(options)
    heads = ("age", "gender") if options.task == "both" else (options.task,)
    split = load_split(options, ages, heads)
    start, recipe = make_start(options, ages, split.train)
    if options.cross_validate and output.is_file():
        earlier = load_checkpoint(output)
        same = (earlier.spec, earlier.labels, earlier.input) == (start.spec, start.labels, start.input)
        if same and earlier.training.get("finished"):
            return judge(earlier.network(), earlier, split.validation)
    if options.init:
        start = replace(start, state=_initial_state(options.init, start.spec, split.train))
    teacher = load_checkpoint(options.teacher) if options.teacher else None
    if teacher and (teacher.spec.heads, teacher.labels) != (start.spec.heads, start.labels):
        raise ToolError(f"{options.teacher} answers other questions; a teacher must have the labels of its student")
    if teacher and (teacher.input != start.input or teacher.mean_image is not None or start.mean_image is not None):
        raise ToolError(f"{options.teacher} takes other pixels; a teacher must have the mean and scale of its student")
    faces, taught_by = split.train, [options.teacher.name] if teacher else []
    if options.soft_labels:
        soft = load_soft_labels(options.soft_labels, split.prepared, start.labels)
        faces = replace(faces, answers={head: soft.answers[head] for head in heads})
        if options.balance_groups:
            weights = hard_group_weights(
                split.prepared.gender, split.prepared.race, soft.answers["gender"], options.balance_groups
            )
            faces = replace(faces, weights={"gender": weights})
        taught_by += soft.teachers
    if taught_by:
        # A card has to name every model whose knowledge went into another one.
        start = replace(start, notes={**start.notes, "taught_by": ", ".join(taught_by)})
    weight = options.teacher_weight or 1.0
    settings = TrainingSettings(
        budget=budget,
        seed=options.seed,
        device=options.device,
        workers=options.workers,
        bfloat16=options.bfloat16,
        teacher=teacher.network() if teacher else None,
        teacher_weights=dict.fromkeys(heads, weight) if taught_by else None,
    )
    trainer = Trainer(start, recipe, faces, output, settings)

    def report(network: nn.Module, line: str) -> None:
        scores = judge(network, start, split.validation)
        print(line, *(f"{name} {value:.4f}" for name, value in scores.items()), flush=True)

    finished = trainer.run(report)
    return judge(finished.network(), finished, split.validation)


def _initial_state(path: Path, spec: NetworkSpec, faces: Faces) -> Any:
    is_model = path.suffix == ".toml"
    known = checkpoints_from_package(load_package(path)) if is_model else [load_checkpoint(path)]
    # What a network shrinks its input to is no part of its weights.
    fitting = next((one for one in known if replace(one.spec, side=spec.side) == spec), None)
    if fitting is None:
        raise ToolError("--init holds another network than the one to train; give the options that it was trained with")
    return (unfold_norms(fitting, faces) if is_model else fitting).state


def _targets(prepared: Prepared, ages: tuple[AgeLabel, ...], heads: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    every = {"age": prepared.ages(ages), "gender": prepared.gender}
    return {head: every[head] for head in heads}


def _budget(options: argparse.Namespace) -> Budget:
    if options.minutes:
        return Budget(minutes=options.minutes)
    if options.iterations or options.recipe == "paper":
        return Budget(iterations=options.iterations or PAPER_ITERATIONS)
    raise ToolError("say how long to train: --minutes or --iterations")


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


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", choices=("paper", "compact"), required=True, help="how to train")
    parser.add_argument("--architecture", choices=("compact", "levi-hassner"), help="network (default: the recipe's)")
    parser.add_argument("--task", choices=("age", "gender", "both"), default="both", help="what to answer")
    add_data_options(parser)
    add_margin_option(parser)
    parser.add_argument("--age-buckets", default="", help="age groups, such as 0-12,13-19,20-64,65+")
    parser.add_argument("--test-fold", type=int, choices=range(5), help="Adience: hold this fold out")
    parser.add_argument(
        "--cross-validate", action="store_true", help="Adience: train five times, each fold held out once"
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for prepared pictures; not in the repository")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write, and to go on from")
    parser.add_argument("--iterations", type=positive, help="steps (paper: 50,000)")
    parser.add_argument("--minutes", type=positive_real, help="time to train for, instead of steps")
    parser.add_argument("--init", type=Path, metavar="FILE", help="checkpoint, or manifest of a model, to start from")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="checkpoint whose answers are learnt as well")
    parser.add_argument("--soft-labels", type=Path, metavar="FILE", help="answers to learn, from models.soft_labels")
    parser.add_argument(
        "--teacher-weight", type=positive_real, help="how much such answers count beside the labels (default: 1)"
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
    paper.add_argument("--step-at", type=positive, default=10_000, help="step after which the rate is a tenth")
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
    compact.add_argument("--stem-width", type=int, default=24, help="channels of the first convolution")
    compact.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256], help="channels of the stages")
    compact.add_argument("--blocks", type=int, nargs="+", default=[1, 1, 2, 1], help="blocks of the stages")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if len(options.widths) != len(options.blocks):
        raise ToolError("--widths and --blocks must have as many numbers")
    if options.teacher_weight and not (options.teacher or options.soft_labels):
        raise ToolError("--teacher-weight has no teacher; name one with --teacher or --soft-labels")
    if options.balance_groups and not options.soft_labels:
        raise ToolError("--balance-groups needs to know where a network errs; give its answers with --soft-labels")
    if options.balance_groups and options.task == "age":
        raise ToolError("--balance-groups weighs gender, which --task age leaves out; leave one of them out")
    if options.data == "fairface" and options.split != "train":
        raise ToolError("the pictures of val are those that the training is judged on; leave out --split")
    if options.output.is_dir():
        raise ToolError(f"{options.output} is a folder; name a file in it with --output")
    others = PAPER_OPTIONS if options.recipe == "compact" else COMPACT_OPTIONS
    for name in others:
        if getattr(options, name) != parser.get_default(name):
            raise ToolError(f"--{name.replace('_', '-')} is not for --recipe {options.recipe}; leave it out")
    if options.data != "adience" and (options.cross_validate or options.test_fold is not None):
        raise ToolError("only Adience has folds; leave out --cross-validate and --test-fold")
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
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name} {np.mean(values):.4f} ± {np.std(values):.4f} over five folds")


if __name__ == "__main__":
    sys.exit(run_tool(main))
