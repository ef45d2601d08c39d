"""95% intervals by the bootstrap: units are drawn again, with replacement, from those that were measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Interval", "mean_interval", "ratio_interval"]

_RESAMPLES = 10_000

Interval = tuple[float, float, float]
"""Estimate, and the lower and upper end of its interval."""


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """The mean of the units."""
    every = np.asarray(values, dtype=float)
    return _with_ends(every.mean(), every[_draws(len(every))].mean(axis=1))


def ratio_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The sum of ``ours`` by the sum of ``theirs``; the same units are drawn for both, since they are paired.

    Raises:
        ValueError: If the two are not of the same units, or ``theirs`` are zero.
    """
    if len(ours) != len(theirs) or min(theirs, default=0.0) <= 0:
        raise ValueError("a ratio needs the same units on both sides, and none of theirs at zero")
    draws = _draws(len(ours))
    above, below = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    return _with_ends(above.sum() / below.sum(), above[draws].sum(axis=1) / below[draws].sum(axis=1))


def _draws(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))


def _with_ends(estimate: float, resampled: np.ndarray) -> Interval:
    low, high = np.percentile(resampled, (2.5, 97.5))
    return float(estimate), float(low), float(high)
