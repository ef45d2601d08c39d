"""Say dates, periods and lengths of work the many ways people write them."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from random import Random

from lpm_model.data.render import in_words

__all__ = ["DATE_STYLES", "SPAN_STYLES", "adjective", "day", "needs_year", "period", "span", "working_day"]

DATE_STYLES = {
    "iso": 20, "month_day": 14, "mon_day": 14, "day_month": 14, "day_mon": 12, "day_month_ordinal": 6,
    "month_day_ordinal": 6, "the_of": 8, "weekday": 7, "weekday_us": 4, "military": 3, "dashed": 3,
    "slashed": 3, "numeric": 2, "numeric_us": 2, "apostrophe": 3, "spoken": 4, "spoken_us": 3,
}  # fmt: skip
SPAN_STYLES = {"digits": 30, "words": 24, "mixed": 14, "working": 5, "business": 3, "tight": 14, "short": 10}

_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth",
)  # fmt: skip


def working_day(rng: Random, first: date, last: date) -> date:
    """A day between the two, nearly always from Monday to Friday."""
    chosen = first + timedelta(rng.randint(0, max(0, (last - first).days)))
    while chosen.weekday() > 4 and chosen < last and rng.random() < 0.9:
        chosen += timedelta(1)
    return chosen


def _th(n: int) -> str:
    return f"{n}{'th' if 10 < n < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _ordinal_word(n: int) -> str:
    if n <= 20:
        return _ORDINALS[n - 1]
    return "thirtieth" if n == 30 else f"{in_words(n // 10 * 10)}-{_ORDINALS[n % 10 - 1]}"


def _spoken_year(year: int) -> str:
    return f"twenty {in_words(year - 2000)}"


def needs_year(style: str) -> bool:
    """Whether a date in this style always has its year."""
    when = date(2027, 3, 5)
    return day(style, when, False) == day(style, when, True)


def day(style: str, when: date, year: bool) -> str:
    """Say a date in one of ``DATE_STYLES``, with its year or, where the style allows, without."""
    n, month, mon = when.day, calendar.month_name[when.month], calendar.month_abbr[when.month]
    y = f" {when.year}" if year else ""
    comma = f", {when.year}" if year else ""
    spoken = f" {_spoken_year(when.year)}" if year else ""
    match style:
        case "month_day":
            return f"{month} {n}{comma}"
        case "mon_day":
            return f"{mon} {n}{y}"
        case "day_month":
            return f"{n} {month}{y}"
        case "day_mon":
            return f"{n} {mon}{y}"
        case "day_month_ordinal":
            return f"{_th(n)} {month}{y}"
        case "month_day_ordinal":
            return f"{month} {_th(n)}{comma}"
        case "the_of":
            return f"the {_th(n)} of {month}{y}"
        case "weekday":
            return f"{calendar.day_name[when.weekday()]} {n} {month}{y}"
        case "weekday_us":
            return f"{calendar.day_abbr[when.weekday()]} {mon} {n}{comma}"
        case "military":
            return f"{n:02d}{mon.upper()}" + (f"{when.year % 100}" if year else "")
        case "dashed":
            return f"{n}-{mon}" + (f"-{when.year}" if year else "")
        case "apostrophe":
            return f"{n} {mon}" + (f" '{when.year % 100}" if year else "")
        case "spoken":
            return f"the {_ordinal_word(n)} of {month}{spoken}"
        case "spoken_us":
            return f"{month} {_ordinal_word(n)}{spoken}"
        case "slashed":
            return f"{when:%Y/%m/%d}"
        case "numeric" if n > 12:  # a smaller number could be the month
            return f"{when:%d/%m/%Y}"
        case "numeric_us" if n > 12:
            return f"{when:%m/%d/%Y}"
        case _:
            return when.isoformat()


def _same_month(rng: Random, first: date, last: date, style: str, y: str) -> str | None:
    a, b, month, mon = first.day, last.day, calendar.month_name[first.month], calendar.month_abbr[first.month]
    joint = rng.choice(("-", "-", "–", " to ", " - "))
    match style:
        case "month_day":
            return f"{month} {a}{joint}{b}{',' * bool(y)}{y}"
        case "mon_day":
            return f"{mon} {a}{joint}{b}{y}"
        case "day_month":
            return f"{a}{joint}{b} {month}{y}"
        case "day_mon" | "apostrophe":
            return f"{a}{joint}{b} {mon}{y}"
        case "day_month_ordinal":
            return f"{_th(a)}{joint}{_th(b)} {month}{y}"
        case "month_day_ordinal":
            return f"{month} {_th(a)}{joint}{_th(b)}{y}"
        case "the_of":
            return f"the {_th(a)} to the {_th(b)} of {month}{y}"
        case _:
            return None


def period(rng: Random, style: str, first: date, last: date, year: bool, *, prepositional: bool) -> str:
    """Say a day or a period, both ends included.

    Args:
        rng: Source of chance.
        style: One of ``DATE_STYLES``.
        first: The first day.
        last: The last day.
        year: Whether the year is said; ends in different years must say it.
        prepositional: "from 3 to 7 May", "on 3 May" rather than "3 to 7 May", "3 May".
    """
    if first == last:
        return f"on {day(style, first, year)}" if prepositional else day(style, first, year)
    y = f" {first.year}" if year else ""
    whole = first.day == 1 and (last + timedelta(1)).day == 1 and first.month == last.month
    if whole and style not in ("iso", "slashed", "numeric", "numeric_us"):
        month = calendar.month_name[first.month]
        return rng.choice((f"all of {month}{y}", f"the whole of {month}{y}", f"all {month}{y}"))
    if (first.year, first.month) == (last.year, last.month) and rng.random() < 0.6:
        compact = _same_month(rng, first, last, style, y)
        if compact:
            joined = " to " in compact and prepositional
            return f"from {compact}" if joined else compact
    a, b = day(style, first, year and first.year != last.year), day(style, last, year)
    if prepositional:
        forms = [f"from {a} to {b}"] * 3 + [
            f"from {a} until {b} inclusive",
            f"{a} to {b}",
            f"{a} through {b}",
        ]
        return rng.choice([*forms, f"from {a} through {b}"])
    return rng.choice((f"{a} to {b}", f"{a} to {b}", f"{a} - {b}", f"{a} through {b}", f"{a} till {b} incl."))


def _number(rng: Random, n: float, words: bool) -> str:
    whole = int(n)
    if n == whole:
        return in_words(whole) if words else str(whole)
    if not words:
        return f"{n:g}" if whole == 0 or rng.random() < 0.7 else f"{whole} 1/2"
    return f"{in_words(whole)} and a half"


_IDIOMS = {
    (0.5, "d"): ("half a day", "half a day", "a half day", "half a day's work"),
    (1, "d"): ("a day", "a single day", "one day", "a full day"),
    (1.5, "d"): ("a day and a half", "one and a half days"),
    (2, "d"): ("two days", "a couple of days"),
    (1, "w"): ("a week", "a week", "a full week", "one week"),
    (1.5, "w"): ("a week and a half",),
    (2, "w"): ("a fortnight", "two weeks", "a couple of weeks", "two full weeks"),
}


def span(rng: Random, style: str, n: float, unit: str) -> str:
    """Say a length of work in one of ``SPAN_STYLES``; ``unit`` is "d" or "w"."""
    if style == "tight":
        return f"{n:g}{unit}" if unit == "d" or rng.random() < 0.7 else f"{n:g}wk"
    if style == "short":
        return f"{n:g} {'d' if unit == 'd' else 'wk' if n == 1 else 'wks'}"
    if (n, unit) in _IDIOMS and rng.random() < (0.25 if style in ("digits", "business", "working") else 0.6):
        return rng.choice(_IDIOMS[n, unit])
    words = style == "words" or (style == "mixed" and rng.random() < 0.5)
    if words and n < 1:
        return "half a day"
    noun = "day" if unit == "d" else "week"
    if unit == "d" and style in ("working", "business"):
        noun = f"{style} day"
    return f"{_number(rng, n, words)} {noun}{'' if n <= 1 else 's'}"


def adjective(rng: Random, n: float, unit: str) -> str | None:
    """A whole number of days or weeks before a noun: "3-day", "two-week"."""
    if n != int(n):
        return None
    number = str(int(n)) if rng.random() < 0.5 else in_words(int(n))
    return f"{number}-{'day' if unit == 'd' else 'week'}"
