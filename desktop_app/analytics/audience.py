"""What a session says about its audience: counts by group with intervals, times in view, presence over time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.analytics.crossings import LineCount
from desktop_app.analytics.estimation import draw_true_counts, interval
from desktop_app.analytics.visits import Visit
from desktop_app.catalogue.manifest import Manifest
from desktop_app.vision.classification.label import Label
from desktop_app.vision.geometry import Line

MOST_BINS: Final = 24
_BIN_WIDTHS: Final = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_QUARTERS: Final = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many visits are of a group.

    Attributes:
        name: of the group.
        sure: visits that are shown as just this group.
        unsure: visits whose most probable group this is, but which are shown as unsure.
        expected: sum of the group's probabilities over all visits with an answer, the unsure ones included.
        low: smallest true number that the model's measured errors allow, with 95 % probability; None where the
            errors of the model were not measured.
        high: largest such number; None where `low` is.
    """

    name: str
    sure: int
    unsure: int
    expected: float
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class TimesInView:
    """Quartiles of the seconds from first to last sighting, over all counted visits."""

    lower_quartile_s: float
    median_s: float
    upper_quartile_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class TimeBin:
    """A part of the session.

    Attributes:
        start_s: its beginning, in seconds from that of the source.
        end_s: its end, not included.
        arrivals: counted visits that began in it.
        mean_present: mean number of visits in view.
        most_present: largest number of visits in view at once.
        ages: arrivals shown as just one age group, by age group.
        genders: arrivals shown as one gender, by gender; empty where gender was not computed.
        unsure_ages: arrivals whose age group is unsure, or that have no answer.
        unsure_genders: the same for gender; 0 where that was not computed.
    """

    start_s: float
    end_s: float
    arrivals: int
    mean_present: float
    most_present: int
    ages: tuple[int, ...]
    genders: tuple[int, ...]
    unsure_ages: int
    unsure_genders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The counts of a session; nothing in it is about a single visit.

    Attributes:
        visits: counted visits; in pictures that stand alone, faces.
        brief: sightings in fewer than three frames of a moving picture, which may be no faces: not counted.
        unanswered: counted visits of which nothing was said, as of one that was never classified.
        ages: counts by age group, from young to old.
        genders: counts by perceived gender; empty where that was not computed for all of them.
        cells: counts by age group and, within it, by perceived gender; empty where `genders` is. Sure is a visit of
            which both are.
        times_in_view: of visits in moving pictures; None where there are none.
        bins: the session in equal parts of time; empty for pictures that stand alone.
        frames: frames, or pictures, that were looked at.
        pictures_with_faces: pictures that stand alone and show a face.
        duration_s: length of the session in seconds; 0 for pictures that stand alone.
        lines: crossings of each line.
        most_at_once: the largest number of visits in view at once; 0 for pictures that stand alone.
    """

    visits: int
    brief: int
    unanswered: int
    ages: tuple[GroupCount, ...]
    genders: tuple[GroupCount, ...]
    cells: tuple[tuple[GroupCount, ...], ...]
    times_in_view: TimesInView | None
    bins: tuple[TimeBin, ...]
    frames: int
    pictures_with_faces: int
    duration_s: float
    lines: tuple[LineCount, ...] = ()
    most_at_once: int = 0

    @property
    def unsure_ages(self) -> int:
        """Counted visits whose age group is unsure."""
        return sum(group.unsure for group in self.ages)

    @property
    def unsure_genders(self) -> int:
        """Counted visits whose perceived gender is unsure."""
        return sum(group.unsure for group in self.genders)


def summarise(
    visits: Sequence[Visit],
    manifest: Manifest,
    *,
    frames: int,
    duration_s: float,
    begin_s: float = 0.0,
    lines: Sequence[Line] = (),
) -> Audience:
    """Count an audience.

    Args:
        visits: as `VisitLog` collects them.
        manifest: of the model that the labels are made by: its classes, and its measured errors.
        frames: frames that were looked at.
        duration_s: length of what was looked at, in seconds.
        begin_s: when that began, on the clock of the visits.
        lines: those whose crossings the visits hold.
    """
    counted = count(visits, manifest, frames=frames, duration_s=duration_s, lines=lines)
    moving = [visit for visit in visits if not visit.brief and not visit.still]
    with_gender = counted.genders is not None
    bins = _bins(moving, manifest, begin_s, duration_s, with_gender=with_gender) if moving else ()
    return counted.audience(manifest, bins=bins, lines=lines)


def arrivals_by_minute(visits: Sequence[Visit], duration_s: float, *, most: int) -> tuple[int, ...]:
    """Counted visits of moving pictures by the minute in which they began, the newest last.

    Args:
        visits: as `VisitLog` collects them.
        duration_s: length of the session so far, in seconds.
        most: minutes at the most; the oldest are left out.
    """
    minutes = int(duration_s // 60) + 1
    counts = [0] * min(minutes, most)
    for visit in visits:
        place = int(visit.first_seen_s // 60) - minutes + len(counts)
        if 0 <= place < len(counts) and not visit.brief and not visit.still:
            counts[place] += 1
    return tuple(counts)


@dataclass(frozen=True, slots=True)
class GroupTally:
    """Visits with an answer, by the group that is most probable.

    Attributes:
        sure: those that are shown as just this group.
        unsure: the others.
        expected: sum of the group's probabilities over all of them.
    """

    sure: tuple[int, ...]
    unsure: tuple[int, ...]
    expected: tuple[float, ...]

    def __add__(self, other: GroupTally) -> GroupTally:
        """Those of two audiences."""
        return GroupTally(
            tuple(map(add, self.sure, other.sure)),
            tuple(map(add, self.unsure, other.unsure)),
            tuple(map(add, self.expected, other.expected)),
        )

    @property
    def leaders(self) -> NDArray[np.int64]:
        """How many there are of each group."""
        return np.add(self.sure, self.unsure, dtype=np.int64)

    def counts(self, names: Sequence[str], draws: NDArray[np.int64] | None) -> tuple[GroupCount, ...]:
        """The counts of the groups, with what can be said of the true ones."""
        return tuple(
            GroupCount(name, sure, unsure, expected, *(interval(draws[:, index]) if draws is not None else ()))
            for index, (name, sure, unsure, expected) in enumerate(
                zip(names, self.sure, self.unsure, self.expected, strict=True)
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is counted of an audience, in a form that can be added up over many sources.

    Attributes as those of `Audience`, apart from these.

    Attributes:
        genders: None where it was not computed for all of them, or nobody has an answer.
        cells: by age group and, within it, by perceived gender; None where `genders` is.
        times_s: seconds in view of each counted visit in moving pictures.
        crossings: of each line, forward and backward.
    """

    visits: int = 0
    brief: int = 0
    unanswered: int = 0
    ages: GroupTally
    genders: GroupTally | None = None
    cells: GroupTally | None = None
    times_s: tuple[float, ...] = ()
    frames: int = 0
    pictures_with_faces: int = 0
    duration_s: float = 0.0
    crossings: tuple[tuple[int, int], ...] = ()
    most_at_once: int = 0

    def __add__(self, other: Tally) -> Tally:
        """The counts of two audiences together."""
        if self.visits == self.unanswered:
            genders, cells = other.genders, other.cells
        elif other.visits == other.unanswered:
            genders, cells = self.genders, self.cells
        else:
            genders = self.genders + other.genders if self.genders and other.genders else None
            cells = self.cells + other.cells if self.cells and other.cells else None
        return Tally(
            visits=self.visits + other.visits,
            brief=self.brief + other.brief,
            unanswered=self.unanswered + other.unanswered,
            ages=self.ages + other.ages,
            genders=genders,
            cells=cells,
            times_s=self.times_s + other.times_s,
            frames=self.frames + other.frames,
            pictures_with_faces=self.pictures_with_faces + other.pictures_with_faces,
            duration_s=self.duration_s + other.duration_s,
            crossings=tuple(
                (one[0] + two[0], one[1] + two[1])
                for one, two in zip_longest(self.crossings, other.crossings, fillvalue=(0, 0))
            ),
            most_at_once=max(self.most_at_once, other.most_at_once),
        )

    def audience(self, manifest: Manifest, *, bins: Sequence[TimeBin] = (), lines: Sequence[Line] = ()) -> Audience:
        """The audience with these counts.

        Args:
            manifest: as for `summarise`.
            bins: its course in time; none for what was not one session.
            lines: those whose crossings were counted.
        """
        ages, genders, cells = self._groups(manifest)
        return Audience(
            visits=self.visits,
            brief=self.brief,
            unanswered=self.unanswered,
            ages=ages,
            genders=genders,
            cells=cells,
            times_in_view=_times_in_view(self.times_s),
            bins=tuple(bins),
            frames=self.frames,
            pictures_with_faces=self.pictures_with_faces,
            duration_s=self.duration_s,
            lines=tuple(LineCount(line, *crossed) for line, crossed in zip(lines, self.crossings, strict=False)),
            most_at_once=self.most_at_once,
        )

    def _groups(
        self, manifest: Manifest
    ) -> tuple[tuple[GroupCount, ...], tuple[GroupCount, ...], tuple[tuple[GroupCount, ...], ...]]:
        ages, genders = [age.name for age in manifest.labels.ages], list(manifest.labels.genders)
        shape = (len(ages), len(genders))
        confusion = np.array(manifest.confusion, np.int64).reshape(*shape, *shape) if manifest.confusion else None
        if self.genders is None or self.cells is None:
            by_age = confusion.sum(axis=(1, 3)) if confusion is not None else None
            return self.ages.counts(ages, _draws(self.ages, by_age)), (), ()
        cells = len(ages) * len(genders)
        draws = _draws(self.cells, confusion.reshape(cells, cells) if confusion is not None else None)
        by_cell = draws.reshape(-1, *shape) if draws is not None else None
        rows = self.cells.counts(genders * len(ages), draws)
        return (
            self.ages.counts(ages, by_cell.sum(axis=2) if by_cell is not None else None),
            self.genders.counts(genders, by_cell.sum(axis=1) if by_cell is not None else None),
            tuple(rows[start : start + len(genders)] for start in range(0, cells, len(genders))),
        )


