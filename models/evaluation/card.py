"""Writes a model card from the manifest and the JSON of `models evaluate`; no number is typed by hand.

`python -m models card --model agelens --evaluation agelens.json` writes `agelens.md` beside the manifest. With
`--training-log agelens-training.csv`, which `models train` wrote beside the checkpoint, the course of the training is
drawn as `agelens-training.svg` and shown in the card.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from desktop_app.catalogue.catalogue import Catalogue, ModelPackage
from desktop_app.errors import reason_of
from desktop_app.json_text import parse_json
from models.cli_utils import ToolError

SCORE_NAMES: Final = {
    "age_exact": "Age group exact",
    "age_within_one": "Age group within one",
    "gender": "Perceived gender",
    "worst_group_gender": "Perceived gender, worst race or gender group",
    "age_mean_absolute_error": "Age, mean absolute error in years",
    "age_range_coverage": "Age, how much of the labelled years the 80 % range holds",
    "age_calibration_error": "Age, expected calibration error",
    "gender_calibration_error": "Gender, expected calibration error",
}
_COURSE: Final = ("age_within_one", "gender", "age_exact")
KIND_NAMES: Final = {
    "age": "Age group",
    "gender": "Gender",
    "race": "Race (as the data set labels it)",
    "pose": "Pose (by the landmarks)",
}
"""Groups that have a table of their own; the others are in the JSON alone."""

LIMITS: Final = """\
- It guesses an age *group* and a *perceived* gender from how a face looks. It knows neither anyone's age nor gender,
  and has no answer for people outside of its two gender labels.
- It is no biometric identification and no proof of age. Decisions about people must not rest on it.
- It was made for faces that a detector finds in ordinary light, from about 40 pixels wide. Blur, profile, masks,
  make-up, heavy shadow and filters make it worse.
