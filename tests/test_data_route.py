"""The generator of training data: what it says is what it means, whatever the wording and the noise."""

import re
from random import Random
from string import Formatter

import pytest
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from lpm_model.data import render
from lpm_model.data.phrases import phrases
from lpm_model.data.route import conversations, requests
from lpm_model.data.route.conversations import RouteConversations
from lpm_model.data.route.requests import RouteRequests
from planner.train import place_names
from tests.readback import meant_delta, meant_distance, meant_time
from tools.notation import grammar, read_call, write_call
from tools.places import Gazetteer
from tools.roads.arguments import RouteArguments

CALLS = {"route": RouteArguments}
KM = {"km": 1.0, "mi": 1.609344}


@pytest.fixture(scope="module")
def book():
    return Gazetteer.load()


@pytest.fixture(scope="module")
def names(book):
    return place_names(book, held_out=False)


@pytest.fixture
def calm(monkeypatch):
    """The generator without noise."""
    for module in (conversations, requests):
        monkeypatch.setattr(module, "disturb", lambda rng, text, fillers, keep: text)


# -- phrases ---------------------------------------------------------------------------------

FRAMES = {
    "od": "o d", "od_distractor": "o d x", "odv1": "o d v1", "odv2": "o d v1 v2",
    "odv3": "o d v1 v2 v3",
    "odv_list": "o d vias", "odv_list_any": "o d vias", "via_add": "v1", "via_add_list": "vias",
    "via_add_any": "vias", "order_any": "", "via_not": "x", "round": "", "round_fragment": "",
    "od_round": "o d", "one_way": "", "kv_od": "o d", "kv_via": "vias", "kv_via_any": "vias", "kv_round": "",
}  # fmt: skip
WISHES = {
    "avoid_place": "p", "avoid_two_places": "p q", "max_hours": "n", "depart": "time", "arrive": "time",
    "depart_arrive": "time time2", "max_distance": "dist", "chatter_place": "x",
}  # fmt: skip
EDITS = {
    "add_via": "v", "add_via_between": "v w u", "extend_trip": "d x",
    "add_via_before": "v w", "add_via_after": "v w", "add_via_first": "v",
    "add_two_vias": "v w",
    "drop_via": "v", "swap_via": "v w", "reorder_two": "v w", "swap_neighbours": "v w", "change_origin": "o",
    "change_destination": "d", "avoid_place_add": "p", "avoid_place_drop": "p", "hours_set": "n",
    "depart_set": "time", "arrive_set": "time",
    "depart_later": "delta", "depart_earlier": "delta", "distance_set": "dist",
}  # fmt: skip
MAY_NAME = {
    "change_origin": {"x"}, "change_destination": {"x"}, "chatter": {"x"}, "round_on": {"o"},
    "confirm_no_change": {"v", "x"},
}  # fmt: skip


def holes(template):
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("key", phrases("route/frames"))
def test_every_frame_says_all_it_should(key):
    wanted = set(FRAMES[key].split())
    for template in phrases("route/frames")[key]:
        assert wanted <= holes(template) <= wanted | ({"o"} if "round" in key else set()), template


@pytest.mark.parametrize("key", phrases("route/wishes"))
def test_every_wish_says_all_it_should(key):
    forms = phrases("route/wishes")[key]
    if key == "combo":
        for entry in forms:
            has = set(entry["has"])
            wanted = set().union(*(set(WISHES.get(k, "").split()) for k in has))
            wanted |= {"time2"} if {"depart", "arrive"} <= has else set()
            assert holes(entry["text"]) == wanted and has <= set(phrases("route/wishes")), entry
        return
    texts = [t for form in forms.values() for t in form] if isinstance(forms, dict) else forms
    for template in texts:
        assert holes(template) == set(WISHES.get(key, "").split()), template


@pytest.mark.parametrize("key", [k for k in phrases("route/edits") if k != "double"])
def test_every_edit_says_all_it_should(key):
    wanted = set(EDITS.get(key, "").split())
    assert key in conversations._WEIGHTS
    for template in phrases("route/edits")[key]:
        assert wanted <= holes(template) <= wanted | MAY_NAME.get(key, set()), template


