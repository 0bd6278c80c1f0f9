"""Assignments against SciPy's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from desktop_app.vision.tracking.assignment import assign

LIMIT = 2.0


def total(costs: list[dict[int, float]], pairs: dict[int, int]) -> float:
    return sum(costs[row][column] for row, column in pairs.items()) + LIMIT * (len(costs) - len(pairs))


def best_total(costs: list[dict[int, float]], columns: int) -> float:
    """By SciPy, with a column of its own for each row that is left alone."""
    dense = np.full((len(costs), columns + len(costs)), LIMIT)
    for row, entries in enumerate(costs):
        for column, cost in entries.items():
            dense[row, column] = min(cost, LIMIT)
    rows, places = linear_sum_assignment(dense)
    return float(dense[rows, places].sum())


sparse_rows = st.lists(st.dictionaries(st.integers(0, 7), st.floats(0, 2.5), max_size=6), max_size=9)


@settings(deadline=None)
@given(sparse_rows)
def test_the_total_is_the_smallest_there_is(costs: list[dict[int, float]]) -> None:
    pairs = assign(costs, LIMIT)
    assert len(set(pairs.values())) == len(pairs)
    assert all(costs[row][column] < LIMIT for row, column in pairs.items())
    assert total(costs, pairs) == pytest.approx(best_total(costs, 8))


def test_a_crowd_where_everyone_could_be_everyone_is_solved_too() -> None:
    chance = np.random.default_rng(4)
    for rows, columns in ((30, 30), (30, 20), (20, 30)):
        costs = [dict(enumerate(row)) for row in chance.uniform(0, LIMIT, (rows, columns)).tolist()]
        pairs = assign(costs, LIMIT)
        assert total(costs, pairs) == pytest.approx(best_total(costs, columns))


def test_the_best_total_goes_before_the_best_pair() -> None:
    assert assign([{0: 0.5, 1: 0.1}, {1: 0.3}], LIMIT) == {0: 0, 1: 1}


def test_who_has_no_column_stays_alone() -> None:
    assert assign([{}, {3: LIMIT}, {5: 1.0}], LIMIT) == {2: 5}
    assert assign([], LIMIT) == {}
