from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.engine.session_audience import SessionAudience, SessionCount
from tests.helpers.shown_frames import ADULT, shown
from tests.helpers.visitors import LABELS, manifest


@pytest.fixture
def audience() -> SessionAudience:
    made = SessionAudience()
    made.use(manifest())
    return made


def counted(audience: SessionAudience) -> SessionCount:
    count = audience.count()
    assert count is not None
    return count


def test_a_film_that_starts_again_counts_once(audience: SessionAudience) -> None:
    for round_of_film in range(3):
        for index in range(10):
            audience.add(shown(index, [1 + round_of_film]), live=False)
    count = counted(audience)
    assert [(one.id, one.frames) for one in count.visits] == [(1, 10)]
    assert (count.audience.frames, count.audience.duration_s, count.began_at) == (10, 0.9, None)


def test_the_films_of_a_list_count_one_after_the_other_and_each_frame_once(audience: SessionAudience) -> None:
    for entry, track_id in ((0, 1), (1, 2), (0, 3), (1, 4)):
        for index in range(10):
            audience.add(shown(index, [track_id], entry=entry), live=False)
    count = counted(audience)
    assert [(one.id, one.first_frame, one.frames) for one in count.visits] == [(1, 0, 10), (2, 0, 10)]
    assert [one.first_seen_s for one in count.visits] == pytest.approx([0, 0.9])
    assert count.audience.frames == 20
    assert count.audience.duration_s == pytest.approx(1.8)


def test_what_was_passed_over_counts_when_it_is_shown(audience: SessionAudience) -> None:
    for index, track_id in [(0, 1), (1, 1), (8, 2), (9, 2), (0, 3), (1, 3), (2, 3), (3, 3)]:
        audience.add(shown(index, [track_id]), live=False)
    assert [(one.id, one.first_frame, one.frames) for one in counted(audience).visits] == [
        (1, 0, 2),
        (2, 8, 2),
        (3, 2, 2),
    ]


def test_a_picture_that_is_drawn_again_counts_once_with_its_last_labels(audience: SessionAudience) -> None:
    for said in (None, None, ADULT, ADULT):
        audience.add(shown(0, [1, 2], said=said, alone=True), live=False)
        assert len(counted(audience).visits) == 2
    count = counted(audience)
    assert [one.frames for one in count.visits] == [1, 1]
    assert (count.audience.visits, count.audience.unanswered, count.audience.ages[1].sure) == (2, 0, 2)
    assert count.audience.bins == ()


def test_a_camera_is_counted_from_its_first_picture(audience: SessionAudience) -> None:
    for index in range(30):
        audience.add(shown(index % 10, [1], at=5000 + index), live=True)
    count = counted(audience)
    assert [(one.first_seen_s, one.last_seen_s, one.frames) for one in count.visits] == [(0, 29, 30)]
    assert count.began_at is not None


def test_another_model_begins_anew(audience: SessionAudience) -> None:
    audience.add(shown(0, [1]), live=True)
    audience.use(manifest())
    assert len(counted(audience).visits) == 1
    audience.use(replace(manifest(), name="other"))
    assert audience.count() is None
    audience.add(shown(0, [2]), live=True)
    assert [one.id for one in counted(audience).visits] == [2]
    audience.reset()
    assert audience.count() is None


def test_pictures_before_the_model_count_as_soon_as_it_is_there() -> None:
    audience = SessionAudience()
    audience.add(shown(0, [1], said=None), live=False)
    assert audience.count() is None
    audience.use(manifest())
    assert [one.label for one in counted(audience).visits] == [None]


def test_pictures_go_on_while_visits_are_counted() -> None:
    reached, added = threading.Event(), threading.Event()
    in_time: list[bool] = []

    class SlowLabels(Labels):
        """Takes until a picture was added, the first time that it is asked for its age groups."""

        @property
        def ages(self) -> tuple[AgeLabel, ...]:
            if not reached.is_set():
                reached.set()
                in_time.append(added.wait(10))
            return LABELS.ages

    audience = SessionAudience()
    for index in range(3):
        audience.add(shown(index, [1 if index < 2 else 2]), live=True)
    labels = object.__new__(SlowLabels)
    object.__setattr__(labels, "genders", LABELS.genders)
    audience.use(replace(manifest(), labels=labels))
    counts: list[SessionCount | None] = []
    counting = threading.Thread(target=lambda: counts.append(audience.count()))
    counting.start()
    assert reached.wait(10)
    audience.add(shown(3, [2]), live=True)
    added.set()
    counting.join()
    assert in_time == [True]
    (count,) = counts
    assert count is not None
    # What is followed was copied: the picture that came meanwhile is not in it.
    assert [(one.id, one.frames) for one in count.visits] == [(1, 2), (2, 1)]
