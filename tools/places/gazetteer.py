"""The gazetteer: what a place name means, or that it means nothing, or more than one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from rapidfuzz import fuzz, process

from tools.places.data import Progress, Tables, load_tables
from tools.places.names import MAX_NAME_CHARS, STATES, comma_parts, key, state_code
from tools.places.score import ABROAD, MARGIN, OVERSEAS, Option, best_scores, distances_km, size
from tools.places.types import Ambiguous, Found, Place, Resolution, Unknown

_MOST_CANDIDATES = 5
_OFFERED_MARGIN = 3 * MARGIN  # once a person is asked, less likely meanings are offered, too
_TWIN_KM = 30.0  # of two places so close with one name, the larger is meant
_PART_KM = 80.0  # "Hollywood, Los Angeles": how far a part may lie from its city
_SIMILAR_PERCENT = 72
_SAME_STATE_PERCENT = 15
_OF_ONE_NAME = 2  # so that five namesakes do not crowd out other spellings
_LEADING = (("downtown",), ("greater",), ("metro",), ("city", "of"), ("town", "of"))
_TRAILING = (("metro", "area"), ("metropolitan", "area"), ("area",), ("metro",), ("airport",))


class Gazetteer:
    """Places of the United States above 500 people, found by name.

    Names come as a person says them: any case, accents or punctuation, "St"/"Saint", "Ft"/"Fort",
    "Mt"/"Mount", nicknames ("the Windy City"), abbreviations ("nyc") and airport codes.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @classmethod
    def load(cls, progress: Progress | None = None) -> Gazetteer:
        """The gazetteer, from the cache where it is sound, else built (a few seconds) and cached.

        ``progress`` is told the stage in words and the share done, 0 to 1, while building.
        """
        return cls(load_tables(progress))

    def __len__(self) -> int:
        return len(self._tables.name)

    def names(self) -> Iterator[tuple[str, str, int]]:
        """``(name, postal code, population)`` of every place, in GeoNames' order."""
        tables = self._tables
        return zip(tables.name, tables.state, tables.population, strict=True)

    def places(self) -> Iterator[Place]:
        """Every place, in GeoNames' order."""
        return map(self._place, range(len(self)))

    def state(self, code: str) -> Place:
        """The whole state with this postal code; its position is its people's mean position.

        Raises KeyError for no such code.
        """
        tables, name = self._tables, STATES[code]
        rows = [row for row, state in enumerate(tables.state) if state == code]
        weight = np.array([tables.population[row] for row in rows], dtype=float)
        lat = np.average([tables.lat[row] for row in rows], weights=weight)
        lon = np.average([tables.lon[row] for row in rows], weights=weight)
        return Place(name, code, round(float(lat), 5), round(float(lon), 5), 0, 0, is_state=True)

    def resolve(self, said: str, near: Sequence[Place] = ()) -> Resolution:
        """What one name means, ``near`` being the trip's other places in order.

        The name is tried at every position of the trip, and the best counts.
        """
        options = self._options(said)
        if not options:
            return self._unresolved(said)
        return self._decide(said, options, _scores_beside(options, near))

    def resolve_trip(self, stops: Sequence[str]) -> tuple[Resolution, ...]:
        """What the names of one trip mean, in travel order, all settled together.

        The state counts if it was said; otherwise size and nearness to the rest of the trip, as
        ``score.py`` weighs them. Names that are not there are left out of the weighing.
        """
        options = [self._options(said) for said in stops]
        scores = iter(best_scores([here for here in options if here]) if any(options) else ())
        return tuple(
            self._decide(said, here, next(scores)) if here else self._unresolved(said)
            for said, here in zip(stops, options, strict=True)
        )

    def resolve_avoid(self, said: str, near: Sequence[Place] = ()) -> Resolution:
        """What a place to keep out of means: as ``resolve``, but a state's name is the state.

        Two states share their name with a larger idea of a city. "New York" is the city, unless
        "state" is said. "Washington" is the state or Washington, DC, whichever the trip ``near``
        passes closer to, never the state that the trip stops in; ambiguous without a trip.
        "District of Columbia" is Washington, DC.
        """
        parts = comma_parts(said[:MAX_NAME_CHARS])
        if len(parts) != 1:
            return self.resolve(said, near)
        code = self._bare_state(parts[0])
        if code is not None:
            return Found(said, self.state(code))
        if parts[0] != ["washington"]:
            return self.resolve(said, near)
        state = self.state("WA")
        city = next(o.place for o in self._options("Washington, DC") if o.place is not None)
        if any(place.state == "WA" for place in near):
            return Found(said, city)
        options = [Option(place, place.lat, place.lon, 0.0) for place in (city, state)]
        return self._decide(said, options, _scores_beside(options, near))

    def _bare_state(self, name: list[str]) -> str | None:
        """Code of the state that these words name, unless a traveller would sooner mean a city.

        Cities are New York, Washington, "DC", and the nicknames that are also codes, as "LA".
        """
        if " ".join(name) in ("new york", "washington") or key(name) in self._tables.nicknames:
            return None
        code = state_code(name)
        return None if code == "DC" else code

    def _place(self, row: int) -> Place:
        t = self._tables
        where = t.name[row], t.state[row], t.lat[row], t.lon[row]
        return Place(*where, t.population[row], t.geoname_id[row], timezone=t.timezone[row])

    def _option(self, row: int) -> Option:
        place = self._place(row)
        renown = self._tables.renown.get(str(row), 0.0)
        return Option(place, place.lat, place.lon, size(place.population, renown))

    def _options(self, said: str) -> list[Option]:
        """Everything the name could mean; nothing for a name that is not there, or a bare state."""
        parts = comma_parts(said) if len(said) <= MAX_NAME_CHARS else []
        if not parts:
            return []
        if len(parts) > 1:
            return self._in_region(parts[0], parts[-1])
        name = parts[0]
        if self._bare_state(name):
            return []
        found = self._named(name)
        for taken in (3, 2, 1):
            state = state_code(name[-taken:])
            if not found and state is not None and len(name) > taken:
                found = self._in_state(name[:-taken], state)
        return found or self._named(_undecorated(name))

    def _in_region(self, name: list[str], region: list[str]) -> list[Option]:
        state = state_code(region)
        if state is not None:
            return self._in_state(name, state) or self._in_state(_undecorated(name), state)
        cities = self._american(region)
        parts = self._american(name)
        if not cities or not parts:
            return []
        city = max(cities, key=lambda option: option.size)
        km = distances_km([city, *parts])[0, 1:]
        return [part for part, away in zip(parts, km, strict=True) if away <= _PART_KM]

    def _in_state(self, name: list[str], state: str) -> list[Option]:
        """Places of that name in the state; where there are none, those with that nickname."""
        tables, name_key = self._tables, key(name)
        for rows in (tables.index.get(name_key, ()), tables.nicknames.get(name_key, ())):
            found = [self._option(row) for row in rows if tables.state[row] == state]
            if found:
                return found
        return []

    def _american(self, name: list[str]) -> list[Option]:
        tables, name_key = self._tables, key(name)
        rows = dict.fromkeys([*tables.index.get(name_key, ()), *tables.nicknames.get(name_key, ())])
        return [self._option(row) for row in rows]

    def _named(self, name: list[str]) -> list[Option]:
        """American places of that name and, where there are any, the large ones abroad."""
        found = self._american(name)
        if found:
            for country, lat, lon, population in self._tables.abroad.get(key(name), ()):
                found.append(Option(None, lat, lon, size(population, -ABROAD.get(country, OVERSEAS))))
        return found

    def _decide(self, said: str, options: Sequence[Option], scores: np.ndarray) -> Resolution:
        order = np.argsort(-scores, kind="stable")
        ranked = [options[at] for at in order]
        best = ranked[0]

        def within(margin: float) -> list[Option]:
            return [options[at] for at in order if scores[at] >= scores[order[0]] - margin]

        if best.place is not None and not any(_rivals(best, option) for option in within(MARGIN)):
            return Found(said, best.place)
        if not _distinct(within(MARGIN)):  # a place abroad is meant, and no American one comes near it
            return Unknown(said, tuple(_distinct(ranked)[:_MOST_CANDIDATES]))
        return Ambiguous(said, tuple(_distinct(within(_OFFERED_MARGIN))[:_MOST_CANDIDATES]))

    def _unresolved(self, said: str) -> Resolution:
        """A bare state's largest cities, or what is spelled like the name, as candidates."""
        parts = comma_parts(said[:MAX_NAME_CHARS])
        if not parts:
            return Unknown(said, ())
        name, code = parts[0], state_code(parts[-1]) if len(parts) > 1 else None
        bare = self._bare_state(name) if len(parts) == 1 else None
        if bare is not None:
            return Ambiguous(said, tuple(self._cities_of(bare, name)))
        for taken in (3, 2, 1):
            if code is None and len(parts) == 1 and len(name) > taken:
                code = state_code(name[-taken:])
                name = name[:-taken] if code else name
        return Unknown(said, tuple(self._similar(name, code)))

    def _cities_of(self, code: str, name: list[str]) -> list[Place]:
        """The state's largest cities, and the largest town that bears the state's name."""
        state, population = self._tables.state, self._tables.population
        largest = sorted((r for r in range(len(self)) if state[r] == code), key=lambda r: -population[r])
        named_so = sorted(self._american(name), key=lambda option: -option.size)
        places = [self._place(row) for row in largest[: _MOST_CANDIDATES - 1]]
        return [*places, *_distinct(named_so)][:_MOST_CANDIDATES]

    def _similar(self, name: list[str], code: str | None) -> list[Place]:
        """Places spelled like ``name``, by likeness (better in the state that was said) and size."""
        alike = process.extract(
            key(name), self._spellings, scorer=fuzz.ratio, score_cutoff=_SIMILAR_PERCENT, limit=20
        )
        ranked: list[tuple[float, float, Place]] = []
        for spelling, percent, _ in alike:
            rows = {*self._tables.index.get(spelling, ()), *self._tables.nicknames.get(spelling, ())}
            options = sorted(map(self._option, rows), key=lambda option: -option.size)
            for option in options if code else options[:_OF_ONE_NAME]:
                if option.place is not None:
                    likeness = percent + (_SAME_STATE_PERCENT if option.place.state == code else 0)
                    ranked.append((-likeness, -option.size, option.place))
        ranked.sort(key=lambda entry: entry[:2])
        found: dict[str, Place] = {}
        for *_, place in ranked:
            found.setdefault(place.label, place)
        return list(found.values())[:_MOST_CANDIDATES]

    @cached_property
    def _spellings(self) -> list[str]:
        return [*self._tables.index, *self._tables.nicknames]


