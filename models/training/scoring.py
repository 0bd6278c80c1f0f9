"""Scores a network on prepared faces, without the app's pipeline around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.vision.preprocessing import ten_views
from models.networks.architectures import INPUT_SIZE, head_logits
from models.networks.checkpoints import Checkpoint
from models.training.batches import Faces, Normaliser, center_batches

VIEWS_BATCH: Final = 10
"""Faces a run where each is seen in ten views."""


def predict(
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


def predict_ten_views(network: nn.Module, checkpoint: Checkpoint, faces: Faces) -> dict[str, NDArray[np.float32]]:
    """The mean probabilities over ten views of each prepared picture (Levi and Hassner 2015), by head: N×K float32."""
    network.eval()
    normaliser = Normaliser(checkpoint).to(next(network.parameters()).device)
    parts: dict[str, list[Tensor]] = {head: [] for head in checkpoint.spec.heads}
    with torch.no_grad():
        for start in range(0, len(faces), VIEWS_BATCH):
            pictures = np.asarray(faces.pictures[faces.rows[start : start + VIEWS_BATCH]])
            views = torch.from_numpy(ten_views(pictures, INPUT_SIZE)).to(normaliser.mean.device)
            for head, one in head_logits(checkpoint.spec, network(normaliser(views))).items():
                parts[head].append(one.softmax(1).reshape(len(pictures), 10, -1).mean(1).cpu())
    return {head: torch.cat(part).numpy() for head, part in parts.items()}


def score(network: nn.Module, checkpoint: Checkpoint, faces: Faces) -> dict[str, float]:
    """Accuracies of a network on the centre of prepared pictures, as shares of the labelled ones."""
    return _accuracies(predict(network, checkpoint, faces), faces)


def score_ten_views(network: nn.Module, checkpoint: Checkpoint, faces: Faces) -> dict[str, float]:
    """The same of the mean over ten views; the names say so: `age_exact_oversampled` and so on."""
    if not len(faces):
        return {}
    scores = _accuracies(predict_ten_views(network, checkpoint, faces), faces)
    return {f"{name}_oversampled": value for name, value in scores.items()}


def _accuracies(answers: Mapping[str, NDArray[np.float32]], faces: Faces) -> dict[str, float]:
    scores: dict[str, float] = {}
    for head, values in answers.items():
        target = faces.targets[head][faces.rows]
        off = np.abs(values.argmax(1) - target)[target >= 0]
        if off.size:
            scores["age_exact" if head == "age" else head] = float((off == 0).mean())
            if head == "age":
                scores["age_within_one"] = float((off <= 1).mean())
    return scores
