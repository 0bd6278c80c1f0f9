"""The same steps over every frame, without threads and without drops: the same input gives the same output."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from desktop_app.engine.analysis import CropChooser, CropSpec, compose, count_expected
from desktop_app.engine.flow import Composed
from desktop_app.engine.statistics import Statistics
from desktop_app.media.frame import Frame
from desktop_app.media.sources import Source
from desktop_app.vision.classifier import Classifier
from desktop_app.vision.finder import FaceFinder
from desktop_app.vision.geometry import Box
from desktop_app.vision.overlay import OverlayStyle
from desktop_app.vision.smoothing import Label, Smoother
from desktop_app.vision.tracker import Track, Tracker

MANY: int = 1 << 16


class OfflineAnalysis:
    """Analyses frames one after the other; a face is classified as often as in live use, by media time.

    Args:
        classifier: the model.
        finder: the detectors.
        style: what is drawn.
        mirror: flip the pictures.
        statistics: where to note rates and times.
    """

    def __init__(
        self,
        classifier: Classifier,
        finder: FaceFinder,
        *,
        style: OverlayStyle | None = None,
        mirror: bool = False,
        statistics: Statistics | None = None,
    ) -> None:
        self._classifier, self._finder = classifier, finder
        self._style, self._mirror = style or OverlayStyle(), mirror
        self._statistics = statistics or Statistics()
        self._spec = CropSpec(classifier.crop_size, classifier.margin)
        self._tracker = Tracker()
        self._expected = 0
        self._near: tuple[Box, ...] = ()
        self._chooser = CropChooser(max_batch=MANY)
        self._smoother = Smoother(classifier.labels)
        self._labels: dict[int, Label] = {}

    def run(self, source: Source) -> Iterator[Composed]:
        """Analyse a source to its end.

        Args:
            source: the open source; of a live one every frame that it gives.

        Yields:
            One finished picture a frame, in order.

        Raises:
            SourceError: the source cannot be read on.
        """
        still = source.info.kind in {"image", "folder"}
        while True:
            with self._statistics.stage("read"):
                frame = source.read()
            if frame is None:
                return
            self._statistics.count("capture")
            yield self.step(frame, still=still)

    def step(self, frame: Frame, *, still: bool = False) -> Composed:
        """Analyse one frame.

        Args:
            frame: the frame; the one after the last, unless `still`.
            still: the picture stands alone: its faces are new, and looked for more thoroughly.
        """
        taken_at = time.monotonic()
        if still:
            self._forget()
        with self._statistics.stage("detect"):
            detections = (
                self._finder.find_still(frame.image)
                if still
                else self._finder.find(frame.image, expected=self._expected, near=self._near)
            )
        with self._statistics.stage("track"):
            tracks = self._tracker.update(detections, frame.captured_at)
        self._expected = count_expected(tracks)
        self._near = tuple(track.detection.box for track in tracks if track.missed)
        labels = self._classified(frame, tracks)
        return compose(
            frame,
            tracks,
            labels,
            self._chooser.crops,
            self._style,
            mirror=self._mirror,
            taken_at=taken_at,
            statistics=self._statistics,
        )

    def _classified(self, frame: Frame, tracks: list[Track]) -> Mapping[int, Label]:
        with self._statistics.stage("crop"):
            batch = self._chooser.choose(frame, tracks, self._spec, labelled=self._labels.keys())
        if batch is not None:
            with self._statistics.stage("classify"):
                predictions = self._classifier.classify(batch.crops)
            self._statistics.count("inference", len(predictions))
            for track_id, prediction, weight in zip(batch.track_ids, predictions, batch.weights, strict=True):
                self._labels[track_id] = self._smoother.update(track_id, prediction, frame.captured_at, weight)
        known = {track.id for track in tracks}
        self._labels = {track_id: label for track_id, label in self._labels.items() if track_id in known}
        self._smoother.forget(known)
        return MappingProxyType(dict(self._labels))

    def _forget(self) -> None:
        self._tracker.reset()
        self._expected, self._near = 0, ()
        self._chooser.reset()
        self._smoother.reset()
        self._labels.clear()
