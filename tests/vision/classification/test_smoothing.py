"""What is shown for a face, from predictions that waver."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, make_label
from desktop_app.vision.classification.smoothing import Smoother, crop_weight
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point

LABELS = Labels(
    ages=(AgeLabel("0-19", 0, 19), AgeLabel("20-39", 20, 39), AgeLabel("40+", 40, None)),
    genders=("Male", "Female"),
)


def prediction(young: float, middle: float, female: float) -> Prediction:
    return Prediction(
        age=np.array([young, middle, 1 - young - middle], np.float32),
        gender=np.array([1 - female, female], np.float32),
    )


def take(
    smoother: Smoother, face: int, seen: Prediction, at: float, weight: float = 1.0, *, mirrored: bool = False
) -> Label:
    """The label after one more prediction."""
    smoother.add(face, seen, at, weight, mirrored=mirrored)
    return smoother.label(face)


def gender_of(label: Label) -> str:
    """What is shown of the gender."""
    assert label.gender_answer is not None
    return label.gender_answer.shown


def test_the_first_prediction_is_shown_at_once_as_it_is() -> None:
    label = take(Smoother(LABELS), 1, prediction(0.2, 0.5, 0.55), 3.0)
    assert (label.age, label.gender, label.samples, label.updated_at) == ("20-39", "Female", 1, 3.0)
    assert label.age_confidence == pytest.approx(0.5)
    assert label.gender_confidence == pytest.approx(0.55)
    assert label.prediction.age.dtype == label.prediction.gender.dtype == np.float32


def test_the_confidence_is_the_smoothed_probability_of_what_is_shown() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.1, 0.8, 0.9), 0.0)
    label = take(smoother, 1, prediction(0.1, 0.4, 0.5), 0.0)
    assert label.age_confidence == pytest.approx(0.6)
    assert label.gender_confidence == pytest.approx(0.7)
    assert label.prediction.age[1] == pytest.approx(label.age_confidence)


def test_crops_that_disagree_lower_the_confidence() -> None:
    smoother = Smoother(LABELS)
    for index in range(20):
        label = take(smoother, 1, prediction(0.1, 0.8, 0.98 if index % 2 else 0.02), index / 10)
    assert 0.4 < label.gender_confidence < 0.6


def test_labels_do_not_flicker_between_near_equals() -> None:
    chance = random.Random(1)
    smoother = Smoother(LABELS)
    shown: list[Label] = []
    raw = []
    for index in range(300):
        female, young = 0.5 + chance.gauss(0, 0.15), 0.4 + chance.gauss(0, 0.1)
        raw.append(female > 0.5)
        shown.append(take(smoother, 1, prediction(young, 0.8 - young, female), index / 10))
    assert changes([gender_of(one) for one in shown]) <= 6 < changes(raw)
    assert changes([one.age_answer.shown for one in shown]) <= 6


def changes(values: list[str] | list[bool]) -> int:
    return sum(one != other for one, other in itertools.pairwise(values))


def test_a_face_whose_two_sides_are_answered_differently_does_not_waver() -> None:
    smoother = Smoother(LABELS)
    shown = [
        take(
            smoother,
            1,
            prediction(0.6, 0.2, 0.9) if index % 2 else prediction(0.2, 0.7, 0.3),
            0.6 * index,
            mirrored=index % 2 > 0,
        )
        for index in range(20)
    ]
    settled = shown[1:]
    assert {one.gender for one in settled} == {"Female"}
    assert len({one.age for one in settled}) == 1
    for one in settled:
        assert one.prediction.age == pytest.approx([0.4, 0.45, 0.15], abs=1e-6)
        assert one.prediction.gender == pytest.approx([0.4, 0.6], abs=1e-6)


def test_a_side_that_was_seen_long_ago_or_badly_has_no_say() -> None:
    smoother = Smoother(LABELS, time_constant_s=1.0)
    take(smoother, 1, prediction(0.1, 0.8, 0.0), 0.0, mirrored=True)
    assert take(smoother, 1, prediction(0.1, 0.8, 0.8), 1.0).gender_confidence == pytest.approx(0.6)
    assert take(smoother, 1, prediction(0.1, 0.8, 0.8), 4.0).gender_confidence == pytest.approx(0.8)
    label = take(smoother, 1, prediction(0.1, 0.8, 0.0), 4.0, weight=0.02, mirrored=True)
    assert label.gender_confidence == pytest.approx(0.8)


def test_a_clear_change_is_followed_within_the_time_constant() -> None:
    smoother = Smoother(LABELS, time_constant_s=1.0)
    for index in range(20):
        take(smoother, 1, prediction(0.9, 0.05, 0.05), index / 10)
    label = take(smoother, 1, prediction(0.05, 0.9, 0.95), 2.0)
    assert (label.age, label.gender) == ("0-19", "Male")
    for index in range(21, 31):
        label = take(smoother, 1, prediction(0.05, 0.9, 0.95), index / 10)
    assert (label.age, label.gender) == ("20-39", "Female")


def test_a_small_lead_takes_over_when_it_lasts() -> None:
    smoother = Smoother(LABELS, time_constant_s=0.5, patience_s=3.0)
    for index in range(10):
        take(smoother, 1, prediction(0.42, 0.38, 0.63), index / 10)
    shown = [take(smoother, 1, prediction(0.38, 0.41, 0.59), 1 + index / 10) for index in range(60)]
    assert (shown[9].age_answer.shown, gender_of(shown[9])) == ("0-19", "Female")
    assert (shown[-1].age_answer.shown, gender_of(shown[-1])) == ("20-39", "?")


def test_what_is_held_back_stands_with_the_probabilities_of_the_moment_when_it_last_led() -> None:
    smoother = Smoother(LABELS, time_constant_s=1e-9, patience_s=3.0)
    steps = [(0.44, 0.0), (0.42, 1.0), (0.40, 2.0), (0.39, 4.9), (0.43, 5.0), (0.39, 6.0), (0.36, 7.0), (0.40, 7.5)]
    shown = [take(smoother, 1, prediction(young, 0.82 - young, 0.9), at) for young, at in steps]
    assert [one.age for one in shown] == ["0-19"] * 6 + ["20-39"] * 2
    assert [round(one.age_confidence, 2) for one in shown] == [0.44, 0.42, 0.42, 0.42, 0.43, 0.43, 0.46, 0.42]
    late = take(smoother, 1, prediction(0.43, 0.39, 0.9), 8.0), take(smoother, 1, prediction(0.43, 0.39, 0.9), 11.0)
    assert [(one.age, round(one.age_confidence, 2)) for one in late] == [("20-39", 0.42), ("0-19", 0.43)]


def test_all_looks_at_a_moment_are_averaged_before_one_is_shown() -> None:
    smoother = Smoother(LABELS)
    smoother.add(1, prediction(0.45, 0.40, 0.9), 0.0)
    smoother.add(1, prediction(0.36, 0.44, 0.9), 0.0, mirrored=True)
    label = smoother.label(1)
    assert (label.age, label.samples) == ("20-39", 2)
    assert label.age_confidence == pytest.approx(0.42)


def test_heavier_crops_count_more() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.1, 0.8, 0.1), 0.0, weight=0.1)
    label = take(smoother, 1, prediction(0.1, 0.8, 0.9), 0.0, weight=0.9)
    assert label.gender == "Female"
    assert label.gender_confidence == pytest.approx(0.82)


def test_a_weight_of_nothing_still_gives_an_answer() -> None:
    label = take(Smoother(LABELS), 1, prediction(0.1, 0.8, 0.9), 0.0, weight=0.0)
    assert (label.age, label.gender) == ("20-39", "Female")


def test_old_predictions_fade() -> None:
    smoother = Smoother(LABELS, time_constant_s=1.0)
    take(smoother, 1, prediction(0.1, 0.8, 0.0), 0.0)
    label = take(smoother, 1, prediction(0.1, 0.8, 1.0), 1.0)
    assert label.gender_confidence == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)


def test_a_face_that_comes_back_after_an_hour_is_finite() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.1, 0.8, 0.2), 0.0)
    label = take(smoother, 1, prediction(0.1, 0.8, 0.9), 3600.0)
    assert label.gender_confidence == pytest.approx(0.9)


def test_a_prediction_that_comes_late_does_not_turn_time_back() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.1, 0.8, 0.2), 5.0)
    label = take(smoother, 1, prediction(0.1, 0.8, 0.4), 4.0)
    assert label.updated_at == 5.0
    assert label.gender_confidence == pytest.approx(0.7)


def test_faces_do_not_mix() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.9, 0.05, 0.05), 0.0)
    label = take(smoother, 2, prediction(0.05, 0.9, 0.95), 0.0)
    assert (label.age, label.gender, label.samples) == ("20-39", "Female", 1)


def test_forget_drops_all_but_the_kept() -> None:
    smoother = Smoother(LABELS)
    for track in (1, 2):
        take(smoother, track, prediction(0.9, 0.05, 0.05), 0.0)
    smoother.forget({2})
    assert take(smoother, 1, prediction(0.1, 0.8, 0.9), 0.1).samples == 1
    assert take(smoother, 2, prediction(0.1, 0.8, 0.9), 0.1).samples == 2


def test_reset_drops_all() -> None:
    smoother = Smoother(LABELS)
    take(smoother, 1, prediction(0.9, 0.05, 0.05), 0.0)
    smoother.reset()
    assert take(smoother, 1, prediction(0.1, 0.8, 0.9), 0.1).samples == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 5), st.floats(0, 1)), min_size=1))
def test_probabilities_stay_probabilities(steps: list[tuple[float, float, float, float]]) -> None:
    smoother, at = Smoother(LABELS), 0.0
    for female, young, pause, weight in steps:
        at += pause
        label = take(smoother, 1, prediction(young, 0.5, female), at, weight)
        for probabilities in (label.prediction.age, label.prediction.gender):
            assert probabilities.sum() == pytest.approx(1, abs=1e-5)
            assert probabilities.min() >= 0
        assert label == make_label(label.prediction, LABELS, updated_at=label.updated_at, samples=label.samples)
        assert label.age_confidence == label.prediction.age.max()
        assert label.gender_confidence == label.prediction.gender.max()


def detection(*, size: float = 200, score: float = 1.0, nose: float = 0.0) -> Detection:
    """A face whose nose is `nose` eye distances from the middle between the eyes."""
    points = [Point(-10, 0), Point(10, 0), Point(20 * nose, 12), Point(0, 22), Point(-25, 4), Point(25, 4)]
    return Detection(Box(-size / 2, -size / 2, size, size), score, Landmarks(*points))


def test_a_large_frontal_certain_face_counts_in_full() -> None:
    assert crop_weight(detection()) == pytest.approx(1.0)


@pytest.mark.parametrize("worse", [detection(size=60), detection(score=0.6), detection(nose=0.3), detection(nose=-0.3)])
def test_small_doubtful_and_turned_faces_count_less(worse: Detection) -> None:
    assert 0 < crop_weight(worse) < 0.8


def test_a_profile_counts_little_but_not_nothing() -> None:
    assert 0 < crop_weight(detection(nose=0.9)) < 0.3


def test_a_face_without_extent_counts_almost_nothing() -> None:
    point = Point(5, 5)
    weight = crop_weight(Detection(Box(5, 5, 0, 0), 0.9, Landmarks(*[point] * 6)))
    assert 0 < weight < 0.05
