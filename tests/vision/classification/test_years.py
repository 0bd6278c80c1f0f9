from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.catalogue.catalogue import AgeLabel
from desktop_app.vision.classification.years import Years, estimate_years

AGES = (AgeLabel("0-9", 0, 9), AgeLabel("10-29", 10, 29), AgeLabel("40+", 40))


def years_of(*shares: float) -> Years:
    return estimate_years(np.array(shares, np.float32), AGES)


def test_the_range_leaves_out_a_tenth_at_each_end() -> None:
    assert years_of(1, 0, 0) == Years(4.5, 1, 8)
    assert years_of(0, 1, 0) == Years(19.5, 12, 27)


def test_an_open_group_ends_ten_years_after_it_begins() -> None:
    assert years_of(0, 0, 1) == Years(45.0, 41, 49)


def test_no_year_between_groups_is_likely() -> None:
    assert years_of(0, 0.91, 0.09).high == 29
    assert years_of(0, 0.89, 0.11).high == 40


def test_groups_that_overlap_keep_the_order_of_years() -> None:
    ages = (AgeLabel("young", 0, 40), AgeLabel("old", 20, 60))
    found = estimate_years(np.array([0.5, 0.5], np.float32), ages)
    assert found.low < 20 < found.high <= 60


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda shares: sum(shares) > 0.1))
def test_the_range_is_ordered_and_within_the_groups(shares: list[float]) -> None:
    values = np.array(shares) / sum(shares)
    found = years_of(*values)
    assert 0 <= found.low <= found.high <= 50
    assert found.expected == pytest.approx(float(values @ [4.5, 19.5, 45.0]), abs=1e-4)
