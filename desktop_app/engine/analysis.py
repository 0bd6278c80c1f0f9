"""Steps that every frame goes through, with or without threads: detect, track, choose and cut crops, hide."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.engine.types import CropBatch, RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.classifier import Classifier, Prediction
from desktop_app.vision.classification.label import Label
from desktop_app.vision.classification.smoothing import Smoother, crop_weight
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.face_alignment import crop_face
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.lighting import lightened
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, conceal, hide_picture
from desktop_app.vision.tracking.tracker import Track

SETTLED_SAMPLES: Final = 5
"""From this many answers on, a face counts as known."""
UNSETTLED_EVERY_S: Final = 0.1
"""How often a new face is classified."""
SETTLED_EVERY_S: Final = 0.6
"""How often a known face is classified again: its answer is old."""
SETTLED_PER_S: Final = 20
"""Crops a second that the known faces of a crowd share. With half of their crops, labels of 36 faces changed no more
often: 1.2 instead of 1.4 times a face and minute."""
CHANGED_SIZE: Final = 1.25
"""A face that grew by this factor since its last crop is worth a new one."""
CHANGED_ROLL: Final = 0.2
"""A face that turned by this many radians in the picture's plane is worth a new one."""
MAX_BATCH: Final = 4
"""Crops of one frame of a moving picture at the most; the others have their turn in the next frames. Cutting more would
hold up the frame (0.6 ms each), classifying more the labels of the first (6 ms each)."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How the classifier in use wants its crops.

    Attributes:
        size: side in pixels.
        margin: side over the side of the detector's box.
        both_sides: the classifier itself averages each crop and its mirror image, as over-sampling does.
    """

    size: int
    margin: float
    both_sides: bool = False

    @staticmethod
    def of(classifier: Classifier) -> CropSpec:
        """What a classifier wants."""
        return CropSpec(classifier.crop_size, classifier.margin, both_sides=classifier.oversample)


@dataclass(slots=True)
class _Asked:
    at: float
    size: float
    roll: float
    count: int


class CropChooser:
    """Decides which faces are worth classifying in a frame: new, grown, turned, or answered long ago.

    Every second crop of a face is handed over as its mirror image. Networks answer the two a little differently, and
    the mean of both is right more often, as in the over-sampling of Levi and Hassner (2015), at no cost here.

    Keeps the newest crop of each face for display.

    Args:
        max_batch: crops a frame at the most.
    """

    def __init__(self, *, max_batch: int = MAX_BATCH) -> None:
        self._asked: dict[int, _Asked] = {}
        self._max_batch = max_batch
        self.crops: dict[int, NDArray[np.uint8]] = {}
        # The crop itself is kept beside what hides it: as long as it is the same object, so is the other.
        self._hidden: dict[int, tuple[NDArray[np.uint8], PrivacyStyle, NDArray[np.uint8]]] = {}

    def choose(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        spec: CropSpec,
        *,
        labelled: Collection[int] = (),
        generation: int = 0,
        standing: bool = False,
    ) -> CropBatch | None:
        """Cut the crops that are due.

        Args:
            frame: the frame.
            tracks: the faces in it; those that were missed are left out.
            spec: what the classifier wants.
            labelled: ids of the faces that have an answer: the crops of the others may have been dropped.
            generation: passed on in the batch.
            standing: no frame follows soon, as in a still or a paused picture: all faces that have no answer and that
                this frame was not asked about are due, however many, each from both sides (once where the classifier
                itself looks from both).

        Returns:
            The batch, most urgent face first, or None where nothing is due.
        """
        seen = [track for track in tracks if track.missed == 0]
        self._forget({track.id for track in tracks})
        if standing:
            due = [track for track in seen if track.id not in labelled and not self._is_asked(track, frame)]
        else:
            every_s = max(SETTLED_EVERY_S, len(seen) / SETTLED_PER_S)
            urgent = sorted(
                ((self._urgency(track, frame.captured_at, track.id in labelled, every_s), track) for track in seen),
                key=lambda pair: (-pair[0], pair[1].id),
            )
            due = [track for urgency, track in urgent if urgency >= 1][: self._max_batch]
        if not due:
            return None
        for track in due:
            crop = lightened(crop_face(frame.image, track.detection, size=spec.size, margin=spec.margin))
            self.crops[track.id] = crop
            known = self._asked.get(track.id)
            self._asked[track.id] = _Asked(
                frame.captured_at,
                track.detection.box.size,
                track.detection.landmarks.roll,
                known.count + 1 if known else 1,
            )
        mirrored = tuple(self._asked[track.id].count % 2 == 0 for track in due)
        crops = [self.crops[track.id] for track in due]
        batch = CropBatch(
            track_ids=tuple(track.id for track in due),
            crops=np.stack([crop[:, ::-1] if flip else crop for crop, flip in zip(crops, mirrored, strict=True)]),
            mirrored=mirrored,
            weights=tuple(crop_weight(track.detection) for track in due),
            captured_at=frame.captured_at,
            generation=generation,
        )
        return _both_sides(batch) if standing and not spec.both_sides else batch

    def shown(self, style: OverlayStyle) -> Mapping[int, NDArray[np.uint8]]:
        """The newest crop of each face, S×S×3 uint8 BGR, by track id; hidden where anything of the picture is."""
        if style.privacy == "off":
            return self.crops
        for track_id, crop in self.crops.items():
            known = self._hidden.get(track_id)
            if known is None or known[0] is not crop or known[1] != style.privacy_style:
                hidden = crop.copy()
                hide_picture(hidden, style.privacy_style)
                self._hidden[track_id] = crop, style.privacy_style, hidden
        return {track_id: self._hidden[track_id][2] for track_id in self.crops}

    def reset(self) -> None:
        """Forget all faces, at a cut or for a new model."""
        self._asked.clear()
        self.crops.clear()
        self._hidden.clear()

    def _is_asked(self, track: Track, frame: Frame) -> bool:
        known = self._asked.get(track.id)
        return known is not None and known.at == frame.captured_at

    def _urgency(self, track: Track, at: float, labelled: bool, settled_every_s: float) -> float:
        """Time since the face was last classified over the time after which it is due; infinite for a new one."""
        known = self._asked.get(track.id)
        if known is None:
            return float("inf")
        settled = labelled and known.count >= SETTLED_SAMPLES
        every = settled_every_s if settled else UNSETTLED_EVERY_S
        growth = track.detection.box.size / max(known.size, 1.0)
        changed = growth > CHANGED_SIZE or abs(track.detection.landmarks.roll - known.roll) > CHANGED_ROLL
        return max(at - known.at, 0.0) / min(every, UNSETTLED_EVERY_S if changed else every)

    def _forget(self, keep: set[int]) -> None:
        for gone in self._asked.keys() - keep:
            del self._asked[gone]
            self.crops.pop(gone, None)
            self._hidden.pop(gone, None)


