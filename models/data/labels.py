"""Age and gender classes of the data sets, and parsing of new ones."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import MAX_LABELS, MAX_YEARS, AgeLabel
from desktop_app.errors import AgelensError

GENDERS: Final = ("Male", "Female")
"""In the order of the networks' outputs, as Levi and Hassner number them."""


class LabelError(AgelensError):
    """Age groups or labels are invalid."""


def parse_age_buckets(text: str) -> tuple[AgeLabel, ...]:
    """Age groups from a text such as `0-12,13-19,20-64,65+`.

    Both years of a group are included; gaps are allowed (their ages belong to no group), overlaps are not.

    Raises:
        LabelError: the text does not name at least two groups from young to old.
    """
    return _checked(tuple(_parse_bucket(part.strip()) for part in text.split(",")))


def age_class(ages: Sequence[AgeLabel], years: float) -> int:
    """The index of the group that an age in years belongs to; -1 where it is in none."""
    for index, label in enumerate(ages):
        if label.low <= years and (label.high is None or years < label.high + 1):
            return index
    return -1


def gender_targets(genders: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.int64]:
    """For each gender (index in `GENDERS`, -1 where unknown), which output of a network with these labels it is.

    Raises:
        LabelError: the data sets' genders are not among the labels, in any order and case.
    """
    names = [name.lower() for name in labels]
    if not all(name.lower() in names for name in GENDERS):
        raise LabelError(
            f"Cannot use the model: its genders are {', '.join(labels)}, not {', '.join(GENDERS)} as in the data. "
            "Choose another model."
        )
    order = [names.index(name.lower()) for name in GENDERS]
    return np.array([*order, -1], np.int64)[genders]


def ages_to_rows(ages: Sequence[AgeLabel]) -> list[dict[str, Any]]:
    """Plain values, as JSON and checkpoints store age groups."""
    return [{"name": label.name, "low": label.low, "high": label.high} for label in ages]


def ages_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[AgeLabel, ...]:
    """The age groups that `ages_to_rows` wrote.

    Raises:
        LabelError: they are invalid.
    """
    labels = tuple(AgeLabel(str(row["name"]), row["low"], row["high"]) for row in rows)
    for one in labels:
        if not isinstance(one.low, int) or not isinstance(one.high, (int, type(None))):
            raise LabelError(f"Cannot use the age group {one.name!r}: its years are not whole numbers. Correct them.")
    return _checked(labels)


def _checked(labels: tuple[AgeLabel, ...]) -> tuple[AgeLabel, ...]:
    if not 2 <= len(labels) <= MAX_LABELS:
        raise LabelError(f"Cannot use {len(labels)} age groups: give 2 to {MAX_LABELS}, such as 0-12,13-19,20-64,65+.")
    for one in labels:
        if max(one.low, one.high or 0) > MAX_YEARS:
            raise LabelError(
                f"Cannot use the age group {one.name}: it goes beyond {MAX_YEARS} years. Write 65+ for an open one."
            )
    for one, other in itertools.pairwise(labels):
        if one.high is None or one.high >= other.low:
            raise LabelError(
                f"Cannot use the age groups {one.name} and {other.name}: they overlap, or are not from young to old. "
                "Correct them."
            )
    return labels


def _parse_bucket(text: str) -> AgeLabel:
    match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3})|(\+))", text)
    if not match:
        raise LabelError(f"Cannot read the age group {text!r}: write 20-64 or 65+.")
    low, high = int(match[1]), int(match[2]) if match[2] else None
    if high is not None and high < low:
        raise LabelError(f"Cannot read the age group {text!r}: it ends before it begins. Write the lower age first.")
    return AgeLabel(text, low, high)


FAIRFACE_AGES: Final = parse_age_buckets("0-2,3-9,10-19,20-29,30-39,40-49,50-59,60-69,70+")
ADIENCE_AGES: Final = (*parse_age_buckets("0-2,4-6,8-12,15-20,25-32,38-43,48-53"), AgeLabel("60-100", 60, None))
"""As Adience's tables and the authors' demo name them (the paper prints 8-13 and 60-); none is too old for the last."""
