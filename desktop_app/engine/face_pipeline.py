"""What happens to every frame, live and offline: find faces, follow them, choose crops, classify, label, draw."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

import numpy as np

from desktop_app.catalogue.manifest import Labels
from desktop_app.closeable import Closeable
from desktop_app.engine.analysis import MAX_BATCH, CropChooser, CropSpec, render_frame, smoothed
from desktop_app.engine.face_covers import Covering
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import CropBatch, RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.classifier import Classifier, Prediction
from desktop_app.vision.classification.label import Label, without_gender
from desktop_app.vision.classification.smoothing import Smoother
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Box
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.vision.tracking.tracker import Track, Tracker

EXPECTED_FOR_S: Final = 0.3
"""A face that was missed for longer has probably left."""


class FacePipeline(Closeable):
    """The steps from a frame to a finished picture; the caller decides on pace, threads and what to drop.

    It has three groups of methods. Each group is for one thread at a time, and the three threads may differ:

    - finding: `locate`, `cover`;
    - choosing: `choose`, `choose_anew`, `draw`;
    - answering: `use_labels`, `classify`, `take`, `keep`, `clear_labels`.

    `reset` and `close` belong to finding and choosing at once. `labels` and `show_gender` are for any thread.

    Args:
        statistics: where to note rates and the times of the stages.
        max_batch: crops of one frame of a moving picture at the most.
    """

    def __init__(self, statistics: Statistics, *, max_batch: int = MAX_BATCH) -> None:
        self._statistics = statistics
        self._tracker = Tracker()
        self._expected = 0
        self._covering = Covering()
        self._places = LabelPlaces()
        self._chooser = CropChooser(max_batch=max_batch)
        self._generation = 0
        self._smoother: Smoother | None = None
        self._answered_generation = 0
        self._labels_lock = threading.Lock()
        self._labels: Mapping[int, Label] = MappingProxyType({})
        self._gender = True

    @property
    def labels(self) -> Mapping[int, Label]:
        """What is said of each face, by track id; never changed, but replaced by another mapping."""
        return self._labels

    def show_gender(self, shown: bool) -> None:
        """Show gender in labels, or not; present labels lose it at once."""
        with self._labels_lock:
            self._gender = shown
            self._labels = self._as_shown(self._labels)

    def locate(self, frame: Frame, detector: FaceDetector) -> tuple[Track, ...]:
        """The faces of the next frame, in pixels of the frame.

        Args:
            frame: the frame; kept until the next one, so it must not be written to. The faces of one that is `alone`
                are new ones.
            detector: the detectors.
        """
        with self._statistics.stage("detect"):
            detections = (
                detector.find_still(frame.image)
                if frame.alone
                else detector.find(frame.image, at=frame.captured_at, expected=self._expected)
            )
        with self._statistics.stage("track"):
            if frame.alone:
                self._tracker.reset()
            tracks = tuple(self._tracker.update(detections, frame.captured_at, None if frame.alone else frame.image))
        self._expected = _count_expected(tracks)
        return tracks

    def cover(
        self, frame: Frame, tracks: Sequence[Track], privacy: PrivacyMode, *, thorough: bool = False
    ) -> tuple[Box, ...] | None:
        """What hides the faces of a frame; see `Covering.look`."""
        return self._covering.look(frame, tracks, privacy, alone=frame.alone, thorough=thorough)

    def choose(self, frame: Frame, tracks: Sequence[Track], spec: CropSpec, *, standing: bool) -> CropBatch | None:
        """Cut the crops that are due, or None where nothing is due; see `CropChooser.choose`."""
        with self._statistics.stage("crop"):
            return self._chooser.choose(
                frame, tracks, spec, labelled=self._labels.keys(), generation=self._generation, standing=standing
            )

    def choose_anew(self) -> None:
        """Take all faces for ones that were never asked about, for a new model."""
        self._chooser.reset()

    def draw(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        style: OverlayStyle,
        *,
        covers: Sequence[Box] | None,
        mirror: bool,
        taken_at: float,
    ) -> RenderedFrame:
        """The frame, as it may be shown, with what is known of its faces now; arguments as for `render_frame`."""
        return render_frame(
            frame,
            tracks,
            self._labels,
            self._chooser.shown(style),
            style,
            covers=covers,
            mirror=mirror,
            taken_at=taken_at,
            places=self._places,
        )

    def use_labels(self, labels: Labels) -> None:
        """Begin anew with the answers of another model, whose classes these are."""
        self._smoother = Smoother(labels)
        self.clear_labels()

    def classify(self, batches: Sequence[CropBatch], classifier: Classifier) -> list[Prediction]:
        """The answers to all crops of some batches, for `take`.

        Raises:
            ModelError: the network failed.
        """
        crops = np.concatenate([one.crops for one in batches])
        with self._statistics.stage("classify"):
            predictions = classifier.classify(crops)
        self._statistics.count("inference", len(predictions))
        return predictions

    def take(self, batches: Sequence[CropBatch], predictions: Sequence[Prediction]) -> None:
        """Take in the answers to batches of one generation and publish the labels.

        The first answers after a `reset` end all labels from before it.
        """
        smoother = self._smoother
        if smoother is None or not batches:
            return
        if batches[0].generation != self._answered_generation:
            self._answered_generation = batches[0].generation
            smoother.reset()
            self.clear_labels()
        labels, answers = dict(self._labels), iter(predictions)
        for batch in batches:
            labels.update(smoothed(batch, islice(answers, len(batch.crops)), smoother))
        self._publish(labels)

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget the answers about all faces but these."""
        if self._smoother is not None:
            self._smoother.forget(track_ids)
        self._publish({track_id: label for track_id, label in self._labels.items() if track_id in track_ids})

    def clear_labels(self) -> None:
        """Say nothing of any face until the next answers; what is known of the faces stays."""
        self._publish({})

    def reset(self) -> None:
        """Drop all faces, after a jump in time or a change of the detector; ids continue."""
        self._generation += 1
        self._tracker.reset()
        self._expected = 0
        self._covering.reset()
        self._chooser.reset()

    def close(self) -> None:
        """Free the detectors of the covers and keep no picture."""
        self._covering.close()
        self._chooser.reset()

    def _publish(self, labels: Mapping[int, Label]) -> None:
        with self._labels_lock:
            self._labels = self._as_shown(labels)

    def _as_shown(self, labels: Mapping[int, Label]) -> Mapping[int, Label]:
        if self._gender:
            return MappingProxyType(dict(labels))
        return MappingProxyType({track_id: without_gender(label) for track_id, label in labels.items()})


def _count_expected(tracks: Sequence[Track]) -> int:
    """How many faces the next frame should show: those in view, and those missed for a moment only."""
    return sum(track.missed_s <= EXPECTED_FOR_S for track in tracks)
