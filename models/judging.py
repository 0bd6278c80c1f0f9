"""What a network answers to prepared faces, and how good that is, without the app's pipeline around it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.batches import Faces, Normaliser, center_batches
from models.checkpoints import Checkpoint
from models.networks import head_logits


def answer(
    network: nn.Module, checkpoint: Checkpoint, faces: Faces, *, batch: int = 100
) -> dict[str, NDArray[np.float32]]:
    """The logits of a network on the centre of prepared pictures, by head: N×K float32."""
    network.eval()
    normaliser = Normaliser(checkpoint).to(next(network.parameters()).device)
    parts: dict[str, list[NDArray[np.float32]]] = {head: [] for head in checkpoint.spec.heads}
    with torch.no_grad():
        for pixels in center_batches(faces.pictures, faces.rows, normaliser, size=batch):
            for head, one in head_logits(checkpoint.spec, network(pixels)).items():
                parts[head].append(one.cpu().numpy())
    return {head: np.concatenate(part) for head, part in parts.items()}


def judge(network: nn.Module, checkpoint: Checkpoint, faces: Faces) -> dict[str, float]:
    """Accuracies of a network on the centre of prepared pictures, as shares of the labelled ones."""
    scores: dict[str, float] = {}
    for head, logits in answer(network, checkpoint, faces).items():
        target = faces.targets[head][faces.rows]
        off = np.abs(logits.argmax(1) - target)[target >= 0]
        if off.size:
            scores["age_exact" if head == "age" else head] = float((off == 0).mean())
            if head == "age":
                scores["age_within_one"] = float((off <= 1).mean())
    return scores
