"""Say places, times, numbers, distances and lists the many ways people write them."""

from __future__ import annotations

from random import Random

from lpm_model.data.conversation import Place

__all__ = ["STATES", "delta", "distance", "hours", "in_words", "listing", "place", "time_of_day"]

STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts",
    "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana",
    "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico",
    "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip

_OLD_ABBREVIATIONS = {
    "AL": "Ala.", "AZ": "Ariz.", "AR": "Ark.", "CA": "Calif.", "CO": "Colo.", "CT": "Conn.", "FL": "Fla.",
    "IL": "Ill.", "IN": "Ind.", "KS": "Kan.", "MA": "Mass.", "MI": "Mich.", "MN": "Minn.", "MS": "Miss.",
    "MT": "Mont.", "NE": "Neb.", "NV": "Nev.", "OK": "Okla.", "OR": "Ore.", "PA": "Penn.", "TN": "Tenn.",
    "TX": "Tex.", "VA": "Va.", "WA": "Wash.", "WI": "Wis.", "WY": "Wyo.", "NC": "N.C.", "SC": "S.C.",
    "NY": "N.Y.", "NJ": "N.J.", "NM": "N.M.", "NH": "N.H.", "DC": "D.C.", "ND": "N. Dak.", "SD": "S. Dak.",
}  # fmt: skip

_WITH_STATE = (
    ("{n}, {s}", 8), ("{n} {s}", 9), ("{n}, {S}", 8), ("{n} {S}", 5), ("{n} ({s})", 3), ("{n} ({S})", 3),
    ("{n}, {a}", 2), ("{n} in {S}", 2), ("{n}, in {S}", 1), ("{n}, the {S} one", 2), ("{n} (the {S} one)", 1),
    ("{n}, {S}, not {T}", 1), ("{n} the {S} one not the {T} one", 1), ("the {n} in {S}", 2),
    ("{n} ({S}, not {T})", 1), ("{n}, {S} that is", 1), ("{n}/{s}", 1), ("{n}, on the {S} side", 1),
    ("{n}, the one in {S}", 2), ("{n}, {S} of course", 1),
)  # fmt: skip


def place(rng: Random, town: Place, state_share: float) -> tuple[str, str]:
    """Name a town.

    Returns:
        What the person writes, and the name that is meant: "Name", or "Name, ST" if the state was said.
    """
    if not town.state or rng.random() >= state_share:
        return town.name, town.name
    form = rng.choices([f for f, _ in _WITH_STATE], [w for _, w in _WITH_STATE])[0]
    other = rng.choice([s for s in STATES if s != town.state])
    said = form.format(
        n=town.name,
        s=town.state,
        S="DC" if town.state == "DC" else STATES[town.state],
        a=_OLD_ABBREVIATIONS.get(town.state, town.state),
        T=STATES[other],
    )
    return said, f"{town.name}, {town.state}"


