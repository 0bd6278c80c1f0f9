"""Multi-face tracker: stable track ids, smoothed boxes and landmarks."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection, shifted
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.assignment import assign
from desktop_app.vision.tracking.continuity import FaceContinuity

UNMATCHED_COST: Final = 2.0
"""What leaving a track or a detection alone costs, in the unit of `_State.cost`."""
MAX_SIZE_RATIO: Final = 1.9
"""Between two sightings a face grows or shrinks by no more than this factor."""
_MAX_GROWTH: Final = math.log(MAX_SIZE_RATIO)
DUPLICATE_IOU: Final = 0.5
"""Above this overlap two detections are one face."""
CHECKED_AT_ONCE: Final = 2
"""So many faces a frame, or a quarter of them, are looked at to see whether they are still the same; all of them where
one may not be: at a cut all faces change."""
MOST_LOST: Final = 6
"""With so many lost faces, the last ones, a new one is compared."""
YOUNG_HITS: Final = 3


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

    Where a face has become another one from one frame to the next, as at a cut, its track ends and a new one starts,
    in that frame or the one after; see `FaceContinuity`. A face that is lost and found elsewhere within a second, or
    that comes back to its place, has its track again.

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
        young_hits: a track with fewer sightings than this may be a false detection and is given up sooner.
    """

    def __init__(
        self,
        *,
        max_missed_s: float = 1.0,
        min_cutoff_hz: float = 1.5,
        cutoff_slope: float = 8.0,
        young_hits: int = YOUNG_HITS,
    ) -> None:
        self._max_missed_s = max_missed_s
        self._young_hits = young_hits
        self._min_cutoff_hz = min_cutoff_hz
        self._cutoff_slope = cutoff_slope
        self._tracks: list[_State] = []
        self._parted: list[_State] = []
        self._next_id = 1
        self._at = -math.inf

    def update(self, detections: Sequence[Detection], at: float, image: NDArray[np.uint8] | None = None) -> list[Track]:
        """Take in the faces of one frame.

        Args:
            detections: the faces found, in any order; two of the same face count as one (the better score).
            at: moment of the frame in seconds. A moment before the last one (after a seek backwards) ends all
                tracks.
            image: the frame, H×W×3 uint8, BGR; with it a track ends where its face has become another one.

        Returns:
            All tracks by rising id: those seen in this frame (`missed == 0`) and those coasting
            (`missed > 0`).
        """
        if at < self._at:
            self.reset()
        self._at = at
        self._tracks = [state for state in self._tracks if self._is_alive(state, at)]
        self._parted = [state for state in self._parted if at - state.last_seen_at <= self._max_missed_s]
        found = _without_duplicates(detections)
        pairs = assign(_costs(self._tracks, found, at), UNMATCHED_COST)
        if image is not None:
            pairs = self._without_others(pairs, found, at, image)
        for row, state in enumerate(self._tracks):
            if row in pairs:
                state.see(found[pairs[row]], at, self._min_cutoff_hz, self._cutoff_slope)
            else:
                state.missed += 1
        self._tracks = [state for state in self._tracks if self._is_alive(state, at)]
        taken = set(pairs.values())
        for column, detection in enumerate(found):
            if column not in taken and not (image is not None and self._take_back(detection, at, image)):
                look = FaceContinuity(image, detection.box, at) if image is not None else None
                self._tracks.append(_State(self._next_id, detection, at, look))
                self._next_id += 1
        return [state.as_track(at) for state in self._tracks]

    def reset(self) -> None:
        """End all tracks; ids continue."""
        self._tracks, self._parted = [], []
        self._at = -math.inf

    def _without_others(
        self, pairs: Mapping[int, int], found: Sequence[Detection], at: float, image: NDArray[np.uint8]
    ) -> dict[int, int]:
        """End the tracks whose face has become another one.

        Returns:
            The pairs of the other tracks, by their new places.
        """
        looks = {row: look for row in pairs if (look := self._tracks[row].look) is not None}
        ended: set[int] = set()
        doubtful = False
        enough = max(CHECKED_AT_ONCE, math.ceil(len(looks) / 4))
        for number, row in enumerate(
            sorted(looks, key=lambda row: (not looks[row].is_doubtful, looks[row].checked_at))
        ):
            if number >= enough and not doubtful:
                break
            if not looks[row].goes_on(image, found[pairs[row]].box, at):
                ended.add(row)
            doubtful = doubtful or row in ended or looks[row].is_doubtful
        left = [row for row in range(len(self._tracks)) if row not in ended]
        self._parted += [self._tracks[row] for row in sorted(ended)]
        self._tracks = [self._tracks[row] for row in left]
        return {place: pairs[row] for place, row in enumerate(left) if row in pairs}

    def _take_back(self, detection: Detection, at: float, image: NDArray[np.uint8]) -> bool:
        """Continue the track of a face that was lost a moment ago and is found elsewhere, as after a fast pan."""
        lost = [state for state in self._tracks if state.missed and state.look is not None]
        lost = sorted(lost + self._parted, key=lambda state: (-state.last_seen_at, state.id))[:MOST_LOST]
        for state in lost:
            if state.look is not None and state.look.comes_back(image, detection.box, at):
                state.jump(detection, at)
                if state in self._parted:
                    self._parted.remove(state)
                    self._tracks = sorted([*self._tracks, state], key=lambda one: one.id)
                return True
        return False

    def _is_alive(self, state: _State, at: float) -> bool:
        patience_s = self._max_missed_s
        if state.missed == 0:
            # No frame was searched meanwhile: a slow or stalled source is no evidence that the face has gone.
            patience_s *= 3
        elif state.hits < self._young_hits:
            patience_s /= 3
        return at - state.last_seen_at <= patience_s


