"""Route requests: first turns composed from frames, wishes and talk.

A request is drawn in three steps: the meaning (ends, stops, wishes), the words for it (a frame for
the trip and a clause for every wish, in prose, in fragments or as a list), and the noise. Places
are drawn from the whole gazetteer and sometimes invented, so that reading them means copying them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from lpm_model.data import render
from lpm_model.data.conversation import Place, PlaceNames
from lpm_model.data.noise import NUMBER_WORDS, disturb
from lpm_model.data.phrases import phrases

__all__ = ["RouteRequests"]

_SINGLE = ("avoid_tolls", "avoid_ferries", "avoid_motorways")
_PAIRS = {
    ("ferries", "tolls"): "avoid_tolls_ferries",
    ("motorways", "tolls"): "avoid_tolls_motorways",
    ("ferries", "motorways"): "avoid_ferries_motorways",
    ("ferries", "motorways", "tolls"): "avoid_all",
}


@dataclass
class Draft:
    """A request in the making: what is meant, and the values that its clauses will be filled with."""

    means: dict[str, Any] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)  # placeholder -> words, for the trip's frame
    vias: list[str] = field(default_factory=list)  # the stops in words
    clauses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # wish key -> its values in words
    small: set[str] = field(default_factory=set)  # words that noise must leave alone


class RouteRequests:
    """Draws route requests.

    Args:
        names: Towns and nicknames to draw from.
        rng: Source of chance.
    """

    def __init__(self, names: PlaceNames, rng: Random) -> None:
        self.names, self.rng = names, rng
        self.frames = phrases("route/frames")
        combos = {combo["text"]: {"sentence": [combo["text"]]} for combo in phrases("route/wishes")["combo"]}
        self.wishes = phrases("route/wishes") | combos

    # -- places ------------------------------------------------------------------------------

    def town(self) -> Place:
        """A town: often a large one, sometimes any of the gazetteer, sometimes invented."""
        rng, towns = self.rng, self.names.towns
        kind = rng.random()
        if kind < 0.45:
            return towns[int(min(300, len(towns)) * rng.random() ** 1.6)]
        if kind < 0.75:
            return towns[rng.randrange(min(3000, len(towns)))]
        if kind < 0.96 or len(towns) < 2:
            return towns[rng.randrange(len(towns))]
        a, b = rng.choice(towns), rng.choice(towns)
        return Place(
            (a.name[: rng.randint(3, 5)] + b.name[-rng.randint(3, 6) :].lower()).strip().title(), a.state
        )

    def name(
        self, draft: Draft | None, state_share: float = 0.35, town: Place | None = None
    ) -> tuple[str, str]:
        """Words for a place and the name meant; a nickname means itself."""
        rng = self.rng
        if town is None and self.names.nicknames and rng.random() < 0.06:
            nickname = rng.choice(self.names.nicknames)
            article = "the " if " " in nickname and rng.random() < 0.7 else ""
            return article + nickname, nickname
        town = town or self.town()
        if draft is not None and town.population < 150_000:
            draft.small |= set(town.name.lower().split())
        return render.place(rng, town, state_share)

    def _places(self, draft: Draft, count: int) -> list[tuple[str, str]]:
        share = self.rng.choice((0.0, 0.1, 0.3, 0.5, 0.9))
        chosen: list[tuple[str, str]] = []
        while len(chosen) < count:
            pair = self.name(draft, share)
            if all(pair[1].split(",")[0] != other.split(",")[0] for _, other in chosen):
                chosen.append(pair)
        if self.rng.random() < 0.04:  # the same name in several states
            first = chosen[0][1].split(",")[0]
            state = self.rng.choice(list(render.STATES))
            if chosen[0][1] != f"{first}, {state}":
                chosen[-1] = render.place(self.rng, Place(first, state), 1.0)
        return chosen

    # -- meaning -----------------------------------------------------------------------------

    def draft(self) -> Draft:
        """Draw a meaning and the words for its values."""
        rng, draft = self.rng, Draft()
        stops = rng.choices((0, 1, 2, 3, 4, 5), (42, 27, 17, 9, 3, 2))[0]
        places = self._places(draft, 2 + stops)
        (o, origin), (d, destination), vias = places[0], places[1], places[2:]
        draft.said = {"o": o, "d": d}
        draft.vias = [said for said, _ in vias]
        draft.means = {"origin": origin, "destination": destination}
        if vias:
            draft.means["via"] = [name for _, name in vias]
        if stops >= 2 and rng.random() < 0.28:
            draft.means["via_order"] = "any"
        if rng.random() < 0.14:
            draft.means["round_trip"] = True
        self._wish_roads(draft)
        if rng.random() < 0.17:
            self._wish_places(draft)
        if rng.random() < 0.15:
            draft.means["optimize"] = "distance"
            draft.clauses.append(("shortest", {}))
        elif rng.random() < 0.07:
            draft.clauses.append(("fastest", {}))
        if rng.random() < 0.2:
            value = self.daily_hours()
            draft.means["max_hours_per_day"] = value
            draft.clauses.append(("max_hours", {"n": value}))  # worded when the template is known
        self._wish_times(draft)
        if rng.random() < 0.14:
            draft.means["max_distance_km"], said = self.limit()
            draft.clauses.append(("max_distance", {"dist": said}))
        return draft

    def _wish_roads(self, draft: Draft) -> None:
        rng = self.rng
        avoid = [
            k
            for k, share in (("ferries", 0.09), ("motorways", 0.16), ("tolls", 0.26))
            if rng.random() < share
        ]
        if avoid:
            draft.means["avoid"] = avoid
            if len(avoid) > 1 and rng.random() < 0.7:
                draft.clauses.append((_PAIRS[tuple(avoid)], {}))
            else:
                draft.clauses += [(f"avoid_{kind}", {}) for kind in avoid]
        for kind, share in (("tolls", 0.09), ("ferries", 0.02), ("motorways", 0.04)):
            if kind not in avoid and rng.random() < share:
                draft.clauses.append((f"allow_{kind}", {}))

    def avoided(self, draft: Draft | None) -> tuple[str, str]:
        """Words and name of a place to keep out of: a state or a town."""
        rng = self.rng
        if rng.random() < 0.4:
            code = rng.choice([s for s in render.STATES if s != "DC"])
            state = render.STATES[code]
            if code in ("NY", "WA"):
                return f"{state} State", f"{state} State"
            return rng.choice((state,) * 5 + (f"the state of {state}", f"the State of {state}")), state
        return self.name(draft, 0.25)

    def _wish_places(self, draft: Draft) -> None:
        p, name = self.avoided(draft)
        taken = {draft.means["origin"], draft.means["destination"], *draft.means.get("via", ())}
        if name in taken:
            return
        if self.rng.random() < 0.15:
            q, second = self.avoided(draft)
            if second not in taken | {name}:
                draft.means["avoid_places"] = [name, second]
                draft.clauses.append(("avoid_two_places", {"p": p, "q": q}))
                return
        draft.means["avoid_places"] = [name]
        draft.clauses.append(("avoid_place", {"p": p}))

    def daily_hours(self) -> float:
        """A daily driving limit in hours."""
        return self.rng.choice((3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12)) + (
            0.5 if self.rng.random() < 0.18 else 0
        )

    def limit(self) -> tuple[str, str]:
        """A longest distance: as meant ("400 mi") and in words."""
        rng = self.rng
        unit = "mi" if rng.random() < 0.7 else "km"
        value = rng.choice(
            (rng.randrange(60, 700, 10), rng.randrange(100, 2500, 50), rng.randrange(100, 999, 5))
        )
        return f"{value} {unit}", render.distance(rng, value, unit)

    def clock(self) -> tuple[int, int]:
        """A clock time, mostly a quarter of an hour."""
        rng = self.rng
        hour = rng.choice((*range(4, 13), *range(5, 24), 0))
        return hour, rng.choice((0, 0, 0, 15, 30, 30, 45, 10, 20, 40, 50, 5, 25, 35, 55))

    def _wish_times(self, draft: Draft) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.2 or kind >= 0.95:
            hour, minute = self.clock()
            draft.means["depart"] = f"{hour:02d}:{minute:02d}"
        if 0.2 <= kind < 0.36 or kind >= 0.95:
            hour2, minute2 = self.clock()
            draft.means["arrive_by"] = f"{hour2:02d}:{minute2:02d}"
        if kind >= 0.95 and rng.random() < 0.6:
            first = render.time_of_day(rng, hour, minute, True)
            draft.clauses.append(
                ("depart_arrive", {"time": first, "time2": render.time_of_day(rng, hour2, minute2, False)})
            )
            return
        if "depart" in draft.means:
            draft.clauses.append(("depart", {"time": render.time_of_day(rng, hour, minute, True)}))
        if "arrive_by" in draft.means:
            draft.clauses.append(("arrive", {"time": render.time_of_day(rng, hour2, minute2, False)}))

    # -- words -------------------------------------------------------------------------------

    def request(self) -> tuple[str, dict[str, Any]]:
        """Draw a request: its text and its meaning."""
        if self.rng.random() < 0.05:
            return self._partial()
        draft = self.draft()
        kind = self.rng.random()
        if kind < 0.52:
            text = self._prose(draft)
        elif kind < 0.82:
            text = self._fragments(draft)
        else:
            text = self._list(draft)
        fillers = self.wishes["filler"]
        return disturb(self.rng, text, fillers, draft.small | set(NUMBER_WORDS)), draft.means

    def _partial(self) -> tuple[str, dict[str, Any]]:
        """A text that names one end only, or that is no request for a route."""
        rng, draft, partial = self.rng, Draft(), phrases("route/partial")
        kind = rng.random()
        if kind < 0.4:
            talk = [
                *partial["none"] * 2,
                *self.wishes["chatter"],
                *self.wishes["closer"],
                *self.wishes["opener"],
            ]
            return disturb(rng, rng.choice(talk), self.wishes["filler"], set()), {}
        if kind < 0.48:
            return rng.choice(self.wishes["chatter_place"]).format(x=self.name(None)[0]), {}
        key, end = ("d", "destination") if kind < 0.82 else ("o", "origin")
        said, draft.means[end] = self.name(draft)
        self._wish_roads(draft)
        text = rng.choice(partial[f"{key}_only"]).format(**{key: said})
        for clause, values in draft.clauses:
            text += (" " if text[-1] in ".?!" else ", ") + self._clause(clause, "fragment", values)
        return disturb(rng, text, self.wishes["filler"], draft.small | set(NUMBER_WORDS)), draft.means

    def frame(self, draft: Draft, *, short: bool) -> list[str]:
        """Words for the ends, the stops, their order and the way back: a frame and what follows it."""
        rng, frames, said = self.rng, self.frames, dict(draft.said)
        count, any_order = len(draft.vias), draft.means.get("via_order") == "any"
        back = draft.means.get("round_trip", False)
        values = said | {"vias": render.listing(rng, draft.vias, not any_order)} if count else said
        values |= {f"v{i + 1}": v for i, v in enumerate(draft.vias)}
        after: list[tuple[str, str]] = []  # (key, single or list) of sentences that follow
        if back and rng.random() < (0.6 if count else 0.75):
            key, back = "od_round", False
        elif not count and rng.random() < 0.16:
            key = "od_distractor"
            values["x"] = self.name(draft)[0]
        else:
            key = "od"
        if count and key == "od":
            if any_order:
                key = "odv_list_any" if rng.random() < 0.65 else "od"
            elif rng.random() < 0.72:
                key = (
                    f"odv{count}"
                    if count <= 3 and rng.random() < 0.75
                    else "odv_list"
                    if count > 1
                    else "odv1"
                )
        if count and key in ("od", "od_round"):
            if any_order:
                after.append(("via_add_any", "vias"))
            elif count == 1:
                after.append(("via_add", "v1"))
            else:
                after.append(("via_add_list", "vias"))
        out = [self._fill(self._pick(frames[key], short), values)]
        for follow, _ in after:
            if follow == "via_add_any" and rng.random() < 0.4:
                out.append(self._fill(self._pick(frames["via_add_list"], short, self._unordered), values))
                out.append(rng.choice(frames["order_any"]))
            else:
                out.append(self._fill(self._pick(frames[follow], short), values))
        if back:
            out.append(self._fill(rng.choice(frames["round_fragment" if short else "round"]), values))
        return out

    @staticmethod
    def _unordered(template: str) -> bool:
        low = template.lower()
        return not any(word in low for word in ("order", "sequence", "one after", "first", "then"))

    def _pick(self, templates: list[str], short: bool, fits: Any = None) -> str:
        for _ in range(20):
            template = self.rng.choice(templates)
            if (not short or len(template) <= 70) and (fits is None or fits(template)):
                return template
        return template

    def _fill(self, template: str, values: dict[str, Any]) -> str:
        words = dict(values)
        if "n" in words:
            words["n"] = render.hours(self.rng, words["n"], digits_only="{n}h" in template)
        return template.format(**words)

    def _clause(self, key: str, form: str, values: dict[str, Any]) -> str:
        return self._fill(self.rng.choice(self.wishes[key][form]), values)

    def _prose(self, draft: Draft) -> str:
        rng, wishes = self.rng, self.wishes
        sentences = [self._clause(key, "sentence", values) for key, values in self._combined(draft)]
        rng.shuffle(sentences)
        talk: list[str] = []
        if rng.random() < 0.3:
            talk.append(rng.choice(wishes["chatter"]))
        if rng.random() < 0.15:
            talk.append(rng.choice(wishes["chatter_place"]).format(x=self.name(draft)[0]))
        if rng.random() < 0.07:
            talk.append(rng.choice(self.frames["via_not"]).format(x=self.name(draft)[0]))
        if not draft.means.get("round_trip") and rng.random() < 0.04:
            talk.append(rng.choice(self.frames["one_way"]))
        frame = self.frame(draft, short=False)
        if rng.random() < 0.85:
            parts = [*frame, *sentences]
        else:
            cut = rng.randint(0, len(sentences))
            parts = [*sentences[:cut], *frame, *sentences[cut:]]
        for sentence in talk:
            parts.insert(
                rng.randint(0, len(parts)) if len(frame) == 1 else rng.choice((0, len(parts))), sentence
            )
        if rng.random() < 0.3:
            parts.insert(0, rng.choice(wishes["opener"]))
        if rng.random() < 0.25:
            parts.append(rng.choice(wishes["closer"]))
        joined = parts[0]
        for part in parts[1:]:
            if "\n" in joined and rng.random() < 0.5:
                joined += "\n"
            elif joined[-1] in ".!?,:;)":
                joined += " " if joined[-1] != ")" or rng.random() < 0.5 else ". "
            else:
                joined += ". " if part[:1].isupper() or rng.random() < 0.4 else ", "
            joined += part
        return joined

    def _combined(self, draft: Draft) -> list[tuple[str, dict[str, Any]]]:
        """The clauses, sometimes with two or three of them said in one ready-made sentence."""
        rng, clauses = self.rng, list(draft.clauses)
        present = {key for key, _ in clauses}
        fitting = [c for c in self.wishes["combo"] if set(c["has"]) <= present]
        if not fitting or rng.random() < 0.6:
            return clauses
        combo = rng.choice(fitting)
        values: dict[str, Any] = {}
        for key, own in clauses:
            if key in combo["has"]:
                values |= {"time2": own["time"]} if key == "arrive" and "depart" in combo["has"] else own
        rest = [(key, own) for key, own in clauses if key not in combo["has"]]
        return [*rest, (combo["text"], values)]

    def _fragments(self, draft: Draft) -> str:
        rng = self.rng
        parts = [self._clause(key, "fragment", values) for key, values in draft.clauses]
        rng.shuffle(parts)
        frame = self.frame(draft, short=True)
        if any("\n" in part for part in frame):
            frame = [part.replace("\n", ", ").replace("- ", "") for part in frame]
        frame = [part.rstrip(".") for part in frame]
        separator = rng.choice((", ",) * 6 + (" - ", ". ", " / ", "; ", " ", " and ", ", and "))
        text = rng.choice((", ", ". ", " ")).join(frame) if separator == " - " else ", ".join(frame)
        rest = text
        for part in parts:
            rest = text
            text += (separator if text[-1] not in "?!" else " ") + part
        if parts and rng.random() < 0.08:
            text = f"{parts[-1]}{separator}{rest}"
        if rng.random() < 0.12:
            text = f"{rng.choice(self.wishes['opener'])} {text}"
        if rng.random() < 0.12:
            text += f", {rng.choice(self.wishes['closer'])}"
        return text

    def _list(self, draft: Draft) -> str:
        rng, frames = self.rng, self.frames
        lines = [rng.choice(frames["kv_od"]).format(**draft.said)]
        any_order = draft.means.get("via_order") == "any"
        if draft.vias:
            key = "kv_via_any" if any_order else "kv_via"
            lines.append(rng.choice(frames[key]).format(vias=render.listing(rng, draft.vias, not any_order)))
        if draft.means.get("round_trip"):
            lines.append(rng.choice(frames["kv_round"]))
        form = "item" if rng.random() < 0.75 else "fragment"
        wishes = [self._clause(key, form, values) for key, values in draft.clauses]
        rng.shuffle(wishes)
        bullet = rng.choice(("", "", "", "- ", "* ", "• "))
        if bullet and not lines[0].startswith(bullet):
            lines = [bullet + line.lstrip("-*0123456789.) ") for block in lines for line in block.split("\n")]
        lines += [bullet + wish for wish in wishes]
        if rng.random() < 0.15:
            lines.insert(0, rng.choice(self.wishes["opener"]))
        separator = "\n" if rng.random() < 0.75 else rng.choice((". ", "; ", " | ", ", "))
        return separator.join(lines)
