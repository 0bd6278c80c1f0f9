"""Tables of people: one row a visit, as CSV, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desktop_app.analytics.crossings import MAX_LINES
from desktop_app.analytics.visits import Visit
from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.output.table_text import Value
from desktop_app.output.tables import Column, Row, label_probabilities, label_values, rounded_values, table_encoder
from desktop_app.vision.classification.label import Label

COLUMNS: Final = (
    Column("track", int),
    Column("file", str),
    Column("first_frame", int),
    Column("last_frame", int),
    Column("first_seen_s", float, 6),
    Column("last_seen_s", float, 6),
    Column("time_in_view_s", float, 6),
    Column("frames", int),
    Column("counted", bool),
    Column("x", float, 1),
    Column("y", float, 1),
    Column("width", float, 1),
    Column("height", float, 1),
    Column("age", str),
    Column("age_confidence", float, 4),
    Column("gender", str),
    Column("gender_confidence", float, 4),
    Column("unsure", str),
    Column("age_low", int),
    Column("age_high", int),
    Column("age_years", float, 1),
    Column("age_years_low", int),
    Column("age_years_high", int),
    Column("line1_forward", int),
    Column("line1_backward", int),
    Column("line2_forward", int),
    Column("line2_backward", int),
)
"""The columns in their order; scripts rely on them."""
PEOPLE_FIELDS: Final = tuple(column.name for column in COLUMNS)


def people_table(visits: Sequence[Visit], labels: Labels, suffix: str) -> bytes:
    """The table of some visits, UTF-8, the same bytes for the same visits.

    Columns are those of `PEOPLE_FIELDS`. `counted` is 1, or 0 where the visit is too brief to count. `age_low` and
    `age_high` are the years of what is shown, which is a span of groups where the age is unsure; both are empty where
    nothing narrower than all groups can be said, and `age_high` where the last group has no upper end. `age_years` and
    its range are those of `Label.years`. `line1_forward` to `line2_backward` are crossings, see `Crossings`, and empty
    without that line. JSON lines and Parquet have all probabilities as well, see `table_encoder`.

    Args:
        visits: in the order of the rows.
        labels: the classes of their labels.
        suffix: one of `TABLE_SUFFIXES`.
    """
    encoder = table_encoder(suffix, COLUMNS, labels)
    rows = [Row(_values(visit, labels), *label_probabilities(visit.label)) for visit in visits]
    return encoder.start() + encoder.add(rows) + encoder.end()


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
        **label_values(label),
    }
    values["age_low"], values["age_high"] = _shown_years(label, labels.ages)
    for index in range(MAX_LINES):
        crossed = visit.crossings[index] if index < len(visit.crossings) else None
        values[f"line{index + 1}_forward"] = crossed.forward if crossed else None
        values[f"line{index + 1}_backward"] = crossed.backward if crossed else None
    return rounded_values(values, COLUMNS)


def _shown_years(label: Label | None, ages: Sequence[AgeLabel]) -> tuple[int | None, int | None]:
    shown = [ages[index] for index in label.age_answer.members] if label else []
    return (shown[0].low, shown[-1].high) if shown else (None, None)
