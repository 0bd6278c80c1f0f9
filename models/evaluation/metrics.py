"""Metrics: accuracy, calibration and confusion, overall and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import Labels
from desktop_app.vision.classification.years import estimate_years

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

CALIBRATION_BINS: Final = 15
MIN_GROUP: Final = 20
"""A group with fewer labels is listed but not compared: its rate says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Predictions and truths of N faces.

    Attributes:
        age: N×A float32 probabilities.
        gender: N×G float32 probabilities.
        age_target: N int64, index of the age group; -1 where it is unknown.
        gender_target: N int64, index of the gender; -1 where it is unknown.
        years: N float32, age in years where it is known exactly, else NaN.
        race: N texts, empty where it is unknown.
        pose: N texts, "front", "turned", or empty where it is unknown.
    """

    age: Floats
    gender: Floats
    age_target: Integers
    gender_target: Integers
    years: Floats
    race: NDArray[np.str_]
    pose: NDArray[np.str_]

    def __len__(self) -> int:
        """How many faces."""
        return len(self.age)


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The accuracies within one group of people; NaN where nothing is labelled.

    Attributes:
        name: of the group.
        count: faces.
        age_exact: share.
        age_within_one: share.
        gender: share.
        ages: faces whose age is labelled.
        genders: faces whose gender is labelled.
    """

    name: str
    count: int
    age_exact: float
    age_within_one: float
    gender: float
    ages: int = 0
    genders: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything measured.

    Attributes:
        scores: name to number; what could not be measured is absent.
        groups: kind of group (`age`, `gender`, `race`, `pose`, `race and age`) to the groups' scores.
        gaps: kind of group to measure to the difference of its best and worst group.
        age_confusion: A×A counts, row truth, column prediction.
        gender_confusion: G×G counts.
        joint_confusion: AG×AG counts of the faces whose age and gender are both labelled, by age group and within it
            by gender.
    """

    scores: Mapping[str, float]
    groups: Mapping[str, Sequence[GroupScore]]
    gaps: Mapping[str, Mapping[str, float]]
    age_confusion: Integers
    gender_confusion: Integers
    joint_confusion: Integers
    labels: Labels = field(repr=False)


def measure(answers: Answers, labels: Labels) -> Report:
    """Measure predictions.

    `worst_group_gender` is the lowest gender accuracy of a race or gender group of at least 20 labelled faces; the age
    groups, among them infants, whose gender people cannot see either, are in their own table.
    """
    groups = _groups(answers, labels)
    scores = _overall(answers, labels)
    compared = [one.gender for kind in ("race", "gender") for one in groups.get(kind, ()) if one.genders >= MIN_GROUP]
    if compared:
        scores["worst_group_gender"] = min(compared)
    return Report(
        scores=scores,
        groups=groups,
        gaps={kind: _gaps(rows) for kind, rows in groups.items()},
        age_confusion=confusion(answers.age, answers.age_target),
        gender_confusion=confusion(answers.gender, answers.gender_target),
        joint_confusion=_joint_confusion(answers),
        labels=labels,
    )


def confusion(probabilities: Floats, targets: Integers) -> Integers:
    """K×K counts of N×K probabilities against N targets (-1: unknown): row truth, column the most probable class."""
    classes = probabilities.shape[1]
    known = targets >= 0
    flat = targets[known] * classes + probabilities[known].argmax(axis=1)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def _joint_confusion(answers: Answers) -> Integers:
    genders = answers.gender.shape[1]
    known = (answers.age_target >= 0) & (answers.gender_target >= 0)
    targets = np.where(known, answers.age_target * genders + answers.gender_target, -1)
    both = answers.age[:, :, None] * answers.gender[:, None, :]
    return confusion(both.reshape(len(answers), -1), targets)


def calibration_error(probabilities: Floats, targets: Integers) -> float:
    """Expected calibration error: mean distance of confidence from accuracy over 15 bins (Guo et al., ICML 2017)."""
    known = targets >= 0
    confidence = probabilities[known].max(axis=1)
    right = probabilities[known].argmax(axis=1) == targets[known]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for one in range(CALIBRATION_BINS):
        inside = bins == one
        if inside.any():
            error += abs(float(confidence[inside].mean() - right[inside].mean())) * float(inside.mean())
    return error


def expected_years(probabilities: Floats, labels: Labels) -> Floats:
    """N ages in years: the mean of the groups' middles, weighted with their probabilities."""
    middles = np.array([label.middle for label in labels.ages], np.float32)
    return np.asarray(probabilities @ middles, np.float32)


