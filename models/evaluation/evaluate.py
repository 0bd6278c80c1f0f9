"""Evaluates a model on a labelled data set through the app's own detector, crop and classifier.

`python -m models evaluate --model agelens --data fairface --path ../shared/data/fairface --split val` prints the scores
and a table per group of people; `--json`, `--plots` and `--write-scores` keep them.

Models that learnt from Adience's aligned pictures as they are, and those imported from Caffe, are judged on them whole,
as Levi and Hassner did. `--oversample` then averages the paper's ten views; `--framing detector` cuts as the app does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue
from desktop_app.catalogue.manifest import MAX_CONFUSED, Labels, read_manifest, write_manifest
from desktop_app.vision.classification.classifier import Classifier, Prediction, classify_both_sides
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, largest
from desktop_app.vision.face_alignment import CROP_SIZE, OVERSAMPLE_SIZE, crop_face
from desktop_app.vision.preprocessing import center
from models.cli_utils import ToolError, progress
from models.data.datasets import Framing, Sample
from models.data.labels import GENDERS, gender_targets
from models.data.pictures import read_ahead
from models.data.prepare import add_data_options, add_held_out_option, framing_of, read_chosen
from models.data.prepared import age_targets, hold_out, whole_picture
from models.evaluation.conditions import CONDITIONS, is_turned
from models.evaluation.metrics import Answers, GroupScore, Report, measure, score_faces

BATCH: Final = 32
SCORE_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A report and what it is of.

    Attributes:
        model: the model's name.
        data: what the pictures are.
        images: how many faces were judged.
        not_found: pictures in which the detector found no face; they count in no score.
        not_read: pictures that cannot be read; they count in no score.
        ages_left_out: faces whose labelled age is in none, or in several, of the model's groups.
        views: what was averaged for each face, in words.
        framing: whether the detector cut the faces out, or the pictures were taken whole.
        report: the numbers.
        conditions: the accuracies on the same crops in worse conditions, where that was asked for.
    """

    model: str
    data: str
    images: int
    not_found: int
    not_read: int
    ages_left_out: int
    views: str
    framing: Framing = "detector"
    report: Report
    conditions: tuple[GroupScore, ...] = ()


def evaluate(
    samples: Sequence[Sample],
    classifier: Classifier,
    *,
    data: str,
    both_sides: bool = False,
    framing: Framing = "detector",
    conditions: bool = False,
) -> Evaluation:
    """Judge a model on labelled pictures.

    Args:
        samples: the pictures; where there are several faces, the largest is taken.
        classifier: the model, as the app uses it.
        data: what the pictures are, for the record.
        both_sides: average the answers to each crop and to its mirror image, as the app does over time; the ten views
            of a classifier that over-samples have both already.
        framing: how the faces are cut out: by the detector, or the pictures, of aligned faces, are taken whole.
        conditions: also answer to the same crops as worse conditions would have given them.

    Raises:
        DataError: none of the first pictures can be read.
        ToolError: no face was found at all.
        LabelError: the model's genders are not those of the data.
    """
    labels = classifier.labels
    genders = gender_targets(np.array([*range(len(GENDERS)), -1]), labels.genders)
    kept: list[Sample] = []
    unread: list[Sample] = []
    predictions: list[Prediction] = []
    worse: dict[str, list[Prediction]] = {name: [] for name in CONDITIONS} if conditions else {}
    poses: list[str] = []

    def classify(crops: NDArray[np.uint8]) -> list[Prediction]:
        return classify_both_sides(classifier, crops) if both_sides else classifier.classify(crops)

    for found, crops, found_poses in _batches(samples, classifier, unread, framing):
        kept += found
        poses += found_poses
        predictions += classify(crops)
        for name, rows in worse.items():
            rows += classify(np.stack([CONDITIONS[name](crop, classifier.margin) for crop in crops]))
    if not predictions:
        raise ToolError(f"Cannot evaluate: no face was found in any of the {len(samples)} pictures. Check the path.")
    answers = _answers(kept, predictions, poses, labels, genders)
    return Evaluation(
        model=classifier.package.name,
        data=data,
        images=len(kept),
        not_found=len(samples) - len(kept) - len(unread),
        not_read=len(unread),
        ages_left_out=sum(
            1 for one, target in zip(kept, answers.age_target, strict=True) if one.age is not None and target < 0
        ),
        views=_views(classifier, both_sides=both_sides),
        framing=framing,
        report=measure(answers, labels),
        conditions=tuple(
            score_faces(name, _answers(kept, rows, poses, labels, genders)) for name, rows in worse.items()
        ),
    )


