r"""Fine-tunes a model of the catalogue on the user's own pictures, with other age groups if wanted.

    python -m models finetune --model agelens --path MY-FOLDER/labels.csv --cache CACHE --name mine \
        --age-buckets 0-12,13-19,20-64,65+

The CSV has the columns `file`, `age` (years or a group) and/or `gender`. A fifth of the pictures is held out; the new
model is judged on it through the app's own pipeline. It lands in the user's model folder, where the app finds it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue, load_package, refuse_shipped_name, user_models_folder
from desktop_app.catalogue.manifest import AgeLabel, Labels, check_model_name
from desktop_app.vision.classification.classifier import Classifier
from models.cli_utils import ToolError, not_negative, positive, positive_real, refuse_existing
from models.data.labels import gender_targets, parse_age_buckets
from models.data.prepare import add_cache_option, add_data_options, prepare_chosen, read_chosen
from models.data.prepared import Prepared
from models.evaluation.evaluate import as_text, evaluate, write_scores
from models.export.export import ExportSettings, check_export, export_model
from models.networks.checkpoints import Checkpoint, load_checkpoint
from models.training.batches import Faces, as_faces
from models.training.import_onnx import checkpoints_from_package, with_ages
from models.training.recipes import CompactRecipe
from models.training.trainer import DEFAULT_WORKERS, Budget, Trainer, TrainingSettings

HELD_OUT: Final = 0.2
RATES: Final = {
    "compact": 5e-4,
    "levi-hassner": 1e-4,
    "efficientnet-lite0": 3e-4,
    "efficientnet-lite2": 3e-4,
    "face-resnet": 3e-4,
}
"""Highest learning rates of all but the last layers, which learn five times as fast."""
HEAD_FACTOR: Final = 5.0
BATCH: Final = 32
INHERITED: Final = frozenset({"data", "licence", "started_from", "taught_by"})
"""What is said of the old model and true of the new one as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneSettings:
    """How a model is taught.

    Attributes:
        name: of the new model.
        ages: its age groups; None keeps those of the old one.
        epochs: passes over the pictures.
        rate: highest learning rate of all but the last layers; 0 takes what suits the network.
        folder: where the new model goes.
        seed: where all chance comes from.
        device: `cpu`, `cuda`, or `auto`.
        workers: processes that make random views.
        overwrite: whether a model of that name may be replaced.
        quiet: no progress bar.
    """

    name: str
    folder: Path
    ages: tuple[AgeLabel, ...] | None = None
    epochs: int = 10
    rate: float = 0.0
    seed: int = 0
    device: str = "auto"
    workers: int = DEFAULT_WORKERS
    overwrite: bool = False
    quiet: bool = False


def fine_tune(
    checkpoints: Sequence[Checkpoint],
    prepared: Prepared,
    settings: FineTuneSettings,
    *,
    rows: NDArray[np.int64] | None = None,
    title: str = "",
) -> Path:
    """Teach a model and write the new one.

    New age groups start from the old ones that they overlap. A question that no picture has a label for is answered as
    before: the network learns its own old answers along with the new ones (Li and Hoiem, ECCV 2016, "Learning
    without forgetting").

    Args:
        checkpoints: the networks of the old model.
        prepared: the pictures to learn from.
        settings: how.
        rows: which of the pictures to learn from; None: all.
        title: the name people see.

    Returns:
        The new model's manifest.

    Raises:
        ToolError: the checkpoints make no model, there are too few labels, or a file exists.
    """
    export = ExportSettings(
        name=settings.name, folder=settings.folder, title=title or settings.name, overwrite=settings.overwrite
    )
    check_export(checkpoints, export)
    old_ages = next(one.labels.ages for one in checkpoints if one.spec.ages)
    ages = settings.ages or old_ages
    rows = np.arange(len(prepared)) if rows is None else rows
    genders = next(one.labels.genders for one in checkpoints if one.spec.genders)
    targets = {"age": prepared.ages(ages), "gender": gender_targets(prepared.gender, genders)}
    labelled = {head: int((target[rows] >= 0).sum()) for head, target in targets.items()}
    new_ages = ages != old_ages
    if new_ages and not labelled["age"]:
        raise ToolError(
            "Cannot fine-tune: no age lies within one of the new age groups. Check the labels and --age-buckets."
        )
    if not any(labelled.values()):
        raise ToolError(
            "Cannot fine-tune: no picture has a label that the model knows. Check the labels or give --age-buckets."
        )
    tuned: list[Checkpoint] = []
    learnt = int(np.any([target[rows] >= 0 for target in targets.values()], axis=0).sum())
    for one in checkpoints:
        start = with_ages(one, ages, settings.seed) if new_ages and one.spec.ages else replace(one)
        if any(labelled[head] for head in one.spec.heads):
            faces = as_faces(prepared, {head: targets[head] for head in one.spec.heads}, rows)
            start = _teach(start, one, faces, labelled, settings)
        labels = Labels(ages, start.labels.genders)
        # Who made the old one, and what was measured on it, is not true of the new one.
        notes = {key: value for key, value in start.notes.items() if key in INHERITED}
        earlier = f"{notes['data']}; " if "data" in notes else ""
        notes["framing"] = prepared.framing
        notes["data"] = f"{earlier}fine-tuned on {learnt} of the user's own pictures"
        tuned.append(replace(start, labels=labels, notes=notes))
    return export_model(tuned, export).manifest_path


