"""State outlines of the United States, from the Census Bureau's cartographic boundaries of 2017.

``us_states.json`` is ``states-10m.json`` of us-atlas 3.0.1 (ISC licence), a TopoJSON file made from
that public-domain source. It is simplified: a border may be a kilometre off.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

__all__ = ["STATES", "STATES_FILE", "crossed_states", "label_points", "state_shapes"]

STATES_FILE = Path(__file__).with_name("us_states.json")

# Postal codes by FIPS code, in the order of the numbers that label nodes.
_POSTAL = {
    "01": "AL", "02": "AK", "04": "AZ", "05": "AR", "06": "CA", "08": "CO", "09": "CT", "10": "DE",
    "11": "DC", "12": "FL", "13": "GA", "15": "HI", "16": "ID", "17": "IL", "18": "IN", "19": "IA",
    "20": "KS", "21": "KY", "22": "LA", "23": "ME", "24": "MD", "25": "MA", "26": "MI", "27": "MN",
    "28": "MS", "29": "MO", "30": "MT", "31": "NE", "32": "NV", "33": "NH", "34": "NJ", "35": "NM",
    "36": "NY", "37": "NC", "38": "ND", "39": "OH", "40": "OK", "41": "OR", "42": "PA", "44": "RI",
    "45": "SC", "46": "SD", "47": "TN", "48": "TX", "49": "UT", "50": "VT", "51": "VA", "53": "WA",
    "54": "WV", "55": "WI", "56": "WY", "72": "PR",
}  # fmt: skip
STATES: tuple[str, ...] = tuple(_POSTAL.values())


@lru_cache(maxsize=1)
def state_shapes() -> dict[str, BaseGeometry]:
    """Outline of each state in degrees (longitude, latitude), by postal code, in STATES' order."""
    topology = json.loads(STATES_FILE.read_text())
    scale = np.array(topology["transform"]["scale"])
    shift = np.array(topology["transform"]["translate"])
    # TopoJSON stores each arc as a first point and differences, quantized.
    arcs = [np.cumsum(arc, axis=0) * scale + shift for arc in topology["arcs"]]

    def ring(numbers: list[int]) -> np.ndarray:
        pieces = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
        return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])

    outlines: dict[str, BaseGeometry] = {}
    for state in topology["objects"]["states"]["geometries"]:
        parts = [state["arcs"]] if state["type"] == "Polygon" else state["arcs"]
        polygons = [Polygon(ring(part[0]), [ring(hole) for hole in part[1:]]) for part in parts]
        if state["id"] in _POSTAL:
            outlines[_POSTAL[state["id"]]] = shapely.make_valid(MultiPolygon(polygons))
    return {code: outlines[code] for code in STATES}


def label_points(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Index into STATES of the state that holds each point, -1 outside (n,), int16."""
    tree = shapely.STRtree(list(state_shapes().values()))
    point, state = tree.query(shapely.points(lon, lat), predicate="within")
    labels = np.full(len(lat), -1, dtype=np.int16)
    labels[point] = state
    return labels


def crossed_states(
    lat1: np.ndarray, lon1: np.ndarray, lat2: np.ndarray, lon2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every (segment, state) pair in which the straight segment touches the state's outline or inside."""
    lines = shapely.linestrings(np.stack([np.stack([lon1, lat1], -1), np.stack([lon2, lat2], -1)], 1))
    segment, state = shapely.STRtree(list(state_shapes().values())).query(lines, predicate="intersects")
    return segment, state.astype(np.int16)
