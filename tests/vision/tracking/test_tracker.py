"""Stable ids and steady boxes, on simulated paths."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.vision.detection.blazeface import Detection, shifted
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track, Tracker

Path = Callable[[float], tuple[float, float] | None]


def face(x: float, y: float, size: float = 100.0, score: float = 0.9) -> Detection:
    """A face whose box is centred on (x, y)."""
    marks = [(-0.2, -0.2), (0.2, -0.2), (0, 0.05), (0, 0.25), (-0.45, -0.1), (0.45, -0.1)]
    points = [Point(x + dx * size, y + dy * size) for dx, dy in marks]
    return Detection(Box(x - size / 2, y - size / 2, size, size), score, Landmarks(*points))


def moments(seconds: float, rate: float = 30.0) -> list[float]:
    return [index / rate for index in range(round(seconds * rate))]


def follow(tracker: Tracker, paths: Sequence[Path], times: Sequence[float], size: float = 100.0) -> list[set[int]]:
    """The ids that each path had while it was seen."""
    ids: list[set[int]] = [set() for _ in paths]
    for at in times:
        places = [path(at) for path in paths]
        tracks = tracker.update([face(*place, size) for place in places if place is not None], at)
        for place, seen in zip(places, ids, strict=True):
            if place is not None:
                seen.add(nearest(tracks, place).id)
    return ids


def nearest(tracks: Sequence[Track], place: tuple[float, float]) -> Track:
    seen = [track for track in tracks if track.missed == 0]
    return min(seen, key=lambda track: math.dist(track.detection.box.center, place))


def test_each_new_face_gets_the_next_id_at_once() -> None:
    tracks = Tracker().update([face(100, 100), face(500, 100)], 0.0)
    assert [track.id for track in tracks] == [1, 2]
    assert all(track.hits == 1 and track.missed == 0 for track in tracks)
    assert all(track.first_seen_at == track.last_seen_at == 0.0 for track in tracks)


def test_the_first_sighting_is_passed_on_unchanged() -> None:
    detection = face(123.4, 99.9)
    (track,) = Tracker().update([detection], 5.0)
    assert track.detection.score == detection.score
    assert track.detection.box.center == pytest.approx(detection.box.center)
    assert track.detection.landmarks.nose == pytest.approx(detection.landmarks.nose)


def test_a_moving_face_keeps_its_id_and_counts() -> None:
    tracker = Tracker()
    times = moments(2.0)
    ids = follow(tracker, [lambda at: (100 + 400 * at, 200)], times)
    (track,) = tracker.update([face(900, 200)], 2.0)
    assert ids == [{1}]
    assert track.hits == len(times) + 1
    assert (track.first_seen_at, track.last_seen_at) == (0.0, 2.0)


@pytest.mark.parametrize("speed", [150, 400, 900])
def test_crossing_faces_that_stay_visible_keep_their_ids(speed: float) -> None:
    half = 400 / speed
    paths: list[Path] = [lambda at: (100 + speed * at, 200), lambda at: (900 - speed * at, 255)]
    ids = follow(Tracker(), paths, moments(2 * half))
    assert ids == [{1}, {2}]


@pytest.mark.parametrize("rate", [10, 30])
def test_a_face_hidden_behind_another_one_gets_its_id_back(rate: float) -> None:
    def behind(at: float) -> tuple[float, float] | None:
        x = 900 - 300 * at
        return None if abs(x - (100 + 300 * at)) < 90 else (x, 210)

    ids = follow(Tracker(), [lambda at: (100 + 300 * at, 200), behind], moments(2.5, rate))
    assert ids == [{1}, {2}]


def test_sizes_tell_faces_apart_that_meet() -> None:
    tracker = Tracker()
    tracker.update([face(300, 300, 160), face(340, 300, 100)], 0.0)
    tracks = tracker.update([face(330, 300, 100), face(310, 300, 160)], 0.1)
    assert [round(track.detection.box.width, -1) for track in tracks] == [160, 100]


def test_the_assignment_is_the_best_one_not_the_greedy_one() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100), face(180, 100)], 0.0)
    # The first face's new place is nearest to the second's old one; both moved by 70.
    tracks = tracker.update([face(170, 100), face(250, 100)], 0.2)
    assert [track.hits for track in tracks] == [2, 2]
    assert tracks[0].detection.box.x < tracks[1].detection.box.x


@settings(deadline=None)
@given(st.permutations(range(6)), st.integers(0, 1000))
def test_the_order_of_detections_does_not_matter(order: list[int], seed: int) -> None:
    chance = random.Random(seed)
    places = [(150.0 * column, 150.0 * row) for row, column in itertools.product(range(2), range(3))]
    moved = [(x + chance.uniform(-25, 25), y + chance.uniform(-25, 25)) for x, y in places]
    tracker = Tracker()
    first = tracker.update([face(*place) for place in places], 0.0)
    second = tracker.update([face(*moved[index]) for index in order], 1 / 30)
    by_id = {track.id: track for track in second}
    for track in first:
        old = track.detection.box.center
        place = moved[places.index((round(old.x), round(old.y)))]
        assert math.dist(by_id[track.id].detection.box.center, place) < math.dist(old, place) + 1e-9
        assert by_id[track.id].hits == 2
    assert len(second) == 6


def test_dropouts_keep_the_id_and_coast_along_the_path() -> None:
    tracker = Tracker()
    for at in moments(1.0):
        tracker.update([face(100 + 300 * at, 200)], at)
    for missed in range(1, 13):
        at = 29 / 30 + missed / 30
        (track,) = tracker.update([], at)
        assert (track.id, track.missed) == (1, missed)
        assert track.missed_s == pytest.approx(missed / 30)
        assert track.last_seen_at == pytest.approx(29 / 30)
        assert track.detection.box.center.x == pytest.approx(100 + 300 * at, abs=15)
    (track,) = tracker.update([face(100 + 300 * 1.4, 200)], 1.4)
    assert (track.id, track.missed, track.missed_s) == (1, 0, 0.0)


def test_a_track_ends_after_its_time_and_its_id_is_not_used_again() -> None:
    tracker = Tracker(max_missed_s=0.5)
    for at in moments(0.5):
        tracker.update([face(100, 100)], at)
    assert [track.id for track in tracker.update([], 0.9)] == [1]
    assert tracker.update([], 1.1) == []
    assert [track.id for track in tracker.update([face(100, 100)], 1.2)] == [2]


def test_what_was_seen_once_coasts_only_briefly() -> None:
    tracker = Tracker(max_missed_s=1.0)
    tracker.update([face(100, 100)], 0.0)
    assert len(tracker.update([], 0.2)) == 1
    assert tracker.update([], 0.4) == []


def test_a_far_face_is_a_new_one() -> None:
    tracker = Tracker()
    for at in moments(0.3):
        tracker.update([face(100, 100)], at)
    tracks = tracker.update([face(600, 100)], 0.3)
    assert [(track.id, track.missed > 0) for track in tracks] == [(1, True), (2, False)]


def test_a_face_of_quite_another_size_is_a_new_one() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100, 60)], 0.0)
    tracks = tracker.update([face(100, 100, 180)], 1 / 30)
    assert [track.id for track in tracks if track.missed == 0] == [2]


def test_two_detections_of_one_face_are_one_track() -> None:
    tracker = Tracker()
    for at in moments(0.5):
        tracks = tracker.update([face(104, 102, 104, score=0.6), face(100, 100), face(101, 98, 60, score=0.7)], at)
        assert [track.id for track in tracks] == [1]
        assert tracks[0].detection.score == 0.9


def test_faces_side_by_side_are_not_taken_for_duplicates() -> None:
    assert len(Tracker().update([face(100, 100), face(170, 100)], 0.0)) == 2


def test_uneven_frame_times_keep_ids() -> None:
    chance = random.Random(7)
    times = list(itertools.accumulate(chance.choice([0.005, 0.02, 0.033, 0.2]) for _ in range(150)))
    paths: list[Path] = [
        lambda at: (300 + 150 * math.sin(at), 200),
        lambda at: (700 + 100 * math.cos(1.5 * at), 260 + 40 * math.sin(at)),
        lambda at: (500, 600 + 80 * math.sin(2 * at)),
    ]
    ids = follow(Tracker(), paths, times)
    assert sorted(map(sorted, ids)) == [[1], [2], [3]]


def test_a_source_slower_than_the_patience_keeps_ids() -> None:
    times = [1.2 * index for index in range(6)]
    assert follow(Tracker(max_missed_s=1.0), [lambda at: (300 + 10 * at, 200)], times) == [{1}]


def test_random_dropouts_and_noise_keep_ids() -> None:
    chance = random.Random(11)
    tracker = Tracker()
    seen: list[set[int]] = [set(), set(), set()]
    for at in moments(8.0):
        places = [(200 + 100 * math.sin(at + k), 150 + 250 * k + 20 * math.cos(2 * at)) for k in range(3)]
        kept = [(k, place) for k, place in enumerate(places) if chance.random() > 0.2]
        noisy = [face(x + chance.gauss(0, 1.5), y + chance.gauss(0, 1.5)) for _, (x, y) in kept]
        tracks = tracker.update(noisy, at)
        for k, place in kept:
            seen[k].add(nearest(tracks, place).id)
    assert [len(ids) for ids in seen] == [1, 1, 1]


def test_faces_enter_and_leave_without_disturbing_others() -> None:
    paths: list[Path] = [
        lambda at: (200, 200),
        lambda at: (500, 200) if 1 <= at < 2 else None,
        lambda at: (800, 200) if at >= 3 else None,
    ]
    assert follow(Tracker(), paths, moments(4.0)) == [{1}, {2}, {3}]


def test_jitter_of_a_still_face_is_halved() -> None:
    chance = random.Random(3)
    tracker = Tracker()
    raw, steady, eyes = [], [], []
    for at in moments(5.0):
        detection = shifted(face(300, 300, 150), chance.gauss(0, 1), chance.gauss(0, 1))
        (track,) = tracker.update([detection], at)
        raw.append(detection.box.center.x - 300)
        steady.append(track.detection.box.center.x - 300)
        eyes.append(track.detection.landmarks.left_eye.x - (300 + 0.2 * 150))
    assert rms(steady[30:]) < 0.6 * rms(raw[30:])
    assert rms(eyes[30:]) < 0.6 * rms(raw[30:])


def test_a_moving_face_is_followed_without_visible_lag() -> None:
    tracker = Tracker()
    lag = 0.0
    for at in moments(3.0):
        x = 300 + 150 * math.sin(2 * at)
        (track,) = tracker.update([face(x, 200, 150)], at)
        lag = max(lag, abs(track.detection.box.center.x - x))
    assert lag < 0.05 * 150


def test_the_filter_can_be_switched_off() -> None:
    tracker = Tracker(min_cutoff_hz=math.inf)
    tracker.update([face(100, 100)], 0.0)
    (track,) = tracker.update([face(107, 93)], 0.01)
    assert track.detection.box.center == pytest.approx((107, 93))


def test_two_frames_at_one_moment_are_no_division_by_zero() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 1.0)
    (track,) = tracker.update([face(103, 100)], 1.0)
    assert (track.id, track.hits) == (1, 2)
    assert math.isfinite(track.detection.box.x)


def test_time_that_runs_backwards_ends_all_tracks() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 10.0)
    assert [track.id for track in tracker.update([face(100, 100)], 2.0)] == [2]


def test_reset_ends_all_tracks_and_goes_on_counting() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 1.0)
    tracker.reset()
    assert [track.id for track in tracker.update([face(100, 100)], 1.1)] == [2]


def test_an_empty_box_does_no_harm() -> None:
    tracker = Tracker()
    empty = Detection(Box(5, 5, 0, 0), 0.5, face(5, 5).landmarks)
    tracker.update([empty, face(200, 200)], 0.0)
    tracks = tracker.update([empty, face(200, 200)], 0.1)
    real = nearest(tracks, (200, 200))
    assert (real.hits, real.missed) == (2, 0)


def test_the_same_input_gives_the_same_tracks() -> None:
    def run() -> list[list[Track]]:
        chance = random.Random(5)
        tracker = Tracker()
        frames = []
        for at in moments(2.0):
            found = [face(200 * k + chance.gauss(0, 9), 200 + chance.gauss(0, 9)) for k in range(5)]
            frames.append(tracker.update([one for one in found if chance.random() > 0.3], at))
        return frames

    assert run() == run()


def rms(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))
