"""Builds one model of the app from an age and a gender network trained with Caffe."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import load_package, refuse_shipped_name
from desktop_app.catalogue.manifest import (
    Colour,
    InputSpec,
    Labels,
    Manifest,
    Mean,
    MeanFit,
    ModelError,
    OutputSpec,
    check_model_name,
    sha256_of,
    write_manifest,
)
from models.caffe.files import read_weights
from models.caffe.network import CaffeNetwork, read_network
from models.cli_utils import ToolError, missing_text
from models.data.datasets import ADIENCE_MARGIN
from models.export.atomic_files import written_together

if TYPE_CHECKING:
    from models.caffe.graph import OnnxNetwork

DEFAULT_MARGIN: Final = ADIENCE_MARGIN
"""Side of the crop over the side of the detector's box, for networks that learnt from Adience's aligned faces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaffeFiles:
    """One network as Caffe stores it: the definition and the weights."""

    prototxt: Path
    weights: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import, and which input the networks need.

    Attributes:
        name: the model's name in the app (a-z, 0-9, `.` and `-`).
        age: the network that classifies the age group.
        gender: the network that classifies perceived gender.
        labels: what their outputs mean, in order.
        mean: what is taken away from the pixels (0 to 255): H×W×3 float32 in the order of `colour`; 1×1×3 for one
            value a channel.
        title: the name that people see.
        colour: the order of the channels that the networks were trained with.
        scale: the factor after the mean is taken away.
        mean_fit: what becomes of a mean image that is larger than the input; see `InputSpec`.
        margin: side of the crop over the side of the detector's box.
        licence: under which terms the weights may be used.
    """

    name: str
    age: CaffeFiles
    gender: CaffeFiles
    labels: Labels
    mean: NDArray[np.float32]
    title: str = ""
    colour: Colour = "BGR"
    scale: float = 1.0
    mean_fit: MeanFit = "crop"
    margin: float = DEFAULT_MARGIN
    licence: str = "not stated"


def import_networks(request: ImportRequest, folder: Path, *, overwrite: bool = False) -> Path:
    """Convert an age and a gender network into one model of the app.

    Nothing is written unless all of it is in order: the model is made in a folder aside, run once, and moved.

    Args:
        request: what to import.
        folder: where the model goes; made where it is missing.
        overwrite: replace a model of that name.

    Returns:
        The manifest.

    Raises:
        ModelError: a file is unusable, the networks do not go with each other or with the labels, the model is there
            already or comes with the app, or the folder cannot be written to.
        ToolError: one of the model's files exists already, or a package is not installed.
    """
    check_model_name(request.name)
    refuse_shipped_name(request.name, folder)
    if not (math.isfinite(request.scale) and request.scale) or not 0.5 <= request.margin <= 4:
        raise ModelError(
            "Cannot import: the scale must not be 0, and the margin must be 0.5 to 4. Correct --scale or --margin."
        )
    target = folder / f"{request.name}.toml"
    if target.exists() and not overwrite:
        raise ModelError(f"Cannot write {target}: it exists already. Choose another --name, or add --overwrite.")
    _require_train_extra()
    age, gender = read_network(request.age.prototxt), read_network(request.gender.prototxt)
    size = _input_size(age, gender)
    networks = {
        "age": _convert(age, request.age, [label.name for label in request.labels.ages]),
        "gender": _convert(gender, request.gender, list(request.labels.genders)),
    }
    if len({network.probabilities for network in networks.values()}) == 2:
        # The manifest has one activation for both.
        networks["age"] = _convert(age, request.age, [one.name for one in request.labels.ages], softmax=True)
        networks["gender"] = _convert(gender, request.gender, list(request.labels.genders), softmax=True)
    try:
        with written_together(folder, request.name, overwrite=overwrite) as aside:
            _check_runs(_write_package(request, networks, size, aside))
    except OSError as error:
        raise ModelError(f"Cannot write to {folder}: {error.strerror or error}. Choose another --output.") from error
    return target


def _require_train_extra() -> None:
    for module in ("onnx", "tomli_w"):
        if importlib.util.find_spec(module) is None:
            raise ToolError(missing_text(module))


def _input_size(age: CaffeNetwork, gender: CaffeNetwork) -> int:
    for network in (age, gender):
        channels, height, width = network.shape
        if channels != 3 or height != width:
            raise ModelError(
                f"Cannot import {network.path}: it takes {channels}×{height}×{width}, but the app needs 3 channels and "
                "a square. Give a network for colour pictures."
            )
    if age.shape != gender.shape:
        raise ModelError(
            f"Cannot import: the age network takes {age.shape[1]} pixels a side and the gender network "
            f"{gender.shape[1]}, but both get the same crop. Give two networks with one size of input."
        )
    return age.shape[1]


def _convert(network: CaffeNetwork, files: CaffeFiles, labels: list[str], *, softmax: bool = False) -> OnnxNetwork:
    from models.caffe.onnx_builder import convert_network

    converted = convert_network(network, read_weights(files.weights), softmax=softmax)
    if converted.classes != len(labels):
        raise ModelError(
            f"Cannot import {files.prototxt}: it has {converted.classes} classes, but {len(labels)} labels were given "
            f"({', '.join(labels)}). Give the labels that it was trained with."
        )
    return converted


def _write_package(request: ImportRequest, networks: dict[str, OnnxNetwork], size: int, folder: Path) -> Path:
    outputs = {}
    for kind, network in networks.items():
        file = folder / f"{request.name}-{kind}.onnx"
        file.write_bytes(network.model.SerializeToString())
        outputs[kind] = OutputSpec(file.name, network.output)
    manifest = Manifest(
        name=request.name,
        title=request.title or request.name,
        description="Age and gender networks imported from Caffe.",
        architecture="two-network",
        input=InputSpec(
            size=size,
            colour=request.colour,
            mean=_write_mean(request, folder),
            scale=request.scale,
            mean_fit=request.mean_fit,
            margin=request.margin,
        ),
        age=outputs["age"],
        gender=outputs["gender"],
        activation="none" if networks["age"].probabilities else "softmax",
        labels=request.labels,
        layers={**networks["age"].layers, **networks["gender"].layers},
        about={
            "licence": request.licence,
            "framing": "whole",
            "source": f"imported from {request.age.weights.name} and {request.gender.weights.name}",
        },
    )
    checksums = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    path = folder / f"{request.name}.toml"
    write_manifest(replace(manifest, files=checksums), path)
    return path


def _write_mean(request: ImportRequest, folder: Path) -> Mean:
    if request.mean.shape[:2] == (1, 1):
        first, second, third = (float(value) for value in request.mean[0, 0])
        return first, second, third
    name = f"{request.name}-mean.npy"
    np.save(folder / name, request.mean)
    return name


def _check_runs(manifest: Path) -> None:
    from desktop_app.vision.classification.classifier import Classifier

    Classifier(load_package(manifest), provider="cpu", threads=1)