def _both_sides(batch: CropBatch) -> CropBatch:
    """The crops and their mirror images, for pictures in which a face is classified only once."""
    return replace(
        batch,
        track_ids=batch.track_ids * 2,
        crops=np.concatenate([batch.crops, batch.crops[:, :, ::-1]]),
        mirrored=(*batch.mirrored, *(not one for one in batch.mirrored)),
        weights=batch.weights * 2,
    )


def smoothed(batch: CropBatch, predictions: Iterable[Prediction], smoother: Smoother) -> dict[int, Label]:
    """What to show, by track, after the answers to a batch, given in its order: all looks at a face, then its label."""
    answers = zip(batch.track_ids, predictions, batch.weights, batch.mirrored, strict=True)
    for track_id, prediction, weight, mirrored in answers:
        smoother.add(track_id, prediction, batch.captured_at, weight, mirrored=mirrored)
    return {track_id: smoother.label(track_id) for track_id in dict.fromkeys(batch.track_ids)}


def render_frame(
    frame: Frame,
    tracks: Sequence[Track],
    labels: Mapping[int, Label],
    crops: Mapping[int, NDArray[np.uint8]],
    style: OverlayStyle,
    *,
    covers: Sequence[Box] | None = None,
    mirror: bool = False,
    taken_at: float = 0.0,
    places: LabelPlaces | None = None,
) -> RenderedFrame:
    """Put a frame as it may be shown together with what is known about it; the frame is copied only where it changes.

    Args:
        frame: the frame; it is not written into.
        tracks: the faces in it.
        labels: what is said of them.
        crops: newest crop of each face, as `CropChooser.shown` gives it for the same style.
        style: what is drawn.
        covers: what hides the faces of this frame; None where they were not looked for.
        mirror: flip the picture, not its texts.
        taken_at: monotonic seconds when the frame left its source.
        places: where the labels lay in the files' pictures before.
    """
    picture = np.asarray(cv2.flip(frame.image, 1), np.uint8) if mirror else frame.image
    width = frame.image.shape[1]
    shown = tuple(mirrored(track, width) for track in tracks) if mirror else tuple(tracks)
    ids = {track.id for track in shown}
    said = {track_id: label for track_id, label in labels.items() if track_id in ids}
    privacy: PrivacyMode = "off"
    if style.privacy != "off":
        picture = picture if mirror else picture.copy()
        boxes = [box.mirrored(width) for box in covers] if covers is not None and mirror else covers
        privacy = conceal(picture, style.privacy, style.privacy_style, boxes)
    return RenderedFrame(
        picture=picture,
        frame=frame,
        tracks=shown,
        labels=said,
        crops={track_id: crop for track_id, crop in crops.items() if track_id in ids},
        taken_at=taken_at,
        rendered_at=time.monotonic(),
        privacy=privacy,
        style=style,
        places=places or LabelPlaces(),
        mirrored=mirror,
    )


def mirrored(track: Track, width: int) -> Track:
    """The track in the mirror image of a picture that is `width` pixels wide."""
    box, marks = track.detection.box, track.detection.landmarks
    flipped = Detection(
        box.mirrored(width),
        track.detection.score,
        # The person's right eye stays the person's right eye, and is on the right in a mirror.
        Landmarks(*(Point(width - 1 - point.x, point.y) for point in marks.points)),
    )
    return replace(track, detection=flipped)
