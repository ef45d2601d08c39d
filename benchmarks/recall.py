"""A task that a small decoder learns from nothing: read a trip in few words, change it, write it down.

    from ka lo please via mi bu no tolls to re ba  ->  from ka lo to re ba via mi bu no tolls
    to go pe instead                               ->  from ka lo to go pe via mi bu no tolls

Names are pairs of syllables, so that those never trained on can be copied but not known. The vocabulary has
some sixty words, each a token.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lpm_model.objective import Example

__all__ = ["held_out", "stream", "tokenizer"]

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmpr" for vowel in "aeiou"]
_FILLERS = ("please", "um", "we", "and", "so", "the", "way")
_WORDS = ("from", "to", "via", "no", "tolls", "instead", "add", "drop", "are", "fine", *_FILLERS)
_HELD_OUT_SHARE = 8  # one name in so many is never trained on


def tokenizer() -> PreTrainedTokenizerFast:
    """Every word a token, with the marks of the base."""
    words = ["<unk>", "<|im_start|>", "<|im_end|>", *_WORDS, *_SYLLABLES]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
    )


@dataclass(frozen=True)
class _Trip:
    origin: str
    destination: str
    via: tuple[str, ...] = ()
    tolls: bool = True

    def written(self) -> str:
        """In one order, whatever the order it was said in."""
        stops = "".join(f" via {stop}" for stop in self.via)
        return f"from {self.origin} to {self.destination}{stops}{'' if self.tolls else ' no tolls'}"


def stream(held_out: bool) -> Callable[[Random], Iterator[Example]]:
    """Conversations of one turn or two, without end; with names never trained on, or with the others."""
    names = [f"{one} {two}" for one in _SYLLABLES for two in _SYLLABLES]
    chosen = [name for name in names if (zlib.crc32(name.encode()) % _HELD_OUT_SHARE == 0) == held_out]

    def drawn(rng: Random) -> Iterator[Example]:
        while True:
            trip, said = _first(rng, chosen)
            segments, targets = [said], [trip.written()]
            if rng.random() < 0.5:
                trip, said = _changed(rng, chosen, trip)
                segments.append(said)
                targets.append(trip.written())
            yield Example(tuple(segments), tuple(targets))

    return drawn


def held_out(count: int) -> dict[str, list[Example]]:
    """``count`` conversations of one turn and as many of two, with names never trained on."""
    return {
        f"turn {turns}": list(
            islice((e for e in stream(True)(Random(turns)) if len(e.targets) == turns), count)
        )
        for turns in (1, 2)
    }


def _first(rng: Random, names: list[str]) -> tuple[_Trip, str]:
    origin, destination, *via = rng.sample(names, rng.choice((2, 3, 4)))
    trip = _Trip(origin, destination, tuple(via), rng.random() < 0.6)
    stops = " via ".join(via)
    parts = [f"from {origin}", f"to {destination}"]
    parts += [f"via {stops}"] if via else []
    parts += [] if trip.tolls else ["no tolls"]
    rng.shuffle(parts)
    return trip, _spoken(rng, parts)


def _changed(rng: Random, names: list[str], trip: _Trip) -> tuple[_Trip, str]:
    name = rng.choice(names)
    changes = [
        (replace(trip, origin=name), f"from {name} instead"),
        (replace(trip, destination=name), f"to {name} instead"),
        (replace(trip, via=(*trip.via, name)), f"add {name}"),
        (replace(trip, tolls=not trip.tolls), "no tolls" if trip.tolls else "tolls are fine"),
    ]
    changes += [
        (replace(trip, via=tuple(other for other in trip.via if other != stop)), f"drop {stop}")
        for stop in trip.via
    ]
    changed, said = rng.choice(changes)
    return changed, _spoken(rng, [said])


def _spoken(rng: Random, parts: list[str]) -> str:
    """The parts with words between them that mean nothing."""
    return " ".join(f"{rng.choice(_FILLERS)} {part}" if rng.random() < 0.3 else part for part in parts)