def range_coverage(answers: Answers, labels: Labels) -> float:
    """How much of the truth the ranges of 80 % hold: 1 for an exact age inside, a share for a labelled group."""
    shares: list[float] = []
    for probabilities, target, years in zip(answers.age, answers.age_target, answers.years, strict=True):
        if target >= 0:
            guess, label = estimate_years(probabilities, labels.ages), labels.ages[target]
            first, last = (label.low, label.last) if np.isnan(years) else (years, years)
            held = min(guess.high, last) - max(guess.low, first) + 1
            shares.append(max(held, 0) / (last - first + 1))
    return float(np.mean(shares))


def _overall(answers: Answers, labels: Labels) -> dict[str, float]:
    whole = score_faces("all", answers)
    scores = {"age_exact": whole.age_exact, "age_within_one": whole.age_within_one, "gender": whole.gender}
    if (answers.age_target >= 0).any():
        scores["age_calibration_error"] = calibration_error(answers.age, answers.age_target)
    if (answers.gender_target >= 0).any():
        scores["gender_calibration_error"] = calibration_error(answers.gender, answers.gender_target)
        scores["age_range_coverage"] = range_coverage(answers, labels)
    exact = ~np.isnan(answers.years)
    if exact.any():
        guess = expected_years(answers.age[exact], labels)
        scores["age_mean_absolute_error"] = float(np.abs(guess - answers.years[exact]).mean())
    return {name: value for name, value in scores.items() if not np.isnan(value)}


def _groups(answers: Answers, labels: Labels) -> dict[str, tuple[GroupScore, ...]]:
    masks: dict[str, list[tuple[str, NDArray[np.bool_]]]] = {
        "age": [(one.name, answers.age_target == index) for index, one in enumerate(labels.ages)],
        "gender": [(name, answers.gender_target == index) for index, name in enumerate(labels.genders)],
        "race": [(str(name), answers.race == name) for name in sorted(set(answers.race)) if name],
        "pose": [(str(name), answers.pose == name) for name in sorted(set(answers.pose)) if name],
    }
    masks["race and age"] = [
        (f"{race}, {age}", in_race & in_age) for race, in_race in masks["race"] for age, in_age in masks["age"]
    ]
    scored = {
        kind: tuple(score_faces(name, answers, mask) for name, mask in rows if mask.any())
        for kind, rows in masks.items()
    }
    return {kind: rows for kind, rows in scored.items() if rows}


def score_faces(name: str, answers: Answers, mask: NDArray[np.bool_] | None = None) -> GroupScore:
    """The accuracies of those faces that are in a mask (N bool), or of all."""
    mask = np.ones(len(answers), bool) if mask is None else mask
    off = np.abs(answers.age.argmax(axis=1) - answers.age_target)[mask & (answers.age_target >= 0)]
    known = mask & (answers.gender_target >= 0)
    right = answers.gender.argmax(axis=1)[known] == answers.gender_target[known]
    return GroupScore(
        name, int(mask.sum()), _mean(off == 0), _mean(off <= 1), _mean(right), ages=len(off), genders=len(right)
    )


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _gaps(rows: Sequence[GroupScore]) -> dict[str, float]:
    gaps: dict[str, float] = {}
    for measure_name in ("age_exact", "age_within_one", "gender"):
        known = "genders" if measure_name == "gender" else "ages"
        values = [getattr(one, measure_name) for one in rows if getattr(one, known) >= MIN_GROUP]
        if len(values) > 1:
            gaps[measure_name] = max(values) - min(values)
    return gaps