- Groups of people are not served equally well: see the tables. Infants' and children's gender is guessed least well.
- Neighbouring age groups are often confused; a mistake by two groups is rarer (see "within one")."""


def make_card(
    package: ModelPackage, evaluation: Mapping[str, Any], *, plots: Sequence[str] = (), course: str = ""
) -> str:
    """The card as Markdown.

    Args:
        package: the model.
        evaluation: what `models evaluate --json` wrote for it.
        plots: paths of confusion matrices, relative to the card.
        course: path of the drawing of the training's course, relative to the card; empty: none.

    Raises:
        ToolError: the evaluation is of another model or is incomplete.
    """
    if not isinstance(evaluation, dict):
        raise ToolError(
            "Cannot use the evaluation: it holds no measured model. Give what python -m models evaluate --json wrote."
        )
    if evaluation.get("model") != package.name:
        raise ToolError(
            f"Cannot use the evaluation: it is of {evaluation.get('model')!r}, not of {package.name!r}. "
            "Evaluate that one first."
        )
    try:
        parts = [_head(package), _numbers(package, evaluation), _groups(evaluation), _plots(plots)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ToolError(
            f"Cannot use the evaluation: it is incomplete ({error!r}). Run python -m models evaluate again."
        ) from error
    if course:
        parts.append(f"## Training\n\n![Loss, and accuracy on held out pictures, while it was trained]({course})")
    parts.append(f"## Limits\n\n{LIMITS}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(package: ModelPackage) -> str:
    manifest = package.manifest
    size = package.size_bytes / 1e6
    networks = "one network with two heads" if manifest.architecture == "two-head" else "two networks"
    mean = manifest.input.mean if not isinstance(manifest.input.mean, tuple) else list(manifest.input.mean)
    ages = ", ".join(label.name for label in manifest.labels.ages)
    rows = [
        ("Networks", f"{networks}, {size:.1f} MB of ONNX"),
        (
            "Input",
            f"{manifest.input.size}×{manifest.input.size} {manifest.input.colour}, "
            f"(pixel - {mean}) × {manifest.input.scale:g}; crop {manifest.input.margin:g} × the detector's box",
        ),
        ("Age groups", ages),
        ("Perceived gender", ", ".join(manifest.labels.genders)),
        *((key.capitalize().replace("_", " "), value) for key, value in manifest.about.items() if value),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"# {package.title}\n\n{manifest.description}\n\n| | |\n|---|---|\n{table}".replace("\n\n\n\n", "\n\n")


def _numbers(package: ModelPackage, evaluation: Mapping[str, Any]) -> str:
    not_read = f" {evaluation['not_read']} pictures could not be read." if evaluation.get("not_read") else ""
    way = (
        "as whole pictures, without the app's detector and crop."
        if evaluation.get("framing") == "whole"
        else f"through the app's own detector and crop; no face was found in {evaluation['not_found']} more pictures."
    )
    lines = [
        "## Measured",
        "",
        f"On {evaluation['data']}: {evaluation['images']} faces, {evaluation['views']} each, {way}{not_read}",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += [f"| {SCORE_NAMES.get(name, name)} | {value:.3f} |" for name, value in evaluation["scores"].items()]
    if package.manifest.about.get("temperatures", "").endswith(f" of {evaluation['data']}"):
        lines += [
            "",
            "The temperatures were fitted on these same pictures; on others, expect larger calibration errors.",
        ]
    return "\n".join(lines)


def _groups(evaluation: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for kind, rows in evaluation["groups"].items():
        if kind not in KIND_NAMES:
            continue
        lines = _table(KIND_NAMES[kind], rows)
        gaps = evaluation["gaps"].get(kind, {})
        cells = [_cell(gaps.get(measure)) for measure in ("age_exact", "age_within_one", "gender")]
        lines.append(f"| **Largest gap** (groups of 20 or more) | | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    if evaluation.get("conditions"):
        parts.append("\n".join(_table("The same faces in worse conditions", evaluation["conditions"])))
    return "\n\n".join(["## By group", *parts]) if parts else ""


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"| {name} | Faces | Age exact | Within one | Gender |", "|---|---:|---:|---:|---:|"]
    return lines + [
        f"| {row['name']} | {row['count']} | {_cell(row['age_exact'])} | {_cell(row['age_within_one'])} "
        f"| {_cell(row['gender'])} |"
        for row in rows
    ]


def _plots(plots: Sequence[str]) -> str:
    return "\n\n".join(["## Confusion", *(f"![Confusion matrix]({path})" for path in plots)]) if plots else ""


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def draw_course(log: Path, path: Path) -> None:
    """Draw the loss of a training and its accuracies on the pictures that it did not learn.

    Args:
        log: the CSV file that `models train` wrote.
        path: `.svg`; replaced where it exists.

    Raises:
        ToolError: the log cannot be read or is no such file.
    """
    try:
        with log.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        curves = {name: [(100 * row["share"], row[name]) for row in rows if name in row] for name in ("loss", *_COURSE)}
        if not any(curves.values()):
            raise ValueError("nothing is measured in it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise ToolError(
            f"Cannot read the training log {log}: {reason_of(error)}. Give the CSV file that python -m models train "
            "wrote beside its checkpoint."
        ) from error
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = {"Right on held out pictures, %": _COURSE, "Loss": ("loss",)}
    shown = {title: names for title, names in panels.items() if any(curves[name] for name in names)}
    # Without a moment and random names in it, equal logs give equal files.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "agelens"}):
        figure = Figure(figsize=(4.5 * len(shown), 3.2), layout="constrained")
        for axes, (title, names) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            for name in names:
                scale = 1 if name == "loss" else 100
                points = [(share, scale * value) for share, value in curves[name]]
                if points:
                    axes.plot(*zip(*points, strict=True), marker=".", label=SCORE_NAMES.get(name))
            axes.set(title=title, xlabel="% of the training", xlim=(0, 102))
            axes.grid(alpha=0.3)
            if len(names) > 1:
                axes.legend()
        figure.savefig(path, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m models card", description=__doc__)
    parser.add_argument("--model", default="", help="name or file of the model (default: the app's)")
    parser.add_argument("--evaluation", type=Path, required=True, help="what models evaluate --json wrote")
    parser.add_argument("--plots", nargs="*", default=[], help="confusion matrices to show, relative to the card")
    parser.add_argument("--training-log", type=Path, metavar="CSV", help="what models train wrote; drawn for the card")
    options = parser.parse_args(arguments)
    package = Catalogue().find(options.model)
    try:
        evaluation = parse_json(options.evaluation.read_bytes())
    except (OSError, ValueError) as error:
        raise ToolError(
            f"Cannot read the evaluation {options.evaluation}: {error}. Run python -m models evaluate --json again."
        ) from error
    path = package.path.with_suffix(".md")
    drawing = path.with_name(f"{path.stem}-training.svg")
    card = make_card(
        package,
        evaluation,
        plots=options.plots,
        course=drawing.name if options.training_log or drawing.is_file() else "",
    )
    if options.training_log:
        draw_course(options.training_log, drawing)
    path.write_text(card, encoding="utf-8")
    print(f"{path} written")
