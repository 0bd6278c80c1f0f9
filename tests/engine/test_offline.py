"""Every frame of a source, in order and always the same, over three threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from desktop_app.benchmark.clip import CrowdScene, write_crowd_clip
from desktop_app.catalogue.catalogue import Catalogue
from desktop_app.engine.offline import AHEAD, OfflineAnalysis
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import SourceError, open_source
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector
from tests.helpers.counting_source import CountingSource

FRAMES = 24


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Catalogue().find(""), provider="cpu")


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with FaceDetector() as opened:
        yield opened


@pytest.fixture
def analysis(classifier: Classifier, detector: FaceDetector) -> OfflineAnalysis:
    detector.reset()
    return OfflineAnalysis(classifier, detector)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crowd_clip(tmp_path_factory.mktemp("clips") / "three.mkv", faces=3, frames=FRAMES)


class BreakingSource(CountingSource):
    """A source that breaks off at its end."""

    def read(self) -> Frame | None:
        frame = super().read()
        if frame is None:
            raise SourceError("the disk is gone")
        return frame


def helpers() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith(("read_", "finish_"))}


def test_every_frame_comes_out_once_and_in_order(analysis: OfflineAnalysis) -> None:
    rendered = list(analysis.run(CountingSource(20)))
    assert [one.frame.index for one in rendered] == list(range(20))
    assert [int(one.picture[0, 0, 0]) for one in rendered] == list(range(20))


@pytest.mark.parametrize("count", range(AHEAD + 3))
def test_sources_of_any_length_come_out_whole(analysis: OfflineAnalysis, count: int) -> None:
    assert len(list(analysis.run(CountingSource(count)))) == count


@pytest.mark.slow
def test_faces_are_labelled_in_every_frame_and_the_same_each_time(
    classifier: Classifier, detector: FaceDetector, clip: Path
) -> None:
    def run() -> list[RenderedFrame]:
        detector.reset()
        with open_source(str(clip)) as source:
            return list(OfflineAnalysis(classifier, detector).run(source))

    once, again = run(), run()
    assert [one.frame.index for one in once] == list(range(FRAMES))
    assert all(set(one.labels) == {1, 2, 3} == {track.id for track in one.tracks} for one in once)
    for one, other in zip(once, again, strict=True):
        assert one.tracks == other.tracks
        for track_id, label in one.labels.items():
            same = other.labels[track_id]
            assert (label.age, label.gender, label.samples) == (same.age, same.gender, same.samples)
            assert np.array_equal(label.prediction.age, same.prediction.age)
        assert np.array_equal(one.annotated(), other.annotated())


def test_what_was_read_before_a_source_breaks_comes_out(analysis: OfflineAnalysis) -> None:
    pictures = analysis.run(BreakingSource(7))
    seen = [next(pictures).frame.index for _ in range(7)]
    with pytest.raises(SourceError, match="the disk is gone"):
        next(pictures)
    assert seen == list(range(7))


def test_no_more_is_read_ahead_than_may_wait(analysis: OfflineAnalysis) -> None:
    source = CountingSource(100)
    pictures = analysis.run(source)
    assert next(pictures).frame.index == 0
    assert source.next_index <= 1 + 2 * AHEAD + 1
    pictures.close()


def test_leaving_early_ends_the_threads(analysis: OfflineAnalysis) -> None:
    before = helpers()
    pictures = analysis.run(CountingSource(100))
    next(pictures)
    assert helpers() - before
    pictures.close()
    for thread in helpers() - before:
        thread.join(10)
    assert not helpers() - before


def test_pictures_of_a_folder_have_nothing_to_do_with_each_other(analysis: OfflineAnalysis, tmp_path: Path) -> None:
    for number, picture in enumerate(
        (CrowdScene(2).render(0), np.zeros((90, 160, 3), np.uint8), CrowdScene(1).render(0))
    ):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    with open_source(str(tmp_path)) as source:
        rendered = list(analysis.run(source))
    assert [len(one.tracks) for one in rendered] == [2, 0, 1]
    assert [set(one.labels) for one in rendered] == [{1, 2}, set(), {3}]


def test_a_face_in_a_picture_is_looked_at_from_both_sides(
    classifier: Classifier, detector: FaceDetector, tmp_path: Path
) -> None:
    picture = tmp_path / "two.png"
    cv2.imwrite(str(picture), CrowdScene(2).render(0))
    detector.reset()
    with open_source(str(picture)) as source:
        (rendered,) = OfflineAnalysis(classifier, detector).run(source)
    crops = np.stack([rendered.crops[track_id] for track_id in rendered.labels])
    plain, mirrored = classifier.classify(crops), classifier.classify(crops[:, :, ::-1])
    for label, one, other in zip(rendered.labels.values(), plain, mirrored, strict=True):
        assert label.prediction.age == pytest.approx((one.age + other.age) / 2, abs=1e-5)
        assert label.prediction.gender == pytest.approx((one.gender + other.gender) / 2, abs=1e-5)
        assert label.samples == 2
