"""Made-up tracks, labels and visits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from desktop_app.analytics.visits import Visit, VisitLog
from desktop_app.catalogue.manifest import AgeLabel, InputSpec, Labels, Manifest, OutputSpec
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, make_label
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

LABELS = Labels((AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None)), ("Male", "Female"))
MARKS = Landmarks(*[Point(0, 0)] * 6)


def manifest(confusion: Sequence[Sequence[int]] = ()) -> Manifest:
    """A model of three age groups and two genders, measured as given."""
    return Manifest(
        name="tiny",
        title="Tiny",
        architecture="two-head",
        labels=LABELS,
        age=OutputSpec("tiny.onnx", "age"),
        gender=OutputSpec("tiny.onnx", "gender"),
        input=InputSpec(),
        activation="softmax",
        confusion=tuple(map(tuple, confusion)),
    )


def label(*age: float, female: float | None = 0.9) -> Label:
    """What is said of a face; without a gender where `female` is None."""
    gender = [] if female is None else [1 - female, female]
    return make_label(Prediction(np.array(age, np.float32), np.array(gender, np.float32)), LABELS)


def track(track_id: int, *, box: Box | None = None, missed: int = 0) -> Track:
    """A face that is seen, or missed."""
    return Track(track_id, Detection(box or Box(10, 20, 30, 40), 0.9, MARKS), 0, 0, 9, missed)


def visit(track_id: int, begin_s: float, end_s: float, said: Label | None = None, *, rate: float = 10) -> Visit:
    """A visit in a film of `rate` frames a second."""
    log = VisitLog()
    for frame in range(round(begin_s * rate), round(end_s * rate) + 1):
        log.add(frame, frame / rate, "film.mp4", [track(track_id)], {track_id: said} if said else {})
    return log.visits(LABELS)[0]


def face(track_id: int, picture: int, said: Label) -> Visit:
    """A face in a picture that stands alone."""
    log = VisitLog()
    log.add(picture, 0.0, f"{picture}.png", [track(track_id)], {track_id: said}, still=True)
    return log.visits(LABELS)[0]
