"""A small reader of numbers, times and distances in English, independent of the generator that wrote them."""

import re

_BELOW_20 = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ONES = {word: i for i, word in enumerate(_BELOW_20)}
TENS = {word: 20 + 10 * i for i, word in enumerate(_TENS)}


def number(words):
    """The value of an English number: a sum of products."""
    total = group = 0
    for word in re.split(r"[ -]", words):
        if word in ("hundred", "thousand"):
            if word == "hundred":
                group *= 100
            else:
                total, group = total + 1000 * group, 0
        elif word != "and":
            group += ONES[word] if word in ONES else TENS[word]
    return total + group


def amount(text):
    if re.fullmatch(r"[\d,]+", text):
        return int(text.replace(",", ""))
    if re.fullmatch(r"\d+\.\d+", text):
        return float(text)
    half = re.fullmatch(r"(.+?)(?: 1/2| and a half)", text)
    return amount(half[1]) + 0.5 if half else number(text)


def meant_time(text, *, morning_implied):
    """Minutes since midnight."""
    text = text.lower().strip()
    fixed = {"noon": 720, "12 noon": 720, "midday": 720, "midnight": 0, "12 midnight": 0}
    if text in fixed:
        return fixed[text]
    half_day = None
    tail = re.search(r" ?(?:(a|p)(?:\.?m\.?)?|in the (morning|afternoon|evening)|at (night))$", text)
    if tail and not (tail[1] and not re.search(r"[\d a-z] ?[ap](\.?m\.?)?$", text)):
        half_day = "pm" if tail[1] == "p" or tail[2] in ("afternoon", "evening") or tail[3] else "am"
        text = text[: tail.start()].strip()
    text = text.removesuffix(" o'clock").removesuffix(" hrs")
    if re.fullmatch(r"\d{4}h?", text):
        hour, minute = int(text[:2]), int(text[2:4])
    elif clock := re.fullmatch(r"(\d{1,2})[:.h](\d\d)", text):
        hour, minute = int(clock[1]), int(clock[2])
        if half_day is None and len(clock[1]) == 1:
            assert morning_implied, text
    elif around := re.fullmatch(r"(?:an? )?(.+?)(?: minutes)? (past|after|to) (.+)", text):
        part = {"half": 30, "quarter": 15}.get(around[1]) or amount(around[1])
        minute = part if around[2] != "to" else 60 - part
        hour = amount(around[3]) - (around[2] == "to")
    elif odd := re.fullmatch(r"(\d+) hours (\d+)", text):
        hour, minute = int(odd[1]), int(odd[2])
    elif text.startswith("half "):
        hour, minute = amount(text[5:]), 30
    elif re.fullmatch(r"\d+", text) or text in ONES:
        hour, minute = amount(text), 0
        assert half_day or morning_implied, text
    else:
        first, rest = text.split(" ", 1)
        hour, minute = number(first), number(rest)
    if half_day:
        assert 0 <= hour <= 12
        hour = hour % 12 + 12 * (half_day == "pm")
    return hour % 24 * 60 + minute


def meant_delta(text):
    fixed = {"half an hour": 30, "a quarter of an hour": 15, "an hour and a half": 90, "an hour": 60}
    fixed |= {"one and a half hours": 90, "1.5 hours": 90}
    if text in fixed:
        return fixed[text]
    span = re.fullmatch(r"(.+?) ?(minutes|min|hours|hour|h)", text)
    assert span, text
    return amount(span[1]) * (60 if span[2].startswith("h") else 1)


def meant_distance(text):
    found = re.fullmatch(r"(.+?) ?(mi|miles?|mls|km|kms|kilometers|kilometres|k)", text)
    assert found, text
    return amount(found[1]), "mi" if found[2].startswith("m") else "km"
