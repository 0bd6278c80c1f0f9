from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from desktop_app.engine.analysis import (
    SETTLED_EVERY_S,
    SETTLED_PER_S,
    UNSETTLED_EVERY_S,
    CropChooser,
    CropSpec,
    mirrored,
    render_frame,
)
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.face_alignment import crop_face
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

SPEC = CropSpec(64, 1.15)


def make_track(track_id: int, *, x: float = 100, size: float = 80, missed: int = 0) -> Track:
    at = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.5, 0.8), (0.1, 0.45), (0.9, 0.45)]
    marks = Landmarks(*(Point(x + size * dx, 50 + size * dy) for dx, dy in at))
    return Track(track_id, Detection(Box(x, 50, size, size), 0.9, marks), 0.0, 0.0, 5, missed)


def make_frame(at: float) -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8), 0, at)


def test_a_new_face_is_classified_at_once_and_then_by_need() -> None:
    chooser = CropChooser()
    asked = [
        at
        for at in np.arange(0, 4, 1 / 30)
        if chooser.choose(make_frame(float(at)), [make_track(1)], SPEC, labelled={1}) is not None
    ]
    assert asked[0] == 0
    gaps = np.diff(asked)
    assert gaps[:4] == pytest.approx(UNSETTLED_EVERY_S, abs=0.04)
    assert gaps[5:] == pytest.approx(SETTLED_EVERY_S, abs=0.04)


def test_the_known_faces_of_a_crowd_share_so_many_crops_a_second() -> None:
    chooser, crowd = CropChooser(), [make_track(number, size=20) for number in range(1, 41)]
    asked = Counter[int]()
    for at in np.arange(0, 9, 1 / 10):
        batch = chooser.choose(make_frame(float(at)), crowd, SPEC, labelled=range(1, 41))
        asked.update(batch.track_ids if batch is not None and at >= 5 else ())
    assert 0.8 * SETTLED_PER_S < asked.total() / 4 <= SETTLED_PER_S
    assert len(asked) == len(crowd)


def test_a_face_whose_crops_were_dropped_is_asked_about_as_often_as_a_new_one() -> None:
    chooser = CropChooser()
    moments = [float(at) for at in np.arange(0, 2, 1 / 30)]
    asked = [at for at in moments if chooser.choose(make_frame(at), [make_track(1)], SPEC) is not None]
    assert np.diff(asked) == pytest.approx(UNSETTLED_EVERY_S, abs=0.04)


def test_a_face_that_grew_does_not_wait() -> None:
    chooser = CropChooser()
    for at in np.arange(0, 2, 0.1):
        chooser.choose(make_frame(float(at)), [make_track(1)], SPEC, labelled={1})
    assert chooser.choose(make_frame(2.0), [make_track(1, size=80)], SPEC, labelled={1}) is None
    assert chooser.choose(make_frame(2.1), [make_track(1, size=120)], SPEC, labelled={1}) is not None


def test_every_second_crop_of_a_face_is_its_mirror_image() -> None:
    chooser, moments = CropChooser(), [0.0, 0.2, 0.4, 0.6]
    first = [make_track(1)]
    for index, at in enumerate(moments):
        tracks = first if index == 0 else [*first, make_track(2, x=200)]
        batch = chooser.choose(make_frame(at), tracks, SPEC)
        assert batch is not None
        expected = {1: index % 2 == 1, 2: index % 2 == 0}
        assert dict(zip(batch.track_ids, batch.mirrored, strict=True)) == {one.id: expected[one.id] for one in tracks}
        for track_id, crop, flipped in zip(batch.track_ids, batch.crops, batch.mirrored, strict=True):
            # What is shown is never mirrored.
            shown = crop_face(make_frame(at).image, tracks[track_id - 1].detection, size=64, margin=1.15)
            np.testing.assert_array_equal(chooser.crops[track_id], shown)
            np.testing.assert_array_equal(crop, shown[:, ::-1] if flipped else shown)