def test_every_double_edit_says_both():
    for entry in phrases("route/edits")["double"]:
        one, two = (set(EDITS.get(key, "").split()) for key in entry["edits"])
        wanted = {f"{h}1" for h in one} | {f"{h}2" for h in two} if one & two else one | two
        assert wanted <= holes(entry["text"]) <= wanted | {"o"}, entry


def test_partial_requests_name_one_end():
    partial = phrases("route/partial")
    assert all(holes(t) == {"d"} for t in partial["d_only"])
    assert all(holes(t) == {"o"} for t in partial["o_only"])


# -- requests and conversations --------------------------------------------------------------


def expected(means):
    """The values that reading the written call must give."""
    values = dict(means)
    if "max_distance_km" in values:
        number, unit = values["max_distance_km"].split()
        values["max_distance_km"] = round(int(number) * KM[unit])
    return values


class Byte:
    """The smallest tokenizer that llguidance takes: one token a byte."""

    eos_token_id, bos_token_id = 256, None
    tokens = [bytes([i]) for i in range(256)] + [b"<end>"]
    special_token_ids = [256]  # noqa: RUF012

    def __call__(self, text):
        return list(text if isinstance(text, bytes) else text.encode())


@pytest.fixture(scope="module")
def fits():
    tokenizer = LLTokenizer(TokenizerWrapper(Byte()))
    compiled = LLMatcher.grammar_from_lark(grammar(CALLS))

    def check(call):
        matcher = LLMatcher(tokenizer, compiled)
        return matcher.consume_tokens(list(call.encode())) and matcher.is_accepting()

    assert (
        check("route\nfrom Reno\n")
        and not check("route\nfrom Reno")
        and not check("route\nto A\nfrom Reno\n")
    )
    return check


def check_call(means, fits):
    call = write_call("route", RouteArguments, means)
    assert fits(call), call
    name, values, _ = read_call(call, CALLS)
    assert name == "route" and values == expected(means), call
    RouteArguments(**values)


def test_every_request_can_be_written_and_read_back(names, fits):
    source = RouteRequests(names, Random(1))
    seen: set[str] = set()
    for _ in range(2000):
        text, means = source.request()
        assert text.strip() and not {"{", "}"} & set(text), text
        check_call(means, fits)
        seen |= means.keys()
    assert seen == RouteArguments.model_fields.keys()  # every field is practised


def test_every_turn_can_be_written_and_read_back(names, fits):
    source = RouteConversations(names, Random(2), (0, 1, 1, 1, 1))
    lengths = set()
    for _ in range(500):
        turns = source.conversation().turns
        lengths.add(len(turns))
        for turn in turns:
            assert turn.user.strip() and not {"{", "}"} & set(turn.user), turn.user
            check_call(turn.means, fits)
            assert all(v not in (None, (), [], False) for v in turn.means.values())
    assert lengths == {1, 2, 3, 4, 5}


def named(means):
    singles = [means[k] for k in ("origin", "destination") if k in means]
    return [*singles, *means.get("via", ()), *means.get("avoid_places", ())]


def says(text, name):
    """Whether a clean text names the place, with its state where that is meant."""
    town, _, state = name.partition(", ")
    low = text.lower()
    if not state:
        return town.lower() in low
    ways = {state, render.STATES[state], render._OLD_ABBREVIATIONS.get(state, state)}
    return town.lower() in low and any(way.lower().rstrip(".") in low for way in ways)


def test_a_clean_request_names_what_it_means(names, calm):
    source = RouteRequests(names, Random(3))
    for _ in range(4000):
        text, means = source.request()
        for name in named(means):
            assert says(text, name), (name, text)


def test_a_clean_edit_names_what_is_new(names, calm):
    source = RouteConversations(names, Random(4), (0, 1, 1, 1))
    for _ in range(600):
        turns = source.conversation().turns
        known: set[str] = set()
        for turn in turns:
            for name in set(named(turn.means)) - known:
                assert says(turn.user, name), (name, turn.user)
            known |= set(named(turn.means))


def test_the_first_part_may_move_to_the_front_without_loss(names, calm, monkeypatch):
    # A frame that ends in "?" is joined by a space, whatever stands between the other parts.
    source = RouteRequests(names, Random(5))
    monkeypatch.setattr(source, "frame", lambda draft, *, short: ["how do I get to Timbuctoo?"])
    for _ in range(3000):
        draft = source.draft()
        assert "how do I get to Timbuctoo?" in source._fragments(draft)


