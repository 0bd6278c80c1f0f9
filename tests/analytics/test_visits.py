from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.analytics.visits import VisitLog
from desktop_app.vision.geometry import Box
from tests.helpers.visitors import LABELS, label, track, visit

CHILD, ADULT = label(0.9, 0.05, 0.05), label(0.1, 0.8, 0.1)


def test_a_visit_lasts_from_the_first_sighting_to_the_last() -> None:
    log = VisitLog()
    for frame, missed in enumerate([0, 0, 3, 0, 5]):
        log.add(frame, frame / 2, "film.mp4", [track(7, missed=missed)], {})
    (one,) = log.visits(LABELS)
    assert (one.id, one.file, one.first_frame, one.last_frame, one.frames) == (7, "film.mp4", 0, 3, 3)
    assert (one.first_seen_s, one.last_seen_s, one.time_in_view_s) == (0, 1.5, 1.5)
    assert one.label is None
    assert not one.brief


def test_the_label_of_a_visit_is_made_of_the_mean_probabilities() -> None:
    log = VisitLog()
    for frame, said in enumerate([None, CHILD, ADULT, ADULT]):
        log.add(frame, frame, "film.mp4", [track(1, box=Box(frame, 0, 10, 20))], {1: said} if said else {})
    (one,) = log.visits(LABELS)
    assert one.label is not None
    assert one.label.prediction.age == pytest.approx([1.1 / 3, 1.65 / 3, 0.25 / 3])
    assert one.label.prediction.gender == pytest.approx([0.1, 0.9])
    assert (one.label.age, one.label.gender, one.label.unsure) == ("20-59", "Female", "")
    assert one.box == Box(1.5, 0, 10, 20)


def test_a_visit_between_two_groups_is_unsure() -> None:
    said = visit(1, 0, 1, label(0.34, 0.33, 0.33, female=0.5)).label
    assert said is not None
    assert said.unsure == "age gender"
    shown = visit(1, 0, 1, label(0.34, 0.33, 0.33, female=0.5))
    assert (shown.age_shown, shown.gender_shown) == ("0-59", "?")


def test_classes_of_another_model_begin_a_new_mean() -> None:
    log = VisitLog()
    log.add(0, 0, "film.mp4", [track(1)], {1: label(0, 0, 1, female=None)})
    log.add(1, 1, "film.mp4", [track(1)], {1: CHILD})
    said = log.visits(LABELS)[0].label
    assert said is not None
    assert (said.age, said.gender) == ("0-19", "Female")


def test_a_face_of_a_moving_picture_that_is_hardly_seen_is_brief() -> None:
    assert visit(1, 0, 0.1).brief
    assert not visit(1, 0, 0.2).brief
    log = VisitLog()
    log.add(0, 0, "a.png", [track(1)], {}, still=True)
    assert not log.visits(LABELS)[0].brief


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), unique=True), max_size=30))
def test_every_sighting_is_in_one_visit(frames: list[list[int]]) -> None:
    log = VisitLog()
    for index, ids in enumerate(frames):
        log.add(index, index / 5, "film.mp4", [track(one) for one in ids], dict.fromkeys(ids, ADULT))
    visits = log.visits(LABELS)
    assert [one.id for one in visits] == sorted({one for ids in frames for one in ids})
    assert sum(one.frames for one in visits) == sum(map(len, frames))
    assert len(log) == len(visits)
    for one in visits:
        seen = [index for index, ids in enumerate(frames) if one.id in ids]
        assert (one.first_frame, one.last_frame) == (seen[0], seen[-1])
        assert one.label is not None
        assert np.allclose(one.label.prediction.age, ADULT.prediction.age, atol=1e-6)


def test_a_fork_leaves_the_log_as_it_is() -> None:
    log = VisitLog()
    log.add(0, 0, "film.mp4", [track(1), track(2)], {})
    other = log.fork([1])
    other.add(1, 1, "film.mp4", [track(1), track(3)], {})
    assert [(one.id, one.frames) for one in log.visits(LABELS)] == [(1, 1), (2, 1)]
    assert [(one.id, one.frames) for one in other.visits(LABELS)] == [(1, 2), (2, 1), (3, 1)]
    log.add(1, 1, "film.mp4", [track(2)], {})
    assert [(one.id, one.frames) for one in log.visits(LABELS)] == [(1, 1), (2, 2)]
