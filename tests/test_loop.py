"""The loop with scripted readings and the real route tool."""

import math
from types import SimpleNamespace

import pytest
import torch

from lpm_model.decoding import Decoded
from lpm_model.state import LatentState
from planner import Planner, Status
from planner.agent import _answer
from planner.loop import Budget, BudgetSpent, Thresholds, build_loop
from planner.reader import LPMReader, Usage
from planner.sessions import memory_store, thread
from tests.fakes import NOTHING, FakeReader, Says, marks
from tools.registry import ARGUMENTS, TOOLS
from tools.tool import silent

NEAR = "route | from Albany, NY | to Buffalo, NY"


THINKING = Budget(latent_steps=2)


def take_turn(reader, *, budget=None, store=None, text="anything", thresholds=None, tools=TOOLS):
    """One turn's final state."""
    graph = build_loop(reader, tools, budget or THINKING, silent, thresholds).compile(checkpointer=store)
    return graph.invoke(
        {"text": text}, {"configurable": thread("t"), "recursion_limit": 20}, durability="exit"
    )


def planned(*readings, session=None, **options):
    reader = FakeReader(*readings, **options)
    return Planner(reader=reader, budget=THINKING).route("anything", session=session), reader


def test_without_a_budget_for_it_an_unsure_reading_is_taken_as_it_is():
    reader = FakeReader(Says(NEAR, unsure={"destination": 0.4}))
    assert Planner(reader=reader).route("anything").usage.latent_steps == 0
    assert not reader.thought_about


def test_a_sure_reading_is_planned_checked_and_accounted_for():
    answer, reader = planned(NEAR + " | avoid tolls | max 900 mi")
    assert answer.status is Status.PLANNED
    assert answer.constraints == {
        "origin": "Albany, NY",
        "destination": "Buffalo, NY",
        "avoid": ["tolls"],
        "max_distance_km": 1448,
    }
    assert [check.constraint for check in answer.checks if not check.satisfied] == []
    assert any(check.constraint == "avoid tolls" for check in answer.checks)
    assert answer.result.route.toll_km == 0
    # perceive 1, read 3, compare 1; nothing outlives the turn, so that the result is not read
    usage = answer.usage
    assert (usage.model_calls, usage.tokens_out, usage.latent_steps) == (5, 9, 0)
    assert reader.heard == ["anything"]


def test_in_a_session_the_result_is_read_and_accounted_for(tmp_path):
    reader = FakeReader(NEAR)
    answer = Planner(reader=reader, sessions=tmp_path / "s.sqlite").route("anything", session="trip")
    # perceive 1, read 3, compare 1; observe: perceive the result and the call 2, holds 1
    assert answer.usage.model_calls == 8
    said, result, call = reader.heard
    assert said == "anything" and "The route has" in result
    assert call == NEAR.replace(" | ", "\n") + "\n", "what was understood is remembered as it was written"
    assert not reader.thought_about


def test_only_defaults_are_left_out_and_everything_is_plain_data():
    lines = NEAR + " | via Utica, NY; Rome, NY | any order | avoid motorways, tolls | not Pennsylvania"
    answer, _ = planned(
        lines + " | shortest | round trip | hours 8 | leave 6:15 am | by 11:00 pm | max 5000 km"
    )
    assert answer.constraints == {
        "origin": "Albany, NY",
        "destination": "Buffalo, NY",
        "via": ["Utica, NY", "Rome, NY"],
        "via_order": "any",
        "avoid": ["motorways", "tolls"],
        "avoid_places": ["Pennsylvania"],
        "optimize": "distance",
        "round_trip": True,
        "max_hours_per_day": 8,
        "depart": "06:15",
        "arrive_by": "23:00",
        "max_distance_km": 5000,
    }


def test_an_unsure_reading_is_thought_about_until_it_is_sure():
    unsure, sure = Says(NEAR, unsure={"destination": 0.4}), Says("route | from Albany, NY | to Utica, NY")
    answer, reader = planned(unsure, sure)
    assert answer.usage.latent_steps == 1
    assert answer.constraints["destination"] == "Utica, NY"
    assert marks(reader.thought_about) == [1.0]


def test_thinking_ends_with_the_budget_and_the_surest_reading_is_used(tmp_path):
    first, second, third = (
        Says(f"route | from Albany, NY | to {to}", sure=p)
        for to, p in (("Utica, NY", 0.3), ("Buffalo, NY", 0.5), ("Rome, NY", 0.4))
    )
    reader = FakeReader(first, second, third)
    planner = Planner(reader=reader, budget=THINKING, sessions=tmp_path / "s.sqlite")
    answer = planner.route("anything", session="trip")
    assert answer.usage.latent_steps == 2 == THINKING.latent_steps
    assert answer.constraints["destination"] == "Buffalo, NY"
    assert marks(reader.thought_about) == [1.0, 101.0]
    assert marks(reader.began_with) == [None, None, 1.0], "what is kept are the result and the call"