class _State:
    """What the tracker knows of one face; vectors hold centre, size and landmarks in pixels.

    They are plain lists: on so few numbers NumPy takes longer to be called than to compute.
    """

    __slots__ = (
        "first_seen_at",
        "hits",
        "id",
        "last_seen_at",
        "look",
        "missed",
        "raw",
        "seen",
        "smooth",
        "steady",
        "velocity",
    )

    def __init__(self, track_id: int, detection: Detection, at: float, look: FaceContinuity | None) -> None:
        self.id = track_id
        self.look = look
        self.first_seen_at = at
        self.last_seen_at = at
        self.hits = 1
        self.missed = 0
        self.seen = detection
        self.steady = detection
        self.raw = _to_vector(detection)
        self.smooth = self.raw
        self.velocity = [0.0] * len(self.raw)

    def see(self, detection: Detection, at: float, min_cutoff_hz: float, cutoff_slope: float) -> None:
        """Move on to a new sighting."""
        raw, dt = _to_vector(detection), at - self.last_seen_at
        if dt > 0:
            self._filter(raw, dt, min_cutoff_hz, cutoff_slope / max(detection.box.size, 1.0))
        self.raw, self.seen = raw, detection
        self.steady = _to_detection(self.smooth, detection.score)
        self.last_seen_at = at
        self.hits += 1
        self.missed = 0

    def jump(self, detection: Detection, at: float) -> None:
        """Begin anew at another place."""
        self.seen = self.steady = detection
        self.raw = self.smooth = _to_vector(detection)
        self.velocity = [0.0] * len(self.raw)
        self.last_seen_at = at
        self.hits += 1
        self.missed = 0

    def _filter(self, raw: list[float], dt: float, min_cutoff_hz: float, cutoff_per_speed: float) -> None:
        """Take a sample into the velocity (pixels per second, low-passed at 1.2 Hz) and the steadied vector."""
        gap_s = max(dt, 0.01)
        # The first velocity is taken as it is.
        left = 0.0 if self.hits == 1 else 1 / (1 + 2 * math.pi * 1.2 * dt)
        pace, least = 2 * math.pi * dt * cutoff_per_speed, 1 + 2 * math.pi * dt * min_cutoff_hz
        velocity: list[float] = []
        smooth: list[float] = []
        for new, old, speed, mean in zip(raw, self.raw, self.velocity, self.smooth, strict=True):
            measured = (new - old) / gap_s
            speed_now = measured + left * (speed - measured)
            velocity.append(speed_now)
            smooth.append(new + (mean - new) / (least + pace * abs(speed_now)))
        self.velocity, self.smooth = velocity, smooth

    def offset(self, at: float) -> Point:
        """How far the face is expected to have moved since its last sighting, in pixels."""
        gap_s = at - self.last_seen_at
        return Point(self.velocity[0] * gap_s, self.velocity[1] * gap_s)

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


def _costs(states: Sequence[_State], found: Sequence[Detection], at: float) -> list[dict[int, float]]:
    """For each track the cost of each detection in reach, by its index: 0 (full overlap) to `UNMATCHED_COST`."""
    # By their x, so that for each track only those at about its place are looked at.
    order = sorted(
        (center.x, center.y, one.box.size, column)
        for column, one in enumerate(found)
        if (center := one.box.center) and one.box.size > 0
    )
    across = [entry[0] for entry in order]
    costs: list[dict[int, float]] = []
    for state in states:
        row: dict[int, float] = {}
        costs.append(row)
        offset, size = state.offset(at), state.seen.box.size
        if not size > 0:
            continue
        center_x, center_y = (a + b for a, b in zip(state.seen.box.center, offset, strict=True))
        # How far a face may be from where it is expected grows with the time it was not seen.
        reach = min(0.6 + 2.0 * (at - state.last_seen_at), 1.2)
        furthest = reach * size * math.sqrt(MAX_SIZE_RATIO)
        near = slice(bisect_left(across, center_x - furthest), bisect_right(across, center_x + furthest))
        for x, y, other_size, column in order[near]:
            growth = abs(math.log(other_size / size))
            distance = math.hypot(x - center_x, y - center_y) / math.sqrt(size * other_size)
            if distance > reach or growth > _MAX_GROWTH:
                continue
            overlap = state.seen.box.shifted(*offset).iou(found[column].box)
            # The square prefers that all faces moved a little over one that jumped: a step of the camera, say.
            row[column] = min(distance**2 + growth + 0.5 * (1 - overlap), UNMATCHED_COST)
    return costs


def _without_duplicates(detections: Sequence[Detection]) -> list[Detection]:
    """The detections in a fixed order, best score first, without second ones of the same face."""
    kept: list[Detection] = []
    edges: list[tuple[float, float, float, float]] = []
    for one in sorted(detections, key=_rank):
        box = one.box
        left, top, right, bottom = box.x, box.y, box.right, box.bottom
        if not any(
            left <= other_right
            and other_left <= right
            and top <= other_bottom
            and other_top <= bottom
            and _is_same_face(box, other.box)
            for other, (other_left, other_top, other_right, other_bottom) in zip(kept, edges, strict=True)
        ):
            kept.append(one)
            edges.append((left, top, right, bottom))
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


def _to_vector(detection: Detection) -> list[float]:
    box = detection.box
    vector = [*box.center, box.width, box.height]
    for point in detection.landmarks.points:
        vector += point
    return vector


def _to_detection(vector: Sequence[float], score: float) -> Detection:
    x, y, width, height, *marks = vector
    points = map(Point, marks[::2], marks[1::2])
    return Detection(Box(x - width / 2, y - height / 2, width, height), score, Landmarks(*points))