def _undecorated(name: list[str]) -> list[str]:
    """Without what people put around a name: "downtown Boise", "Denver metro area"."""
    if len(name) > 1 and name[0] == "the":
        name = name[1:]
    for lead in _LEADING:
        if len(name) > len(lead) and tuple(name[: len(lead)]) == lead:
            name = name[len(lead) :]
    for tail in _TRAILING:
        if len(name) > len(tail) and tuple(name[-len(tail) :]) == tail:
            name = name[: -len(tail)]
    return name


def _scores_beside(options: Sequence[Option], near: Sequence[Place]) -> np.ndarray:
    """Each option's score at its best position among the trip's other places (states left out)."""
    fixed = [[Option(place, place.lat, place.lon, 0.0)] for place in near if not place.is_state]
    at_each = [
        best_scores([*fixed[:position], options, *fixed[position:]])[position]
        for position in range(len(fixed) + 1)
    ]
    return np.max(at_each, axis=0)


def _rivals(best: Option, other: Option) -> bool:
    """Whether ``other`` makes ``best`` doubtful: another label, and not the smaller of two twins."""
    if best.place is None or other.place is None:
        return other is not best
    if best.place.label == other.place.label:
        return False
    twins = distances_km([best, other])[0, 1] <= _TWIN_KM and other.size <= best.size
    return not twins


def _distinct(options: Sequence[Option]) -> list[Place]:
    """The American places among ``options``, the first of each label, in order."""
    found: dict[str, Place] = {}
    for option in options:
        if option.place is not None:
            found.setdefault(option.place.label, option.place)
    return list(found.values())
