"""Spelling of place names: one key for every way of writing a name, and the states' names.

Everything here works on the name of one place, already read out of a request. State abbreviations
are those of the US Postal Service and the traditional ones of the Government Publishing Office
Style Manual.
"""

from __future__ import annotations

import re
import unicodedata

STATES: dict[str, str] = {
    "AL": "Alabama",
    "AK": "Alaska",
    "AZ": "Arizona",
    "AR": "Arkansas",
    "CA": "California",
    "CO": "Colorado",
    "CT": "Connecticut",
    "DE": "Delaware",
    "DC": "District of Columbia",
    "FL": "Florida",
    "GA": "Georgia",
    "HI": "Hawaii",
    "ID": "Idaho",
    "IL": "Illinois",
    "IN": "Indiana",
    "IA": "Iowa",
    "KS": "Kansas",
    "KY": "Kentucky",
    "LA": "Louisiana",
    "ME": "Maine",
    "MD": "Maryland",
    "MA": "Massachusetts",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MS": "Mississippi",
    "MO": "Missouri",
    "MT": "Montana",
    "NE": "Nebraska",
    "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey",
    "NM": "New Mexico",
    "NY": "New York",
    "NC": "North Carolina",
    "ND": "North Dakota",
    "OH": "Ohio",
    "OK": "Oklahoma",
    "OR": "Oregon",
    "PA": "Pennsylvania",
    "RI": "Rhode Island",
    "SC": "South Carolina",
    "SD": "South Dakota",
    "TN": "Tennessee",
    "TX": "Texas",
    "UT": "Utah",
    "VT": "Vermont",
    "VA": "Virginia",
    "WA": "Washington",
    "WV": "West Virginia",
    "WI": "Wisconsin",
    "WY": "Wyoming",
}
"""Postal code -> full name, of the fifty states and the District of Columbia."""

_TRADITIONAL = {
    "AL": ("ala",),
    "AZ": ("ariz",),
    "AR": ("ark",),
    "CA": ("calif", "cal", "cali"),
    "CO": ("colo",),
    "CT": ("conn",),
    "DE": ("del",),
    "DC": ("d c", "dist of columbia"),
    "FL": ("fla",),
    "IL": ("ill",),
    "IN": ("ind",),
    "KS": ("kans", "kan"),
    "MA": ("mass",),
    "MI": ("mich",),
    "MN": ("minn",),
    "MS": ("miss",),
    "MT": ("mont",),
    "NE": ("nebr", "neb"),
    "NV": ("nev",),
    "NH": ("n h",),
    "NJ": ("n j", "jersey"),
    "NM": ("n mex", "n m"),
    "NY": ("n y", "new york state"),
    "NC": ("n c", "n carolina"),
    "ND": ("n d", "n dak", "n dakota"),
    "OK": ("okla",),
    "OR": ("ore", "oreg"),
    "PA": ("penn", "penna"),
    "RI": ("r i",),
    "SC": ("s c", "s carolina"),
    "SD": ("s d", "s dak", "s dakota"),
    "TN": ("tenn",),
    "TX": ("tex",),
    "VA": ("virg",),
    "WA": ("wash", "washington state"),
    "WV": ("w v", "w va", "w virginia"),
    "WI": ("wis", "wisc"),
    "WY": ("wyo",),
}
_STATE_CODES = {code.lower(): code for code in STATES}
_STATE_CODES |= {name.lower(): code for code, name in STATES.items()}
_STATE_CODES |= {short: code for code, shorts in _TRADITIONAL.items() for short in shorts}

_COUNTRY = {"usa", "us", "united states", "united states of america", "america"}
_SHORT_WORDS = {
    "saint": "st",
    "sainte": "ste",
    "fort": "ft",
    "mount": "mt",
    "point": "pt",
    "springs": "spgs",
    "heights": "hts",
    "junction": "jct",
    "and": "",
}
_SHORT_FIRST_WORDS = {"n": "north", "s": "south", "e": "east", "w": "west"}
_ASCII_SIGNS = str.maketrans({"\u02bb": "", "\u2018": "", "\u2019": "'", "\u2013": "-", "\u2014": "-"})
_DROPPED = str.maketrans("", "", ".'`\u00b4")  # periods and apostrophes join, they do not part
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")

MAX_NAME_CHARS = 120
"""A longer text is no place name."""


def plain(text: str) -> str:
    """``text`` in ASCII letters, accents and Hawaiian marks gone: ``"Cañon City"`` -> ``"Canon City"``."""
    spread = unicodedata.normalize("NFKD", text.translate(_ASCII_SIGNS))
    return "".join(char for char in spread if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Lower-case words of a name: periods and apostrophes go, other signs part words."""
    return _NOT_A_WORD.sub(" ", plain(text).translate(_DROPPED).lower()).split()


def key(parts: list[str]) -> str:
    """The gazetteer's key of a name: what its spellings have in common.

    Leading "the" goes, "Saint", "Fort", "Mount" and the like are shortened, spaces go; so
    "Saint Louis", "St. Louis" and "St.Louis" share ``"stlouis"``.
    """
    if len(parts) > 1 and parts[0] == "the":
        parts = parts[1:]
    if len(parts) > 1:
        parts = [_SHORT_FIRST_WORDS.get(parts[0], parts[0]), *parts[1:]]
    return "".join(_SHORT_WORDS.get(part, part) for part in parts)


def state_code(parts: list[str]) -> str | None:
    """Postal code of the state that these words name in full, or None.

    "state of X" and "X state" name the state too.
    """
    if len(parts) > 2 and parts[:2] == ["state", "of"]:
        parts = parts[2:]
    elif len(parts) > 1 and parts[-1] == "state":
        parts = parts[:-1]
    return _STATE_CODES.get(" ".join(parts))


def comma_parts(said: str) -> list[list[str]]:
    """Words of each part between commas, empty parts and a trailing "USA" left out."""
    parts = [part for part in map(words, said.split(",")) if part]
    while len(parts) > 1 and " ".join(parts[-1]) in _COUNTRY:
        parts.pop()
    return parts
