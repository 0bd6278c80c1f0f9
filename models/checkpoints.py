"""Checkpoints: a network's weights together with what is needed to use them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.labels import FAIRFACE_AGES, GENDERS, ages_from_rows, ages_to_rows
from models.manifest import InputSpec, Labels
from models.networks import NetworkError, NetworkSpec, State, build_network, load_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained network, or one in training.

    Attributes:
        spec: which network.
        labels: its classes.
        input: how a crop becomes its input; `mean` is overruled by `mean_image`.
        state: the weights to use (the averaged ones where training averages).
        mean_image: H×W×3 float32, BGR, 0 to 255, or None.
        notes: what it was trained on and how, for the model card.
        training: all that a training run needs to go on; empty in a finished one.
    """

    spec: NetworkSpec
    labels: Labels
    input: InputSpec
    state: State
    mean_image: NDArray[np.float32] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def network(self) -> nn.Module:
        """The network with its weights, in evaluation mode.

        Raises:
            NetworkError: the weights belong to another network.
        """
        network = build_network(self.spec)
        load_state(network, self.state)
        return network.eval()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a file of that name is replaced at once or not at all."""
    mean = checkpoint.input.mean
    content = {
        "format": FORMAT,
        "spec": checkpoint.spec.as_dict(),
        "ages": ages_to_rows(checkpoint.labels.ages),
        "genders": list(checkpoint.labels.genders),
        "input": {
            "colour": checkpoint.input.colour,
            "mean": list(mean) if isinstance(mean, tuple) else mean,
            "scale": checkpoint.input.scale,
            "margin": checkpoint.input.margin,
        },
        "mean_image": None if checkpoint.mean_image is None else torch.from_numpy(checkpoint.mean_image),
        "state": dict(checkpoint.state),
        "notes": dict(checkpoint.notes),
        "training": dict(checkpoint.training),
    }
    partial = path.with_name(path.name + ".partial")
    torch.save(content, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of this project, or the bare weights of a compact network.

    Nothing in the file is executed.

    Raises:
        NetworkError: the file cannot be read or is no such checkpoint.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged file makes PyTorch's reader fail in many ways, IndexError among them.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise NetworkError(f"{path} cannot be read as a checkpoint ({reason})") from error
    try:
        if content.get("format") == FORMAT:
            return _read(content)
        return _read_bare(content.get("ema", content))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NetworkError(f"{path} is no checkpoint of a network that is known here ({error!r})") from error


FORMAT: Final = "agelens-checkpoint-1"


def _read(content: Mapping[str, Any]) -> Checkpoint:
    values = dict(content["input"])
    if isinstance(values["mean"], list):
        values["mean"] = tuple(values["mean"])
    mean_image = content["mean_image"]
    return Checkpoint(
        spec=NetworkSpec.from_dict(content["spec"]),
        labels=Labels(ages_from_rows(content["ages"]), tuple(content["genders"])),
        input=InputSpec(**values),
        state=content["state"],
        mean_image=None if mean_image is None else mean_image.numpy(),
        notes=content["notes"],
        training=content["training"],
    )


def _read_bare(state: Mapping[str, Any]) -> Checkpoint:
    spec, renamed = compact_from_sequential(state, ages=len(FAIRFACE_AGES))
    return Checkpoint(spec=spec, labels=Labels(FAIRFACE_AGES, GENDERS), input=InputSpec(), state=renamed)


def compact_from_sequential(state: State, *, ages: int = 9) -> tuple[NetworkSpec, dict[str, Tensor]]:
    """Rename the weights of a compact network that was trained as one bare `nn.Sequential`.

    There, items 0, 1, 3 and 4 are the stem, 6 and on are the blocks (`c1 b1 c2 b2 se.a se.b d.1 d.2`), and the
    last is one linear layer whose first outputs are the ages.

    Args:
        state: the weights under their old names.
        ages: how many outputs of the last layer are age groups; the others are genders.

    Returns:
        The network's spec, and the weights as `CompactNet` names them.

    Raises:
        NetworkError: the weights are not such a network's.
    """
    try:
        return _rename_sequential(state, ages)
    except (KeyError, ValueError, IndexError) as error:
        raise NetworkError(f"the checkpoint holds no compact network ({error!r})") from error


def _rename_sequential(state: State, ages: int) -> tuple[NetworkSpec, dict[str, Tensor]]:
    numbers = _block_numbers(state)
    widths = [len(state[f"{number}.b1.weight"]) for number in numbers]
    stages = sorted(set(widths), key=widths.index)
    names: dict[int, str] = {}
    seen = dict.fromkeys(stages, 0)
    for number, width in zip(numbers, widths, strict=True):
        names[number] = f"stages.{stages.index(width)}.{seen[width]}"
        seen[width] += 1
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        item, _, rest = key.partition(".")
        if int(item) in names:
            renamed[f"{names[int(item)]}.{_block_key(rest)}"] = value
        elif item in _STEM:
            renamed[f"{_STEM[item]}.{rest}"] = value
        else:
            kind = rest.rpartition(".")[2]
            renamed[f"age.{kind}"], renamed[f"gender.{kind}"] = value[:ages], value[ages:]
    spec = NetworkSpec(
        architecture="compact",
        ages=ages,
        genders=len(renamed["gender.bias"]),
        stem_width=len(state["0.weight"]),
        widths=tuple(stages),
        blocks=tuple(seen[width] for width in stages),
        attention=any(".se." in key for key in state),
    )
    return spec, renamed


_STEM: Final = {"0": "stem.0.conv", "1": "stem.0.norm", "3": "stem.2.conv", "4": "stem.2.norm"}
_BLOCK: Final = {
    "c1": "first.conv",
    "b1": "first.norm",
    "c2": "second.conv",
    "b2": "second.norm",
    "se.a": "attention.reduce",
    "se.b": "attention.expand",
    "d.1": "shortcut.project.conv",
    "d.2": "shortcut.project.norm",
}


def _block_numbers(state: Iterable[str]) -> list[int]:
    return sorted({int(key.split(".")[0]) for key in state if re.match(r"\d+\.c1\.", key)})


def _block_key(rest: str) -> str:
    part, _, kind = rest.rpartition(".")
    return f"{_BLOCK[part]}.{kind}"
