"""What keyboards, thumbs and dictation do to a sentence. Meaning is never changed."""

from __future__ import annotations

import re
from random import Random

from lpm_model.data.render import in_words

__all__ = ["NUMBER_WORDS", "disturb", "misspell"]

NUMBER_WORDS = [
    *(in_words(n) for n in (*range(20), 20, 30, 40, 50)),
    *("half", "quarter", "noon", "midnight", "midday", "hundred"),
]

_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_SHORTHAND = {
    "you": "u", "are": "r", "please": "plz", "thanks": "thx", "to": "2", "for": "4", "before": "b4",
    "because": "cuz", "through": "thru", "tonight": "2nite", "and": "n", "with": "w/", "without": "w/o",
    "going": "goin", "your": "ur", "about": "abt", "be": "b", "from": "frm", "miles": "mi", "hours": "hrs",
    "stop": "stp", "don't": "dont", "can't": "cant", "highway": "hwy", "too": "2",
}  # fmt: skip
_MARKS = ".,!?;:()"


def misspell(rng: Random, word: str) -> str:
    """One slip in a word of four letters or more: swap, drop, double, vowel or neighbour key."""
    letters = [i for i, c in enumerate(word) if c.isalpha()]
    if len(letters) < 4:
        return word
    i = rng.choice(letters[1:])
    kind = rng.random()
    if kind < 0.25 and i + 1 < len(word) and word[i + 1].isalpha():
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind < 0.55:
        return word[:i] + word[i + 1 :]
    if kind < 0.7:
        return word[:i] + word[i] + word[i:]
    if kind < 0.88 and word[i].lower() in "aeiou":
        return word[:i] + rng.choice("aeiou") + word[i + 1 :]
    return word[:i] + rng.choice(_NEIGHBOURS.get(word[i].lower(), "e")) + word[i + 1 :]


def disturb(rng: Random, text: str, fillers: list[str], keep: set[str], *, marks: bool = True) -> str:
    """Write ``text`` as a hurried, shouting, dictating or careful person would.

    Args:
        rng: Source of chance.
        text: A clean request.
        fillers: Words that dictation leaves behind; if there are none, nothing is dictated.
        keep: Lower-case words that must not be misspelt (names of small places).
        marks: Whether points and commas may be lost. Between the items of a list they carry meaning.
    """
    kind = rng.random()
    if kind < 0.42:
        return text
    if kind < 0.62:
        text = text.lower()
    elif kind < 0.67:
        text = text.upper()
    if marks and rng.random() < 0.2:
        text = _without_punctuation(rng, text)
    if rng.random() < 0.3:
        text = _typos(rng, text, keep)
    if rng.random() < 0.15:
        text = _shorthand(rng, text, keep)
    if fillers and rng.random() < 0.12:
        text = _dictated(rng, text, fillers)
    return text


def _without_punctuation(rng: Random, text: str) -> str:
    drop = rng.choice((".!", ".!,", ",", ".,!?'"))
    # Points and commas within numbers and times carry meaning.
    return "".join(
        c
        for i, c in enumerate(text)
        if c not in drop or (0 < i < len(text) - 1 and text[i - 1].isdigit() and text[i + 1].isdigit())
    )


def _typos(rng: Random, text: str, keep: set[str]) -> str:
    words = text.split(" ")
    for _ in range(rng.randint(1, max(1, len(words) // 7))):
        i = rng.randrange(len(words))
        bare = words[i].strip(_MARKS).lower()
        if bare.isalpha() and len(bare) > 3 and bare not in keep:
            slip = misspell(rng, words[i])
            # "then" must not become "ten", nor a word the name of a small place.
            words[i] = words[i] if slip.strip(_MARKS).lower() in keep else slip
    return " ".join(words)


def _shorthand(rng: Random, text: str, keep: set[str]) -> str:
    words = text.split(" ")
    short = [_SHORTHAND.get(w, w) if rng.random() < 0.6 and w.lower() not in keep else w for w in words]
    for i, word in enumerate(short):
        # "up to 5 hours" must not become "up 2 5 hours".
        if word != words[i] and word.isdigit() and any(map(_is_number, words[max(0, i - 1) : i + 2])):
            short[i] = words[i]
    return " ".join(short)


def _is_number(word: str) -> bool:
    return any(c.isdigit() for c in word) or any(p in NUMBER_WORDS for p in re.split("[^a-z]+", word.lower()))


def _dictated(rng: Random, text: str, fillers: list[str]) -> str:
    if rng.random() < 0.3:
        # The points of "St. Louis", "N.Y." and "7 p.m." are not spoken.
        text = re.sub(r"(?<=\w{3})\. ", " period ", text).replace(", ", " comma ")
    words = text.split(" ")
    for _ in range(rng.randint(1, max(1, len(words) // 8))):
        words.insert(rng.randrange(len(words) + 1), rng.choice(fillers))
    return " ".join(words)
