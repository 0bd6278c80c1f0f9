"""Restores batch normalisation in networks imported from ONNX, where it was folded into the convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from models.networks.checkpoints import Checkpoint
from models.training.batches import Faces, Normaliser, center_batches

SAMPLE: Final = 512
"""Pictures that the statistics are measured on."""
_CHUNK: Final = 64


def unfold_norms(checkpoint: Checkpoint, faces: Faces) -> Checkpoint:
    """The same network with norms that normalise, so that it can be trained on.

    A folded norm comes back as an identity: what it adds up in training, the statistics of its input, would change
    what the network computes. Here each norm gets the statistics that its input really has on some of the pictures,
    and a scale and a shift that undo them.

    Args:
        checkpoint: the network; without batch normalisation it comes back as it is.
        faces: pictures as it will be trained on.

    Returns:
        A network that answers as before in use, and about so in training.
    """
    network = checkpoint.network().eval()
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    sums = {one: _Sums() for one in norms}
    hooks = [one.register_forward_hook(sums[one].add) for one in norms]
    normaliser = Normaliser(checkpoint)
    with torch.no_grad():
        for pixels in center_batches(faces.pictures, faces.rows, normaliser, size=_CHUNK, sample=SAMPLE):
            network(pixels)
        for one in norms:
            _match(one, *sums[one].moments())
    for hook in hooks:
        hook.remove()
    return replace(checkpoint, state={name: value.clone() for name, value in network.state_dict().items()})


def _match(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Give a norm other statistics and change its scale and shift so that it computes the same."""
    if norm.running_mean is None or norm.running_var is None:
        return
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias.add_(scale * (mean - norm.running_mean))
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


class _Sums:
    """Adds up what goes into a norm."""

    def __init__(self) -> None:
        self._count, self._first, self._second = 0, torch.zeros(()), torch.zeros(())

    def add(self, _norm: nn.Module, inputs: tuple[Any, ...], _output: object) -> None:
        values = inputs[0].double()
        self._count += values.numel() // values.shape[1]
        self._first = self._first + values.sum((0, 2, 3))
        self._second = self._second + values.square().sum((0, 2, 3))

    def moments(self) -> tuple[Tensor, Tensor]:
        mean = self._first / self._count
        return mean.float(), (self._second / self._count - mean.square()).clamp(min=0).float()
