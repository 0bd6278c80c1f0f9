"""An age in years with a range, from the probabilities of age groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import AgeLabel

TAIL: Final = 0.1
"""Probability that the range leaves out below it, and above it."""
_DECIMALS: Final = 3
"""Probabilities are float32: a range that ends with a year must not reach into the next."""


@dataclass(frozen=True, slots=True)
class Years:
    """An age in completed years.

    Attributes:
        expected: the mean of the groups' middles, weighted with their probabilities.
        low: first year of the range that holds the age with a probability of 0.8.
        high: its last year.
    """

    expected: float
    low: int
    high: int


def estimate_years(probabilities: NDArray[np.float32], ages: Sequence[AgeLabel]) -> Years:
    """What probabilities of age groups say of the years.

    Within a group all years are held equally likely; an open group ends ten years after it begins. The range is as
    right as the probabilities are calibrated: the model's card says how often it held the true age.

    Args:
        probabilities: float32, one an age group, that sum to 1.
        ages: the groups, from young to old.
    """
    middles = [one.middle for one in ages]
    begins = [float(one.low) for one in ages]
    # Groups that overlap share their years with the older one.
    ends = [min(one.last + 1.0, following) for one, following in zip(ages, [*begins[1:], math.inf], strict=True)]
    total = np.cumsum(probabilities, dtype=np.float64)
    levels = np.stack([total - probabilities, total], 1).ravel() / total[-1]
    years = np.stack([begins, ends], 1).ravel()
    low, high = np.interp([TAIL, 1 - TAIL], levels, years).round(_DECIMALS)
    return Years(float(np.dot(probabilities, middles)), math.floor(low), max(math.ceil(high) - 1, math.floor(low)))
