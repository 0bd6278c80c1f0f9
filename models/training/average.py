r"""Averages the weights of networks that were trained on from the same one (Wortsman et al., ICML 2022, "Model soups").

    python -m models average --checkpoints before.pt after.pt --weights 0.6 0.4 --output average.pt --data fairface \
        --path ../shared/data/fairface --split train --cache CACHE

The average often generalises better than each of them and costs no more than one. The statistics of batch
normalisation are those of none of them and are measured again on the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from models.cli_utils import ToolError, positive_real, refuse_existing
from models.data.prepare import add_cache_option, add_data_options, prepare_chosen
from models.data.prepared import Prepared
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from models.training.batches import Normaliser, center_batches

SAMPLE: Final = 2048
"""Pictures that the statistics are measured on."""
_CHUNK: Final = 128


def average(checkpoints: Sequence[Checkpoint], weights: Sequence[float]) -> Checkpoint:
    """One network with the weighted mean of the weights of some; its notes are those of the last.

    Args:
        checkpoints: networks of one kind, with the same labels and input.
        weights: how much each counts; only their ratios matter.

    Raises:
        ToolError: the networks do not go together.
    """
    last, total = checkpoints[-1], sum(weights)
    for one in checkpoints:
        if (one.spec, one.labels, one.input) != (last.spec, last.labels, last.input):
            raise ToolError(
                "Cannot average the checkpoints: their networks differ in kind, labels or input. Name like ones."
            )
        if one.mean_image is not None or last.mean_image is not None:
            raise ToolError("Cannot average networks that each have a mean image. Train them with --mean channel.")
    state: dict[str, Tensor] = {}
    for name, value in last.state.items():
        parts = [one.state[name] * (weight / total) for one, weight in zip(checkpoints, weights, strict=True)]
        state[name] = torch.stack(parts).sum(0) if value.is_floating_point() else value
    return replace(last, state=state, training={})


def measure_norms(checkpoint: Checkpoint, prepared: Prepared) -> Checkpoint:
    """The same network with the statistics of batch normalisation as they are on some of the pictures."""
    network, normaliser = checkpoint.network(), Normaliser(checkpoint)
    rows = np.flatnonzero(prepared.readable)
    batches = center_batches(prepared.pictures, rows, normaliser, size=_CHUNK, sample=SAMPLE)
    update_bn(batches, network)
    return replace(checkpoint, state={name: value.clone() for name, value in network.eval().state_dict().items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m models average", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=Path, nargs="+", required=True, metavar="FILE", help="the networks")
    parser.add_argument("--weights", type=positive_real, nargs="+", help="how much each counts (default: all alike)")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    add_cache_option(parser)
    add_data_options(parser)
    options = parser.parse_args(arguments)
    weights = options.weights or [1.0] * len(options.checkpoints)
    if len(weights) != len(options.checkpoints):
        raise ToolError("Cannot average: --checkpoints and --weights differ in number. Give one weight for each.")
    refuse_existing(options.output, overwrite=options.overwrite)
    averaged = average([load_checkpoint(path) for path in options.checkpoints], weights)
    prepared = prepare_chosen(options, margin=averaged.input.margin, notes=averaged.notes)
    shares = " + ".join(
        f"{weight / sum(weights):.2f} {path.name}" for path, weight in zip(options.checkpoints, weights, strict=True)
    )
    notes = {**averaged.notes, "average_of": shares}
    save_checkpoint(measure_norms(replace(averaged, notes=notes), prepared), options.output)
    print(f"{options.output}: {shares}")