def test_the_same_seed_makes_the_same_data(names):
    def drawn(seed):
        source = RouteConversations(names, Random(seed), (1, 1, 1))
        return [source.conversation() for _ in range(100)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_held_out_towns_are_never_drawn_in_training(book, names):
    unseen = {(town.name, town.state) for town in place_names(book, held_out=True).towns}
    seen = {(town.name, town.state) for town in names.towns}
    # By name: a town that is held out is so in every state.
    assert not {name for name, _ in unseen} & {name for name, _ in seen}
    assert len(unseen) > 200 and len(seen) > 30 * len(unseen)
    source = RouteRequests(names, Random(9))
    drawn = {(town.name, town.state) for town in (source.town() for _ in range(20_000))}
    assert not drawn & unseen and len(drawn & seen) > 5000


# -- edits -----------------------------------------------------------------------------------


def changed(before, after):
    return {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


def stops(means):
    return list(means.get("via", ()))


def minutes(clock):
    return int(clock[:2]) * 60 + int(clock[3:])


def same_place(said, name):
    return said == name or said == name.split(",")[0]


def find(mention, known):
    return next(i for i, name in enumerate(known) if same_place(mention, name))


def inserted(before, after, index):
    return after[:index] + after[index + 1 :] == before and after[index] not in before


def check_edit(key, before, after, words):
    """An independent account of each edit; returns the fields that it may touch."""
    one, two = stops(before), stops(after)
    if key == "add_via":
        assert inserted(one, two, len(one))
    elif key == "add_via_first":
        assert inserted(one, two, 0)
    elif key == "add_via_before":
        assert inserted(one, two, find(words["w"], one))
    elif key == "add_via_after":
        assert inserted(one, two, find(words["w"], one) + 1)
    elif key == "add_via_between":
        places, new = (
            [before["origin"], *one, before["destination"]],
            [after["origin"], *two, after["destination"]],
        )
        at = next(i for i, name in enumerate(new) if i == len(places) or name != places[i])
        assert inserted(places, new, at)
        assert same_place(words["w"], new[at - 1]) and same_place(words["u"], new[at + 1])
    elif key == "extend_trip":
        assert two == [*one, before["destination"]] and same_place(words["x"], before["destination"])
        assert after["destination"] not in (before["origin"], before["destination"], *one)
        return {"via", "destination"}
    elif key == "add_two_vias":
        assert two[:-2] == one and len(set(two)) == len(two)
        assert words["v"] != words["w"]
    elif key == "drop_via":
        assert two == [v for i, v in enumerate(one) if i != find(words["v"], one)]
        return {"via", "via_order"} if len(two) < 2 else {"via"}
    elif key == "drop_all_vias":
        assert one and not two and "via_order" not in after
        return {"via", "via_order"}
    elif key == "swap_via":
        place = find(words["v"], one)
        assert (
            one[:place] == two[:place] and one[place + 1 :] == two[place + 1 :] and one[place] != two[place]
        )
    elif key == "reorder_two":
        first, second = find(words["v"], two), find(words["w"], two)
        assert sorted(one) == sorted(two) and second == first + 1
        assert find(words["v"], one) > find(words["w"], one)
    elif key == "swap_neighbours":
        at = find(words["w"], one)
        assert two == [*one[:at], one[at + 1], one[at], *one[at + 2 :]] and same_place(words["v"], two[at])
    elif key == "reverse_vias":
        assert one[::-1] == two
    elif key in ("order_any", "order_fixed"):
        assert after.get("via_order") == ("any" if key == "order_any" else None) and len(one) > 1
        return {"via_order"}
    elif key in ("change_origin", "change_destination"):
        field = key.removeprefix("change_")
        assert same_place(words["x"], before[field]) and changed(before, after) == {field}
        return {field}
    elif key in ("reverse_trip", "swap_ends"):
        assert (after["origin"], after["destination"]) == (before["destination"], before["origin"])
        assert one[::-1] == two and (key == "reverse_trip" or one == two)
        return {"origin", "destination", "via"}
    elif key in ("round_on", "round_off"):
        assert after.get("round_trip", False) is (key == "round_on")
        return {"round_trip"}
    elif key == "avoid_nothing":
        assert "avoid" not in after
        return {"avoid"}
    elif key.split("_")[0] in ("tolls", "ferries", "motorways"):
        kind, was = key.split("_")[0], set(before.get("avoid", ()))
        assert set(after.get("avoid", ())) == (was | {kind} if key.endswith("off") else was - {kind})
        return {"avoid"}
    elif key == "avoid_place_add":
        assert after["avoid_places"][:-1] == before.get("avoid_places", [])
        return {"avoid_places"}
    elif key == "avoid_place_drop":
        kept = list(before["avoid_places"])
        kept.pop(find(words["p"], kept))
        assert after.get("avoid_places", []) == kept
        return {"avoid_places"}
    elif key in ("shortest_on", "fastest_on"):
        assert after.get("optimize") == ("distance" if key == "shortest_on" else None)
        return {"optimize"}
    elif key == "hours_set":
        assert after["max_hours_per_day"] == words["n"]
        return {"max_hours_per_day"}
    elif key in ("depart_set", "arrive_set"):
        field = {"depart_set": "depart", "arrive_set": "arrive_by"}[key]
        assert meant_time(words["time"], morning_implied=key == "depart_set") == minutes(after[field])
        return {field}
    elif key in ("depart_later", "depart_earlier"):
        sign = 1 if key == "depart_later" else -1
        assert minutes(after["depart"]) - minutes(before["depart"]) == sign * meant_delta(words["delta"])
        return {"depart"}
    elif key == "distance_set":
        number, unit = after["max_distance_km"].split()
        assert meant_distance(words["dist"]) == (int(number), unit)
        return {"max_distance_km"}
    elif key in ("hours_off", "depart_off", "arrive_off", "distance_off"):
        field = {
            "hours": "max_hours_per_day", "depart": "depart", "arrive": "arrive_by",
            "distance": "max_distance_km",
        }[key.split("_")[0]]  # fmt: skip
        assert field not in after
        return {field}
    elif key in ("chatter", "confirm_no_change"):
        assert before == after
        return set()
    else:
        raise AssertionError(f"no account of {key}")
    return {"via"}


def test_every_edit_changes_what_it_says_and_nothing_else(names):
    source = RouteConversations(names, Random(6), (1,))
    times = dict.fromkeys(conversations._WEIGHTS, 0)
    for _ in range(500):
        before = source.requests.draft().means
        kept = {k: list(v) if isinstance(v, list) else v for k, v in before.items()}
        for key in times:
            if key in ("undo_last", "back_to_first"):
                continue
            done = source._apply(key, before, [before])
            if done is None:
                continue
            times[key] += 1
            assert changed(before, done[0]) <= check_edit(key, before, done[0], done[1])
            assert before == kept  # the turn before keeps its meaning
    assert all(count > 3 for key, count in times.items() if key not in ("undo_last", "back_to_first")), times


@pytest.mark.parametrize(
    "key",
    ["add_via_first", "add_via_before", "add_via_after", "add_via_between", "reorder_two", "swap_neighbours",
     "reverse_vias"],
)  # fmt: skip
def test_a_position_is_said_only_where_the_order_counts(names, key):
    source = RouteConversations(names, Random(8), (1,))
    given = {"origin": "Reno", "destination": "Boise", "via": ["Elko", "Ely", "Wells"]}
    assert source.edits[key](given) is not None
    assert source.edits[key](given | {"via_order": "any"}) is None


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("extend_trip", r"don't stop at"),  # the old destination becomes a stop
        ("reorder_two", r"swap|switch|flip|\{w\} (should come )?(after|later)|until"),  # {v} alone moves
        ("reverse_trip", r"^start at|start where|start and end, swap"),  # and the stops turn around
    ],
)
def test_no_phrase_says_what_another_edit_does(key, other):
    assert [t for t in phrases("route/edits")[key] if re.search(other, t, re.IGNORECASE)] == []


