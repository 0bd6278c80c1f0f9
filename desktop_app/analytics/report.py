"""The report on a session: one HTML page that needs nothing else, or the same numbers as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import jinja2
import numpy as np

from desktop_app.analytics.audience import Audience, GroupCount, TimeBin
from desktop_app.analytics.crossings import arrows
from desktop_app.catalogue.manifest import Manifest
from desktop_app.messages import ENGLISH, Language, Message
from desktop_app.paths import RESOURCES_FOLDER
from desktop_app.vision.classification.label import translated_label

TEMPLATE: Final = RESOURCES_FOLDER / "report.html.j2"
"""The page; its texts are the calls of `_`, with the arguments of `Message`."""
_WITHOUT_GAPS: Final = ("zh", "ja")
"""Languages that put no blank between sentences."""
_MOST_TICKS: Final = 5
_MOST_MOMENTS: Final = 6
_LAST_MOMENT: Final = 88.0
_PYRAMID_REACH: Final = 43.0
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
    notices: Sequence[Message | str] = ()


def report_html(audience: Audience, facts: ReportFacts, language: Language = ENGLISH) -> str:
    """The report as one HTML page, with its style and its drawings inside and without scripts or addresses.

    It holds counts only: no picture, and nothing about a single visit.
    """

    def say(template: str, comment: str | None = None, n: int | None = None, /, **parameters: object) -> str:
        return language.say(Message(template, comment, n, **parameters))

    environment = template_environment()
    environment.globals["_"] = say
    environment.globals["gap"] = "" if language.code.startswith(_WITHOUT_GAPS) else " "
    environment.filters["said"] = lambda text: language.say(text) if isinstance(text, Message) else text
    environment.filters["word"] = partial(translated_label, language=language)
    environment.filters["clock"] = _clock
    environment.filters["share"] = _share
    environment.filters["percent"] = lambda value: f"{100 * value:.0f}"
    environment.filters["arrows"] = arrows
    return environment.get_template(TEMPLATE.name).render(
        language=language.code.replace("_", "-"),
        audience=audience,
        facts=facts,
        still=not audience.bins and audience.duration_s == 0,
        measured=bool(facts.manifest.confusion),
        pyramid=_pyramid(audience),
        pyramid_ticks=_pyramid_ticks(audience),
        timeline=_timeline(audience, language),
        timeline_ticks=_ticks(_highest(audience), 100),
        moments=_moments(audience),
        errors=_measured_errors(facts.manifest),
    )


def template_environment() -> jinja2.Environment:
    """What reads the page's template."""
    # Blank lines and the template's indentation are not worth their bytes, but readable source is.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
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
        "notices": [str(notice) for notice in facts.notices],
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
    rows, most, reach = _pyramid_rows(audience)
    scale = reach / most
    return tuple(
        _Row(age.name, tuple(_bar(group, scale) for group in row))
        for age, row in zip(reversed(audience.ages), reversed(rows), strict=True)
    )


def _pyramid_ticks(audience: Audience) -> tuple[_Tick, ...]:
    _, most, reach = _pyramid_rows(audience)
    return tuple(tick for tick in _ticks(most, reach) if tick.place)


def _pyramid_rows(audience: Audience) -> tuple[Sequence[Sequence[GroupCount]], int, float]:
    """The counts of each row, the largest number that is drawn, and how far from the middle that is, in percent."""
    paired = len(audience.genders) == 2
    rows = audience.cells if paired else tuple((group,) for group in audience.ages)
    drawn = (max(group.sure + group.unsure, group.high or 0) for row in rows for group in row)
    return rows, max([1, *drawn]), _PYRAMID_REACH if paired else 2 * _PYRAMID_REACH


@dataclass(frozen=True, slots=True)
class _Tick:
    """A number at a scale, and its place in percent of the drawing."""

    text: str
    place: float


def _ticks(most: float, reach: float) -> tuple[_Tick, ...]:
    """Round numbers from 0 to about `most`, which lies at `reach`."""
    step = next((one for one in _steps() if one * _MOST_TICKS >= most), 1.0)
    count = int(most / step + 1e-9) if most else 0
    return tuple(_Tick(f"{index * step:g}", round(reach * index * step / most, 2)) for index in range(1, count + 1))


def _steps() -> Iterator[float]:
    """1, 2, 5, 10, 20, …: people are counted whole."""
    return (mantissa * 10.0**power for power in range(9) for mantissa in (1, 2, 5))


def _moments(audience: Audience) -> tuple[_Tick, ...]:
    """When parts of the timeline begin: a few of them."""
    columns = _spans(audience)
    every = -(-len(columns) // _MOST_MOMENTS) if columns else 1
    # The end has its own.
    return tuple(_Tick(_clock(one.start_s), x) for one, x, _ in columns[::every] if x < _LAST_MOMENT)


def _spans(audience: Audience) -> list[tuple[TimeBin, float, float]]:
    """The parts of the session, where each begins, and its width, in percent of the timeline."""
    if not audience.bins:
        return []
    begin_s, length_s = audience.bins[0].start_s, audience.bins[-1].end_s - audience.bins[0].start_s
    return [
        (
            one,
            round(100 * (one.start_s - begin_s) / length_s, 3),
            round(100 * (one.end_s - one.start_s) / length_s, 3),
        )
        for one in audience.bins
    ]


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


def _timeline(audience: Audience, language: Language) -> tuple[_Column, ...]:
    most = _highest(audience) or 1
    return tuple(
        _Column(
            x,
            width,
            round(100 * one.arrivals / most, 2),
            round(100 * one.mean_present / most, 2),
            f"{_clock(one.start_s)}–{_clock(one.end_s)}: {language.say(_in_bin(one))}",
        )
        for one, x, width in _spans(audience)
    )


def _in_bin(one: TimeBin) -> Message:
    return Message("%n arrival(s), {number} in view", None, one.arrivals, number=f"{one.mean_present:.1f}")


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
