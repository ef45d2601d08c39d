"""Road data that pip brings: found and parsed by path, never imported.

Importing ``scgraph_data.world_highways`` compiles a 36 MB literal (71 s, 4.9 GB); reading its two
lines as text takes seconds. Both graphs hold coordinates and kilometres only: the world's highways
from OpenStreetMap (ODbL), and the freeways of the United States.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

__all__ = ["RawGraph", "RoadDataMissing", "read_freeways", "read_highways", "source_versions"]


class RoadDataMissing(RuntimeError):
    """The packages with the road data are not installed, or hold something else than expected."""


@dataclass(frozen=True)
class RawGraph:
    """Directed edges and nodes as published.

    Attributes:
        tail, head: Node numbers of each edge, shape (m,).
        km: Edge length in kilometres, shape (m,).
        lat, lon: Node coordinates in degrees, shape (n,).
    """

    tail: np.ndarray
    head: np.ndarray
    km: np.ndarray
    lat: np.ndarray
    lon: np.ndarray


def source_versions() -> dict[str, str]:
    """Installed versions of the packages read here; raises RoadDataMissing."""
    try:
        return {name: version(name) for name in ("scgraph-data", "scgraph")}
    except PackageNotFoundError as error:
        raise RoadDataMissing(f"the road data is not installed: package {error.name} is missing") from error


def read_highways() -> RawGraph:
    """The world's highways of scgraph-data (560,281 nodes); about 3 s."""
    return _parse(_package_file("scgraph_data", "world_highways.py"))


def read_freeways() -> RawGraph:
    """The freeways of the United States of scgraph (14,591 nodes)."""
    return _parse(_package_file("scgraph", "geographs/us_freeway.py"))


def _package_file(package: str, name: str) -> Path:
    spec = find_spec(package)  # locates a top-level package without running it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise RoadDataMissing(f"the road data is not installed: {package}/{name} is missing")


def _parse(path: Path) -> RawGraph:
    """Read ``graph=[{head: km, ...}, ...]`` and ``nodes=[[lat, lon], ...]``, one line each."""
    lines: dict[str, str] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            name, found, literal = line.partition("=")
            if found and name in ("graph", "nodes"):
                lines[name] = literal.strip()
    try:
        rows = lines["graph"].removeprefix("[").removesuffix("]").split("}, {")
        edges = np.array(" ".join(rows).translate(str.maketrans("{}:,", "    ")).split(), dtype=float)
        nodes = np.array(lines["nodes"].translate(str.maketrans("[],", "   ")).split(), dtype=float)
        degree = np.array([row.count(":") for row in rows])
        tail = np.repeat(np.arange(len(rows)), degree)
        head, km = edges[0::2].astype(np.int64), edges[1::2]
        coordinates = nodes.reshape(-1, 2)
        if not len(tail) == len(head) == len(km) or head.max() >= len(coordinates):
            raise ValueError("edges and nodes do not fit together")
    except (KeyError, ValueError) as error:
        raise RoadDataMissing(f"{path} does not hold the road data expected: {error}") from error
    return RawGraph(tail, head, km, coordinates[:, 0], coordinates[:, 1])