def _teach(
    start: Checkpoint, old: Checkpoint, faces: Faces, labelled: Mapping[str, int], settings: FineTuneSettings
) -> Checkpoint:
    counts = (
        np.bincount(faces.targets["age"][faces.rows] + 1, minlength=start.spec.ages + 1)[1:]
        if start.spec.ages
        else np.ones(1, np.int64)
    )
    recipe = CompactRecipe(
        age_counts=tuple(counts.tolist()),
        base_rate=settings.rate or RATES[start.spec.architecture],
        head_factor=HEAD_FACTOR,
        sides=((0.0, start.spec.side),),
        batch_size=BATCH,
        averaging=0.99,
    )
    unlabelled = [head for head in start.spec.heads if not labelled[head]]
    per_epoch = max(len(faces) // min(BATCH, len(faces)), 1)
    training = TrainingSettings(
        budget=Budget(iterations=settings.epochs * per_epoch),
        seed=settings.seed,
        device=settings.device,
        workers=settings.workers,
        teacher=old.network() if unlabelled else None,
        teacher_weights=dict.fromkeys(unlabelled, 1.0),
        freeze_norms=True,
        quiet=settings.quiet,
    )
    with tempfile.TemporaryDirectory() as folder:
        finished = Trainer(start, recipe, faces, Path(folder) / "tuned.pt", training).run()
    return replace(finished, training={})


def split_rows(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of pictures to learn from and to judge on, four to one, drawn from the seed."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = max(int(count * HELD_OUT), 1)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="", help="name or file of the model to start from (default: the app's)")
    parser.add_argument("--checkpoint", type=Path, nargs="+", help="start from these checkpoints instead")
    add_data_options(parser, default="csv")
    parser.add_argument("--age-buckets", default="", help="new age groups, such as 0-12,13-19,20-64,65+")
    add_cache_option(parser)
    parser.add_argument("--name", required=True, help="the new model's name: a-z, 0-9 and '-'")
    parser.add_argument("--title", default="", help="the name people see")
    parser.add_argument("--folder", type=Path, help="where the new model goes (default: the user's model folder)")
    parser.add_argument("--epochs", type=positive, default=10, help="passes over the pictures")
    parser.add_argument(
        "--rate", type=positive_real, default=0.0, help="highest rate (compact 5e-4, paper 1e-4, others 3e-4)"
    )
    parser.add_argument("--seed", type=not_negative, default=0, help="where all chance comes from")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--workers", type=not_negative, default=DEFAULT_WORKERS, help="processes that make random views"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    options = build_parser().parse_args(arguments)
    settings = FineTuneSettings(
        name=options.name,
        folder=options.folder or user_models_folder(),
        ages=parse_age_buckets(options.age_buckets) if options.age_buckets else None,
        epochs=options.epochs,
        rate=options.rate,
        seed=options.seed,
        device=options.device,
        workers=options.workers,
        overwrite=options.overwrite,
    )
    check_model_name(settings.name)
    refuse_shipped_name(settings.name, settings.folder)
    refuse_existing(settings.folder / f"{settings.name}.toml", overwrite=settings.overwrite)
    if options.checkpoint:
        checkpoints = [load_checkpoint(path) for path in options.checkpoint]
    else:
        checkpoints = checkpoints_from_package(Catalogue().find(options.model))
    samples = read_chosen(options)
    # All are prepared, so that another seed does not need another cache.
    start = checkpoints[0]
    prepared = prepare_chosen(options, margin=start.input.margin, notes=start.notes, samples=samples)
    learnt, held_out = split_rows(len(samples), settings.seed)
    manifest_path = fine_tune(checkpoints, prepared, settings, rows=learnt, title=options.title)
    evaluation = evaluate(
        [samples[row] for row in held_out],
        Classifier(load_package(manifest_path)),
        data="held out pictures",
        framing=prepared.framing,
    )
    write_scores(evaluation, manifest_path)
    print(as_text(evaluation))
    print(f"{manifest_path} written; choose the model {settings.name!r} in the app")
