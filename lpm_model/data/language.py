"""General text, to keep the base's language while the memory is trained.

Python's own reference is on every machine that runs this: English prose and code that no request
resembles.
"""

from __future__ import annotations

import zlib
from pydoc_data.topics import topics

__all__ = ["general_texts"]

_CHARACTERS = 900
_HELD_OUT_SHARE = 10  # one topic in so many is never trained on


def general_texts(*, held_out: bool) -> list[str]:
    """Pieces of ``_CHARACTERS`` characters, to train on or never trained on."""
    chosen = [
        " ".join(text.split())
        for name, text in sorted(topics.items())
        if (zlib.crc32(name.encode()) % _HELD_OUT_SHARE == 0) == held_out
    ]
    return [
        text[start : start + _CHARACTERS]
        for text in chosen
        for start in range(0, len(text) - _CHARACTERS + 1, _CHARACTERS)
    ]
