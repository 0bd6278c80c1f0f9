from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from desktop_app.sources.demo import LOOP_FRAMES, RATE, DemoSource
from desktop_app.vision.detection.blazeface import BlazeFaceDetector


@pytest.fixture(scope="module")
def short_detector() -> Iterator[BlazeFaceDetector]:
    with BlazeFaceDetector("short") as detector:
        yield detector


@pytest.fixture(scope="module")
def full_detector() -> Iterator[BlazeFaceDetector]:
    with BlazeFaceDetector("full") as detector:
        yield detector


def test_the_demo_ends_after_one_loop_with_true_times() -> None:
    with DemoSource() as source:
        info = source.info
        assert (info.kind, info.spec, info.live) == ("demo", "demo", False)
        assert (info.width, info.height, info.rate, info.frame_count) == (1280, 720, 30.0, 600)
        assert info.duration_s == 20.0
        assert source.skip(598) == 598
        last_but_one, last = source.read(), source.read()
        assert last_but_one is not None
        assert last is not None
        assert (last_but_one.index, last.index) == (598, 599)
        assert last.captured_at == 599 / RATE
        assert last.image.shape == (720, 1280, 3)
        assert source.read() is None
        assert source.skip(1) == 0
        source.seek(3)
        again = source.read()
        assert again is not None
        assert again.index == 3


def test_the_same_index_gives_the_same_picture() -> None:
    one, other = DemoSource(), DemoSource()
    other.seek(140)
    one.skip(140)
    first, second = one.read(), other.read()
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.image, second.image)


def test_the_loop_closes_without_a_jump() -> None:
    demo = DemoSource(frame_count=None)
    np.testing.assert_array_equal(demo.render(0), demo.render(LOOP_FRAMES))

    def step(index: int) -> float:
        return float(np.abs(demo.render(index + 1).astype(int) - demo.render(index)).mean())

    assert step(LOOP_FRAMES - 1) == pytest.approx(step(0), rel=0.25)


def test_an_endless_demo_goes_on_and_closes() -> None:
    demo = DemoSource(frame_count=None, width=320, height=180)
    demo.seek(100_000)
    frame = demo.read()
    assert frame is not None
    assert (frame.index, frame.image.shape) == (100_000, (180, 320, 3))
    assert demo.info.duration_s is None
    demo.close()
    assert demo.read() is None


def test_pictures_belong_to_the_reader() -> None:
    demo = DemoSource(width=320, height=180)
    first, second = demo.render(0), demo.render(0)
    assert first.flags.owndata
    first[:] = 0
    np.testing.assert_array_equal(second, demo.render(0))


def test_faces_come_near_and_leave(short_detector: BlazeFaceDetector) -> None:
    # The fourth card grows to the loop's middle, when the third one has left the picture.
    demo = DemoSource()
    boxes = {index: [one.box for one in short_detector.detect(demo.render(index))] for index in (30, 300)}
    assert len(boxes[30]) == 4
    assert len(boxes[300]) <= 3
    assert max(box.width for box in boxes[300]) > 1.25 * max(box.width for box in boxes[30])


def test_the_short_range_detector_finds_most_faces(short_detector: BlazeFaceDetector) -> None:
    # At these moments no card covers a face and none has left the picture.
    demo = DemoSource()
    found = [len(short_detector.detect(demo.render(index))) for index in (0, 15, 30, 45, 60, 545, 560, 575)]
    assert min(found) >= 3
    assert sum(found) > 0.9 * 4 * len(found)


def test_two_faces_cross_and_part_again(full_detector: BlazeFaceDetector) -> None:
    demo = DemoSource(faces=2)

    def centers(index: int) -> list[float]:
        boxes = [one.box for one in full_detector.detect(demo.render(index))]
        return [box.center.x for box in sorted(boxes, key=lambda box: box.center.y)]

    before, after = centers(20), centers(280)
    assert len(before) == len(after) == 2
    assert before[0] + 150 < before[1]
    assert after[1] + 150 < after[0]
    assert len(centers(150)) < 2 or abs(centers(150)[0] - centers(150)[1]) < 60


@pytest.mark.parametrize("faces", [1, 2, 5, 12])
def test_any_number_of_faces_can_be_had(full_detector: BlazeFaceDetector, faces: int) -> None:
    assert len(full_detector.detect(DemoSource(faces=faces).render(30))) == faces


@pytest.mark.parametrize("faces", [5, 13, 30])
def test_cards_in_rows_stay_apart_and_in_the_picture(faces: int) -> None:
    demo, background = DemoSource(faces=faces), DemoSource(faces=0).render(0)
    for index in range(0, LOOP_FRAMES, 60):
        frames = (demo.render(index).min(axis=2) > 200).astype(np.uint8)
        changed = cv2.connectedComponentsWithStats(frames)[2][1:]
        areas = changed[:, cv2.CC_STAT_WIDTH] * changed[:, cv2.CC_STAT_HEIGHT]
        # The frames, not a white shirt.
        large = changed[areas > 0.5 * areas.max()]
        assert len(large) == faces
    assert background.min(axis=2).max() < 200


def test_no_faces_gives_the_background(full_detector: BlazeFaceDetector) -> None:
    assert full_detector.detect(DemoSource(faces=0).render(0)) == []


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1920, 1080), (360, 640)])
def test_any_size_can_be_had(width: int, height: int) -> None:
    demo = DemoSource(faces=6, width=width, height=height)
    picture = demo.render(5)
    assert picture.shape == (height, width, 3)
    assert (picture != DemoSource(faces=0, width=width, height=height).render(5)).any(axis=2).mean() > 0.1