def test_what_stays_unsure_is_asked_about_and_not_run():
    doubtful = Says(NEAR + " | via Utica, NY", unsure={"via": 0.2})
    answer, reader = planned(*[doubtful] * 3)
    assert answer.status is Status.NOT_UNDERSTOOD
    (question,) = answer.questions
    assert (question.field, question.said) == ("via", "Utica, NY")
    assert "20%" in question.reason
    assert answer.result is None and not answer.checks
    assert answer.constraints["via"] == ["Utica, NY"]
    assert len(reader.heard) == 1


def test_a_name_the_gazetteer_does_not_know_is_the_one_the_state_holds():
    answer, reader = planned(
        "route | from Albny | to Buffalo, NY", weights={"Albany": -0.5, "Albion": -6.0}, session=None
    )
    assert answer.status is Status.PLANNED
    assert answer.constraints == {"origin": "Albany, NY", "destination": "Buffalo, NY"}
    assert any("'Albny'" in warning and "Albany" in warning for warning in answer.warnings)
    (weighed,) = reader.weighed
    assert weighed[0] == "route\nfrom Albny\nto Buffalo, NY\n"
    assert "route\nfrom Albany\nto Buffalo, NY\n" in weighed[1:]
    assert answer.usage.model_calls == 6


def test_spellings_are_weighed_in_calls_that_are_written_alike():
    answer, reader = planned("route | from Albny | to Buffalo, NY | max 300 mi", weights={"Albany": -0.5})
    assert answer.constraints["origin"] == "Albany, NY"
    (weighed,) = reader.weighed
    assert {call.replace(call.split("\n")[1], "from") for call in weighed} == {
        "route\nfrom\nto Buffalo, NY\nmax 483 km\n"
    }


def test_one_of_several_stops_is_reconsidered_alone_and_its_spellings_count_together():
    said = Says(NEAR + " | via Utica, NY; Syracus, NY", unsure={"via": 0.2})
    reader = FakeReader(said, weights={"Syracuse, NY": math.log(4)})
    answer = Planner(reader=reader).route("anything")
    assert answer.constraints["via"] == ["Utica, NY", "Syracuse, NY"]
    assert answer.status is Status.PLANNED and answer.confidence["via"] == pytest.approx(1.0)


def test_a_name_that_the_state_does_not_hold_is_asked_about():
    answer, reader = planned("route | from Albny | to Buffalo, NY", weights={"Albany": math.log(0.4)})
    assert answer.status is Status.NOT_UNDERSTOOD and len(reader.weighed) == 1
    (question,) = answer.questions
    assert question.said == "Albny" and "Albany, NY" in question.candidates
    assert answer.constraints["origin"] == "Albny"


def test_what_is_taken_for_a_misspelling_is_asked_about_once():
    """A name the state holds that the trip makes ambiguous is a question, not an endless search."""
    answer, reader = planned("route | from Springfeld | to Qwxzyville", weights={"Springfield": -0.1})
    assert answer.status is Status.NOT_UNDERSTOOD and len(reader.weighed) == 1


def test_the_thresholds_decide():
    reader = FakeReader(Says(NEAR, sure=0.5))
    done = take_turn(reader, store=memory_store(), thresholds=Thresholds(sure=0.4, ask=0.3))
    assert done["usage"].latent_steps == 0 and done["checks"]


WITH_STOP = NEAR + " | via Utica, NY"


def test_what_the_state_and_the_words_in_sight_say_otherwise_is_asked_about():
    reader = FakeReader(NEAR + " | leave 7:00 am", in_sight=WITH_STOP + " | leave 7:00 am")
    answer = Planner(reader=reader).route("by Utica at 7")
    assert answer.status is Status.NOT_UNDERSTOOD and answer.result is None
    (question,) = answer.questions
    assert (question.field, question.said, question.candidates) == ("via", None, ("Utica, NY",))
    assert "remembered as not said" in question.reason and "Utica" in question.reason


def test_what_both_say_otherwise_offers_both():
    reader = FakeReader(WITH_STOP, in_sight=NEAR + " | via Rome, NY")
    (question,) = Planner(reader=reader).route("anything").questions
    assert (question.said, question.candidates) == ("Utica, NY", ("Utica, NY", "Rome, NY"))


def test_of_records_only_those_that_differ_are_named():
    shed = "project | task slab; 2 d | task walls; 3 d; after slab"
    reader = FakeReader(shed + "; by Abe", in_sight=shed + "; by Jo, Abe")
    (question,) = Planner(reader=reader).project("anything").questions
    assert question.field == "tasks"
    assert question.candidates == (
        "walls (days 3, after slab, who Abe)",
        "walls (days 3, after slab, who Jo, Abe)",
    )


