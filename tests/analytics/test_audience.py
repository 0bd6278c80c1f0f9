from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.analytics.audience import MOST_BINS, arrivals_by_minute, count, summarise
from tests.helpers.visitors import face, label, manifest, visit

CHILD = label(0.9, 0.05, 0.05, female=0.2)
ADULT = label(0.1, 0.8, 0.1)
UNSURE = label(0.34, 0.33, 0.33, female=0.55)
CONFUSION = (np.eye(6, dtype=int) * 80 + 4).tolist()
spans = st.tuples(st.floats(0, 50), st.floats(0.3, 20)).map(lambda pair: (pair[0], sum(pair)))


def test_visits_are_counted_by_what_is_shown_of_them() -> None:
    visits = [visit(1, 0, 4, CHILD), visit(2, 1, 2, ADULT), visit(3, 1, 3, UNSURE), visit(4, 5, 6), visit(5, 5, 5.1)]
    audience = summarise(visits, manifest(CONFUSION), frames=100, duration_s=10)
    assert (audience.visits, audience.brief, audience.unanswered) == (4, 1, 1)
    assert [(one.name, one.sure, one.unsure) for one in audience.ages] == [
        ("0-19", 1, 1),
        ("20-59", 1, 0),
        ("60+", 0, 0),
    ]
    assert [(one.name, one.sure, one.unsure) for one in audience.genders] == [("Male", 1, 0), ("Female", 1, 1)]
    assert [one.expected for one in audience.ages] == pytest.approx([1.34, 1.18, 0.48])
    assert (audience.unsure_ages, audience.unsure_genders) == (1, 1)
    assert [[cell.sure for cell in row] for row in audience.cells] == [[1, 0], [0, 1], [0, 0]]
    assert audience.most_at_once == 3
    assert audience.times_in_view is not None
    assert audience.times_in_view.median_s == pytest.approx(1.5)
    assert audience.times_in_view.longest_s == 4


def test_without_a_measured_model_there_is_no_interval() -> None:
    measured = summarise([visit(1, 0, 4, CHILD)], manifest(CONFUSION), frames=9, duration_s=9).ages[0]
    assert (measured.low, measured.high) != (None, None)
    assert summarise([visit(1, 0, 4, CHILD)], manifest(), frames=9, duration_s=9).ages[0].low is None


def test_without_gender_nothing_is_said_of_it() -> None:
    said = label(0.9, 0.05, 0.05, female=None)
    audience = summarise([visit(1, 0, 4, said)], manifest(CONFUSION), frames=9, duration_s=9)
    assert (audience.genders, audience.cells, audience.unsure_genders) == ((), (), 0)
    assert audience.bins[0].genders == ()
    assert audience.ages[0].high == 1


def test_pictures_are_counted_instead_of_time() -> None:
    faces = [face(1, 0, CHILD), face(2, 0, ADULT), face(3, 4, ADULT)]
    audience = summarise(faces, manifest(CONFUSION), frames=5, duration_s=0)
    assert (audience.visits, audience.brief, audience.pictures_with_faces, audience.frames) == (3, 0, 2, 5)
    assert (audience.bins, audience.times_in_view) == ((), None)


def test_audiences_that_were_counted_apart_add_up() -> None:
    known = manifest(CONFUSION)
    film = [visit(1, 0, 4, CHILD), visit(2, 1, 2, ADULT), visit(3, 1, 3, UNSURE), visit(4, 5, 6)]
    pictures = [face(5, 0, ADULT), face(6, 0, CHILD)]
    parts = [
        count(film[:2], known, frames=60, duration_s=6),
        count(film[2:], known, frames=40, duration_s=4),
        count(pictures, known, frames=1, duration_s=0),
        count([], known, frames=3, duration_s=0),
    ]
    added = sum(parts[1:], start=parts[0]).audience(known)
    whole = summarise([*film, *pictures], known, frames=104, duration_s=10)
    assert [replace(one, expected=0.0) for one in added.ages] == [replace(one, expected=0.0) for one in whole.ages]
    assert [one.expected for one in added.genders] == pytest.approx([one.expected for one in whole.genders])
    assert added.cells[0][1].high == whole.cells[0][1].high
    assert replace(added, ages=(), genders=(), cells=()) == replace(
        whole, ages=(), genders=(), cells=(), bins=(), most_at_once=2
    )


def test_nobody_is_an_audience_too() -> None:
    audience = summarise([], manifest(CONFUSION), frames=5, duration_s=2)
    assert (audience.visits, audience.bins) == (0, ())
    assert [(one.low, one.high) for one in audience.ages] == [(0, 0)] * 3


@settings(max_examples=30, deadline=None)
@given(st.lists(spans, min_size=1, max_size=12), st.floats(0, 100))
def test_the_parts_of_a_session_add_up(times: list[tuple[float, float]], duration_s: float) -> None:
    visits = [visit(index, begin, end, ADULT) for index, (begin, end) in enumerate(times, 1)]
    bins = summarise(visits, manifest(), frames=1, duration_s=duration_s).bins
    assert len(bins) <= MOST_BINS
    assert sum(one.arrivals for one in bins) == len(visits)
    assert sum(sum(one.ages) + one.unsure_ages for one in bins) == len(visits)
    assert sum(one.mean_present * (one.end_s - one.start_s) for one in bins) == pytest.approx(
        sum(one.time_in_view_s for one in visits)
    )
    assert [one.start_s for one in bins[1:]] == [one.end_s for one in bins[:-1]]
    for moment in np.linspace(0, bins[-1].end_s, 50)[:-1]:
        present = sum(one.first_seen_s <= moment <= one.last_seen_s for one in visits)
        assert present <= max(one.most_present for one in bins)


def test_arrivals_are_counted_by_minute() -> None:
    visits = [visit(1, 0, 4), visit(2, 61, 62), visit(3, 119, 121), visit(4, 121, 121.1), visit(5, 185, 186)]
    assert arrivals_by_minute(visits, 190, most=15) == (1, 2, 0, 1)
    assert arrivals_by_minute(visits, 190, most=2) == (0, 1)
    assert arrivals_by_minute([face(1, 0, ADULT)], 0, most=15) == (0,)


def test_a_session_of_any_length_has_few_parts() -> None:
    late = visit(1, 0, 1, ADULT)
    assert len(summarise([late], manifest(), frames=1, duration_s=1e9).bins) <= MOST_BINS
