"""The road graph of North America: from the cache, or built from the installed packages and cached."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from tools.cache import load_arrays, store_arrays
from tools.roads.graph import RoadGraph
from tools.roads.source import source_versions
from tools.tool import Progress

__all__ = ["Progress", "load_roads"]

log = logging.getLogger(__name__)

# Code and tables beside this file: they are read, not imported, since importing what builds takes long.
_BUILT_FROM = (
    *(f"{name}.py" for name in ("build", "classify", "engine", "gaps", "graph", "source", "states", "tolls")),
    *("links.yaml", "tolls.yaml", "us_states.json"),
)


def load_roads(progress: Progress | None = None) -> RoadGraph:
    """The road graph: from the cache in a fraction of a second, else built in some 20 s and cached.

    Args:
        progress: Told the stage in words and the share of the work done, 0 to 1, while building.

    Returns:
        The graph; its ``notes`` say where the cache was of no use.

    Raises:
        RoadDataMissing: If the packages with the road data are not installed.
    """
    key = _fingerprint()
    arrays, note = load_arrays("roads", key)
    if arrays is not None:
        try:
            return RoadGraph.from_arrays(arrays)
        except ValueError as error:
            note = f"the road cache is damaged ({error}) and is built again"
    if note:
        log.warning(note)
    from tools.roads.build import build_roads  # with what only building needs

    roads = build_roads(progress)
    failed = store_arrays("roads", key, roads.to_arrays())
    return roads.with_notes(*(text for text in (note, failed) if text))


def _fingerprint() -> str:
    """What the graph is built from: versions of the packages, the tables and the code that builds it."""
    digest = hashlib.sha256(repr(sorted(source_versions().items())).encode())
    for name in _BUILT_FROM:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()
