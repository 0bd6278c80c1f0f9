"""Tables of people: one row a visit, as CSV or JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desktop_app.analytics.visits import Visit
from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.output.predictions import PREDICTION_SUFFIXES
from desktop_app.output.table_text import Value, csv_line, encoded, json_line, rounded
from desktop_app.vision.classification.label import Label

PEOPLE_SUFFIXES: Final = PREDICTION_SUFFIXES
PEOPLE_FIELDS: Final = (
    "track",
    "file",
    "first_frame",
    "last_frame",
    "first_seen_s",
    "last_seen_s",
    "time_in_view_s",
    "frames",
    "counted",
    "x",
    "y",
    "width",
    "height",
    "age",
    "age_confidence",
    "gender",
    "gender_confidence",
    "unsure",
    "age_low",
    "age_high",
    "age_years",
    "age_years_low",
    "age_years_high",
)
"""Names and order of the columns; scripts rely on them."""

_DECIMALS: Final = {
    "first_seen_s": 6,
    "last_seen_s": 6,
    "time_in_view_s": 6,
    "x": 1,
    "y": 1,
    "width": 1,
    "height": 1,
    "age_confidence": 4,
    "gender_confidence": 4,
    "age_years": 1,
}
_PROBABILITY_DECIMALS: Final = 4


def people_table(visits: Sequence[Visit], labels: Labels, suffix: str) -> bytes:
    """The table of some visits, UTF-8, the same bytes for the same visits.

    Columns are those of `PEOPLE_FIELDS`. `counted` is 1, or 0 where the visit is too brief to count. `age_low` and
    `age_high` are the years of what is shown, which is a span of groups where the age is unsure; both are empty where
    nothing narrower than all groups can be said, and `age_high` where the last group has no upper end. `age_years` and
    its range are those of `Label.years`. JSON lines have all probabilities as well, in `ages` and `genders`, by the
    names of the classes.

    Args:
        visits: in the order of the rows.
        labels: the classes of their labels.
        suffix: `.csv` or `.jsonl`.
    """
    if suffix == ".csv":
        lines = [",".join(PEOPLE_FIELDS) + "\n", *(csv_line(_values(visit, labels), _DECIMALS) for visit in visits)]
    else:
        lines = [json_line({**_values(visit, labels), **_probabilities(visit, labels)}) for visit in visits]
    return encoded("".join(lines))


def _values(visit: Visit, labels: Labels) -> dict[str, Value]:
    label = visit.label
    values: dict[str, Value] = {
        "track": visit.id,
        "file": visit.file,
        "first_frame": visit.first_frame,
        "last_frame": visit.last_frame,
        "first_seen_s": visit.first_seen_s,
        "last_seen_s": visit.last_seen_s,
        "time_in_view_s": visit.time_in_view_s,
        "frames": visit.frames,
        "counted": int(not visit.brief),
        "x": visit.box.x,
        "y": visit.box.y,
        "width": visit.box.width,
        "height": visit.box.height,
        "age": label.age if label else None,
        "age_confidence": label.age_confidence if label else None,
        "gender": label.gender if label and label.gender else None,
        "gender_confidence": label.gender_confidence if label and label.gender else None,
        "unsure": label.unsure if label else None,
    }
    low, high = _shown_years(label, labels.ages)
    values |= {
        "age_low": low,
        "age_high": high,
        "age_years": label.years.expected if label else None,
        "age_years_low": label.years.low if label else None,
        "age_years_high": label.years.high if label else None,
    }
    return rounded(values, _DECIMALS)


def _shown_years(label: Label | None, ages: Sequence[AgeLabel]) -> tuple[int | None, int | None]:
    shown = [ages[index] for index in label.age_answer.members] if label else []
    return (shown[0].low, shown[-1].high) if shown else (None, None)


def _probabilities(visit: Visit, labels: Labels) -> dict[str, dict[str, float] | None]:
    label = visit.label
    if label is None:
        return {"ages": None, "genders": None}
    names = [age.name for age in labels.ages]
    ages, genders = (
        {name: round(float(value), _PROBABILITY_DECIMALS) for name, value in zip(classes, values, strict=False)}
        for classes, values in ((names, label.prediction.age), (labels.genders, label.prediction.gender))
    )
    return {"ages": ages, "genders": genders or None}