def test_a_mended_name_that_the_words_in_sight_say_is_not_asked_about():
    reader = FakeReader(
        "route | from Albny, NY | to Buffalo, NY", in_sight=NEAR, weights={"Albany, NY": -0.1}
    )
    answer = Planner(reader=reader).route("anything")
    assert answer.status is Status.PLANNED and answer.constraints["origin"] == "Albany, NY"


def test_a_day_that_both_say_is_not_asked_about_because_one_call_cannot_be_resolved():
    shed = "project | by 03-01 | task slab; 2 d | off Ray; 02-01; 02-02"
    reader = FakeReader(shed, in_sight=shed + " | task walls; 1 d; after roof")
    assert not Planner(reader=reader).project("anything").questions


def test_what_only_the_state_says_is_asked_about():
    fields = "code | build cli | entity Book; title str"
    reader = FakeReader(fields + ", junk int", in_sight=fields)
    (question,) = take_turn(reader, store=memory_store())["questions"]
    assert question.candidates == (
        "Book (fields title str, junk int)",
        "Book (fields title str)",
    )


@pytest.mark.parametrize(
    "in_sight",
    [
        "route | from Albany, NY | to Buffalo",  # the same place
        "route | from Albany, NY | to Bufalo, NY",  # no place: this says nothing
        NEAR + " | via Nowherenear, NY",
        "",  # no call
        "project | task slab; 2 d",  # of another tool
    ],
)
def test_words_in_sight_that_say_nothing_else_are_not_asked_about(in_sight):
    reader = FakeReader(NEAR, in_sight=Says(in_sight))
    assert Planner(reader=reader).plan("anything").status is Status.PLANNED


def test_a_field_is_asked_about_once():
    reader = FakeReader(Says(WITH_STOP, unsure={"via": 0.1}), in_sight=NEAR)
    (question,) = Planner(reader=reader).route("anything").questions
    assert question.field == "via" and "probability" in question.reason


def test_a_measure_of_the_reading_compares_nothing():
    graph = build_loop(FakeReader(NEAR, in_sight=WITH_STOP), TOOLS, Budget(), silent, compares=False)
    done = graph.compile().invoke({"text": "anything"}, {"recursion_limit": 20})
    assert "via" not in done["constraints"] and "questions" not in done


def test_a_result_that_would_change_the_wishes_is_not_remembered():
    store, reader = memory_store(), FakeReader(NEAR, NEAR, kept=0.01)
    first = take_turn(reader, store=store)
    assert first["restored"] and first["ledger"][0].restored
    take_turn(reader, store=store)
    # perceive, observe the result and the call, answer with the call; the next turn starts with it alone
    assert marks(reader.began_with) == [None, None, 1.0, None, 1.0, 1.0, 2.0, 1.0]
    assert reader.heard[3] == first["ledger"][0].call


def test_a_result_that_changes_nothing_is_remembered():
    store, reader = memory_store(), FakeReader(NEAR, NEAR)
    assert not take_turn(reader, store=store)["restored"]
    take_turn(reader, store=store)
    # perceive; observe the result and the call in the state of before; the next turn starts with both
    assert marks(reader.began_with) == [None, None, 1.0, 2.0, 2.0, 3.0]


def test_words_that_chose_a_proposal_are_kept_beside_the_call():
    says = "project | by 2027-12-01 | goal the launch of our web shop"
    store = memory_store()
    reader = FakeReader(says, NOTHING, weights={"launch our web shop": -2.0})
    done = take_turn(reader, store=store, tools={"project": TOOLS["project"]})
    assert "proposal" in done
    take_turn(reader, store=store)
    # perceive the words; observe the result and the call in the state that holds them
    assert marks(reader.began_with) == [None, 1.0, 2.0, 3.0]


def test_the_rival_keeps_every_turn_in_words():
    store, reader = memory_store(), FakeReader(NEAR, NEAR, kept=0.01, keeps_words=True)
    for _ in range(2):
        take_turn(reader, store=store)
    # perceive the words; observe, in vain; answer reads the call after the words; so does the next turn
    assert marks(reader.began_with) == [None, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0]


def test_a_restored_memory_is_told_where_there_is_a_session_to_remember(tmp_path):
    reader = FakeReader(NEAR, NEAR, kept=0.01)
    planner = Planner(reader=reader, sessions=tmp_path / "s.sqlite")
    assert any("does not remember" in warning for warning in planner.route("a", session="s").warnings)
    assert not any("remember" in warning for warning in planner.route("a").warnings)


def test_the_ledger_holds_every_call_in_order():
    store, reader = memory_store(), FakeReader(NEAR, NOTHING, NEAR + " | avoid tolls")
    for _ in range(3):
        done = take_turn(reader, store=store)
    assert [(entry.turn, entry.call.count("\n")) for entry in done["ledger"]] == [(1, 3), (2, 4)]


