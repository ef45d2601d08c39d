"""Typed boundary of the gazetteer: places and the outcome of looking a name up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A populated place of the United States, or a whole state.

    Attributes:
        name: Official name, e.g. ``"Denver"``; for a state its full name, ``"Colorado"``.
        state: Two-letter postal code, e.g. ``"CO"``.
        lat: Latitude in degrees north (WGS 84).
        lon: Longitude in degrees east (WGS 84).
        population: Inhabitants, 0 where GeoNames gives none.
        geoname_id: GeoNames identifier (0 for a state).
        is_state: Whether this is a whole state.
        timezone: IANA name of the zone its clocks go by, ``"America/Denver"``; empty for a state.
    """

    name: str
    state: str
    lat: float
    lon: float
    population: int
    geoname_id: int
    is_state: bool = False
    timezone: str = ""

    @property
    def label(self) -> str:
        """``"Denver, CO"``, or the full name for a state."""
        return self.name if self.is_state else f"{self.name}, {self.state}"


@dataclass(frozen=True, slots=True)
class Found:
    """The name means one place."""

    said: str
    place: Place


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The name could be several places; ``candidates`` come best first."""

    said: str
    candidates: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such place; ``candidates`` are similar names to offer the person (may be empty)."""

    said: str
    candidates: tuple[Place, ...]


Resolution = Found | Ambiguous | Unknown
