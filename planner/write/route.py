"""A route as map, GPX and GeoJSON."""

from __future__ import annotations

import json
from pathlib import Path

from planner.answer import Answer
from tools.files import write_whole
from tools.roads import RouteAnswer
from tools.roads.export import to_geojson, to_gpx
from tools.roads.map import render_map
from tools.roads.tool import gazetteer, router
from tools.tool import silent

__all__ = ["write_route"]


def write_route(
    answer: Answer, *, map_file: Path | None, gpx: Path | None, geojson: Path | None
) -> list[Path]:
    """Write what was asked for; nothing where there is no route.

    Returns:
        The files written.

    Raises:
        OSError: If a file cannot be written.
    """
    found = answer.result.route if isinstance(answer.result, RouteAnswer) else None
    asked = [path for path in (map_file, gpx, geojson) if path is not None]
    if found is None or not asked:
        return []
    graph = router(silent).graph
    title = f"{found.legs[0].start.label} to {found.legs[-1].end.label}"
    try:
        if map_file is not None:
            towns = gazetteer(silent).places()
            checks, warnings = answer.checks, answer.warnings
            page = render_map(found, graph, title=title, checks=checks, warnings=warnings, towns=towns)
            write_whole(map_file, page)
        if gpx is not None:
            write_whole(gpx, to_gpx(found, title))
        if geojson is not None:
            write_whole(geojson, json.dumps(to_geojson(found, graph), ensure_ascii=False))
    except OSError as error:
        raise OSError(f"cannot write the route: {error}") from error
    return asked
