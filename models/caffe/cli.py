"""Imports networks trained with Caffe, such as those released by Levi and Hassner in 2015, without Caffe.

    python -m models caffe import --prototxt age_deploy.prototxt --weights age_net.caffemodel
        --gender-prototxt gender_deploy.prototxt --gender-weights gender_net.caffemodel
        --mean mean.binaryproto --labels adience-age --name levi-hassner-2015 --output FOLDER

writes two ONNX files, the mean and a manifest: a model that the app runs (needs the `train` extra: onnx, tomli-w).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import user_models_folder
from desktop_app.catalogue.manifest import AgeLabel, Labels, ModelError
from models.caffe.files import read_mean
from models.caffe.importer import DEFAULT_MARGIN, CaffeFiles, ImportRequest, import_networks
from models.data.labels import ADIENCE_AGES, parse_age_buckets

AGE_PRESETS: Final = {"adience-age": ADIENCE_AGES}
"""The groups of the 2015 paper; its last one, 60-100, is open here."""

GENDER_PRESETS: Final = {"adience-gender": "Male,Female"}

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)"


def parse_age_labels(text: str) -> tuple[AgeLabel, ...]:
    """The age groups of a preset's name or of a list such as `0-2,3-9,10-19,20+`.

    Raises:
        LabelError: it is neither.
    """
    return AGE_PRESETS.get(text) or parse_age_buckets(text)


def parse_gender_labels(text: str) -> tuple[str, ...]:
    """The gender labels of a preset's name or of a list such as `Male,Female`.

    Raises:
        ModelError: there are fewer than two.
    """
    labels = tuple(part.strip() for part in GENDER_PRESETS.get(text, text).split(","))
    if len(labels) < 2 or not all(labels):
        raise ModelError(
            f"Cannot use {text!r} as --gender-labels: it names fewer than two. Give {', '.join(GENDER_PRESETS)} "
            "or a list such as Male,Female."
        )
    return labels


def parse_mean(text: str) -> NDArray[np.float32]:
    """The mean from a `.binaryproto`, from one number, or from three in the order of the channels.

    Returns:
        H×W×3 float32; 1×1×3 where numbers were given.

    Raises:
        ModelError: the file is unusable.
    """
    if re.fullmatch(rf"\s*{_NUMBER}\s*(?:,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*)?", text) and not Path(text).exists():
        values = [float(part) for part in text.split(",")]
        return np.broadcast_to(np.array(values, np.float32), (1, 1, 3))
    return read_mean(Path(text).expanduser())


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m models caffe", description="Networks trained with Caffe, without Caffe.")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "import", help="make a model of the app from an age and a gender network"
    )
    add = command.add_argument
    add("--prototxt", "--age-prototxt", type=Path, help="the age network's deploy.prototxt")
    add("--weights", "--age-weights", type=Path, help="the age network's .caffemodel")
    add("--gender-prototxt", type=Path, help="the gender network's deploy.prototxt")
    add("--gender-weights", type=Path, help="the gender network's .caffemodel")
    add("--mean", required=True, help="mean .binaryproto, or B,G,R, or one number (0: none)")
    add(
        "--mean-fit",
        choices=("crop", "resize"),
        default="crop",
        help="a mean image larger than the input: its middle, as Caffe itself trains and tests (default), or the whole "
        "shrunk, as pycaffe's Classifier did in 2014 and as the demo is repaired today; the answers differ",
    )
    add("--labels", default="adience-age", help="adience-age, or age groups such as 0-2,3-9,10-19,20+")
    add("--gender-labels", default="adience-gender", help="adience-gender, or such as Male,Female")
    add("--name", required=True, help="the model's name in the app: a-z, 0-9, '.' and '-'")
    add("--title", default="", help="the name that people see")
    add("--licence", default="not stated", help="under which terms the weights may be used")
    add("--colour", choices=("BGR", "RGB"), default="BGR", help="order of the channels (default: BGR)")
    add("--scale", type=float, default=1.0, help="factor after the mean is taken from 0-255 (default: 1)")
    add("--margin", type=float, default=DEFAULT_MARGIN, help="crop over face box (default: %(default)s)")
    add("--output", type=Path, help="folder for the model (default: where the app finds it)")
    add("--overwrite", action="store_true", help="replace a model of that name")
    return parser


def _request(arguments: argparse.Namespace) -> ImportRequest:
    missing = [
        f"--{name.replace('_', '-')}"
        for name in ("prototxt", "weights", "gender_prototxt", "gender_weights")
        if getattr(arguments, name) is None
    ]
    if missing:
        raise ModelError(
            f"Cannot import: the app needs an age and a gender network. Give {' and '.join(missing)}, too."
        )
    return ImportRequest(
        name=arguments.name,
        age=CaffeFiles(prototxt=arguments.prototxt, weights=arguments.weights),
        gender=CaffeFiles(prototxt=arguments.gender_prototxt, weights=arguments.gender_weights),
        labels=Labels(parse_age_labels(arguments.labels), parse_gender_labels(arguments.gender_labels)),
        mean=parse_mean(arguments.mean),
        title=arguments.title,
        colour=arguments.colour,
        scale=arguments.scale,
        mean_fit=arguments.mean_fit,
        margin=arguments.margin,
        licence=arguments.licence,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool."""
    options = _parser().parse_args(arguments)
    manifest = import_networks(_request(options), options.output or user_models_folder(), overwrite=options.overwrite)
    print(f"wrote {manifest}")
