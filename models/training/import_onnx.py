"""Converts a model of the catalogue back to PyTorch, optionally with other age groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.json_text import parse_json
from desktop_app.vision.preprocessing import fit_mean
from models.cli_utils import ToolError
from models.export.onnx_weights import SPEC_KEY, Weights, read_metadata, read_weights
from models.networks.architectures import NetworkSpec, build_network
from models.networks.checkpoints import Checkpoint

OLDEST: Final = 100
"""Where open groups end when old and new groups are compared."""

_PAPER_LAYERS: Final = ("conv1", "conv2", "conv3", "fc6", "fc7", "fc8")


def checkpoints_from_package(package: ModelPackage) -> list[Checkpoint]:
    """The networks of a model as PyTorch's: one with two heads, or one for age and one for gender.

    Batch normalisation that was folded into a convolution stays there: such norms come back as identities.

    Raises:
        ToolError: it is none of the networks that are known here.
        ModelError: a file cannot be read.
    """
    manifest = package.manifest
    mean = package.mean_image()
    image = None if mean is None else fit_mean(mean, package.input.size, package.input.mean_fit)
    spec_in = replace(package.input, mean=0.0) if image is not None else package.input
    counts = {"age": len(package.labels.ages), "gender": len(package.labels.genders)}
    if manifest.architecture == "two-head":
        files = {manifest.age.file: counts}
    else:
        files = {manifest.age.file: {"age": counts["age"]}, manifest.gender.file: {"gender": counts["gender"]}}
    checkpoints: list[Checkpoint] = []
    for file, heads in files.items():
        path = package.path.parent / file
        spec, state = _restore(path, heads)
        checkpoints.append(
            Checkpoint(
                spec=spec, labels=package.labels, input=spec_in, state=state, mean_image=image, notes=manifest.about
            )
        )
    return checkpoints


def with_ages(checkpoint: Checkpoint, ages: tuple[AgeLabel, ...], seed: int) -> Checkpoint:
    """The same network with a last layer for other age groups; the gender head stays."""
    torch.manual_seed(seed)
    spec, old = replace(checkpoint.spec, ages=len(ages)), checkpoint.spec
    fresh, state = build_network(spec).state_dict(), dict(checkpoint.state)
    layer = "fc8" if spec.architecture == "levi-hassner" else "age"
    shares = _overlaps(ages, checkpoint.labels.ages)
    for name in (f"{layer}.weight", f"{layer}.bias"):
        previous = state[name]
        mixed = shares @ previous[: old.ages]
        # A group that no old one touches has nothing to start from but chance.
        known = (shares.sum(1) > 0).reshape(-1, *[1] * (mixed.ndim - 1))
        head = torch.where(known, mixed, fresh[name][: spec.ages])
        state[name] = torch.cat([head, previous[old.ages :]])
    return replace(checkpoint, spec=spec, state=state, labels=Labels(ages, checkpoint.labels.genders))


def _overlaps(ages: Sequence[AgeLabel], old: Sequence[AgeLabel]) -> Tensor:
    """new×old float32: which shares of a new group's years the old groups have; a row sums to 1, or to 0."""
    shares = torch.zeros(len(ages), len(old))
    for row, one in enumerate(ages):
        for column, other in enumerate(old):
            high = min(label.high if label.high is not None else OLDEST for label in (one, other))
            shares[row, column] = max(high - max(one.low, other.low) + 1, 0)
    return shares / shares.sum(1, keepdim=True).clamp(min=1)


def _restore(path: Path, heads: Mapping[str, int]) -> tuple[NetworkSpec, dict[str, Tensor]]:
    weights = read_weights(path)
    text = read_metadata(path, SPEC_KEY)
    if text:
        spec = NetworkSpec.from_dict(_parsed(path, text))
    elif set(_PAPER_LAYERS) <= {name.rpartition(".")[0] for name in weights}:
        spec = NetworkSpec(architecture="levi-hassner", ages=heads.get("age", 0), genders=heads.get("gender", 0))
    else:
        raise ToolError(
            f"Cannot fine-tune {path}: its architecture is unknown here. Choose a model that was trained here."
        )
    return spec, _state(path, spec, weights)


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(parse_json(text))
    except (ValueError, TypeError) as error:
        raise ToolError(f"Cannot read {path}: the description of its network is invalid. Export it again.") from error


def _state(path: Path, spec: NetworkSpec, weights: Weights) -> dict[str, Tensor]:
    network = build_network(spec)
    state: dict[str, Tensor] = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            # Where the file's convolution holds the norm already, it must change nothing but add the bias.
            state[f"{name}.running_mean"].zero_()
            state[f"{name}.running_var"].fill_(1 - module.eps)
            state[f"{name}.weight"].fill_(1)
            state[f"{name}.bias"].zero_()
    learnt = {f"{name}.weight" for name, one in network.named_modules() if isinstance(one, (nn.Conv2d, nn.Linear))}
    if spec.architecture == "levi-hassner" and spec.norm == "batch":
        # Its norms follow pools, and cannot be folded.
        learnt |= {"norm1.running_var", "norm2.running_var"}
    if not learnt <= weights.keys():
        missing = min(learnt - weights.keys())
        raise ToolError(f"Cannot read {path}: it lacks {missing} of the {spec.architecture} network. Export it again.")
    for name, values in weights.items():
        target = name.replace(".conv.bias", ".norm.bias")
        if target not in state or state[target].shape != values.shape:
            raise ToolError(
                f"Cannot read {path}: the layer {name} does not fit the {spec.architecture} network. Export it again."
            )
        state[target] = torch.from_numpy(np.array(values))
    return state
