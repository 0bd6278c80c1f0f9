"""The report on a session: one HTML page that needs nothing else, or the same numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import jinja2
import numpy as np

from desktop_app.analytics.audience import Audience, GroupCount
from desktop_app.analytics.crossings import arrows
from desktop_app.catalogue.manifest import Manifest
from desktop_app.paths import RESOURCES_FOLDER

_TEMPLATE: Final = "report.html.j2"
_PYRAMID_REACH: Final = 45.0
"""Percent of the pyramid's width that the longest bar, or interval, takes on each side."""
_DECIMALS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """What a report says besides its counts.

    Attributes:
        source: name of the source, for people; never holds a password.
        manifest: of the model that the labels are made by.
        version: of this program.
        began_at: when a live source was opened, in local time; None for files, whose report is the same every time.
        notices: sentences on what could not be read, or is to be known of the run.
    """

    source: str
    manifest: Manifest
    version: str
    began_at: datetime | None = None
    notices: Sequence[str] = ()


def report_html(audience: Audience, facts: ReportFacts) -> str:
    """The report as one HTML page, with its style and its drawings inside and without scripts or addresses.

    It holds counts only: no picture, and nothing about a single visit.
    """
    # Blank lines and the template's indentation are not worth their bytes, but readable source is.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(RESOURCES_FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["clock"] = _clock
    environment.filters["share"] = _share
    environment.filters["percent"] = lambda value: f"{100 * value:.0f}"
    environment.filters["arrows"] = arrows
    return environment.get_template(_TEMPLATE).render(
        audience=audience,
        facts=facts,
        still=not audience.bins and audience.duration_s == 0,
        measured=bool(facts.manifest.confusion),
        pyramid=_pyramid(audience),
        timeline=_timeline(audience),
        highest=f"{_highest(audience):.3g}",
        errors=_measured_errors(facts.manifest),
    )


def report_values(audience: Audience, facts: ReportFacts) -> dict[str, Any]:
    """The report as plain values for JSON; numbers that are no counts are rounded to three decimals."""
    manifest = facts.manifest
    return {
        "source": facts.source,
        "began_at": facts.began_at.isoformat(timespec="seconds") if facts.began_at else None,
        "version": facts.version,
        "model": {
            "name": manifest.name,
            "title": manifest.title,
            "files": dict(manifest.files),
            "scores": dict(manifest.scores),
            "scores_on": manifest.about.get("scores_on", ""),
        },
        "notices": list(facts.notices),
        "unsure_ages": audience.unsure_ages,
        "unsure_genders": audience.unsure_genders,
        **_rounded(asdict(audience)),
    }


@dataclass(frozen=True, slots=True)
class _Bar:
    """One side of a row of the pyramid; lengths in percent of the drawing's width."""

    group: GroupCount
    sure: float
    unsure: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    bars: tuple[_Bar, ...]


def _pyramid(audience: Audience) -> tuple[_Row, ...]:
    """Age groups from old to young, with one bar to each side for two genders, else one bar to the right."""
    paired = len(audience.genders) == 2
    rows = audience.cells if paired else tuple((group,) for group in audience.ages)
    groups = [group for row in rows for group in row]
    most = max((max(group.sure + group.unsure, group.high or 0) for group in groups), default=0)
    scale = (_PYRAMID_REACH if paired else 2 * _PYRAMID_REACH) / max(most, 1)
    return tuple(
        _Row(age.name, tuple(_bar(group, scale) for group in row))
        for age, row in zip(reversed(audience.ages), reversed(rows), strict=True)
    )


def _bar(group: GroupCount, scale: float) -> _Bar:
    return _Bar(
        group,
        round(group.sure * scale, 2),
        round(group.unsure * scale, 2),
        round(group.low * scale, 2) if group.low is not None else None,
        round(group.high * scale, 2) if group.high is not None else None,
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A part of the session as a column of the timeline; all in percent of the drawing."""

    x: float
    width: float
    arrivals: float
    present: float
    title: str


def _timeline(audience: Audience) -> tuple[_Column, ...]:
    begin_s, end_s = (audience.bins[0].start_s, audience.bins[-1].end_s) if audience.bins else (0.0, 1.0)
    length_s = end_s - begin_s
    most = _highest(audience) or 1
    return tuple(
        _Column(
            round(100 * (one.start_s - begin_s) / length_s, 3),
            round(100 * (one.end_s - one.start_s) / length_s, 3),
            round(100 * one.arrivals / most, 2),
            round(100 * one.mean_present / most, 2),
            f"{_clock(one.start_s)}–{_clock(one.end_s)}: {one.arrivals} arrivals, {one.mean_present:.1f} in view",
        )
        for one in audience.bins
    )


def _highest(audience: Audience) -> float:
    return max((max(one.arrivals, one.mean_present) for one in audience.bins), default=0)


@dataclass(frozen=True, slots=True)
class _Measured:
    """How often the model is right about the people of a group."""

    name: str
    faces: int
    age_exact: float
    age_within_one: float
    gender: float


def _measured_errors(manifest: Manifest) -> tuple[_Measured, ...]:
    """By age group and by gender as labelled; none where that was not measured."""
    if not manifest.confusion:
        return ()
    ages, genders = len(manifest.labels.ages), len(manifest.labels.genders)
    counts = np.array(manifest.confusion, np.int64).reshape(ages, genders, ages, genders)
    by_age = [(age.name, counts * (np.arange(ages) == index)[:, None, None, None]) for index, age in _indexed(manifest)]
    by_gender = [
        (name, counts * (np.arange(genders) == index)[None, :, None, None])
        for index, name in enumerate(manifest.labels.genders)
    ]
    return tuple(_right(name, chosen) for name, chosen in (*by_age, *by_gender) if chosen.any())


def _indexed(manifest: Manifest) -> list[tuple[int, Any]]:
    return list(enumerate(manifest.labels.ages))


def _right(name: str, counts: Any) -> _Measured:
    ages, genders = counts.sum(axis=(1, 3)), counts.sum(axis=(0, 2))
    faces = int(counts.sum())
    near = sum(np.trace(ages, offset) for offset in (-1, 0, 1))
    return _Measured(name, faces, np.trace(ages) / faces, near / faces, np.trace(genders) / faces)


def _clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, _DECIMALS) + 0.0 if isinstance(value, float) else value
