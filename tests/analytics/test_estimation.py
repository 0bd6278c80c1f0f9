from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from desktop_app.analytics.estimation import draw_true_counts, interval

# A hundred measured faces of each of three groups; the last one is mostly taken for the middle one.
CONFUSION = np.array([[90, 10, 0], [5, 90, 5], [0, 70, 30]])
counts = arrays(np.int64, 3, elements=st.integers(0, 200))


@settings(max_examples=25, deadline=None)
@given(counts)
def test_all_that_were_counted_are_somewhere(counted: np.ndarray) -> None:
    draws = draw_true_counts(counted, CONFUSION)
    assert (draws.sum(axis=1) == counted.sum()).all()
    assert draws.min() >= 0


def test_the_same_counts_give_the_same_interval() -> None:
    one, other = (draw_true_counts(np.array([3, 5, 1]), CONFUSION) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_model_that_is_always_right_leaves_no_doubt() -> None:
    draws = draw_true_counts(np.array([4, 0, 9]), np.eye(3, dtype=np.int64) * 100_000)
    assert [interval(draws[:, group]) for group in range(3)] == [(4, 4), (0, 0), (9, 9)]


def test_a_model_that_was_hardly_measured_says_less() -> None:
    counted = np.array([20, 20, 20])
    widths = []
    for confusion in (CONFUSION, CONFUSION // 10):
        low, high = interval(draw_true_counts(counted, confusion)[:, 0])
        widths.append(high - low)
    assert widths[0] < widths[1]


@pytest.mark.parametrize("true", [[60, 0, 0], [0, 0, 60], [20, 20, 20], [0, 10, 2]])
def test_the_truth_lies_in_the_interval_whoever_was_there(true: list[int]) -> None:
    random = np.random.default_rng(1)
    rates = CONFUSION / 100
    inside = []
    for _ in range(20):
        counted = sum(random.multinomial(count, rate) for count, rate in zip(true, rates, strict=True))
        draws = draw_true_counts(np.asarray(counted, np.int64), CONFUSION)
        inside += [low <= count <= high for count, (low, high) in zip(true, map(interval, draws.T), strict=True)]
    assert np.mean(inside) > 0.9
