"""Checkpoints: weights together with everything needed to use them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.catalogue.manifest import Colour, InputSpec, Labels, MeanFit
from desktop_app.errors import AgelensError
from desktop_app.output.atomic_files import write_whole
from models.data.labels import ages_from_rows, ages_to_rows
from models.networks.architectures import NetworkError, NetworkSpec, State, build_network, load_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained network, or one in training.

    Attributes:
        spec: which network.
        labels: its classes.
        input: how a crop becomes its input; `mean` is overruled by `mean_image`.
        state: the weights to use (the averaged ones where training averages).
        mean_image: H×W×3 float32, 0 to 255, channels in the order of `input.colour`; or None.
        notes: what it was trained on and how, for the model card.
        training: all that a training run needs to continue; empty in a finished one.
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
    """Write a checkpoint; a file of that name is replaced at once or not at all, and a missing folder is made.

    Raises:
        OSError: it cannot be written.
    """
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
            "mean_fit": checkpoint.input.mean_fit,
        },
        "mean_image": None if checkpoint.mean_image is None else torch.from_numpy(checkpoint.mean_image),
        "state": dict(checkpoint.state),
        "notes": dict(checkpoint.notes),
        "training": dict(checkpoint.training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # By way of memory: PyTorch's own writing does not say that it is the disk which is full.
    content_bytes = io.BytesIO()
    torch.save(content, content_bytes)
    try:
        write_whole(path, content_bytes.getvalue(), overwrite=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Nothing in the file is executed, and it costs no more memory than it has bytes, whatever it states.

    Raises:
        NetworkError: the file cannot be read or is no such checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > path.stat().st_size:
                raise NetworkError(f"{path} cannot be read as a checkpoint (it is compressed); get the file again")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except NetworkError:
        raise
    except Exception as error:
        # A damaged file makes PyTorch's reader fail in many ways, IndexError among them.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise NetworkError(f"{path} cannot be read as a checkpoint ({reason}); get the file again") from error
    try:
        if not isinstance(content, dict) or content["format"] != FORMAT:
            raise ValueError("its format is another one")
        checkpoint = _read(content)
        _check(checkpoint)
    except AgelensError as error:
        raise NetworkError(f"{path}: {error}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise NetworkError(f"{path} is no checkpoint of a network that is known here ({error!r})") from error
    return checkpoint


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
        state=dict(content["state"]),
        mean_image=None if mean_image is None else mean_image.numpy(),
        notes=dict(content["notes"]),
        training=dict(content["training"]),
    )


def _check(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint whose parts do not match or would take more memory than the file has."""
    spec, labels, mean = checkpoint.spec, checkpoint.labels, checkpoint.mean_image
    values = checkpoint.input.mean if isinstance(checkpoint.input.mean, tuple) else (checkpoint.input.mean,)
    numbers = (*values, checkpoint.input.scale, checkpoint.input.margin)
    if (spec.ages and len(labels.ages) != spec.ages) or (spec.genders and len(labels.genders) != spec.genders):
        raise ValueError("it has another number of labels than answers")
    if not all(isinstance(one, str) for one in (*labels.genders, *checkpoint.notes.values())):
        raise ValueError("its labels or notes are not texts")
    if len(values) not in {1, 3} or not all(isinstance(one, (int, float)) and abs(one) < 1e9 for one in numbers):
        raise ValueError("its mean, scale or margin is no number")
    if not checkpoint.input.scale or checkpoint.input.colour not in get_args(Colour):
        raise ValueError("its scale or colour is invalid")
    if checkpoint.input.mean_fit not in get_args(MeanFit):
        raise ValueError("its mean is fitted in no known way")
    if mean is not None and (mean.ndim != 3 or mean.shape[2] != 3 or 0 in mean.strides or 0 in mean.shape):
        raise ValueError("its mean image is not a picture of three channels")
    with torch.device("meta"):
        expected = build_network(spec).state_dict()
    if checkpoint.state.keys() != expected.keys():
        raise ValueError("its weights are those of another network")
    for name, value in checkpoint.state.items():
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (expected[name].shape, expected[name].dtype):
            raise ValueError(f"the weights {name} have another shape or type than they should")
        if value.untyped_storage().nbytes() < value.nbytes or not torch.isfinite(value).all():
            raise ValueError(f"the weights {name} are damaged")
