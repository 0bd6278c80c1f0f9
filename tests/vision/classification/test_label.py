"""What is said of averaged probabilities, and when it is unsure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Answer, answer_age, answer_gender, make_label

AGES = tuple(
    AgeLabel(f"{low}+" if high is None else f"{low}-{high}", low, high)
    for low, high in ((0, 2), (3, 9), (10, 19), (20, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, None))
)
GENDERS = ("Male", "Female")


def shares(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def age(*values: float) -> Answer:
    return answer_age(shares(*values), AGES)


def test_a_leader_that_is_probable_enough_is_shown_with_its_own_number() -> None:
    answer = age(0, 0, 0.25, 0.36, 0.39, 0, 0, 0, 0)
    assert (answer.leader, answer.shown, answer.members, answer.unsure) == ("30-39", "30-39", (4,), False)
    assert answer.share == answer.confidence == pytest.approx(0.39)


@pytest.mark.parametrize(
    ("values", "shown", "members"),
    [
        ((0, 0, 0.1, 0.33, 0.34, 0.13, 0.1, 0, 0), "20-39", (3, 4)),
        ((0, 0, 0.1, 0.2, 0.34, 0.3, 0.06, 0, 0), "30-49", (4, 5)),
        ((0, 0, 0, 0, 0, 0.2, 0.12, 0.34, 0.34), "60+", (7, 8)),
        ((0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0, 0, 0), "0-19", (0, 1, 2)),
        # The second most probable group is not beside the leader: the run goes on to it.
        ((0, 0, 0.32, 0.14, 0.31, 0.12, 0.11, 0, 0), "10-39", (2, 3, 4)),
    ],
)
def test_an_unsure_age_is_the_smallest_run_of_groups_that_holds_the_leader_and_a_clear_majority(
    values: tuple[float, ...], shown: str, members: tuple[int, ...]
) -> None:
    answer = age(*values)
    assert (answer.shown, answer.members, answer.unsure) == (shown, members, True)
    assert answer.share == pytest.approx(sum(values[index] for index in members))
    assert answer.confidence == pytest.approx(max(values))


def test_where_only_all_groups_are_a_majority_nothing_is_claimed() -> None:
    three = (AgeLabel("a", 0, 19), AgeLabel("b", 20, 39), AgeLabel("c", 40, None))
    answer = answer_age(shares(0.34, 0.2, 0.34), three)
    assert (answer.leader, answer.shown, answer.share, answer.members) == ("a", "?", None, ())


def test_a_span_names_its_first_and_last_year_whatever_the_groups_are_called() -> None:
    named = (AgeLabel("child", 0, 12), AgeLabel("teen", 13, 19), AgeLabel("adult", 20, 64), AgeLabel("old", 65, None))
    assert answer_age(shares(0.1, 0.31, 0.32, 0.27), named).shown == "13-64"
    assert answer_age(shares(0.1, 0.27, 0.31, 0.32), named).shown == "20+"


@pytest.mark.parametrize(
    ("female", "shown"), [(0.9, "Female"), (0.6, "Female"), (0.59, "?"), (0.41, "?"), (0.4, "Male")]
)
def test_a_gender_below_the_threshold_is_unsure(female: float, shown: str) -> None:
    answer = answer_gender(shares(1 - female, female), GENDERS)
    assert (answer.shown, answer.unsure) == (shown, shown == "?")
    assert answer.leader == ("Female" if female > 0.5 else "Male")
    assert answer.confidence == pytest.approx(max(female, 1 - female))


def test_a_model_with_one_class_is_never_unsure() -> None:
    label = make_label(Prediction(shares(1), shares(1)), Labels(AGES[3:4], ("Person",)))
    assert (label.age, label.gender, label.unsure) == ("20-29", "Person", "")


def test_a_label_says_which_answers_are_unsure() -> None:
    unsure_age = (0, 0, 0.1, 0.33, 0.34, 0.13, 0.1, 0, 0)
    sure_age = (0, 0, 0, 1, 0, 0, 0, 0, 0)
    cases = {(sure_age, 0.9): "", (unsure_age, 0.9): "age", (sure_age, 0.5): "gender", (unsure_age, 0.5): "age gender"}
    for (ages, female), unsure in cases.items():
        prediction = Prediction(shares(*ages), shares(1 - female, female))
        assert make_label(prediction, Labels(AGES, GENDERS)).unsure == unsure


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9).filter(lambda values: sum(values) > 0.01))
def test_what_is_shown_holds_the_leader_and_has_its_own_number(values: list[float]) -> None:
    probabilities = np.array(values, np.float32) / np.float32(sum(values))
    answer = answer_age(probabilities, AGES[: len(values)])
    assert answer.confidence == probabilities.max()
    if answer.share is not None:
        assert int(probabilities.argmax()) in answer.members
        assert answer.share == pytest.approx(float(probabilities[list(answer.members)].sum()), abs=1e-6)
        assert answer.members == tuple(range(answer.members[0], answer.members[-1] + 1))
