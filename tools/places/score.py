"""Which place a name means, by size and by nearness to the rest of the trip.

Every way of assigning places to a trip's names gets one score, in decades of population:

    sum of sizes  -  LENGTH * log10(km of the trip + NEAR_KM)
                  -  DETOUR * sum over inner stops of log10(1 + km of detour / NEAR_KM)

with ``size = log10(population) + FAME * (decades above 100,000)``, plus the place's renown. The
length counts as a ratio, so 200 km against 400 km weighs as much between neighbouring towns as
2,000 against 4,000 across the country; the detour keeps an inner stop between its neighbours on a
trip whose whole length hardly changes. Distances are great circles: the roads are not asked.

What a name could mean is judged by the best score of the whole trip with that meaning, so names
that depend on each other are settled together. The constants were fitted on the trips of
tests/data/places_trips.yaml that are not marked ``held_out``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tools.places.types import Place

FAME = 0.35
LENGTH = 1.6
DETOUR = 1.0
NEAR_KM = 100.0
MARGIN = 0.2
"""A meaning that scores this much below the best one is out."""

ABROAD = {"CA": 0.7, "MX": 0.7}
OVERSEAS = 2.3
"""Decades taken off a place abroad, since the trips are American ones: by country, and elsewhere."""

_SMALLEST = 500  # people; also stands for a population that is not known
_MOST_ASSIGNMENTS = 60_000
_EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Option:
    """One meaning of a name. ``place`` is None for a place outside the United States."""

    place: Place | None
    lat: float
    lon: float
    size: float


def size(population: int, renown: float = 0.0) -> float:
    """How readily a place comes to mind, in decades of population."""
    decades = math.log10(max(population, _SMALLEST))
    return decades + FAME * max(0.0, decades - 5.0) + renown


def distances_km(options: Sequence[Option]) -> np.ndarray:
    """Great-circle distances between all options, shape ``(n, n)``, kilometres."""
    lat = np.radians([option.lat for option in options])
    lon = np.radians([option.lon for option in options])
    chord = (
        np.sin((lat[:, None] - lat[None, :]) / 2) ** 2
        + np.cos(lat[:, None]) * np.cos(lat[None, :]) * np.sin((lon[:, None] - lon[None, :]) / 2) ** 2
    )
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))


def best_scores(stops: Sequence[Sequence[Option]]) -> list[np.ndarray]:
    """For each stop, the best score of the whole trip with each of its options.

    ``stops`` are in travel order and have at least one option each. An option that was not tried,
    because a trip of many ambiguous names has too many assignments, scores ``-inf``.
    """
    flat = [option for stop in stops for option in stop]
    km = distances_km(flat)
    sizes = np.array([option.size for option in flat])
    starts = np.cumsum([0, *map(len, stops)])
    kept = _prune([np.arange(a, b) for a, b in pairwise(starts)], sizes, km)
    picks = np.indices([len(rows) for rows in kept]).reshape(len(kept), -1)
    chosen = np.stack([rows[pick] for rows, pick in zip(kept, picks, strict=True)])

    legs = km[chosen[:-1], chosen[1:]]
    score = sizes[chosen].sum(axis=0)
    if len(stops) > 1:
        score -= LENGTH * np.log10(legs.sum(axis=0) + NEAR_KM)
    if len(stops) > 2:
        detours = np.maximum(legs[:-1] + legs[1:] - km[chosen[:-2], chosen[2:]], 0.0)
        score -= DETOUR * np.log10(1.0 + detours / NEAR_KM).sum(axis=0)

    best = np.full(len(flat), -np.inf)
    for row in chosen:
        np.maximum.at(best, row, score)
    return [best[a:b] for a, b in pairwise(starts)]


def _prune(rows: list[np.ndarray], sizes: np.ndarray, km: np.ndarray) -> list[np.ndarray]:
    """The likeliest rows of each stop, so few that every assignment can be scored."""

    def hope(stop: int) -> np.ndarray:
        """Size, and what the best option next door adds to it."""
        total = sizes[rows[stop]].copy()
        for other in (stop - 1, stop + 1):
            if 0 <= other < len(rows):
                near = sizes[rows[other]] - LENGTH * np.log10(km[np.ix_(rows[stop], rows[other])] + NEAR_KM)
                total += near.max(axis=1)
        return total

    ranked = [here[np.argsort(-hope(stop), kind="stable")] for stop, here in enumerate(rows)]
    while math.prod(map(len, ranked)) > _MOST_ASSIGNMENTS:
        longest = max(range(len(ranked)), key=lambda stop: len(ranked[stop]))
        ranked[longest] = ranked[longest][:-1]
    return ranked
