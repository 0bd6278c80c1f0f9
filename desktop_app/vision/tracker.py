"""Which face is which from frame to frame: stable identities, steady boxes and landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detector import Detection, shifted
from desktop_app.vision.geometry import Box, Landmarks, Point

Vector = NDArray[np.float64]

UNMATCHED_COST: Final = 2.0
"""What leaving a track or a detection alone costs, in the unit of `_cost`."""
MAX_SIZE_RATIO: Final = 1.9
"""Between two sightings a face grows or shrinks by no more than this factor."""
DUPLICATE_IOU: Final = 0.5
"""Above this overlap two detections are one face."""
YOUNG_HITS: Final = 3
"""A track with fewer sightings than this may be a false detection and is given up sooner."""


@dataclass(frozen=True, slots=True)
class Track:
    """One face followed over time.

    Attributes:
        id: number of the face from 1; never given to another face by the same tracker.
        detection: steadied box and landmarks in pixels of the frame, with the raw score of the last sighting;
            where the face was not seen (`missed > 0`), moved to where it is expected.
        first_seen_at: moment of the first sighting, in seconds.
        last_seen_at: moment of the last sighting, in seconds.
        hits: number of frames in which the face was seen.
        missed: number of frames since it was last seen; 0 = seen in this frame.
        missed_s: seconds since it was last seen; 0 = seen in this frame.
    """

    id: int
    detection: Detection
    first_seen_at: float
    last_seen_at: float
    hits: int
    missed: int
    missed_s: float = 0.0


class Tracker:
    """Gives every face a number that stays with it, over missed frames and crossings.

    In each frame, detections are assigned to tracks so that the total cost is smallest: distance from where
    the face is expected at constant velocity (in face sizes), lack of overlap and change of size. What is
    left over starts a new track, which is shown at once: waiting for a second sighting would delay every face
    for the sake of rare false ones. A track that is missed coasts; one seen in fewer than three frames, which
    may be false, only for a third of the time.

    Boxes and landmarks are steadied by a 1€ filter (Casiez, Roussel and Vogel 2012, "1€ Filter: A Simple
    Speed-based Low-pass Filter for Noisy Input in Interactive Systems"): a still face is averaged over about
    0.1 s, a moving one is followed with a lag of a few hundredths of its size.

    Works in time, not in frames, so uneven frame rates do not matter; everything is deterministic. Not
    thread-safe.

    Args:
        max_missed_s: how long a track that is not seen is kept, in seconds.
        min_cutoff_hz: cutoff frequency of the filter for a still face; lower is steadier, `inf` switches it
            off.
        cutoff_slope: how much the cutoff rises, in Hz, with a speed of one face size per second.
    """

    def __init__(self, *, max_missed_s: float = 1.0, min_cutoff_hz: float = 1.5, cutoff_slope: float = 8.0) -> None:
        self._max_missed_s = max_missed_s
        self._min_cutoff_hz = min_cutoff_hz
        self._cutoff_slope = cutoff_slope
        self._tracks: list[_State] = []
        self._next_id = 1
        self._at = -math.inf

    def update(self, detections: Sequence[Detection], at: float) -> list[Track]:
        """Take in the faces of one frame.

        Args:
            detections: the faces found, in any order; two of the same face count as one (the better score).
            at: moment of the frame in seconds. A moment before the last one (a video was wound back) ends all
                tracks.

        Returns:
            All tracks by rising id: those seen in this frame (`missed == 0`) and those coasting
            (`missed > 0`).
        """
        if at < self._at:
            self.reset()
        self._at = at
        self._tracks = [state for state in self._tracks if self._is_alive(state, at)]
        found = _without_duplicates(detections)
        costs = np.array([[_cost(state, one, at) for one in found] for state in self._tracks])
        pairs = dict(_assign(costs.reshape(len(self._tracks), len(found))))
        for row, state in enumerate(self._tracks):
            if row in pairs:
                state.see(found[pairs[row]], at, self._min_cutoff_hz, self._cutoff_slope)
            else:
                state.missed += 1
        self._tracks = [state for state in self._tracks if self._is_alive(state, at)]
        taken = set(pairs.values())
        for column, detection in enumerate(found):
            if column not in taken:
                self._tracks.append(_State(self._next_id, detection, at))
                self._next_id += 1
        return [state.as_track(at) for state in self._tracks]

    def reset(self) -> None:
        """End all tracks; ids go on counting."""
        self._tracks = []
        self._at = -math.inf

    def _is_alive(self, state: _State, at: float) -> bool:
        patience_s = self._max_missed_s
        if state.missed == 0:
            # Nobody looked meanwhile: a slow or stalled source is no evidence that the face has gone.
            patience_s *= 3
        elif state.hits < YOUNG_HITS:
            patience_s /= 3
        return at - state.last_seen_at <= patience_s


class _State:
    """What the tracker knows of one face; vectors hold centre, size and landmarks in pixels."""

    def __init__(self, track_id: int, detection: Detection, at: float) -> None:
        self.id = track_id
        self.first_seen_at = at
        self.last_seen_at = at
        self.hits = 1
        self.missed = 0
        self.seen = detection
        self.steady = detection
        self.raw = _to_vector(detection)
        self.smooth = self.raw
        self.velocity: Vector = np.zeros_like(self.raw)

    def see(self, detection: Detection, at: float, min_cutoff_hz: float, cutoff_slope: float) -> None:
        """Move on to a new sighting."""
        raw, dt = _to_vector(detection), at - self.last_seen_at
        if dt > 0:
            self.velocity = self._velocity_after(raw, dt)
            speed = np.abs(self.velocity) / max(detection.box.size, 1.0)
            share = _share(min_cutoff_hz + cutoff_slope * speed, dt)
            self.smooth = self.smooth + share * (raw - self.smooth)
        self.raw, self.seen = raw, detection
        self.steady = _to_detection(self.smooth, detection.score)
        self.last_seen_at = at
        self.hits += 1
        self.missed = 0

    def _velocity_after(self, raw: Vector, dt: float) -> Vector:
        """Velocity in pixels per second, low-passed at 1.2 Hz; the first one is taken as it is."""
        measured = (raw - self.raw) / max(dt, 0.01)
        share = 1.0 if self.hits == 1 else _share(np.full(1, 1.2), dt)
        return np.asarray(self.velocity + share * (measured - self.velocity))

    def offset(self, at: float) -> Point:
        """How far the face is expected to have moved since its last sighting, in pixels."""
        gap_s = at - self.last_seen_at
        return Point(float(self.velocity[0] * gap_s), float(self.velocity[1] * gap_s))

    def as_track(self, at: float) -> Track:
        detection = shifted(self.steady, *self.offset(at)) if self.missed else self.steady
        return Track(
            self.id,
            detection,
            self.first_seen_at,
            self.last_seen_at,
            self.hits,
            self.missed,
            missed_s=at - self.last_seen_at,
        )


def _cost(state: _State, detection: Detection, at: float) -> float:
    """How badly a detection fits a track: 0 in full, `UNMATCHED_COST` where it cannot."""
    expected, box = state.seen.box.shifted(*state.offset(at)), detection.box
    if not (expected.size > 0 and box.size > 0):
        return UNMATCHED_COST
    distance = math.dist(expected.center, box.center) / math.sqrt(expected.size * box.size)
    growth = abs(math.log(box.size / expected.size))
    # How far a face may be from where it is expected grows with the time it was not seen.
    reach = min(0.6 + 2.0 * (at - state.last_seen_at), 1.2)
    if distance > reach or growth > math.log(MAX_SIZE_RATIO):
        return UNMATCHED_COST
    # The square prefers that all faces moved a little over one that jumped: a step of the camera, say.
    return min(distance**2 + growth + 0.5 * (1 - expected.iou(box)), UNMATCHED_COST)


def _without_duplicates(detections: Sequence[Detection]) -> list[Detection]:
    """The detections in a fixed order, best score first, without second ones of the same face."""
    kept: list[Detection] = []
    for one in sorted(detections, key=_rank):
        if not any(_is_same_face(one.box, other.box) for other in kept):
            kept.append(one)
    return kept


def _rank(detection: Detection) -> tuple[float, ...]:
    box = detection.box
    return -detection.score, box.x, box.y, box.width, box.height


def _is_same_face(one: Box, other: Box) -> bool:
    if one.iou(other) > DUPLICATE_IOU:
        return True
    # A box within the other around the same middle: the face and a part of it, as a zoomed look may find.
    smaller, larger = sorted((one, other), key=lambda box: box.area)
    return (
        math.dist(one.center, other.center) < 0.2 * larger.size
        and smaller.area > 0
        and smaller.right <= larger.right
        and smaller.bottom <= larger.bottom
        and smaller.x >= larger.x
        and smaller.y >= larger.y
    )


def _assign(costs: Vector) -> list[tuple[int, int]]:
    """The assignment of rows to columns with the smallest total cost, by shortest augmenting paths.

    Jonker and Volgenant 1987, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems". Pairs that cost `UNMATCHED_COST` or more are left out.

    Returns:
        (row, column) pairs.
    """
    rows, columns = costs.shape
    if rows > columns:
        return [(row, column) for column, row in _assign(costs.T)]
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        length = np.full(columns, np.inf)
        before = np.full(columns, -1)
        done = np.zeros(columns, dtype=bool)
        row, column, reached = start, -1, 0.0
        while row >= 0:
            reduced = reached + costs[row] - row_price[row] - column_price
            shorter = ~done & (reduced < length)
            length[shorter], before[shorter] = reduced[shorter], column
            column = int(np.argmin(np.where(done, np.inf, length)))
            reached, done[column], row = float(length[column]), True, int(owner[column])
        row_price[start] += reached
        inner = done & (owner >= 0)
        row_price[owner[inner]] += reached - length[inner]
        column_price[done] -= reached - length[done]
        while column >= 0:
            previous = int(before[column])
            owner[column] = start if previous < 0 else owner[previous]
            column = previous
    taken = [(int(row), column) for column, row in enumerate(owner) if row >= 0]
    return [(row, column) for row, column in taken if costs[row, column] < UNMATCHED_COST]


def _share(cutoff_hz: Vector, dt: float) -> Vector:
    """The weight of a new sample in a first-order low-pass with this cutoff."""
    return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff_hz * dt)))


def _to_vector(detection: Detection) -> Vector:
    box = detection.box
    return np.array([*box.center, box.width, box.height, *np.ravel(detection.landmarks.points)], np.float64)


def _to_detection(vector: Vector, score: float) -> Detection:
    x, y, width, height, *marks = vector.tolist()
    points = [Point(marks[index], marks[index + 1]) for index in range(0, len(marks), 2)]
    return Detection(Box(x - width / 2, y - height / 2, width, height), score, Landmarks(*points))
