"""What the road data lacks: bridges left out, ferries drawn as roads, islands without a road.

The highway graph breaks at many bridges: two roads end on opposite banks. ``links.yaml`` names long
ones; short ones are found by their shape.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field

from tools.roads.engine import Engine
from tools.roads.geo import EARTH_KM, haversine_km, unit_vectors

__all__ = [
    "LINKS_FILE",
    "Ferry",
    "Gaps",
    "Island",
    "Link",
    "Road",
    "is_ferry",
    "known_gaps",
    "missing_bridges",
]

LINKS_FILE = Path(__file__).with_name("links.yaml")

Road = tuple[int, int, float]  # two nodes and the kilometres between them

_Point = tuple[float, float]  # latitude, longitude

_BRIDGE_KM = 2.5  # dead ends up to so far apart may be the two ends of a bridge
_AROUND, _AROUND_KM = 8.0, 15.0  # if the way round is so many times as long and so much more
_CURVE = 1.05  # a road is so much longer than the straight line


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(_Record):
    """A bridge that the data lacks, see ``links.yaml``."""

    name: str
    ends: tuple[_Point, _Point]
    km: float = Field(gt=0)
    source: str


class Ferry(_Record):
    """A ferry line that would else be taken for a road, see ``links.yaml``."""

    name: str
    ends: tuple[_Point, _Point]
    radius_km: float = Field(gt=0)
    source: str

    def crossed(self, lat: np.ndarray, lon: np.ndarray) -> bool:
        """Whether a line of points, in degrees, leads from one landing to the other between two of them."""
        one, other = (haversine_km(*end, lat, lon) for end in self.ends)
        near = np.minimum(one, other) <= self.radius_km
        at_one = one < other
        return bool((near[:-1] & near[1:] & (at_one[:-1] != at_one[1:])).any())


class Island(_Record):
    """An inhabited island that no road reaches, see ``links.yaml``."""

    name: str
    centre: _Point
    radius_km: float = Field(gt=0)


class Gaps(_Record):
    """What ``links.yaml`` holds."""

    links: tuple[Link, ...]
    ferries: tuple[Ferry, ...]
    islands: tuple[Island, ...]


@lru_cache(maxsize=1)
def known_gaps() -> Gaps:
    """The links that are added, the ferries that are left out, the islands without a road."""
    return Gaps(**yaml.safe_load(LINKS_FILE.read_text()))


def is_ferry(lat: np.ndarray, lon: np.ndarray, road: Road) -> bool:
    """Whether a road to be added is a ferry line known not to be one."""
    return any(
        all(
            min(haversine_km(end[0], end[1], lat[node], lon[node]) for end in ferry.ends) <= ferry.radius_km
            for node in road[:2]
        )
        for ferry in known_gaps().ferries
    )


def missing_bridges(
    lat: np.ndarray, lon: np.ndarray, tail: np.ndarray, km: np.ndarray, engine: Engine
) -> list[Road]:
    """Pairs of dead ends near each other with a long way round, or none: bridges left out of the data.

    Args:
        lat, lon: Nodes (n,).
        tail, km: Edges in both directions (m,).
        engine: Shortest paths on them; its weights are changed.
    """
    from scipy.spatial import cKDTree  # scipy takes long to import, and only building needs this

    ends = np.flatnonzero(np.bincount(tail, minlength=len(lat)) == 1)
    points = unit_vectors(lat[ends], lon[ends]) * EARTH_KM
    engine.reweight(np.maximum(1, np.rint(km * 1000)))
    bridges = []
    for a, b in sorted(cKDTree(points).query_pairs(_BRIDGE_KM)):
        gap = float(np.linalg.norm(points[a] - points[b]))
        around = engine.path(int(ends[a]), int(ends[b]))
        if around is None or around[0] / 1000 > _AROUND * gap + _AROUND_KM:
            bridges.append((int(ends[a]), int(ends[b]), max(0.05, round(_CURVE * gap, 3))))
    return bridges