def test_faces_take_turns_when_there_are_many() -> None:
    chooser = CropChooser(max_batch=2)
    tracks = [make_track(one) for one in range(1, 6)]
    batches = [chooser.choose(make_frame(0.0), tracks, SPEC) for _ in range(3)]
    assert [batch.track_ids if batch else () for batch in batches] == [(1, 2), (3, 4), (5,)]
    assert set(chooser.crops) == {1, 2, 3, 4, 5}


def test_in_a_picture_that_stands_still_all_faces_are_asked_about_from_both_sides() -> None:
    chooser, frame = CropChooser(max_batch=2), make_frame(0.0)
    tracks = [make_track(one) for one in range(1, 6)]
    moving = chooser.choose(frame, tracks, SPEC)
    standing = chooser.choose(frame, tracks, SPEC, standing=True)
    assert moving is not None
    assert standing is not None
    assert moving.track_ids == (1, 2)
    assert standing.track_ids == (3, 4, 5) * 2
    assert standing.mirrored == (False,) * 3 + (True,) * 3
    np.testing.assert_array_equal(standing.crops[:3], standing.crops[3:, :, ::-1])
    assert chooser.choose(frame, tracks, SPEC, standing=True) is None
    # Ten views hold the mirror images already.
    once = chooser.choose(make_frame(0.02), tracks, replace(SPEC, both_sides=True), standing=True)
    assert once is not None
    assert sorted(once.track_ids) == [1, 2, 3, 4, 5]
    # No answer came to what an earlier frame was asked about.
    later = chooser.choose(make_frame(0.03), tracks, SPEC, labelled={1, 3, 5}, standing=True)
    assert later is not None
    assert set(later.track_ids) == {2, 4}


def test_a_face_that_is_not_seen_is_not_classified_and_one_that_left_is_forgotten() -> None:
    chooser = CropChooser()
    assert chooser.choose(make_frame(0.0), [make_track(1, missed=2)], SPEC) is None
    chooser.choose(make_frame(0.1), [make_track(1)], SPEC)
    chooser.choose(make_frame(0.2), [], SPEC)
    assert chooser.crops == {}


def test_the_frame_is_not_written_into_and_the_mirror_turns_picture_and_boxes() -> None:
    frame = make_frame(0.0)
    before = frame.image.copy()
    plain = OverlayStyle(boxes=False, names=False, ages=False, genders=False, confidences=False)
    rendered = render_frame(frame, [make_track(1, x=10)], {}, {}, plain, mirror=True)
    np.testing.assert_array_equal(frame.image, before)
    np.testing.assert_array_equal(rendered.picture, before[:, ::-1])
    box = rendered.tracks[0].detection.box
    assert (box.x, box.width) == (320 - 10 - 80, 80)


def test_mirroring_twice_changes_nothing() -> None:
    track = make_track(3, x=33)
    twice = mirrored(mirrored(track, 320), 320)
    assert twice.detection.box == track.detection.box
    assert twice.detection.landmarks.nose == pytest.approx(track.detection.landmarks.nose)


def test_in_the_mirror_the_same_face_is_hidden() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    style = OverlayStyle(privacy="faces")
    plain, turned = (
        render_frame(Frame(noise, 0, 0.0), (), {}, {}, style, covers=[Box(40, 80, 60, 60)], mirror=mirror).picture
        for mirror in (False, True)
    )
    # Left of the badge.
    assert (plain[60:, :] != noise[60:, :]).any()
    difference = np.abs(turned[60:, ::-1].astype(int) - plain[60:]).mean()
    assert difference < 1


def test_crops_are_hidden_like_the_picture_and_stay_the_same_objects() -> None:
    chooser = CropChooser()
    track = make_track(1)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    chooser.choose(Frame(noise, 0, 0.0), [track], CropSpec(64, 1.5))
    off, blur, pixelate = (
        OverlayStyle(),
        OverlayStyle(privacy="faces"),
        OverlayStyle(privacy="picture", privacy_style="pixelate"),
    )
    assert chooser.shown(off)[1] is chooser.crops[1]
    hidden = chooser.shown(blur)[1]
    assert hidden.std() < 0.3 * chooser.crops[1].std()
    assert chooser.shown(blur)[1] is hidden
    assert len(np.unique(chooser.shown(pixelate)[1].reshape(-1, 3), axis=0)) <= 16