def _views(classifier: Classifier, *, both_sides: bool) -> str:
    if classifier.oversample:
        return "ten averaged views"
    return "one view and its mirror image" if both_sides else "one view"


def _batches(
    samples: Sequence[Sample], classifier: Classifier, unread: list[Sample], framing: Framing
) -> Iterator[tuple[list[Sample], NDArray[np.uint8], list[str]]]:
    """The samples in which a face is found, their crops and poses, in batches; unreadable ones go to `unread`."""
    kept: list[Sample] = []
    crops: list[NDArray[np.uint8]] = []
    poses: list[str] = []
    images = read_ahead([one.picture for one in samples])
    with BlazeFaceDetector("short") if framing == "detector" else contextlib.nullcontext() as detector:
        for sample, image in zip(progress(samples, "evaluating"), images, strict=True):
            if image is None:
                unread.append(sample)
                continue
            if detector is None:
                crop, pose = _whole_crop(image, classifier), ""
            else:
                face = largest(detector.detect_still(image))
                if face is None:
                    continue
                crop = crop_face(image, face, size=classifier.crop_size, margin=classifier.margin)
                pose = "turned" if is_turned(face) else "front"
            kept.append(sample)
            crops.append(crop)
            poses.append(pose)
            if len(crops) == BATCH:
                yield kept, np.stack(crops), poses
                kept, crops, poses = [], [], []
    if crops:
        yield kept, np.stack(crops), poses


def _whole_crop(image: NDArray[np.uint8], classifier: Classifier) -> NDArray[np.uint8]:
    """The whole picture as in the paper, 256×256 for an input of 227×227; its centre for a single view."""
    side = round(classifier.package.input.size * OVERSAMPLE_SIZE / CROP_SIZE)
    return np.asarray(center(whole_picture(image, side)[None], classifier.crop_size)[0])


def _answers(
    samples: Sequence[Sample],
    predictions: Sequence[Prediction],
    poses: Sequence[str],
    labels: Labels,
    genders: NDArray[np.int64],
) -> Answers:
    ages = [one.age for one in samples]
    low = np.array([math.nan if age is None else age.low for age in ages], np.float32)
    high = np.array([math.nan if age is None else age.high for age in ages], np.float32)
    return Answers(
        age=np.stack([one.age for one in predictions]),
        gender=np.stack([one.gender for one in predictions]),
        age_target=age_targets(low, high, labels.ages),
        gender_target=genders[[one.gender for one in samples]],
        years=np.where(low == high, low, np.float32(np.nan)),
        race=np.array([one.race for one in samples], np.str_),
        pose=np.array(poses, np.str_),
    )


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Plain values: what `--json` writes and the model card reads."""
    report = evaluation.report
    return {
        "model": evaluation.model,
        "data": evaluation.data,
        "images": evaluation.images,
        "not_found": evaluation.not_found,
        "not_read": evaluation.not_read,
        "ages_left_out": evaluation.ages_left_out,
        "views": evaluation.views,
        "framing": evaluation.framing,
        "scores": _rounded(report.scores),
        "groups": {kind: [_plain(one) for one in rows] for kind, rows in report.groups.items()},
        "conditions": [_plain(one) for one in evaluation.conditions],
        "gaps": {kind: _rounded(gaps) for kind, gaps in report.gaps.items()},
        "confusion": {
            "age": {"labels": [a.name for a in report.labels.ages], "counts": report.age_confusion.tolist()},
            "gender": {"labels": list(report.labels.genders), "counts": report.gender_confusion.tolist()},
        },
    }


def as_text(evaluation: Evaluation) -> str:
    """The tables that the tool prints."""
    report = evaluation.report
    lines = [f"{evaluation.model} on {evaluation.data}: {evaluation.images} faces, {evaluation.views} each"]
    if evaluation.framing == "whole":
        lines += ["  whole pictures, without the app's detector and crop"]
    else:
        lines += [f"  no face found in {evaluation.not_found} pictures (not counted)"]
    if evaluation.not_read:
        lines += [f"  {evaluation.not_read} pictures cannot be read (not counted)"]
    if evaluation.ages_left_out:
        lines += [f"  ages of {evaluation.ages_left_out} faces are in no single age group of the model (not counted)"]
    lines += [f"  {name:<26} {value:.4f}" for name, value in report.scores.items()]
    for kind, rows in report.groups.items():
        lines += ["", f"  {kind:<18}{'faces':>7}{'age exact':>11}{'within one':>12}{'gender':>9}"]
        lines += [_row(one) for one in rows]
        exact, near, gender = (
            report.gaps[kind].get(name, math.nan) for name in ("age_exact", "age_within_one", "gender")
        )
        lines.append(_row(GroupScore("largest gap", 0, exact, near, gender)).replace("      0", "       ", 1))
    if evaluation.conditions:
        lines += ["", f"  {'condition':<18}{'faces':>7}{'age exact':>11}{'within one':>12}{'gender':>9}"]
        lines += [_row(one) for one in evaluation.conditions]
    return "\n".join(lines)


def write_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw the confusion matrices.

    Returns:
        Two PNG files, `<model>-age-confusion.png` and `<model>-gender-confusion.png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = evaluation.report
    paths = [folder / f"{evaluation.model}-{kind}-confusion.png" for kind in ("age", "gender")]
    _plot(report.age_confusion, [one.name for one in report.labels.ages], "Age group", paths[0])
    _plot(report.gender_confusion, list(report.labels.genders), "Perceived gender", paths[1])
    return paths


def write_scores(evaluation: Evaluation, manifest_path: Path) -> None:
    """Put the scores and the joint confusion of age group and gender into the model's manifest."""
    scores = {**_rounded(evaluation.report.scores), "images": evaluation.images}
    manifest = read_manifest(manifest_path)
    cut = ", whole pictures" if evaluation.framing == "whole" else ""
    about = {**manifest.about, "scores_on": f"{evaluation.data}, {evaluation.views} of each face{cut}"}
    counts = evaluation.report.joint_confusion
    # Of data that lacks one of the two labels there is none.
    confusion = tuple(map(tuple, counts.tolist())) if counts.any() and len(counts) <= MAX_CONFUSED else ()
    write_manifest(replace(manifest, scores=scores, confusion=confusion, about=about), manifest_path)


