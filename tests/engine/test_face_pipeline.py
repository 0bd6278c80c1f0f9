"""Which face is which, in frames with cuts and with all that looks like one; and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.engine.analysis import CropSpec
from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import CropBatch
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.tracking.tracker import Track
from tests.helpers.portrait import astronaut_bgr

Picture = NDArray[np.uint8]
Effect = Callable[[NDArray[np.float32], int], NDArray[np.float32]]
RATE = 25.0
AT = 8
"""Index of the frame at which something happens."""
SIZE = 120


def faces() -> list[Picture]:
    """Five people: the portrait, and four of the small grey pictures of scikit-image."""
    small = (np.clip(data.lfw_subset()[[0, 3, 7, 11]], 0, 1) * 255).astype(np.uint8)
    grey = [
        cv2.cvtColor(cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR) for one in small
    ]
    portrait = cv2.resize(astronaut_bgr()[60:190, 160:290], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return [np.asarray(one, np.uint8) for one in (portrait, *grey)]


PEOPLE = faces()


def scene(*people: int, shift: float = 0.0, shade: int = 90, scale: float = 1.0) -> Picture:
    """People side by side before a striped background that moves with them: 240×480."""
    columns = np.arange(480) - shift
    stripes = np.asarray(shade + 20 * np.sin(columns / 23), np.uint8)
    image = np.repeat(np.repeat(stripes[None, :, None], 240, axis=0), 3, axis=2)
    for place, person in enumerate(people):
        move = np.array([[scale, 0, 100 + 160 * place + shift], [0, scale, 60]], np.float32)
        cv2.warpAffine(PEOPLE[person], move, (480, 240), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    return image


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with FaceDetector() as opened:
        yield opened


def locate(detector: FaceDetector, pictures: Sequence[Picture]) -> list[tuple[Track, ...]]:
    """The tracks of each picture; noise as a camera's lies over them."""
    noise = np.random.default_rng(0).normal(0, 2, (240, 480, 3))
    detector.reset()
    pipeline = FacePipeline(Statistics())
    tracks = []
    for index, picture in enumerate(pictures):
        grainy = np.clip(picture + np.roll(noise, 7 * index), 0, 255).astype(np.uint8)
        tracks.append(pipeline.locate(Frame(grainy, index, index / RATE), detector))
    return tracks


def seen(tracks: Sequence[Track]) -> set[int]:
    return {track.id for track in tracks if track.missed == 0}


CUTS = {
    "another person, the same background": [scene(0)] * AT + [scene(1)] * 5,
    "a person as like as can be": [scene(2)] * AT + [scene(3)] * 5,
    "another background": [scene(4)] * AT + [scene(1, shade=160)] * 5,
    "a little aside": [scene(1)] * AT + [scene(2, shift=40)] * 5,
    "larger": [scene(1)] * AT + [scene(0, scale=1.25)] * 5,
    "in motion": [scene(3, shift=4 * k) for k in range(AT)] + [scene(0, shift=4 * k) for k in range(AT, AT + 5)],
    "two for two": [scene(0, 1)] * AT + [scene(2, 3)] * 5,
}


@pytest.mark.parametrize("pictures", CUTS.values(), ids=CUTS)
def test_after_a_cut_everyone_is_new_within_two_frames(detector: FaceDetector, pictures: list[Picture]) -> None:
    tracks = locate(detector, pictures)
    before, after = seen(tracks[AT - 1]), seen(tracks[AT + 1])
    assert before
    assert len(after) == len(before)
    assert not before & after
    assert all(seen(one) == before for one in tracks[:AT])
    assert all({track.id for track in one} == after for one in tracks[AT + 2 :])


def test_only_the_one_who_was_replaced_is_new(detector: FaceDetector) -> None:
    tracks = locate(detector, [scene(0, 1)] * AT + [scene(0, 3)] * 5)
    assert [seen(one) for one in (tracks[AT - 1], tracks[-1])] == [{1, 2}, {1, 3}]


