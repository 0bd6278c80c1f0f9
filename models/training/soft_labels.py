r"""Soft labels: answers of models to a prepared data set, for distillation (Hinton et al. 2015).

    python -m models soft-labels --models TEACHER agelens --data fairface --path ../shared/data/fairface \
        --cache CACHE --output soft.npz
    python -m models train --recipe compact --soft-labels soft.npz ...

The teachers may be any models that the app runs, of whatever architecture and making; where there are several, their
answers are averaged. Asked once and kept, they cost the training nothing.
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue
from desktop_app.catalogue.manifest import Labels
from desktop_app.output.atomic_files import write_whole
from desktop_app.vision.classification.classifier import Classifier, classify_both_sides
from desktop_app.vision.face_alignment import CROP_SIZE
from desktop_app.vision.preprocessing import center
from models.cli_utils import ARRAY_ERRORS, ToolError, progress, refuse_existing
from models.data.prepare import add_cache_option, add_data_options, add_margin_option, margin_of, prepare_chosen
from models.data.prepared import Prepared

BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """The answers of some models.

    Attributes:
        answers: by head, `age` and `gender`: N×K float32 probabilities; row i belongs to picture i of the prepared set.
        teachers: names of the models.
    """

    answers: Mapping[str, NDArray[np.float32]]
    teachers: tuple[str, ...]


def ask(prepared: Prepared, teachers: Sequence[Classifier]) -> SoftLabels:
    """The mean of what some models answer to prepared pictures and to their mirror images.

    Args:
        prepared: the pictures; each model gets the part of them that it would be given in the app.
        teachers: models that answer with the same classes.

    Raises:
        ToolError: a model needs more around the faces than the pictures have.
    """
    ages: list[NDArray[np.float32]] = []
    genders: list[NDArray[np.float32]] = []
    for start in progress(range(0, len(prepared), BATCH), "asking"):
        pictures = np.asarray(prepared.pictures[start : start + BATCH])
        answers = [classify_both_sides(one, _views(pictures, prepared.margin, one)) for one in teachers]
        ages.append(np.mean([[one.age for one in answer] for answer in answers], axis=0))
        genders.append(np.mean([[one.gender for one in answer] for answer in answers], axis=0))
    both = {"age": np.concatenate(ages).astype(np.float32), "gender": np.concatenate(genders).astype(np.float32)}
    return SoftLabels(both, tuple(one.package.name for one in teachers))


def _views(pictures: NDArray[np.uint8], margin: float, teacher: Classifier) -> NDArray[np.uint8]:
    """What the app would cut out for this model."""
    side, size = round(CROP_SIZE * teacher.margin / margin), teacher.crop_size
    if side > pictures.shape[1]:
        raise ToolError(
            f"Cannot ask {teacher.package.name}: it needs {side} pixels around each face and the prepared pictures "
            f"have {pictures.shape[1]}. Choose another teacher."
        )
    views = center(pictures, side)
    if side == size:
        return views
    return np.stack([cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA) for view in views]).astype(np.uint8)


def save_soft_labels(soft: SoftLabels, labels: Labels, names: NDArray[np.str_], path: Path) -> None:
    """Write them, with the names of the classes and of the pictures that they belong to."""
    age_groups, genders = _classes(labels).values()
    content = io.BytesIO()
    np.savez(
        content,
        names=names,
        age_groups=age_groups,
        genders=genders,
        age=soft.answers["age"],
        gender=soft.answers["gender"],
        teachers=np.array(soft.teachers, np.str_),
    )
    write_whole(path, content.getvalue(), overwrite=True)


def load_soft_labels(path: Path, prepared: Prepared, labels: Labels) -> SoftLabels:
    """Read what `save_soft_labels` wrote.

    Raises:
        ToolError: the file cannot be read, or is of other pictures or other classes.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            names, classes = file["names"], {key: file[key] for key in _classes(labels)}
            answers = {head: np.asarray(file[head], np.float32) for head in ("age", "gender")}
            teachers = tuple(str(one) for one in file["teachers"])
    except ARRAY_ERRORS as error:
        raise ToolError(f"Cannot read soft labels from {path}. Make them with python -m models soft-labels.") from error
    if not np.array_equal(names, prepared.names):
        raise ToolError(
            f"Cannot use {path}: it belongs to other pictures. Make it again from the data set to train on."
        )
    if any(not np.array_equal(classes[key], value) for key, value in _classes(labels).items()):
        raise ToolError(
            f"Cannot use {path}: its age groups or genders differ from the network's. Choose other teachers."
        )
    for head, count in (("age", len(labels.ages)), ("gender", len(labels.genders))):
        if answers[head].shape != (len(names), count) or not np.isfinite(answers[head]).all():
            raise ToolError(f"Cannot read {path}: it is damaged. Make it again with python -m models soft-labels.")
    return SoftLabels(answers, teachers)


def _classes(labels: Labels) -> dict[str, NDArray[np.str_]]:
    return {"age_groups": np.array([one.name for one in labels.ages]), "genders": np.array(labels.genders)}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models soft-labels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME", help="names or files of the teachers")
    add_data_options(parser)
    add_margin_option(parser)
    add_cache_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.add_argument("--provider", default="auto", help="execution provider, as in the app")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    options = build_parser().parse_args(arguments)
    refuse_existing(options.output, overwrite=options.overwrite)
    # Nothing else runs beside it, as capture and detection do in the app.
    catalogue, cores = Catalogue(), os.cpu_count() or 0
    teachers = [Classifier(catalogue.find(name), provider=options.provider, threads=cores) for name in options.models]
    labels = teachers[0].labels
    for name, teacher in zip(options.models, teachers, strict=True):
        if teacher.labels != labels:
            raise ToolError(
                f"Cannot average {name} and {options.models[0]}: their age groups or genders differ. Leave one out."
            )
    prepared = prepare_chosen(options, margin=margin_of(options))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    save_soft_labels(ask(prepared, teachers), labels, prepared.names, options.output)
    print(f"{options.output}: answers of {', '.join(options.models)} to {len(prepared)} pictures")
