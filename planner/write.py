"""Write a route to files: map, GPX, GeoJSON. Each file appears whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from planner.answer import Answer
from tools.roads import RouteAnswer
from tools.roads.export import to_geojson, to_gpx
from tools.roads.map import write_map
from tools.roads.tool import gazetteer, router

__all__ = ["write_files"]


def write_files(answer: Answer, *, map_file: Path | None, gpx: Path | None, geojson: Path | None) -> None:
    """Write what was asked for; nothing where there is no route.

    Raises:
        OSError: If a file cannot be written.
    """
    found = answer.result.route if isinstance(answer.result, RouteAnswer) else None
    if found is None or not (map_file or gpx or geojson):
        return
    graph = router(_silent).graph
    title = " to ".join((found.legs[0].start.label, found.legs[-1].end.label))
    if map_file:
        towns = gazetteer(_silent).places()
        write_map(
            map_file, found, graph, title=title, checks=answer.checks, warnings=answer.warnings, towns=towns
        )
    if gpx:
        _write(gpx, to_gpx(found, title))
    if geojson:
        _write(geojson, json.dumps(to_geojson(found, graph), ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def _silent(_stage: str, _share: float) -> None:
    """No progress wanted."""
