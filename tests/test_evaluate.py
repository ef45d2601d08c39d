"""Reading conversations whose meaning is known: what counts as exact, and files that are wrong."""

import json

import pytest
from typer.testing import CliRunner

import cli
import planner.evaluate as evaluation
from planner.evaluate import EvaluationError, GoldConversation, evaluate, read_gold
from planner.scoring import wrong_fields
from tests.fakes import NOTHING, FakeReader, marks
from tools.tool import silent

SIMPLE = {"origin": "Albany, NY", "destination": "Utica, NY"}


def gold(*turns, name="route-1", domain="route"):
    said = [{"user": "anything", "means": means} for means in turns]
    return {"id": name, "domain": domain, "style": "terse", "turns": said}


def read(reader, *conversations):
    return evaluate(reader, [GoldConversation(**c) for c in conversations], silent)


def test_every_turn_is_predicted_with_resolved_names_and_counted():
    reader = FakeReader(
        "route | from Albany, NY | to Utica, NY",
        "route | from Albany, NY | to Utica, NY | avoid tolls",
        "route | from albany, ny | to Buffalo, NY",
    )
    predictions, lines = read(
        reader, gold(SIMPLE, SIMPLE | {"avoid": ["tolls"]}), gold(SIMPLE, name="route-2")
    )
    assert predictions == [
        {"id": "route-1", "turns": [{"means": SIMPLE}, {"means": SIMPLE | {"avoid": ["tolls"]}}]},
        {"id": "route-2", "turns": [{"means": SIMPLE | {"destination": "Buffalo, NY"}}]},
    ]
    assert lines[:2] == ["route, turn 1: 1/2 exact", "route, turn 2: 1/1 exact"]
    assert "5.0 model calls" in lines[2]


def test_conversations_start_afresh_even_under_one_name_and_turns_go_on():
    reader = FakeReader(*["route | from Albany, NY | to Utica, NY"] * 3)
    read(reader, gold(SIMPLE, SIMPLE), gold(SIMPLE))
    assert marks(reader.began_with) == [None, None, 1.0, 1.0, None, None], "of each turn the call is kept"


def test_no_tool_runs():
    reader = FakeReader("route | from New York | to Honolulu, HI")
    read(reader, gold(SIMPLE))
    assert reader.heard == ["anything", "route\nfrom New York\nto Honolulu, HI\n"], (
        "a result would have been read into the state"
    )


def test_what_would_be_asked_is_counted_beside_what_is_wrong():
    via = "route | from Albany, NY | to Utica, NY | via Rome, NY"
    readings = ["route | from Albany, NY | to Qwxzyville", "route | from Albany, NY | to Utica, NY", via]
    _, lines = read(FakeReader(*readings), gold(SIMPLE), gold(SIMPLE), gold(SIMPLE))
    assert lines[-1] == (
        "route, turn 1: something would be asked in 1, of which 1 were read wrongly; "
        "1 read wrongly without a question"
    )
    conversations = [GoldConversation(**gold(SIMPLE))]
    reader = FakeReader("route | from Albany, NY | to Utica, NY", in_sight=via)
    predictions, lines = evaluate(reader, conversations, silent, compares=True)
    assert predictions[0]["turns"][0]["means"] == SIMPLE
    assert "asked in 1, of which 0 were read wrongly; 0 read" in lines[-1]


def test_both_readings_are_compared_where_the_state_is_read(tmp_path):
    with pytest.raises(EvaluationError, match="compared"):
        evaluation.evaluate_file(
            tmp_path / "x",
            domain=None,
            mode="zeroed",
            out=None,
            limit=None,
            compares=True,
            base=None,
            progress=silent,
            note=print,
        )


def test_what_is_asked_back_is_still_predicted():
    predictions, _ = read(FakeReader("route | from Albany, NY | to Qwxzyville"), gold(SIMPLE))
    assert predictions[0]["turns"][0]["means"] == SIMPLE | {"destination": "Qwxzyville"}


def test_a_turn_that_cannot_be_read_is_wrong_and_not_the_end():
    reader = FakeReader("route | from Albany, NY | to Utica, NY", NOTHING, longest=50)
    long = gold(SIMPLE)
    long["turns"][0]["user"] = "x" * 51
    predictions, lines = read(reader, long, gold(SIMPLE), gold(SIMPLE))
    assert [p["turns"][0]["means"] for p in predictions] == [{}, SIMPLE, {}]
    assert lines[0] == "route, turn 1: 1/3 exact"


PAINT = {"name": "Paint the hall", "days": 2, "after": ["Sand floor", "Plaster"], "who": ["Ines"]}
SAME_PAINT = PAINT | {"name": "paint hall", "after": ["plaster", "sand floor"]}
PATIENT = {"name": "Patient", "fields": {"name": "str"}}