def count(
    visits: Sequence[Visit], manifest: Manifest, *, frames: int, duration_s: float, lines: Sequence[Line] = ()
) -> Tally:
    """Count the audience of one source; arguments as for `summarise`."""
    counted = [visit for visit in visits if not visit.brief]
    labels = [visit.label for visit in counted if visit.label is not None]
    moving = [visit for visit in counted if not visit.still]
    ages, genders = len(manifest.labels.ages), len(manifest.labels.genders)
    with_gender = bool(labels) and all(label.gender_answer is not None for label in labels)
    return Tally(
        visits=len(counted),
        brief=len(visits) - len(counted),
        unanswered=len(counted) - len(labels),
        ages=_tally(labels, ages, lambda label: label.prediction.age, lambda label: label.age_answer.unsure),
        genders=_tally(
            labels,
            genders,
            lambda label: label.prediction.gender,
            lambda label: label.gender_answer is None or label.gender_answer.unsure,
        )
        if with_gender
        else None,
        cells=_tally(
            labels,
            ages * genders,
            lambda label: np.outer(label.prediction.age, label.prediction.gender).ravel(),
            lambda label: bool(label.unsure),
        )
        if with_gender
        else None,
        times_s=tuple(visit.time_in_view_s for visit in moving),
        frames=frames,
        pictures_with_faces=len({visit.first_frame for visit in counted if visit.still}),
        duration_s=duration_s,
        crossings=tuple(
            (
                sum(visit.crossings[index].forward for visit in counted),
                sum(visit.crossings[index].backward for visit in counted),
            )
            for index in range(len(lines))
        ),
        most_at_once=_most_at_once([(visit.first_seen_s, visit.last_seen_s) for visit in moving]),
    )