def test_what_was_not_understood_leaves_no_trace_in_the_state():
    store, reader = memory_store(), FakeReader(NEAR, NOTHING, NEAR)
    for _ in range(3):
        take_turn(reader, store=store)
    # perceive, observe, observe; perceive (nothing understood); perceive again from what turn 1 left, ...
    assert marks(reader.began_with) == [None, None, 1.0, 2.0, 2.0, 2.0, 3.0]


def test_nothing_of_a_turn_leaks_into_the_next():
    store, reader = (
        memory_store(),
        FakeReader(NEAR + " | max 1 km", "route | from Springfield | to Los Angeles"),
    )
    assert take_turn(reader, store=store)["checks"]
    second = take_turn(reader, store=store)
    assert second["questions"]
    assert "checks" not in second and "result" not in second and "warnings" not in second
    assert second["usage"].model_calls == 6


@pytest.mark.parametrize(
    "calls, kept",
    [(6, 0.9), (5, 0.9), (2, 0.9), (1, 0.01)],
    ids=["reading", "comparing", "observing", "remembering"],
)
def test_the_budget_of_model_calls_is_hard_and_costs_the_session_nothing(calls, kept):
    store, reader = memory_store(), FakeReader(NEAR, NEAR, NEAR)
    take_turn(reader, store=store)
    reader.calls_per_read, reader.kept = calls, kept
    with pytest.raises(BudgetSpent) as spent:
        take_turn(reader, store=store, budget=Budget(model_calls=6))
    assert spent.value.usage.model_calls == 7
    reader.calls_per_read, reader.kept = 1, 0.9
    done = take_turn(reader, store=store)
    assert marks(reader.began_with)[-3:] == [2.0, 2.0, 3.0], "the failed turn left no trace"
    assert [entry.turn for entry in done["ledger"]] == [1, 2]


def test_a_spent_budget_is_an_answer_with_its_cost():
    reader = FakeReader(NEAR, calls_per_read=50)
    answer = Planner(reader=reader, budget=Budget(model_calls=20)).route("anything")
    assert answer.status is Status.NOT_UNDERSTOOD
    assert "20 model calls" in answer.questions[0].reason
    assert answer.usage.model_calls == 51


def test_the_budget_of_steps_is_hard():
    answer = Planner(reader=FakeReader(NEAR), budget=Budget(steps=3)).route("anything")
    assert answer.status is Status.NOT_UNDERSTOOD
    assert "3 steps" in answer.questions[0].reason


def test_verification_alone_decides_between_planned_and_not():
    answer, _ = planned(NEAR + " | max 100 km")
    assert answer.status is Status.UNSATISFIED
    assert answer.result.route.distance_km > 100, "the nearest answer is given"
    assert [c.constraint for c in answer.checks if not c.satisfied] == ["max_distance_km 100"]
    assert answer.warnings


def test_no_request_at_all_is_a_question():
    answer, _ = planned(NOTHING)
    assert answer.status is Status.NOT_UNDERSTOOD
    assert answer.questions and answer.tool == "" and answer.turn == 0


def test_a_turn_without_questions_and_checks_is_not_called_planned():
    reading, _ = FakeReader(NEAR).read(None, {"route": TOOLS["route"].arguments})
    assert _answer({"reading": reading, "usage": Usage()}, None, 0.0).status is Status.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "text", ["", "  \n\t", "\x00\x1b\x07", "\u200b\u2060"], ids=["none", "blank", "control", "zero-width"]
)
def test_no_text_is_refused_before_any_work(text):
    reader = FakeReader()
    answer = Planner(reader=reader).route(text)
    assert answer.status is Status.NOT_UNDERSTOOD and "no text" in answer.questions[0].reason
    assert reader.heard == []


def test_text_that_is_no_unicode_is_read_all_the_same():
    reader = FakeReader(NEAR)
    assert Planner(reader=reader).route("caf\udce9").status is Status.PLANNED
    assert reader.heard[0] == "caf?"


@pytest.mark.parametrize("call", ["route\nfly to Utica\n", "project\ntask kickoff; 0.0 d\n"])
def test_a_written_call_that_no_tool_takes_is_not_understood(monkeypatch, call):
    written = Decoded(call, True, (), (), 9, 5)
    reader = LPMReader.__new__(LPMReader)
    monkeypatch.setattr(reader, "_decoder", SimpleNamespace(write=lambda *_, **__: written), raising=False)
    monkeypatch.setattr(reader, "_mode", "state", raising=False)
    monkeypatch.setattr(reader, "_seen", [], raising=False)
    reading, cost = reader.read(LatentState.of(torch.zeros(1, 1, 1), 1, ""), ARGUMENTS)
    assert (reading.tool, dict(reading.values), cost.model_calls) == ("", {}, 5)