@pytest.mark.parametrize(
    "said, meant, wrong",
    [
        ({"via": ["A", "B"]}, {"via": ["B", "A"]}, ["via"]),
        ({"via": ["Rome", "Troy"], "via_order": "any"}, {"via": ["Troy", "Rome"], "via_order": "any"}, []),
        ({"via_order": "any"}, {"via": ["Rome"], "via_order": "any"}, ["via"]),
        ({"avoid_places": ["Rome", "Troy"]}, {"avoid_places": ["Troy", "Rome"]}, []),
        ({"max_distance_km": 5.0}, {"max_distance_km": 5}, []),
        ({}, {"round_trip": True}, ["round_trip"]),
        ({"avoid": ["tolls"]}, {"avoid": "tolls"}, ["avoid"]),
        (
            {"tasks": [PAINT]},
            {"tasks": [PAINT | {"name": "paint hall", "after": ["plaster", "sand floor"]}]},
            [],
        ),
        ({"tasks": [PAINT]}, {"tasks": [PAINT | {"days": 3}]}, ["tasks"]),
        ({"tasks": [PAINT]}, {"tasks": [PAINT, PAINT]}, ["tasks"]),
        (
            {"days_off": [{"who": "Ines", "from": "2027-02-01", "to": "2027-02-28"}]},
            {"days_off": [{"who": "ines", "from": "2027-02-01", "to": "2027-02-27"}]},
            ["days_off"],
        ),
        (
            {"entities": [{"name": "Patient", "fields": {"name": "str", "age": "int"}}]},
            {"entities": [PATIENT]},
            [],
        ),
        ({"entities": [PATIENT | {"fields": {"name": "text"}}]}, {"entities": [PATIENT]}, ["entities"]),
        ({"entities": [PATIENT]}, {"entities": [PATIENT, {"name": "Visit"}]}, ["entities"]),
        ({"relations": [["Visit", "belongs_to", "Patient"]]}, {"relations": []}, ["relations"]),
        ({"features": ["auth", "stats"]}, {"features": ["stats", "auth"]}, []),
    ],
)
def test_what_counts_as_exact(said, meant, wrong):
    assert wrong_fields(said, meant) == wrong


def test_what_no_tool_acts_on_yet_is_read_all_the_same():
    meant = {"kind": "rest_api", "entities": [PATIENT]}
    reader = FakeReader(
        "code | build rest_api | entity Patient; name str",
        NOTHING,
        "code | build rest_api | entity Patient; name str | with auth",
    )
    conversation = gold(meant, meant, meant | {"features": ["auth"]}, domain="code")
    predictions, lines = read(reader, conversation)
    assert [turn["means"] for turn in predictions[0]["turns"]] == [meant, {}, meant | {"features": ["auth"]}]
    assert lines[:3] == ["code, turn 1: 1/1 exact", "code, turn 2: 0/1 exact", "code, turn 3: 1/1 exact"]
    assert reader.began_with[2] is not None, "what was known before a turn that said nothing is kept"


def test_the_rival_reads_after_every_word_of_the_conversation():
    meant = {"kind": "rest_api", "entities": [PATIENT]}
    reader = FakeReader(*["code | build rest_api | entity Patient; name str"] * 3, keeps_words=True)
    read(reader, gold(meant, meant, domain="code"), gold(meant, domain="code"))
    assert marks(reader.began_with) == [None, 1.0, 2.0, 3.0, None, 1.0]


@pytest.mark.parametrize(
    "line, told",
    [
        ("{", "line 3: Invalid JSON"),
        ("[]", "line 3"),
        ('{"id": "a", "domain": "route"}', "line 3: turns: Field required"),
        (json.dumps(gold()), "line 3: turns"),
        ('{"id": "a", "domain": "route", "turns": [{"user": "x"}]}', "line 3: turns.0.means"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, line, told):
    file = tmp_path / "gold.jsonl"
    file.write_text(json.dumps(gold(SIMPLE)) + "\n\n" + line + "\n")
    with pytest.raises(EvaluationError, match=told):
        read_gold(file)


def test_a_line_ends_only_at_a_newline(tmp_path):
    file = tmp_path / "gold.jsonl"
    conversation = gold(SIMPLE, name="odd\u2028name\x85")
    file.write_text(json.dumps(conversation, ensure_ascii=False) + "\n")
    assert [c.id for c in read_gold(file)] == ["odd\u2028name\x85"]


@pytest.mark.parametrize(
    "content, args, told",
    [
        (None, (), "cannot read"),
        (b"\xff\xfe", (), "cannot read"),
        (b"", (), "no conversation"),
        (json.dumps(gold({}, domain="cooking")).encode(), (), "no conversation"),
        (json.dumps(gold(SIMPLE)).encode(), ("--domain", "cooking"), "no conversation of cooking"),
        (json.dumps(gold(SIMPLE)).encode(), ("--out", "missing/out.jsonl"), "cannot write"),
        (json.dumps(gold(SIMPLE)).encode(), ("--base", "/nowhere"), "no model at /nowhere"),
    ],
)
def test_the_command_refuses_what_it_cannot_use(tmp_path, content, args, told):
    file = tmp_path / "gold.jsonl"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(cli.app, ["eval", str(file), *args])
    assert result.exit_code == 2 and told in result.stderr and result.stdout == ""


def test_the_command_writes_what_it_read(tmp_path, monkeypatch):
    file, out = tmp_path / "gold.jsonl", tmp_path / "out.jsonl"
    conversations = [gold(SIMPLE, name=str(n)) for n in range(3)] + [gold({}, domain="cooking")]
    file.write_text("\n".join(map(json.dumps, conversations)))
    modes = []
    monkeypatch.setattr(evaluation, "load_model", lambda *args, **options: None)

    def reader(loaded, mode, calibration):
        modes.append(mode)
        return FakeReader(*["route | from Albany, NY | to Utica, NY"] * 2)

    monkeypatch.setattr(evaluation, "LPMReader", reader)
    args = ["eval", str(file), "--limit", "2", "--reading", "zeroed", "--out", str(out)]
    result = CliRunner().invoke(cli.app, args)
    assert result.exit_code == 0 and modes == ["zeroed"]
    assert "route, turn 1: 2/2 exact" in result.stdout and "left out: 1" in result.stdout
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert written == [{"id": str(n), "turns": [{"means": SIMPLE}]} for n in range(2)]