def _tally(
    labels: Sequence[Label],
    classes: int,
    probabilities_of: Callable[[Label], NDArray[np.float32]],
    is_unsure: Callable[[Label], bool],
) -> GroupTally:
    probabilities = np.array([probabilities_of(label) for label in labels], np.float64).reshape(-1, classes)
    leaders, unsure = probabilities.argmax(axis=1), np.array([is_unsure(label) for label in labels], bool)
    sure, others = (np.bincount(leaders[which], minlength=classes).tolist() for which in (~unsure, unsure))
    return GroupTally(tuple(sure), tuple(others), tuple(map(float, probabilities.sum(axis=0))))


def _draws(tally: GroupTally, confusion: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if confusion is None else draw_true_counts(tally.leaders, confusion)


def _times_in_view(times: Sequence[float]) -> TimesInView | None:
    if not times:
        return None
    lower, median, upper = (float(one) for one in np.quantile(times, _QUARTERS))
    return TimesInView(lower, median, upper, max(times))


def _bins(
    visits: Sequence[Visit], manifest: Manifest, begin_s: float, duration_s: float, *, with_gender: bool
) -> tuple[TimeBin, ...]:
    length_s = max(duration_s, *(visit.last_seen_s - begin_s for visit in visits), 1e-3)
    end_s = begin_s + length_s
    width = next((one for one in _BIN_WIDTHS if one * MOST_BINS >= length_s), math.ceil(length_s / MOST_BINS))
    count = math.ceil(length_s / width)
    arrived: list[list[Visit]] = [[] for _ in range(count)]
    for visit in visits:
        arrived[min(int((visit.first_seen_s - begin_s) / width), count - 1)].append(visit)
    return tuple(
        _bin(
            visits,
            one,
            manifest,
            begin_s + index * width,
            min(begin_s + (index + 1) * width, end_s),
            with_gender=with_gender,
        )
        for index, one in enumerate(arrived)
    )


def _bin(
    visits: Sequence[Visit],
    arrived: Sequence[Visit],
    manifest: Manifest,
    start_s: float,
    end_s: float,
    *,
    with_gender: bool,
) -> TimeBin:
    answers = [visit.label for visit in arrived if visit.label is not None]
    ages = Counter(label.age for label in answers if not label.age_answer.unsure)
    genders = Counter(label.gender for label in answers if label.gender_answer and not label.gender_answer.unsure)
    present = [
        (max(visit.first_seen_s, start_s), min(visit.last_seen_s, end_s))
        for visit in visits
        if visit.first_seen_s < end_s and visit.last_seen_s >= start_s
    ]
    return TimeBin(
        start_s=float(start_s),
        end_s=float(end_s),
        arrivals=len(arrived),
        mean_present=sum(end - start for start, end in present) / (end_s - start_s),
        most_present=_most_at_once(present),
        ages=tuple(ages[age.name] for age in manifest.labels.ages),
        genders=tuple(genders[name] for name in manifest.labels.genders) if with_gender else (),
        unsure_ages=len(arrived) - ages.total(),
        unsure_genders=len(arrived) - genders.total() if with_gender else 0,
    )


def _most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    # Who comes in the moment in which another one is last seen is there together with them.
    steps = sorted([*((start, 0, 1) for start, _ in spans), *((end, 1, -1) for _, end in spans)])
    return max(accumulate(step for *_, step in steps), default=0)
