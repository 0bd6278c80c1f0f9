"""Predictions of one face over time, averaged to the label that is shown."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.classifier import Prediction
from desktop_app.vision.detector import Detection
from models.catalogue import Labels

MIN_WEIGHT: Final = 0.02
"""Even the worst crop counts a little, so that a face never stays without an answer."""
FULL_SIZE: Final = 120.0
"""Faces from this size on, in pixels, count in full."""
FAINT: Final = 0.05
"""A side of the face with less than this share of the other's weight has no say."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is shown for one face.

    Attributes:
        age: name of the age group shown, as in the model's manifest.
        age_confidence: smoothed probability of that age group, 0 to 1: low where the model is unsure, and for
            a while perhaps below that of another group (see `Smoother`).
        gender: name of the perceived gender shown; empty where gender is not computed.
        gender_confidence: smoothed probability of that gender, 0 to 1; 0 where gender is not computed.
        prediction: the smoothed probabilities, float32.
        updated_at: moment of the newest prediction in it, in seconds.
        samples: number of predictions that went into it.
    """

    age: str
    age_confidence: float
    gender: str
    gender_confidence: float
    prediction: Prediction
    updated_at: float
    samples: int


class Smoother:
    """Averages the predictions of each face over time and keeps the label shown from flickering.

    The average is a weighted mean of probabilities in which old predictions fade exponentially. Probabilities
    rather than their logarithms: one blurred crop with an extreme answer then has bounded influence, and
    disagreement between crops lowers the confidence instead of hiding in it. Crops and their mirror images have an
    average each, of which the mean is taken: a face whose two sides are answered differently would waver otherwise.

    The first prediction is shown at once. After that, another label must lead the one shown by a margin, or
    lead it without a break for `patience_s`, before it takes over. Deterministic; not thread-safe.

    Args:
        labels: names of the model's age groups and genders.
        time_constant_s: after this many seconds a prediction counts 1/e of what it did.
        age_margin: probability by which another age group must lead to be shown at once.
        gender_margin: the same for gender.
        patience_s: seconds after which a smaller lead is enough.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        time_constant_s: float = 3.0,
        age_margin: float = 0.05,
        gender_margin: float = 0.1,
        patience_s: float = 3.0,
    ) -> None:
        self._ages = [age.name for age in labels.ages]
        self._genders = list(labels.genders)
        self._time_constant_s = time_constant_s
        self._age_margin = age_margin
        self._gender_margin = gender_margin
        self._patience_s = patience_s
        self._faces: dict[int, _Face] = {}

    def update(
        self, track_id: int, prediction: Prediction, at: float, weight: float = 1.0, *, mirrored: bool = False
    ) -> Label:
        """Take in one prediction.

        Args:
            track_id: the face it is for.
            prediction: probabilities for the labels given to the smoother.
            at: moment of the crop in seconds.
            weight: how much the crop counts, 0 to 1; see `crop_weight`.
            mirrored: it is for the mirror image of the crop.

        Returns:
            What to show for the face from now on.
        """
        weight = max(weight, MIN_WEIGHT)
        face = self._faces.get(track_id)
        if face is None:
            face = self._faces[track_id] = _Face(_Average(len(prediction.age)), _Average(len(prediction.gender)), at)
        decay = math.exp(-max(at - face.updated_at, 0.0) / self._time_constant_s)
        face.updated_at = max(face.updated_at, at)
        face.samples += 1
        ages = face.age.add(prediction.age, weight, decay, mirrored=mirrored)
        genders = face.gender.add(prediction.gender, weight, decay, mirrored=mirrored)
        age = face.age.choose(ages, face.updated_at, self._age_margin, self._patience_s)
        gender = (
            face.gender.choose(genders, face.updated_at, self._gender_margin, self._patience_s)
            if len(genders)
            else None
        )
        mean = Prediction(age=ages.astype(np.float32), gender=genders.astype(np.float32))
        return Label(
            age=self._ages[age],
            age_confidence=float(mean.age[age]),
            gender="" if gender is None else self._genders[gender],
            gender_confidence=0.0 if gender is None else float(mean.gender[gender]),
            prediction=mean,
            updated_at=face.updated_at,
            samples=face.samples,
        )

    def forget(self, keep: Collection[int]) -> None:
        """Drop all faces but those with these track ids."""
        self._faces = {track_id: face for track_id, face in self._faces.items() if track_id in keep}

    def reset(self) -> None:
        """Drop all faces."""
        self._faces = {}


def without_gender(label: Label) -> Label:
    """The label with nothing in it about gender, as if that had not been computed."""
    prediction = Prediction(label.prediction.age, np.zeros(0, np.float32))
    return replace(label, gender="", gender_confidence=0.0, prediction=prediction)


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
    """A fading weighted mean of probability vectors, and the index that is shown."""

    def __init__(self, classes: int) -> None:
        # One row for crops as they are, one for mirror images.
        self._sums = np.zeros((2, classes), np.float64)
        self._weights = np.zeros(2, np.float64)
        self._shown: int | None = None
        self._challenged: tuple[int, float] | None = None

    def add(
        self, probabilities: NDArray[np.float32], weight: float, decay: float, *, mirrored: bool
    ) -> NDArray[np.float64]:
        self._sums *= decay
        self._weights *= decay
        self._sums[int(mirrored)] += weight * probabilities.astype(np.float64)
        self._weights[int(mirrored)] += weight
        # What one side said long ago, or of a far worse crop, must not be half of the answer.
        counting = self._weights > FAINT * self._weights.max()
        means = self._sums[counting] / self._weights[counting, None]
        return np.asarray(means.mean(axis=0), np.float64)

    def choose(self, mean: NDArray[np.float64], at: float, margin: float, patience_s: float) -> int:
        best = int(np.argmax(mean))
        if self._shown is None or best == self._shown:
            self._shown, self._challenged = best, None
            return best
        if self._challenged is None or self._challenged[0] != best:
            self._challenged = best, at
        if mean[best] - mean[self._shown] > margin or at - self._challenged[1] >= patience_s:
            self._shown, self._challenged = best, None
        return self._shown


@dataclass(slots=True)
class _Face:
    age: _Average
    gender: _Average
    updated_at: float
    samples: int = 0