def test_who_is_back_after_a_short_look_at_another_is_no_one_new(detector: FaceDetector) -> None:
    tracks = locate(detector, [scene(0)] * AT + [scene(3)] * 5 + [scene(0)] * 5)
    assert [seen(tracks[index]) for index in (AT - 1, AT + 3, AT + 8)] == [{1}, {2}, {1}]


def flashed(*, frames: int, gain: float) -> Effect:
    return lambda picture, index: picture * (gain if AT <= index < AT + frames else 1.0)


def faded(picture: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """Through black and back, in 0.6 s."""
    return picture * min(abs(index - AT - 4) / 7, 1.0)


def switched_off(picture: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    return picture * np.array([0.4, 0.35, 0.3] if index >= AT else [1, 1, 1], np.float32)


def switched_on(picture: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    return picture * np.array([0.3, 0.35, 0.4] if index < AT else [1, 1, 1], np.float32)


GRAIN = np.random.default_rng(1).normal(0, 15, (240, 480, 3)).astype(np.float32)


def noisy(picture: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    return picture + np.roll(GRAIN, 7 * index)


EFFECTS: dict[str, Effect] = {
    **{f"a flash of {n} frames": flashed(frames=n, gain=4.0) for n in (1, 2, 3)},
    "a weak flash": flashed(frames=2, gain=1.8),
    "a fade": faded,
    "light switched off": switched_off,
    "light switched on": switched_on,
    "noise": noisy,
}


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
def test_light_makes_no_one_new(detector: FaceDetector, effect: Effect) -> None:
    pictures = [np.clip(effect(scene(1).astype(np.float32), k), 0, 255).astype(np.uint8) for k in range(AT + 14)]
    tracks = locate(detector, pictures)
    assert {track.id for one in tracks for track in one} == {1}
    assert seen(tracks[-1]) == {1}


def covered(index: int) -> Picture:
    """A hand is laid on the lower half of a face and taken away again."""
    image = scene(0)
    height = 185 - 70 * math.sin(min(max(index - 4, 0) / 16, 1) * math.pi)
    cv2.ellipse(image, (160, round(height)), (40, 32), 10, 0, 360, (110, 140, 190), cv2.FILLED, cv2.LINE_AA)
    return image


def swish(index: int) -> Picture:
    """The camera swings to one side: three pictures of streaks, then the face far from where it was."""
    if AT <= index < AT + 3:
        return np.asarray(cv2.blur(scene(1, shift=60 * (index - AT + 1)), (161, 1)), np.uint8)
    return scene(1, shift=0 if index < AT else 220)


MOTIONS = {
    "a pan": [scene(1, shift=6 * k) for k in range(20)],
    "a fast pan": [scene(1, shift=20 * k - 60) for k in range(12)],
    "a zoom": [scene(1, scale=1 + 0.04 * k) for k in range(12)],
    "a step of the camera": [scene(1, shift=35 * (k // 4 % 2)) for k in range(16)],
    "a swish": [swish(k) for k in range(AT + 8)],
    "a hand": [covered(k) for k in range(24)],
}


@pytest.mark.parametrize("pictures", MOTIONS.values(), ids=MOTIONS)
def test_motion_makes_no_one_new(detector: FaceDetector, pictures: list[Picture]) -> None:
    tracks = locate(detector, pictures)
    assert {track.id for one in tracks for track in one} == {1}


SPEC = CropSpec(32, 1.15)
LABELS = Labels((AgeLabel("0-19", 0, 19), AgeLabel("20+", 20, None)), ("female", "male"))


def sure(age: int, gender: int) -> Prediction:
    return Prediction(np.eye(2, dtype=np.float32)[age], np.eye(2, dtype=np.float32)[gender])


def asked(pipeline: FacePipeline, detector: FaceDetector, *people: int, at: float = 0.0) -> CropBatch:
    """The crops of a picture in which all faces are due."""
    frame = Frame(scene(*people), 0, at)
    batch = pipeline.choose(frame, pipeline.locate(frame, detector), SPEC, standing=True)
    assert batch is not None
    return batch


@pytest.fixture
def pipeline() -> Iterator[FacePipeline]:
    with FacePipeline(Statistics()) as made:
        made.use_labels(LABELS)
        yield made


def test_labels_are_those_of_the_answers_until_they_are_let_go(pipeline: FacePipeline, detector: FaceDetector) -> None:
    batch = asked(pipeline, detector, 0, 1)
    # Each of the two faces from both sides.
    pipeline.take([batch], [sure(0, 0), sure(1, 1)] * 2)
    one, other = batch.track_ids[:2]
    assert {track_id: label.age for track_id, label in pipeline.labels.items()} == {one: "0-19", other: "20+"}
    before = pipeline.labels
    pipeline.keep({other})
    assert set(pipeline.labels) == {other}
    assert set(before) == {one, other}, "what was handed out never changes"
    pipeline.clear_labels()
    assert not pipeline.labels


def test_after_a_reset_the_first_answers_end_all_labels(pipeline: FacePipeline, detector: FaceDetector) -> None:
    first = asked(pipeline, detector, 0)
    pipeline.take([first], [sure(0, 0)] * 2)
    pipeline.reset()
    second = asked(pipeline, detector, 0)
    assert second.generation != first.generation
    pipeline.take([second], [sure(1, 1)] * 2)
    assert set(pipeline.labels) == set(second.track_ids) != set(first.track_ids)
    assert [label.age for label in pipeline.labels.values()] == ["20+"]


def test_gender_goes_from_labels_at_once_and_is_in_none_that_come(
    pipeline: FacePipeline, detector: FaceDetector
) -> None:
    batch = asked(pipeline, detector, 0)
    pipeline.take([batch], [sure(0, 1)] * 2)
    assert [one.gender_answer is None for one in pipeline.labels.values()] == [False]
    pipeline.show_gender(False)
    assert [one.gender_answer is None for one in pipeline.labels.values()] == [True]
    pipeline.take([batch], [sure(0, 1)] * 2)
    assert [one.gender_answer is None for one in pipeline.labels.values()] == [True]


def test_a_new_model_begins_without_labels_and_asks_about_all_again(
    pipeline: FacePipeline, detector: FaceDetector
) -> None:
    frame = Frame(scene(0), 0, 0.0)
    tracks = pipeline.locate(frame, detector)
    batch = pipeline.choose(frame, tracks, SPEC, standing=True)
    assert batch is not None
    assert pipeline.choose(frame, tracks, SPEC, standing=True) is None
    pipeline.take([batch], [sure(0, 0)] * 2)
    pipeline.use_labels(LABELS)
    pipeline.choose_anew()
    assert not pipeline.labels
    assert pipeline.choose(frame, tracks, SPEC, standing=True) is not None


def test_the_picture_that_is_drawn_tells_what_is_known(pipeline: FacePipeline, detector: FaceDetector) -> None:
    frame = Frame(scene(0, 1), 0, 0.0)
    tracks = pipeline.locate(frame, detector)
    batch = pipeline.choose(frame, tracks, SPEC, standing=True)
    assert batch is not None
    pipeline.take([batch], [sure(0, 0), sure(1, 1)] * 2)
    style = OverlayStyle()
    covers = pipeline.cover(frame, tracks, style.privacy)
    assert covers is None, "nobody looks where nothing is to be hidden"
    drawn = pipeline.draw(frame, tracks, style, covers=covers, mirror=False, taken_at=0.0)
    assert drawn.labels == pipeline.labels
    assert set(drawn.crops) == {track.id for track in tracks} == set(batch.track_ids)
    assert (drawn.annotated() != frame.image).any()
    assert (drawn.picture == frame.image).all()
