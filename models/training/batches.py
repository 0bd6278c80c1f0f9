"""Batches of random views of prepared faces, and their normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from desktop_app.vision.preprocessing import Preprocessing, center, normalise
from models.cli_utils import progress
from models.data.prepared import Prepared
from models.networks.architectures import INPUT_SIZE
from models.networks.checkpoints import Checkpoint
from models.training.recipes import Recipe

MEAN_CHUNK: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Prepared pictures and the classes that a network should find.

    Attributes:
        pictures: N×256×256×3 uint8, BGR.
        targets: by head: N int64, -1 where unknown.
        rows: which of the N belong to this set.
        answers: by head: N×K float32, the probabilities that a teacher gave; empty where there is none.
        weights: by head: N float32, how much each label counts; heads that are left out count all alike.
    """

    pictures: NDArray[np.uint8]
    targets: Mapping[str, NDArray[np.int64]]
    rows: NDArray[np.int64]
    answers: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many faces."""
        return len(self.rows)


def as_faces(prepared: Prepared, targets: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64]) -> Faces:
    """Those of some rows that have a label that is asked for."""
    known = np.any([targets[head][rows] >= 0 for head in targets], axis=0)
    return Faces(pictures=prepared.pictures, targets=targets, rows=rows[known])


@dataclass(frozen=True, slots=True)
class Batch:
    """Random views of B faces.

    Attributes:
        views: B×side×side×3, as `Recipe.view` gives them.
        targets: by head: B int64, -1 where unknown.
        answers: by head: B×K float32, a teacher's probabilities.
        weights: by head: B float32, how much each label counts.
    """

    views: Tensor
    targets: dict[str, Tensor]
    answers: dict[str, Tensor]
    weights: dict[str, Tensor]

    def pin_memory(self) -> Batch:
        """The same in memory that a GPU can read from beside other work; `DataLoader` calls it."""
        targets, answers, weights = (
            {head: one.pin_memory() for head, one in each.items()}
            for each in (self.targets, self.answers, self.weights)
        )
        return Batch(self.views.pin_memory(), targets, answers, weights)


class Views(Dataset[Any]):
    """The batches of one pass; each depends on seed, pass and number alone, so that any can be made again."""

    def __init__(
        self, faces: Faces, recipe: Recipe, *, batch_size: int, side: int, seed: int, epoch: int, first: int
    ) -> None:
        self._faces, self._recipe, self._side = faces, recipe, side
        self._batch_size, self._seed, self._epoch, self._first = batch_size, seed, epoch, first
        self._order = np.random.default_rng((seed, epoch)).permutation(faces.rows)

    def __len__(self) -> int:
        return len(self._order) // self._batch_size - self._first

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        # Each worker process has its own OpenCV, whose threads would fight with PyTorch's.
        cv2.setNumThreads(0)
        number = index + self._first
        rng = np.random.default_rng((self._seed, self._epoch, number))
        rows = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        views = np.stack([self._recipe.view(np.asarray(self._faces.pictures[row]), self._side, rng) for row in rows])
        faces = self._faces
        targets, answers, weights = (
            {head: torch.from_numpy(values[rows]) for head, values in one.items()}
            for one in (faces.targets, faces.answers, faces.weights)
        )
        return Batch(torch.from_numpy(views), targets, answers, weights)


class Normaliser(nn.Module):
    """Turns N×side×side×3 views into a network's input; float views have had the mean taken away already."""

    mean: Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._spec = checkpoint.input
        mean = Preprocessing(self._spec, checkpoint.mean_image).mean
        self.register_buffer("mean", torch.from_numpy(np.array(mean, np.float32, ndmin=1)))

    def forward(self, views: Tensor) -> Tensor:
        """N×3×side×side float32."""
        whole = views.dtype == torch.uint8
        ordered = views.flip(-1) if whole and self._spec.colour == "RGB" else views
        pixels = normalise(ordered.to(torch.float32, copy=True), self.mean if whole else 0.0, self._spec.scale)
        return pixels.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def center_batches(
    pictures: NDArray[np.uint8], rows: NDArray[np.int64], normaliser: Normaliser, *, size: int, sample: int = 0
) -> Iterator[Tensor]:
    """The middle of prepared pictures as a network takes it, without chance.

    Args:
        pictures: M×256×256×3 uint8, BGR.
        rows: which of them.
        normaliser: makes the pixels; the batches are where its mean is.
        size: most pictures in a batch. Batches are about alike in size: one of a single picture has no variance.
        sample: about how many of the rows to take, evenly spaced; 0 takes all.

    Yields:
        B×3×227×227 float32.
    """
    if sample:
        rows = rows[:: max(len(rows) // sample, 1)]
    for chunk in np.array_split(rows, max(math.ceil(len(rows) / size), 1)):
        views = torch.from_numpy(np.array(center(pictures[chunk], INPUT_SIZE)))
        yield normaliser(views.to(normaliser.mean.device))


def mean_picture(pictures: NDArray[np.uint8], rows: NDArray[np.int64], *, per_channel: bool) -> NDArray[np.float32]:
    """The mean of N×S×S×3 pictures: S×S×3 float32, or 1×1×3."""
    total = np.zeros(pictures.shape[1:], np.float64)
    for start in progress(range(0, len(rows), MEAN_CHUNK), "mean image"):
        total += pictures[rows[start : start + MEAN_CHUNK]].sum(axis=0, dtype=np.float64)
    mean = total / max(len(rows), 1)
    return np.asarray(mean.mean(axis=(0, 1), keepdims=True) if per_channel else mean, np.float32)
