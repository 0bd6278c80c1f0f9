"""How many there really were of each group, given how many were counted and how often the model is wrong."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CHAINS: Final = 100
MEAN_STEPS: Final = 300
"""Steps without chance, which lead a chain to where its draws will be: those of a large audience hardly move."""
STEPS: Final = 45
KEPT_STEPS: Final = 25
PRIOR: Final = 0.2
"""Weight of the assumption that a group is as large as any other, in visits a group; with more of it, a group of which
nobody was there would never be empty."""
LEVEL: Final = 0.95
"""Probability with which a true count is meant to lie in its interval."""


def draw_true_counts(counted: NDArray[np.int64], confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Random compositions of an audience, as probable as they are after what was counted.

    The number of faces of each true group among those counted as one is drawn in turn with the shares of the groups
    (Gibbs sampling). Nothing is assumed of the audience: a model that was measured on few old people must not make
    them disappear from a home for the elderly. Each chain has error rates of its own, drawn from what the measured
    counts allow, so few measured faces make wide intervals.

    Args:
        counted: K, number of faces whose most probable class is each one.
        confusion: K×K measured counts, row truth, column the most probable class.

    Returns:
        Draws × K true counts, each row with the sum of `counted`; the same for the same arguments.
    """
    classes = len(counted)
    # A fixed seed: the same audience always gets the same interval.
    random = np.random.Generator(np.random.PCG64(classes))
    rates = random.standard_gamma(confusion + 1 / classes, (CHAINS, classes, classes))
    rates /= np.maximum(rates.sum(axis=2, keepdims=True), np.finfo(np.float64).tiny)
    # By class counted, then by true class.
    likelihoods = np.ascontiguousarray(rates.transpose(0, 2, 1)) + np.finfo(np.float64).tiny
    true = np.tile(counted, (CHAINS, 1)).astype(np.float64)
    for _ in range(MEAN_STEPS):
        weights = likelihoods * (true + PRIOR)[:, None, :]
        true = (weights * (counted / weights.sum(axis=2))[:, :, None]).sum(axis=1)
    kept = []
    for step in range(STEPS):
        shares = random.standard_gamma(true + PRIOR)
        weights = likelihoods * shares[:, None, :]
        weights /= weights.sum(axis=2, keepdims=True)
        true = random.multinomial(counted, weights).sum(axis=1)
        if step >= STEPS - KEPT_STEPS:
            kept.append(true)
    return np.concatenate(kept)


def interval(draws: NDArray[np.int64]) -> tuple[int, int]:
    """The smallest and the largest count, both included, between which the middle `LEVEL` of some draws lie."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, (tail, 1 - tail), method="nearest")
    return int(low), int(high)
