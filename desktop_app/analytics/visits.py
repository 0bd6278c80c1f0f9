"""Visits: one face from its first sighting to its last, with the mean of what was said of it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from desktop_app.analytics.crossings import Crossings, LinePath
from desktop_app.catalogue.catalogue import Labels
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, make_label
from desktop_app.vision.geometry import Box, Line
from desktop_app.vision.tracking.tracker import YOUNG_HITS, Track


@dataclass(frozen=True, slots=True)
class Visit:
    """One track, from its first sighting to its last. It is no person: who comes back is a new visit.

    Attributes:
        id: of the track.
        file: where the first sighting is from.
        first_frame: index of the frame of the first sighting, from 0.
        last_frame: index of the frame of the last one.
        first_seen_s: moment of the first sighting, in seconds from the beginning of the source.
        last_seen_s: moment of the last one.
        frames: number of frames that show the face.
        box: mean of its boxes, in pixels of the frame.
        label: what the mean of the averaged probabilities says, each frame with an answer counting alike; `samples`
            and `updated_at` are those of the last answer. None where there was no answer at all.
        still: the face is from a picture that stands alone, as in a folder: time means nothing.
        crossings: of each line that was asked about.
    """

    id: int
    file: str
    first_frame: int
    last_frame: int
    first_seen_s: float
    last_seen_s: float
    frames: int
    box: Box
    label: Label | None
    still: bool = False
    crossings: tuple[Crossings, ...] = ()

    @property
    def time_in_view_s(self) -> float:
        """Seconds from the first sighting to the last."""
        return self.last_seen_s - self.first_seen_s

    @property
    def age_shown(self) -> str | None:
        """What to show: the age group; a span of groups, or "?", where that is unsure; None where nothing was said."""
        return self.label.age_answer.shown if self.label else None

    @property
    def gender_shown(self) -> str | None:
        """What to show: the perceived gender, or "?" where that is unsure; None where nothing was said of it."""
        return self.label.gender_answer.shown if self.label and self.label.gender_answer else None

    @property
    def brief(self) -> bool:
        """Whether it was seen in so few frames of a moving picture that it may be no face: it is not counted."""
        return not self.still and self.frames < YOUNG_HITS


class VisitLog:
    """Collects visits while frames come; keeps some two kilobytes a visit, and no picture.

    Not thread-safe.

    Attributes:
        frames: that were taken in.

    Args:
        lines: whose crossings are counted.
    """

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self.frames = 0
        self._lines = tuple(lines)
        self._last_s = 0.0
        self._still = True
        self._open: dict[int, _Collected] = {}

    def __len__(self) -> int:
        """How many visits there are so far, brief ones included."""
        return len(self._open)

    @property
    def duration_s(self) -> float:
        """Seconds from the beginning to the latest frame; 0 where all of them are pictures that stand alone."""
        return 0.0 if self._still else self._last_s

    def use_lines(self, lines: Sequence[Line]) -> None:
        """Count crossings of other lines from now on; those of a line that stays in its place are kept."""
        kept = [new == old for new, old in zip(lines, self._lines, strict=False)]
        self._lines = tuple(lines)
        for known in self._open.values():
            known.paths = [path if keep else LinePath() for path, keep in zip(known.paths, kept, strict=False)]
            known.made = None

    def add(
        self,
        frame_index: int,
        time_s: float,
        file: str,
        tracks: Sequence[Track],
        labels: Mapping[int, Label],
        *,
        still: bool = False,
        width: int = 0,
        height: int = 0,
        mirrored: bool = False,
    ) -> None:
        """Take in one frame; frames come in the order of their times.

        Args:
            frame_index: index of the frame, from 0.
            time_s: its moment in seconds from the beginning of the source.
            file: where it is from.
            tracks: the faces; those that this frame does not show (`missed` above 0) are left out.
            labels: what is said of them, by track id.
            still: the frame is a picture that stands alone.
            width: of the frame in pixels, for crossings.
            height: of the frame in pixels, for crossings.
            mirrored: the tracks are those of the frame's mirror image; lines are not.
        """
        self.frames += 1
        self._last_s, self._still = max(self._last_s, time_s), self._still and still
        for track in tracks:
            if track.missed:
                continue
            known = self._open.get(track.id)
            if known is None:
                known = self._open[track.id] = _Collected(file, frame_index, time_s, still)
            box = track.detection.box
            known.see(frame_index, time_s, box, labels.get(track.id))
            if self._lines and not still:
                seen = box.mirrored(width) if mirrored else box
                known.follow(self._lines, seen, width, height)

    def visits(self, labels: Labels) -> tuple[Visit, ...]:
        """All visits so far, those that go on included, by id.

        Args:
            labels: the classes of the model that the labels were made by.
        """
        lines = len(self._lines)
        return tuple(known.visit(track_id, labels, lines) for track_id, known in sorted(self._open.items()))

    def fork(self, track_ids: Iterable[int]) -> VisitLog:
        """A log with the same visits, to which frames with these faces, and new ones, can be added and not to this one.

        As cheap as the number of faces given: the other visits are shared.
        """
        other = copy.copy(self)
        other._open = dict(self._open)
        for track_id in track_ids:
            if track_id in self._open:
                other._open[track_id] = copy.deepcopy(self._open[track_id])
        return other


@dataclass(slots=True)
class _Collected:
    file: str
    first_frame: int
    first_seen_s: float
    still: bool
    last_frame: int = 0
    last_seen_s: float = 0.0
    frames: int = 0
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    labelled: int = 0
    ages: NDArray[np.float64] | None = None
    genders: NDArray[np.float64] | None = None
    updated_at: float = 0.0
    samples: int = 0
    made: tuple[Labels, Visit] | None = None
    paths: list[LinePath] = field(default_factory=list)

    def see(self, frame_index: int, time_s: float, box: Box, label: Label | None) -> None:
        """Take in one sighting."""
        self.made = None
        self.last_frame, self.last_seen_s = frame_index, time_s
        self.frames += 1
        self.boxes += (box.x, box.y, box.width, box.height)
        if label is None:
            return
        age, gender = (np.asarray(one, np.float64) for one in (label.prediction.age, label.prediction.gender))
        # Another model, or gender switched on or off, in the middle of a visit: what came before has other classes.
        if self.ages is None or self.genders is None or (age.shape, gender.shape) != self._shapes():
            self.labelled, self.ages, self.genders = 0, np.zeros_like(age), np.zeros_like(gender)
        self.labelled += 1
        self.ages += age
        self.genders += gender
        self.updated_at, self.samples = label.updated_at, label.samples

    def follow(self, lines: Sequence[Line], box: Box, width: int, height: int) -> None:
        """Take in where the face is, for lines."""
        while len(self.paths) < len(lines):
            self.paths.append(LinePath())
        for path, line in zip(self.paths, lines, strict=False):
            path.move(line, box, width, height)

    def visit(self, track_id: int, labels: Labels, lines: int) -> Visit:
        """The visit as it is now; made once for each state, as most visits are over."""
        if self.made is not None and self.made[0] is labels:
            return self.made[1]
        x, y, width, height = (float(value) for value in self.boxes / self.frames)
        visit = Visit(
            track_id,
            self.file,
            self.first_frame,
            self.last_frame,
            self.first_seen_s,
            self.last_seen_s,
            self.frames,
            Box(x, y, width, height),
            self._label(labels),
            self.still,
            # A line that came later was not crossed by who was gone by then.
            tuple(self.paths[index].crossings if index < len(self.paths) else Crossings() for index in range(lines)),
        )
        self.made = labels, visit
        return visit

    def _label(self, labels: Labels) -> Label | None:
        if self.ages is None or self.genders is None:
            return None
        means = (np.asarray(sums / self.labelled, np.float32) for sums in (self.ages, self.genders))
        return make_label(Prediction(*means), labels, updated_at=self.updated_at, samples=self.samples)

    def _shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        assert self.ages is not None
        assert self.genders is not None
        return self.ages.shape, self.genders.shape