def _plot(counts: NDArray[np.int64], names: Sequence[str], title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.6 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="labelled", title=title)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    figure.savefig(path, dpi=120)


def _plain(group: GroupScore) -> dict[str, str | float | None]:
    return {name: value if isinstance(value, str) else _number(value) for name, value in asdict(group).items()}


def _row(group: GroupScore) -> str:
    numbers = (group.age_exact, group.age_within_one, group.gender)
    exact, within, gender = ("–" if math.isnan(one) else f"{one:.3f}" for one in numbers)
    return f"  {group.name:<18}{group.count:>7}{exact:>11}{within:>12}{gender:>9}"


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), SCORE_DIGITS) for name, value in numbers.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, SCORE_DIGITS)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models evaluate", description=__doc__)
    parser.add_argument("--model", default="", help="name or file of the model (default: the app's)")
    add_data_options(parser, split="val")
    add_held_out_option(parser)
    parser.add_argument("--provider", default="auto", help="execution provider, as in the app")
    views = parser.add_mutually_exclusive_group()
    views.add_argument("--oversample", action="store_true", help="average ten views of each face")
    views.add_argument(
        "--both-sides", action="store_true", help="average each view and its mirror image, as the app does over time"
    )
    parser.add_argument(
        "--conditions", action="store_true", help="also score the same faces small, blurred, dark and compressed"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write the confusion matrices as PNG there")
    parser.add_argument("--write-scores", action="store_true", help="put the scores into the model's manifest")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    options = build_parser().parse_args(arguments)
    samples = read_chosen(options)
    package = Catalogue().find(options.model)
    classifier = Classifier(package, provider=options.provider, oversample=options.oversample)
    data = " ".join([options.data, *([options.split] if options.data == "fairface" else [])])
    if options.data == "csv":
        data = f"{options.path.resolve().name}"
    if options.held_out:
        samples = [samples[row] for row in hold_out(len(samples), options.held_out)]
        data = f"{data}, held out pictures"
    framing = framing_of(options, package.manifest.about)
    evaluation = evaluate(
        samples, classifier, data=data, both_sides=options.both_sides, framing=framing, conditions=options.conditions
    )
    print(as_text(evaluation))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(as_json(evaluation), indent=1) + "\n", encoding="utf-8")
    if options.plots:
        write_plots(evaluation, options.plots)
    if options.write_scores:
        write_scores(evaluation, package.path)
