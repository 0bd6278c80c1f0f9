"""Calibrates a network's confidences by temperature scaling (Guo et al., ICML 2017).

`python -m models temperature --checkpoint in.pt --output out.pt --data fairface --path ../shared/data/fairface
--split train --held-out 2000 --cache CACHE` fits one temperature for each head on pictures that the network did not
learn from, and divides the last layer by it. Which class is the likeliest stays as it was.

`--even-ages 0.3` also takes that share of what the network learnt of how common each age group is out of its answers
(logit adjustment: Menon et al., ICLR 2021): rare groups are found more often, common ones less. The temperature is
fitted with that done, as it is these answers that are shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.cli_utils import ToolError, not_negative_real, refuse_existing
from models.data.labels import gender_targets
from models.data.prepare import add_cache_option, add_data_options, add_held_out_option, prepare_chosen
from models.data.prepared import hold_out
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from models.training.batches import as_faces
from models.training.scoring import predict


def fit_temperature(
    logits: NDArray[np.float32], targets: NDArray[np.int64], shift: NDArray[np.float32] | None = None
) -> float:
    """What to divide logits by, so that their likelihood is the largest.

    Args:
        logits: N×K.
        targets: N classes; -1 where unknown.
        shift: K values that are added to the logits after the division; None: none.

    Raises:
        ToolError: no class is known.
    """
    known = targets >= 0
    if not known.any():
        raise ToolError("Cannot fit a temperature: no picture has a label. Choose another data set.")
    values, classes = torch.from_numpy(logits[known]).double(), torch.from_numpy(targets[known])
    added = torch.zeros(logits.shape[1]) if shift is None else torch.from_numpy(shift)
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = functional.cross_entropy(values / log_temperature.exp() + added, classes)
        value.backward()
        return value

    optimiser.step(loss)
    return float(log_temperature.detach().exp())


def divide_heads(checkpoint: Checkpoint, temperatures: Mapping[str, float]) -> Checkpoint:
    """The same network with each head's logits divided by its temperature."""
    spec, state = checkpoint.spec, dict(checkpoint.state)
    rows = {"age": spec.ages, "gender": spec.genders}
    factors = {head: torch.full((rows[head],), 1 / temperatures[head]) for head in spec.heads}
    if spec.architecture == "levi-hassner":
        factors = {"fc8": torch.cat(list(factors.values()))}
    for layer, factor in factors.items():
        state[f"{layer}.weight"] = state[f"{layer}.weight"] * factor[:, None]
        state[f"{layer}.bias"] = state[f"{layer}.bias"] * factor
    return replace(checkpoint, state=state)


def evening_shift(counts: NDArray[np.int64], share: float) -> NDArray[np.float32]:
    """What to add to the logits of an age head so that the age groups' frequencies are taken out of its answers.

    Args:
        counts: how many pictures of each age group the network learnt from.
        share: how much of it, 0 to 1.
    """
    return np.asarray(-share * np.log(np.maximum(counts, 1) / counts.sum()), np.float32)


def shift_ages(checkpoint: Checkpoint, shift: NDArray[np.float32]) -> Checkpoint:
    """The same network with one value for each age group added to the logits of its age head."""
    layer = "fc8.bias" if checkpoint.spec.architecture == "levi-hassner" else "age.bias"
    bias = checkpoint.state[layer].clone()
    bias[: checkpoint.spec.ages] += torch.from_numpy(shift)
    return replace(checkpoint, state={**checkpoint.state, layer: bias})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m models temperature", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="the network")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--even-ages", type=not_negative_real, default=0.0, metavar="SHARE", help="how much to help rare ages (0: not)"
    )
    add_cache_option(parser)
    add_data_options(parser, split="val")
    add_held_out_option(parser)
    options = parser.parse_args(arguments)
    refuse_existing(options.output, overwrite=options.overwrite)
    checkpoint = load_checkpoint(options.checkpoint)
    prepared = prepare_chosen(options, margin=checkpoint.input.margin, notes=checkpoint.notes)
    targets = {
        "age": prepared.ages(checkpoint.labels.ages),
        "gender": gender_targets(prepared.gender, checkpoint.labels.genders),
    }
    rows = hold_out(len(prepared), options.held_out) if options.held_out else np.arange(len(prepared))
    faces = as_faces(prepared, {head: targets[head] for head in checkpoint.spec.heads}, rows)
    logits = predict(checkpoint.network(), checkpoint, faces)
    shifts: dict[str, NDArray[np.float32]] = {}
    if options.even_ages and checkpoint.spec.ages:
        counts = np.bincount(targets["age"][targets["age"] >= 0], minlength=checkpoint.spec.ages)
        shifts["age"] = evening_shift(counts, options.even_ages)
    temperatures = {
        head: fit_temperature(one, faces.targets[head][faces.rows], shifts.get(head)) for head, one in logits.items()
    }
    said = ", ".join(f"{head} {value:.3f}" for head, value in temperatures.items())
    of = f"{options.data} {options.split}" if options.data == "fairface" else options.data
    fitted_on = f"{len(faces)} {'held out ' if options.held_out else ''}pictures of {of}"
    notes = {**checkpoint.notes, "temperatures": f"{said}, fitted on {fitted_on}"}
    calibrated = divide_heads(checkpoint, temperatures)
    if "age" in shifts:
        calibrated = shift_ages(calibrated, shifts["age"])
        notes["even_ages"] = f"{options.even_ages:g} of the log frequencies of the age groups taken out"
    save_checkpoint(replace(calibrated, notes=notes), options.output)
    print(f"{options.output}: {said}")