def test_an_edit_of_what_is_not_there_is_rare(names):
    source = RouteConversations(names, Random(6), (1,))
    bare = {"origin": "A", "destination": "B"}
    said = sum(source._apply("tolls_on", bare, [bare]) is not None for _ in range(2000)) / 2000
    assert said == pytest.approx(conversations._IDLE, abs=0.03)
    assert source._apply("tolls_on", bare | {"avoid": ["tolls"]}, [bare]) == (bare, {})


def test_undoing_goes_one_turn_back_and_starting_over_to_the_first(names):
    source = RouteConversations(names, Random(6), (1,))
    first, second, third = ({"origin": "A", "destination": d} for d in ("B", "C", "D"))
    history = [first, second, third]
    assert source._apply("undo_last", third, history) == (second, {})
    assert source._apply("back_to_first", third, history) == (first, {})
    assert source._apply("undo_last", first, [first]) is None
    assert source._apply("undo_last", second, [first, second, second]) is None  # nothing to take back
    assert source._apply("back_to_first", first, [first, second, first]) is None


def test_edits_said_together_each_touch_different_things(names, calm, monkeypatch):
    source = RouteConversations(names, Random(12), (1,))
    real, applied, made = source._edit, [], 0

    def noted(key, now, history):
        done = real(key, now, history)
        if done is not None:
            applied.append((key, now, *done))
        return done

    monkeypatch.setattr(source, "_edit", noted)
    for _ in range(300):
        before = source.requests.draft().means
        applied.clear()
        turn = source._together(before, [before], 3)
        if turn is None:
            continue
        made += 1
        assert len(applied) == 3 and applied[-1][3] == turn.means
        said = turn.user.lower()
        for key, now, text, means, words in applied:
            assert changed(now, means) <= check_edit(key, now, means, words)
            for part in text.lower().rstrip(".!?").split(". "):
                assert part.rstrip(".!?") in said
        touched = [conversations._TOUCHED[key] for key, *_ in applied]
        assert len(set(touched)) == 3
    assert made > 200


