"""Several networks that answer as one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Networks with the same heads and the same input.

    Args:
        members: each answers with a tensor or a tuple of logits.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pixels: Tensor) -> Any:
        """The logarithm of the mean probabilities, of the shapes that each member answers with."""
        answers = [member(pixels) for member in self.members]
        if isinstance(answers[0], tuple):
            return tuple(_mean(heads) for heads in zip(*answers, strict=True))
        return _mean(answers)


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of some distributions; float32, whatever the logits are."""
    logarithms = torch.stack([one.float().log_softmax(1) for one in logits])
    return logarithms.logsumexp(0) - logarithms.new_tensor(len(logits)).log()
