"""How the generator words numbers and times, and what noise may do: nothing comes to mean another thing."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpm_model.data import noise, render
from lpm_model.data.conversation import Place, PlaceNames
from lpm_model.data.noise import NUMBER_WORDS, disturb
from lpm_model.data.route.requests import RouteRequests
from tests.readback import amount, meant_delta, meant_distance, meant_time, number


def test_every_number_in_words_is_that_number():
    for n in range(10_000):
        assert number(render.in_words(n)) == n, render.in_words(n)
    assert render.in_words(1100) == "eleven hundred" and render.in_words(21) == "twenty-one"


@pytest.mark.parametrize("morning_implied", [False, True])
def test_a_time_never_reads_as_another(morning_implied):
    rng, forms = Random(12), set()
    for hour in range(24):
        for minute in range(60):
            for _ in range(40 if minute % 15 == 0 else 4):
                text = render.time_of_day(rng, hour, minute, morning_implied)
                assert meant_time(text, morning_implied=morning_implied) == hour * 60 + minute, text
                forms.add(re.sub(r"\d", "0", text))
    assert len(forms) > 300


def test_spans_hours_and_distances_read_back():
    rng = Random(13)
    for minutes_ in (10, 15, 20, 30, 45, 60, 90, 120, 180):
        assert {meant_delta(render.delta(rng, minutes_)) for _ in range(60)} == {minutes_}
    for n in (3, 5, 8, 12, 3.5, 7.5, 11.5):
        assert {amount(render.hours(rng, n)) for _ in range(60)} == {n}
        assert re.fullmatch(r"\d+(\.\d)?", render.hours(rng, n, digits_only=True))
    for n in (*range(60, 700, 10), *range(100, 2500, 50)):
        for unit in ("km", "mi"):
            assert {meant_distance(render.distance(rng, n, unit)) for _ in range(20)} == {(n, unit)}


FILLERS = ["um", "you know"]


def told(text):
    """The numbers of a text, in digits and in words."""
    return [
        w
        for w in re.findall(r"\d+(?:[.,:/]\d+)*|[a-z]+", text.lower())
        if w[0].isdigit() or w in NUMBER_WORDS
    ]


REQUESTS = (
    "Get me from St. Louis to Denver for 6:15 p.m., at most 1,100 miles, then 7.5 hours up to 5 days to go.",
    "Be there before quarter to six, up to 8 hours a day for 3 days, in height and weight, once, then rest.",
    "leave at 18.30 or half past four, ten to nine works too, no more than 2 hours too, to 400 km for two.",
)


@given(seed=st.integers(0, 2**32), text=st.sampled_from(REQUESTS))
def test_noise_never_changes_a_number(seed, text):
    noisy = disturb(Random(seed), text, FILLERS, set(NUMBER_WORDS))
    clean = re.sub(r"\bb4\b|\b2nite\b", "", noisy)
    before, after = told(text), told(clean)
    # "2" and "4" may stand for "to" and "for", though never beside a number.
    words = re.findall(r"\S+", clean.lower())
    for i, word in enumerate(words):
        bare = word.strip(".,!?")
        if bare in ("2", "4") and after.count(bare) > before.count(bare):
            beside = [w for w in words[max(0, i - 1) : i] + words[i + 1 : i + 2] if told(w)]
            if not beside:
                after.remove(bare)
    assert after == before, noisy


def test_shorthand_stays_away_from_numbers_and_from_places():
    rng = Random(1)
    for text, keep in (
        ("up to 5 hours", set()),
        ("ten to six", set()),
        ("for 8 hours for two", set()),
        ("via miles city", {"miles", "city"}),
    ):
        for _ in range(30):
            short = noise._shorthand(rng, text, keep)
            assert told(short) == told(text) and ("miles" in short) is ("miles" in text)
    assert any(noise._shorthand(rng, "reno to elko", set()) == "reno 2 elko" for _ in range(30))


def test_dictation_speaks_stops_but_not_abbreviations():
    rng = Random(1)
    spoken = [noise._dictated(rng, "From St. Louis at 7 p.m. to Reno. No tolls.", ["um"]) for _ in range(200)]
    bare = {text.replace("um ", "").replace(" um", "") for text in spoken}
    assert bare == {
        "From St. Louis at 7 p.m. to Reno. No tolls.",
        "From St. Louis at 7 p.m. to Reno period No tolls.",
    }


@given(
    seed=st.integers(0, 2**32), word=st.sampled_from(["Sacramento", "tolls", "then", "six", "6:15pm", "a"])
)
def test_a_slip_is_small(seed, word):
    slip = noise.misspell(Random(seed), word)
    assert abs(len(slip) - len(word)) <= 1 and slip[0] == word[0]
    assert sum(1 for a, b in zip(slip, word, strict=False) if a.isdigit() or b.isdigit()) == sum(
        map(str.isdigit, word)
    )


def test_small_places_are_never_misspelt(monkeypatch):
    towns = [
        Place(f"Zzyzx{end}", "CA", 30)
        for end in ("ville", "ton", "burg", "field", "ford", "bury", "side", "port", "wood", "dale")
    ]
    source = RouteRequests(PlaceNames(towns), Random(3))
    monkeypatch.setattr(source, "town", lambda: source.rng.choice(towns))
    for _ in range(500):
        text, means = source.request()
        meant = {str(name).split(",")[0] for name in (means.get("origin"), *means.get("via", ()))}
        for town in meant & {town.name for town in towns}:
            assert town.lower() in text.lower(), text
