"""Later turns: what people change their minds about, and what that makes of the meaning.

Every edit is a pair: whether it makes sense now, and what it does. An edit draws its values, changes
a copy of the meaning and hands the words for its values to a hand-written phrase of ``edits.yaml``. Two
or three edits may be said in one turn, with reasons around them (``revisions.yaml``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random
from typing import Any

from lpm_model.data import render
from lpm_model.data.conversation import Conversation, Conversations, PlaceNames, Turn
from lpm_model.data.noise import NUMBER_WORDS, disturb
from lpm_model.data.phrases import phrases
from lpm_model.data.route.requests import RouteRequests

__all__ = ["RouteConversations"]

Meaning = dict[str, Any]
Words = dict[str, Any]

_WEIGHTS = {
    "add_via": 9, "add_via_before": 4, "add_via_after": 4, "add_via_between": 3, "add_via_first": 1.5,
    "add_two_vias": 2, "drop_via": 10, "drop_all_vias": 2, "swap_via": 10, "reorder_two": 3,
    "swap_neighbours": 1, "reverse_vias": 3, "order_any": 2.5, "order_fixed": 4, "change_origin": 4,
    "change_destination": 5, "extend_trip": 3, "reverse_trip": 2, "swap_ends": 0.3, "round_on": 4,
    "round_off": 14, "tolls_off": 4, "tolls_on": 9, "ferries_off": 2, "ferries_on": 9, "motorways_off": 4,
    "motorways_on": 9, "avoid_nothing": 2, "avoid_place_add": 5, "avoid_place_drop": 9, "shortest_on": 3,
    "fastest_on": 14, "hours_set": 5, "hours_off": 16, "depart_set": 4, "depart_later": 10,
    "depart_earlier": 8, "depart_off": 12, "arrive_set": 4, "arrive_off": 14, "distance_set": 3,
    "distance_off": 16, "undo_last": 5, "back_to_first": 2, "chatter": 6, "confirm_no_change": 2.5,
}  # fmt: skip
_IDLE = 0.1  # share of the edits that would change nothing, such as tolls allowed that were, which are said
# Edits that are said together touch different things. A stop may be added after another edit of the stops.
_ADDS = ("add_via", "add_via_before", "add_via_after", "add_via_between", "add_via_first", "add_two_vias")
_TOUCHES = {
    "stops": (
        "drop_via", "drop_all_vias", "swap_via", "reorder_two", "swap_neighbours", "reverse_vias",
        "order_any", "order_fixed",
    ),
    "order of the trip": ("extend_trip", "reverse_trip", "swap_ends"), "what was before": ("undo_last",),
    "origin": ("change_origin",), "destination": ("change_destination",),
    "way back": ("round_on", "round_off"),
    "tolls": ("tolls_off", "tolls_on"), "ferries": ("ferries_off", "ferries_on"),
    "motorways": ("motorways_off", "motorways_on"), "avoided": ("avoid_place_add", "avoid_place_drop"),
    "objective": ("shortest_on", "fastest_on"), "hours": ("hours_set", "hours_off"),
    "departure": ("depart_set", "depart_later", "depart_earlier", "depart_off"),
    "arrival": ("arrive_set", "arrive_off"), "distance": ("distance_set", "distance_off"),
}  # fmt: skip
_TOUCHED = {key: name for name, keys in _TOUCHES.items() for key in keys} | dict.fromkeys(
    _ADDS, "added stops"
)
# Nor are edits of which one says where the other leads: a way back ends where the trip starts.
_ALONE = [
    {"order of the trip", name}
    for name in ("stops", "added stops", "origin", "destination", "what was before", "way back")
] + [{"way back", "origin"}]
_DOUBLE = 0.1  # share of later turns that say two edits in one ready-made sentence
_TOGETHER = 0.34  # that put edits together, each in its own words
_THREE = 0.22  # of these, with a third edit


def _followed(before: str, text: str, names: set[str]) -> str:
    """``text`` after other words: with a small letter within a sentence, unless it begins with a name."""
    head, word = before.rstrip(" "), text.split(" ", 1)[0]
    ordinary = word[1:].islower() and not word.startswith("I'") and word.strip(",:.").lower() not in names
    inside = head and head[-1] not in ".!?:)\n-*"
    return before + (text[0].lower() + text[1:] if inside and ordinary else text)


def _names(words: Words) -> set[str]:
    """The words of the values, in small letters."""
    return {w for v in words.values() if isinstance(v, str) for w in v.lower().split()}


class RouteConversations(Conversations):
    """Conversations about a route.

    Args:
        names: Towns and nicknames to draw from.
        rng: Source of chance.
        turns: Weights of conversations of 1, 2, 3, ... turns.
    """

    def __init__(self, names: PlaceNames, rng: Random, turns: tuple[float, ...] = (1.0,)) -> None:
        super().__init__(rng, turns)
        self.requests = RouteRequests(names, rng)
        self.phrases = phrases("route/edits")
        self.revisions = phrases("route/revisions")
        self.edits: dict[str, Callable[[Meaning], tuple[Meaning, Words] | None]] = {
            key: getattr(self, f"_{key}") for key in _WEIGHTS if hasattr(self, f"_{key}")
        }
        for kind in ("tolls", "ferries", "motorways"):
            self.edits[f"{kind}_off"] = functools.partial(self._avoid, kind)
            self.edits[f"{kind}_on"] = functools.partial(self._allow, kind)

    def conversation(self) -> Conversation:
        """Draw a conversation."""
        length = self.length()
        text, means = self.requests.request()
        turns = [Turn(text, means)]
        if "origin" not in means or "destination" not in means:
            return Conversation("route", tuple(turns))
        while len(turns) < length:
            turn = self._next([t.means for t in turns])
            if turn is not None:
                turns.append(turn)
        return Conversation("route", tuple(turns))

    def _next(self, history: list[Any]) -> Turn | None:
        rng, now, kind = self.rng, dict(history[-1]), self.rng.random()
        if kind < _DOUBLE:
            return self._double(now, history)
        if kind < _DOUBLE + _TOGETHER:
            return self._together(now, history, 3 if rng.random() < _THREE else 2)
        key = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        said = self._edit(key, now, history)
        if said is None:
            return None
        text, means, words = said
        return Turn(self._noisy(text if key == "chatter" else self._around(text, words), words), means)

    def _double(self, now: Meaning, history: list[Any]) -> Turn | None:
        """Two edits in one ready-made sentence."""
        entry = self.rng.choice(self.phrases["double"])
        first, second = entry["edits"]
        one = self._apply(first, now, history)
        two = self._apply(second, one[0], history) if one else None
        if one is None or two is None or two[0] == now:  # e.g. a stop added and dropped in one breath
            return None
        # Of a change of origin and the way back to it, the change says the whole name.
        words = two[1] | one[1] if second == "round_on" else one[1] | two[1]
        words |= {f"{k}1": v for k, v in one[1].items()} | {f"{k}2": v for k, v in two[1].items()}
        return Turn(self._noisy(self._filled(entry["text"], words), words), two[0])

    def _together(self, now: Meaning, history: list[Any], count: int) -> Turn | None:
        """Several edits, each in its own words, one after another."""
        rng, said, means = self.rng, [], now
        touched: set[str] = set()
        words: Words = {}
        keys = [k for k in _WEIGHTS if k in _TOUCHED]
        weights = [_WEIGHTS[k] for k in keys]
        for _ in range(4 * count):
            key = rng.choices(keys, weights)[0]
            name = _TOUCHED[key]
            alone = any(name in pair and pair & touched for pair in _ALONE)
            backwards = name == "what was before" or (name == "stops" and "added stops" in touched)
            if name in touched or alone or (touched and backwards):
                continue
            edit = self._edit(key, means, history)
            if edit is None:
                continue
            touched.add(name)
            means = edit[1]
            said.append(edit[0])
            words |= {f"{k}{len(said)}": v for k, v in edit[2].items()}
            if len(said) == count:
                if means == now:
                    return None
                return Turn(self._noisy(self._around(self._joined(said, words), words), words), means)
        return None

    def _edit(self, key: str, now: Meaning, history: list[Any]) -> tuple[str, Meaning, Words] | None:
        """One edit in words, what it makes of the meaning, and the words for its values."""
        done = self._apply(key, now, history)
        if done is None:
            return None
        template, words = self.rng.choice(self.phrases[key]), dict(done[1])
        if "{x}" in template and "x" not in words:
            words["x"] = self.requests.name(None, 0.1)[0]
        return self._filled(template, words), done[0], words

    def _joined(self, said: list[str], words: Words) -> str:
        """Two or three edits as one text; one of several lines stands on lines of its own."""
        template = self.rng.choice(self.revisions["join" if len(said) == 2 else "join_more"])
        if any("\n" in part for part in said):
            template = "\n".join(f"{{{number}}}" for number, _ in enumerate(said, 1))
        text, _, rest = template.partition("{1}")
        text += said[0].rstrip(".!")
        for i, part in enumerate(said[1:], 2):
            between, _, rest = rest.partition(f"{{{i}}}")
            text = (text + between).replace("?.", "?")
            text = _followed(text, part if i == len(said) else part.rstrip(".!"), _names(words))
        return (text + rest).replace("?.", "?").replace("..", ".")

    def _around(self, text: str, words: Words) -> str:
        """An edit with what people say around it, which changes nothing."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.16:
            return _followed(rng.choice(self.revisions["lead"]) + " ", text, _names(words))
        if kind < 0.32:
            aside = rng.choice(self.revisions["aside"])
            if rng.random() < 0.5 and aside[0].isupper():
                return f"{aside} {text}" if aside[-1] in ".!?" else f"{aside}. {text}"
            return f"{text} {aside}" if text[-1] in ".!?" else f"{text}. {aside}"
        return text

    def _apply(self, key: str, now: Meaning, history: list[Any]) -> tuple[Meaning, Words] | None:
        if key == "undo_last":
            changed = len(history) > 1 and history[-2] != history[-1]
            return (dict(history[-2]), {}) if changed else None
        if key == "back_to_first":
            return (dict(history[0]), {}) if len(history) > 1 and history[0] != history[-1] else None
        if key == "chatter":
            return now, {}
        done = self.edits[key](dict(now))
        if done is None:
            return None
        means = {k: v for k, v in done[0].items() if v not in (None, [], False)}
        # Mostly an edit changes something: a removal heard where nothing is removed teaches not to listen.
        idle = means == now and key != "confirm_no_change"
        return None if idle and self.rng.random() >= _IDLE else (means, done[1])

    def _filled(self, template: str, words: Words) -> str:
        values = dict(words)
        for name in [k for k in values if k.rstrip("12") == "n"]:
            values[name] = render.hours(self.rng, values[name], digits_only=f"{{{name}}}h" in template)
        return template.format(**values)

    def _noisy(self, text: str, words: Words) -> str:
        return disturb(self.rng, text, self.requests.wishes["filler"], _names(words) | set(NUMBER_WORDS))

    # -- values ------------------------------------------------------------------------------

    def _place(self, now: Meaning) -> tuple[str, str]:
        """Words and name of a place that is not part of the trip yet."""
        while True:
            said, name = self.requests.name(None, 0.2)
            taken = (now["origin"], now["destination"], *now.get("via", ()), *now.get("avoid_places", ()))
            if all(name.split(",")[0] != other.split(",")[0] for other in taken):
                return said, name

    def _mention(self, name: str) -> str:
        """How a place that is already known is spoken of: mostly without its state."""
        return name if self.rng.random() < 0.15 else name.split(",")[0]

    # -- stops -------------------------------------------------------------------------------

    def _with_stop(self, now: Meaning, index: int | None, words: Words) -> tuple[Meaning, Words]:
        said, name = self._place(now)
        via = list(now.get("via", ()))
        via.insert(len(via) if index is None else index, name)
        return now | {"via": via}, words | {"v": said}

    def _add_via(self, now: Meaning) -> tuple[Meaning, Words]:
        return self._with_stop(now, None, {})

    def _add_via_first(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via") or now.get("via_order") == "any":
            return None
        return self._with_stop(now, 0, {})

    def _add_via_before(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via") or now.get("via_order") == "any":
            return None
        index = self.rng.randrange(len(now["via"]))
        return self._with_stop(now, index, {"w": self._mention(now["via"][index])})

    def _add_via_after(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via") or now.get("via_order") == "any":
            return None
        index = self.rng.randrange(len(now["via"]))
        return self._with_stop(now, index + 1, {"w": self._mention(now["via"][index])})

    def _add_via_between(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if now.get("via_order") == "any":
            return None
        places = [now["origin"], *now.get("via", ()), now["destination"]]
        index = self.rng.randrange(len(places) - 1)
        words = {"w": self._mention(places[index]), "u": self._mention(places[index + 1])}
        return self._with_stop(now, index, words)

    def _add_two_vias(self, now: Meaning) -> tuple[Meaning, Words]:
        one, words = self._with_stop(now, None, {})
        two, more = self._with_stop(one, None, {})
        return two, {"v": words["v"], "w": more["v"]}

    def _drop_via(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via"):
            return None
        gone = self.rng.choice(now["via"])
        return self._stops(now, [name for name in now["via"] if name != gone]), {"v": self._mention(gone)}

    def _drop_all_vias(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return (self._stops(now, []), {}) if now.get("via") else None

    def _swap_via(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via"):
            return None
        old = self.rng.choice(now["via"])
        said, name = self._place(now)
        return now | {"via": [name if v == old else v for v in now["via"]]}, {
            "v": self._mention(old),
            "w": said,
        }

    @staticmethod
    def _stops(now: Meaning, via: list[str]) -> Meaning:
        return now | {"via": via, "via_order": now.get("via_order") if len(via) > 1 else None}

    def _reorder_two(self, now: Meaning) -> tuple[Meaning, Words] | None:
        via = list(now.get("via", ()))
        if len(via) < 2 or now.get("via_order") == "any":
            return None
        later = self.rng.randrange(1, len(via))
        earlier = self.rng.randrange(later)
        moved = via.pop(later)
        target = via[earlier]
        via.insert(earlier, moved)
        return now | {"via": via}, {"v": self._mention(moved), "w": self._mention(target)}

    def _swap_neighbours(self, now: Meaning) -> tuple[Meaning, Words] | None:
        via = list(now.get("via", ()))
        if len(via) < 2 or now.get("via_order") == "any":
            return None
        at = self.rng.randrange(len(via) - 1)
        via[at], via[at + 1] = via[at + 1], via[at]
        return now | {"via": via}, {"v": self._mention(via[at]), "w": self._mention(via[at + 1])}

    def _reverse_vias(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if len(now.get("via", ())) < 2 or now.get("via_order") == "any":
            return None
        return now | {"via": now["via"][::-1]}, {}

    def _order_any(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return (now | {"via_order": "any"}, {}) if len(now.get("via", ())) > 1 else None

    def _order_fixed(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return (now | {"via_order": None}, {}) if now.get("via_order") == "any" else None

    # -- ends --------------------------------------------------------------------------------

    def _change_origin(self, now: Meaning) -> tuple[Meaning, Words]:
        said, name = self._place(now)
        return now | {"origin": name}, {"o": said, "x": self._mention(now["origin"])}

    def _change_destination(self, now: Meaning) -> tuple[Meaning, Words]:
        said, name = self._place(now)
        return now | {"destination": name}, {"d": said, "x": self._mention(now["destination"])}

    def _extend_trip(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if now.get("round_trip") or now.get("via_order") == "any":
            return None
        said, name = self._place(now)
        stops = [*now.get("via", ()), now["destination"]]
        return now | {"destination": name, "via": stops}, {"d": said, "x": self._mention(now["destination"])}

    def _reverse_trip(self, now: Meaning) -> tuple[Meaning, Words]:
        ends = {"origin": now["destination"], "destination": now["origin"]}
        return now | ends | {"via": list(now.get("via", ()))[::-1]}, {}

    def _swap_ends(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return self._reverse_trip(now) if len(now.get("via", ())) < 2 else None

    def _round_on(self, now: Meaning) -> tuple[Meaning, Words]:
        return now | {"round_trip": True}, {"o": self._mention(now["origin"])}

    def _round_off(self, now: Meaning) -> tuple[Meaning, Words]:
        return now | {"round_trip": None}, {}

    # -- wishes ------------------------------------------------------------------------------

    @staticmethod
    def _avoid(kind: str, now: Meaning) -> tuple[Meaning, Words]:
        return now | {"avoid": sorted({*now.get("avoid", ()), kind})}, {}

    @staticmethod
    def _allow(kind: str, now: Meaning) -> tuple[Meaning, Words]:
        return now | {"avoid": [k for k in now.get("avoid", ()) if k != kind]}, {}

    @staticmethod
    def _avoid_nothing(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"avoid": []}, {}

    def _avoid_place_add(self, now: Meaning) -> tuple[Meaning, Words] | None:
        said, name = self.requests.avoided(None)
        places = list(now.get("avoid_places", ()))
        if name in (now["origin"], now["destination"], *now.get("via", ()), *places):
            return None
        return now | {"avoid_places": [*places, name]}, {"p": said}

    def _avoid_place_drop(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("avoid_places"):
            return None
        gone = self.rng.choice(now["avoid_places"])
        return now | {"avoid_places": [p for p in now["avoid_places"] if p != gone]}, {
            "p": self._mention(gone)
        }

    @staticmethod
    def _shortest_on(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"optimize": "distance"}, {}

    @staticmethod
    def _fastest_on(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"optimize": None}, {}

    def _hours_set(self, now: Meaning) -> tuple[Meaning, Words]:
        value = self.requests.daily_hours()
        return now | {"max_hours_per_day": value}, {"n": value}

    @staticmethod
    def _hours_off(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"max_hours_per_day": None}, {}

    def _clock(self, now: Meaning, field: str, implied: bool) -> tuple[Meaning, Words]:
        hour, minute = self.requests.clock()
        said = render.time_of_day(self.rng, hour, minute, implied)
        return now | {field: f"{hour:02d}:{minute:02d}"}, {"time": said}

    def _depart_set(self, now: Meaning) -> tuple[Meaning, Words]:
        return self._clock(now, "depart", True)

    def _arrive_set(self, now: Meaning) -> tuple[Meaning, Words]:
        return self._clock(now, "arrive_by", False)

    def _shifted(self, now: Meaning, sign: int) -> tuple[Meaning, Words] | None:
        if "depart" not in now:
            return None
        minutes = self.rng.choice((10, 15, 20, 30, 30, 45, 60, 60, 90, 120, 180))
        hour, minute = map(int, now["depart"].split(":"))
        total = hour * 60 + minute + sign * minutes
        if not 0 <= total < 24 * 60:
            return None
        return now | {"depart": f"{total // 60:02d}:{total % 60:02d}"}, {
            "delta": render.delta(self.rng, minutes)
        }

    def _depart_later(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return self._shifted(now, 1)

    def _depart_earlier(self, now: Meaning) -> tuple[Meaning, Words] | None:
        return self._shifted(now, -1)

    @staticmethod
    def _depart_off(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"depart": None}, {}

    @staticmethod
    def _arrive_off(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"arrive_by": None}, {}

    def _distance_set(self, now: Meaning) -> tuple[Meaning, Words]:
        text, said = self.requests.limit()
        return now | {"max_distance_km": text}, {"dist": said}

    @staticmethod
    def _distance_off(now: Meaning) -> tuple[Meaning, Words]:
        return now | {"max_distance_km": None}, {}

    def _confirm_no_change(self, now: Meaning) -> tuple[Meaning, Words] | None:
        if not now.get("via"):
            return None
        return now, {"v": self._mention(self.rng.choice(now["via"]))}
