"""The classes of the data sets, and how to name new ones."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from desktop_app.errors import AgelensError
from models.manifest import AgeLabel

GENDERS: Final = ("Male", "Female")
"""In the order of the networks' outputs, as Levi and Hassner number them."""


class LabelError(AgelensError):
    """Age groups or labels that make no sense."""


def parse_age_buckets(text: str) -> tuple[AgeLabel, ...]:
    """Age groups from a text such as `0-12,13-19,20-64,65+`.

    Both years of a group are included; gaps are allowed (their ages belong to no group), overlaps are not.

    Raises:
        LabelError: the text does not name at least two groups from young to old.
    """
    labels = tuple(_parse_bucket(part.strip()) for part in text.split(","))
    if len(labels) < 2:
        raise LabelError(f"the age groups {text!r} must be at least two, such as 0-12,13-19,20-64,65+")
    for one, other in itertools.pairwise(labels):
        if one.high is None or one.high >= other.low:
            raise LabelError(f"the age groups {one.name} and {other.name} overlap or are not from young to old")
    return labels


def age_class(ages: Sequence[AgeLabel], years: float) -> int:
    """The index of the group that an age in years belongs to; -1 where it is in none."""
    for index, label in enumerate(ages):
        if label.low <= years and (label.high is None or years < label.high + 1):
            return index
    return -1


def ages_to_rows(ages: Sequence[AgeLabel]) -> list[dict[str, Any]]:
    """Plain values, as JSON and checkpoints store age groups."""
    return [{"name": label.name, "low": label.low, "high": label.high} for label in ages]


def ages_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[AgeLabel, ...]:
    """The age groups that `ages_to_rows` wrote."""
    return tuple(AgeLabel(str(row["name"]), row["low"], row["high"]) for row in rows)


def _parse_bucket(text: str) -> AgeLabel:
    match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3})|(\+))", text)
    if not match:
        raise LabelError(f"{text!r} is no age group: write 20-64 or 65+")
    low, high = int(match[1]), int(match[2]) if match[2] else None
    if high is not None and high < low:
        raise LabelError(f"the age group {text!r} ends before it begins")
    return AgeLabel(text, low, high)


FAIRFACE_AGES: Final = parse_age_buckets("0-2,3-9,10-19,20-29,30-39,40-49,50-59,60-69,70+")
ADIENCE_AGES: Final = parse_age_buckets("0-2,4-6,8-13,15-20,25-32,38-43,48-53,60+")