@pytest.mark.parametrize(
    ("other", "joined"),
    [("change_destination", True), ("change_origin", False), ("reverse_trip", False), ("extend_trip", False)],
)
def test_a_way_back_is_not_said_with_another_start_or_direction(names, monkeypatch, other, joined):
    source = RouteConversations(names, Random(12), (1,))
    monkeypatch.setattr(conversations, "_WEIGHTS", {"round_on": 1, other: 1})
    before = {"origin": "Reno", "destination": "Boise", "via": ["Elko", "Ely"]}
    turns = [source._together(before, [before], 2) for _ in range(30)]
    assert any(turn is not None for turn in turns) is joined


def test_what_is_said_around_an_edit_names_nothing_and_starts_small_within_a_sentence():
    for template in (*phrases("route/revisions")["lead"], *phrases("route/revisions")["aside"]):
        assert not holes(template)
    for template in phrases("route/revisions")["join"]:
        assert holes(template) == {"1", "2"} and template.index("{1}") < template.index("{2}")
    for template in phrases("route/revisions")["join_more"]:
        assert holes(template) == {"1", "2", "3"}
    assert conversations._followed("ok, ", "Add Reno.", {"reno"}) == "ok, add Reno."
    assert conversations._followed("ok, ", "Reno is out.", {"reno"}) == "ok, Reno is out."
    assert conversations._followed("Fine. ", "Add Reno.", {"reno"}) == "Fine. Add Reno."
    assert conversations._followed("and ", "I want Reno", {"reno"}) == "and I want Reno"


def test_a_double_edit_does_both_and_never_cancels_itself(names, monkeypatch):
    source = RouteConversations(names, Random(11), (1,))
    entry = {"edits": ["add_via_before", "drop_via"], "text": "{v1} before {w1} and forget {v2}"}
    source.phrases = dict(source.phrases) | {"double": [entry]}
    monkeypatch.setattr(source.rng, "random", lambda: 0.0)  # always a double edit
    before = {"origin": "Reno", "destination": "Boise", "via": ["Elko"]}
    made = [source._next([before]) for _ in range(60)]
    assert any(turn is None for turn in made)
    assert all(turn.means["via"] != ["Elko"] for turn in made if turn is not None)
    assert all("Elko" not in turn.means["via"] for turn in made if turn is not None)