_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(n: int) -> str:
    """An integer from 0 to 9999 in English words."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        return _ONES[n // 100] + " hundred" + (f" and {in_words(n % 100)}" if n % 100 else "")
    if n % 1000 == 0:
        return _ONES[n // 1000] + " thousand"
    if n % 100 == 0 and n < 10000 and n // 100 % 10:
        return in_words(n // 100) + " hundred"
    return _ONES[n // 1000] + " thousand " + in_words(n % 1000)


def time_of_day(rng: Random, hour: int, minute: int, morning_implied: bool) -> str:
    """Say a 24-hour clock time so that it can mean only this one.

    Args:
        rng: Source of chance.
        hour: 0 to 23.
        minute: 0 to 59.
        morning_implied: Whether "at 7" alone may stand for 07:00.
    """
    twelve = hour % 12 or 12
    am = "am" if hour < 12 else "pm"
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    if hour >= 21:
        part = "at night"
    digits = f"{twelve}:{minute:02d}" if minute else str(twelve)
    word = rng.choice((str(twelve), in_words(twelve)))
    forms: list[str] = [
        f"{digits}{am}", f"{digits} {am}", f"{digits} {am}", f"{digits} {am[0]}.m.", f"{digits} {am.upper()}",
        f"{hour:02d}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{digits} {part}", f"{digits}{am[0]}",
    ]  # fmt: skip
    if hour >= 10 or hour in range(4, 10):
        forms += [f"{hour:02d}{minute:02d}", f"{hour:02d}{minute:02d} hrs", f"{hour:02d}{minute:02d}h"]
    if hour >= 13:
        forms += [f"{hour}:{minute:02d}", f"{hour}h{minute:02d}", f"{hour}.{minute:02d}"]
    if minute == 0:
        forms += [f"{word} {part}", f"{word} o'clock {part}", f"{word} {am}", f"{twelve}:00 {am}"]
    elif minute == 30:
        forms += [
            f"half past {word} {part}",
            f"half {word} {part}" if rng.random() < 0.2 else f"half past {word} {part}",
        ]
        forms += [
            f"{in_words(twelve)} thirty {part}",
            f"{in_words(twelve)} thirty {am}",
            f"{twelve} hours 30 {part}",
        ]
    elif minute == 15:
        forms += [
            f"quarter past {word} {part}",
            f"a quarter after {word} {part}",
            f"{in_words(twelve)} fifteen {am}",
        ]
    elif minute == 45:
        later = in_words((hour + 1) % 12 or 12)
        edge = hour in (11, 17, 20, 23)  # "quarter to six in the afternoon" would name the wrong part
        forms += [] if edge else [f"quarter to {later} {part}", f"a quarter to {later} {part}"]
        forms += [f"{in_words(twelve)} forty-five {am}"]
    elif minute < 30:
        forms += [
            f"{in_words(minute)} past {word} {part}",
            f"{minute} past {word} {part}",
            f"{minute} minutes past {twelve} {am}",
        ]
    else:
        later = in_words((hour + 1) % 12 or 12)
        if hour not in (11, 17, 20, 23):
            forms += [
                f"{in_words(60 - minute)} to {later} {part}",
                f"{60 - minute} minutes to {later} {part}",
            ]
        forms += [f"{in_words(twelve)} {in_words(minute)} {am}"]
    if (hour, minute) == (12, 0):
        forms = ["noon", "noon", "12 noon", "midday", "12:00", "12 pm", "1200"]
    elif (hour, minute) == (0, 0):
        forms = ["midnight", "midnight", "00:00", "12 am", "12 midnight"]
    elif morning_implied and 5 <= hour <= 11:
        forms += [digits, digits, word if not minute else digits]
    return rng.choice(forms)


def hours(rng: Random, n: float, digits_only: bool = False) -> str:
    """Say a number of hours: "6", "six", "7.5", "seven and a half"."""
    whole = int(n)
    if n == whole:
        return str(whole) if digits_only or rng.random() < 0.6 else in_words(whole)
    if digits_only:
        return f"{n:g}"
    return rng.choice(
        (f"{n:g}", f"{n:g}", f"{in_words(whole)} and a half", f"{whole} 1/2", f"{whole} and a half")
    )


def distance(rng: Random, n: int, unit: str) -> str:
    """Say a distance; ``unit`` is "mi" or "km"."""
    number = str(n)
    if n >= 1000 and rng.random() < 0.4:
        number = f"{n:,}"
    if rng.random() < 0.15 and n % 50 == 0:
        number = in_words(n)
    if unit == "mi":
        return number + rng.choice(
            (" miles", " miles", " miles", " mi", "mi", " mile", " mls") if n else (" miles",)
        )
    return number + rng.choice((" km", " km", "km", " kilometers", " kilometres", " kms", " k"))


def delta(rng: Random, minutes: int) -> str:
    """Say a span of time."""
    forms = [f"{minutes} minutes", f"{minutes} min", f"{in_words(minutes)} minutes"]
    if minutes == 30:
        forms += ["half an hour"] * 3
    if minutes == 15:
        forms += ["a quarter of an hour"]
    if minutes == 90:
        forms += ["an hour and a half", "one and a half hours", "1.5 hours"]
    if minutes % 60 == 0:
        n = minutes // 60
        forms = (
            ["an hour", "one hour", "1 hour", "60 minutes"]
            if n == 1
            else [f"{n} hours", f"{in_words(n)} hours", f"{n}h"]
        )
    return rng.choice(forms)


def listing(rng: Random, names: list[str], ordered: bool) -> str:
    """Join names as people do; with ``ordered`` words such as "then" may stand between them."""
    if len(names) == 1:
        return names[0]
    head, last = names[:-1], names[-1]
    forms = [", ".join(head) + f" and {last}"] * 4 + [", ".join(head) + f", and {last}"] * 2
    forms += [
        ", ".join(names),
        " / ".join(names),
        " + ".join(names),
        " & ".join(names),
        ", ".join(head) + f" & {last}",
    ]
    if ordered:
        forms += [
            ", then ".join(names),
            ", ".join(head) + f" and then {last}",
            ", ".join(head) + f", then {last}",
        ]
        forms += [
            " and after that ".join(names),
            " > ".join(names),
            " - ".join(names),
            " followed by ".join(names),
            " then ".join(names),
        ]
    else:
        forms += [" and ".join(names)]
    return rng.choice(forms)
