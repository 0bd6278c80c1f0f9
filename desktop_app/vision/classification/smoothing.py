"""Averages the predictions of a face over time and chooses the label that is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Labels
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, answer_age, answer_gender, make_label
from desktop_app.vision.detection.blazeface import Detection

MIN_WEIGHT: Final = 0.02
"""Even the worst crop counts a little, so that a face never stays without an answer."""
FULL_SIZE: Final = 120.0
"""Faces from this size on, in pixels, count in full."""
FAINT: Final = 0.05
"""A side of the face with less than this share of the other's weight has no say."""


class Smoother:
    """Averages the predictions of each face over time and keeps the label shown from flickering.

    The average is a weighted mean of probabilities in which old predictions fade exponentially. Probabilities
    rather than their logarithms: one blurred crop with an extreme answer then has bounded influence, and
    disagreement between crops lowers the confidence instead of hiding in it. Crops and their mirror images have an
    average each, of which the mean is taken: a face whose two sides are answered differently would waver otherwise.

    A label is always made of the average of one moment, age and gender each of theirs, so that what is shown is what
    is most probable in the probabilities beside it. An average that shows the same as before is shown at once, with
    its new numbers. One that shows something else is held back while it is close to the average on show, for at most
    `patience_s`: what is on show then stands with the probabilities of the moment when it was last right.

    Deterministic; not thread-safe.

    Args:
        labels: names of the model's age groups and genders.
        time_constant_s: after this many seconds a prediction counts 1/e of what it did.
        margin: an average is close to another if no probability differs by more than this.
        patience_s: for no longer than this many seconds an average is held back.
    """

    def __init__(
        self, labels: Labels, *, time_constant_s: float = 3.0, margin: float = 0.05, patience_s: float = 3.0
    ) -> None:
        self._labels = labels
        self._time_constant_s = time_constant_s
        self._margin, self._patience_s = margin, patience_s
        self._faces: dict[int, _Face] = {}

    def add(
        self, track_id: int, prediction: Prediction, at: float, weight: float = 1.0, *, mirrored: bool = False
    ) -> None:
        """Take in one prediction; what is shown does not change before `label`.

        Args:
            track_id: the face it is for.
            prediction: probabilities for the labels given to the smoother.
            at: moment of the crop in seconds.
            weight: how much the crop counts, 0 to 1; see `crop_weight`.
            mirrored: it is for the mirror image of the crop.
        """
        weight = max(weight, MIN_WEIGHT)
        face = self._faces.get(track_id)
        if face is None:
            face = self._faces[track_id] = _Face(_Average(len(prediction.age)), _Average(len(prediction.gender)), at)
        decay = math.exp(-max(at - face.updated_at, 0.0) / self._time_constant_s)
        face.updated_at = max(face.updated_at, at)
        face.samples += 1
        face.age.add(prediction.age, weight, decay, mirrored=mirrored)
        face.gender.add(prediction.gender, weight, decay, mirrored=mirrored)

    def label(self, track_id: int) -> Label:
        """What to show from now on for a face that has a prediction."""
        face = self._faces[track_id]
        ages, genders = self._labels.ages, self._labels.genders
        age = self._on_show(face.age, face.updated_at, lambda mean: answer_age(mean, ages).shown)
        gender = face.gender.mean()
        if len(gender):
            gender = self._on_show(face.gender, face.updated_at, lambda mean: answer_gender(mean, genders).shown)
        return make_label(Prediction(age, gender), self._labels, updated_at=face.updated_at, samples=face.samples)

    def forget(self, keep: Collection[int]) -> None:
        """Drop all faces but those with these track ids."""
        self._faces = {track_id: face for track_id, face in self._faces.items() if track_id in keep}

    def reset(self) -> None:
        """Drop all faces."""
        self._faces = {}

    def _on_show(
        self, average: _Average, at: float, describe: Callable[[NDArray[np.float32]], str]
    ) -> NDArray[np.float32]:
        """The average on show, after the present one took its place where it may."""
        mean, shown = average.mean(), average.shown
        if shown is not None and describe(mean) != describe(shown):
            if average.held_since is None:
                average.held_since = at
            close = float(np.abs(mean - shown).max()) <= self._margin
            if close and at - average.held_since < self._patience_s:
                return shown
        average.shown, average.held_since = mean, None
        return mean


def crop_weight(detection: Detection) -> float:
    """How much the crop of a face should count, from the detector's score, its size and how frontal it is.

    Args:
        detection: the face, in pixels of the frame it is cut from.

    Returns:
        From just above 0 (tiny, in profile, doubtful) to 1 (large, frontal, certain).
    """
    size = min(detection.box.size / FULL_SIZE, 1.0)
    score = min(max(detection.score, 0.0), 1.0)
    return max(size * score * (0.2 + 0.8 * _frontality(detection)), MIN_WEIGHT)


def _frontality(detection: Detection) -> float:
    """How evenly the nose divides the line between the eyes: 1 towards the camera, 0 in profile."""
    marks = detection.landmarks
    eyes = np.subtract(marks.left_eye, marks.right_eye)
    distance = float(eyes @ eyes)
    if distance == 0:
        return 0.0
    share = float(np.subtract(marks.nose, marks.right_eye) @ eyes) / distance
    nearer, farther = sorted((share, 1 - share))
    return math.sqrt(max(nearer, 0.0) / farther)


class _Average:
    """A fading weighted mean of probability vectors, and the one of an earlier moment that is on show.

    Attributes:
        shown: the mean that is on show, float32; None before the first one.
        held_since: moment from which on means that show something else were held back, in seconds; None for none.
    """

    def __init__(self, classes: int) -> None:
        # One row for crops as they are, one for mirror images.
        self._sums = np.zeros((2, classes), np.float64)
        self._weights = np.zeros(2, np.float64)
        self.shown: NDArray[np.float32] | None = None
        self.held_since: float | None = None

    def add(self, probabilities: NDArray[np.float32], weight: float, decay: float, *, mirrored: bool) -> None:
        """Take in one vector."""
        self._sums *= decay
        self._weights *= decay
        self._sums[int(mirrored)] += weight * probabilities.astype(np.float64)
        self._weights[int(mirrored)] += weight

    def mean(self) -> NDArray[np.float32]:
        """The mean of all vectors so far."""
        # What one side said long ago, or of a far worse crop, must not be half of the answer.
        counting = self._weights > FAINT * self._weights.max()
        means = self._sums[counting] / self._weights[counting, None]
        return np.asarray(means.mean(axis=0), np.float32)


@dataclass(slots=True)
class _Face:
    age: _Average
    gender: _Average
    updated_at: float
    samples: int = 0
