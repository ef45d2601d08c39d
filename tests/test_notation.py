"""The lines of a tool call: what is written is read back, and the grammar takes exactly that."""

from datetime import date
from typing import Annotated

import llguidance
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from pydantic import BaseModel

from tools.code_writer.arguments import FEATURES, CodeArguments
from tools.notation import NAME, Line, grammar, read_call, write_call
from tools.registry import TOOLS
from tools.roads.arguments import RouteArguments
from tools.scheduler.arguments import ProjectArguments

CALLS: dict[str, type[BaseModel]] = {
    "route": RouteArguments,
    "project": ProjectArguments,
    "code": CodeArguments,
}
words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ'.-é", min_size=3, max_size=10)
names = st.builds(lambda a, b, s: f"{a} {b}{s}", words, words, st.sampled_from(["", ", CA", ", DC"]))
clock = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
labels = st.one_of(words, st.builds("{} {}".format, words, words), st.just("Q"))
dates = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)
tasks = st.fixed_dictionaries(
    {"name": labels, "days": st.integers(1, 400).map(lambda quarters: quarters / 4)},
    optional={
        "after": st.lists(labels, min_size=1, max_size=3),
        "who": st.lists(labels, min_size=1, max_size=3),
    },
)
project = st.fixed_dictionaries(
    {"tasks": st.lists(tasks, min_size=1, max_size=6)},
    optional={
        "start": dates,
        "deadline": dates,
        "days_off": st.lists(
            st.fixed_dictionaries({"who": labels, "from": dates, "to": dates}), min_size=1, max_size=2
        ),
        "one_at_a_time": st.just(False),
    },
)
types = st.sampled_from(["str", "text", "int", "datetime", "email", "enum(low,high)", "enum(a,b,c)"])
entity_names = st.from_regex(r"[A-Z][A-Za-z0-9]{1,9}", fullmatch=True)
field_names = st.from_regex(r"[a-z][a-z_]{1,9}", fullmatch=True)
entities = st.fixed_dictionaries(
    {"name": entity_names}, optional={"fields": st.dictionaries(field_names, types, min_size=1, max_size=5)}
)
relations = st.tuples(entity_names, st.sampled_from(["belongs_to", "many_to_many"]), entity_names).map(list)
code = st.fixed_dictionaries(
    {"kind": st.sampled_from(["rest_api", "cli", "library"])},
    optional={
        "entities": st.lists(entities, min_size=1, max_size=5),
        "relations": st.lists(relations, min_size=1, max_size=3),
        "features": st.sets(st.sampled_from(FEATURES), min_size=1).map(sorted),
    },
)
arguments = st.fixed_dictionaries(
    {"origin": names, "destination": names},
    optional={
        "via": st.lists(names, min_size=1, max_size=5),
        "via_order": st.just("any"),
        "avoid": st.sets(st.sampled_from(["tolls", "ferries", "motorways"]), min_size=1).map(sorted),
        "avoid_places": st.lists(names, min_size=1, max_size=2),
        "optimize": st.just("distance"),
        "round_trip": st.just(True),
        "max_hours_per_day": st.integers(2, 48).map(lambda halves: halves / 2),
        "depart": clock,
        "arrive_by": clock,
        "max_distance_km": st.integers(1, 9999),
    },
)


def accepts(text):
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar(CALLS)))
    return (
        matcher.try_consume_tokens(tokenizer.tokenize_str(text)) == len(text.encode())
        and matcher.is_accepting()
    )


@given(values=arguments)
def test_a_written_call_is_read_back_and_fits_the_grammar(values):
    text = write_call("route", RouteArguments, values)
    name, read, places = read_call(text, CALLS)
    assert (name, read) == ("route", values)
    assert RouteArguments(**read).model_dump(exclude_defaults=True, mode="json") == values
    for field, (start, end) in places.items():
        assert text[start:end].endswith("\n") and field in values
    assert "".join(text[a:b] for a, b in places.values()) == text[len("route\n") :]
    assert accepts(text)


@pytest.mark.parametrize(("tool", "meanings"), [("project", project), ("code", code)])
@given(data=st.data())
def test_records_are_read_back_and_fit_the_grammar(tool, meanings, data):
    values = data.draw(meanings)
    text = write_call(tool, CALLS[tool], values)
    name, read, places = read_call(text, CALLS)
    assert (name, read) == (tool, values)
    CALLS[tool](**read)
    assert "".join(text[a:b] for a, b in places.values()) == text[len(tool) + 1 :]
    assert accepts(text)


def test_weeks_become_working_days():
    text = write_call("project", ProjectArguments, {"tasks": [{"name": "demo", "days": "1.5 w"}]})
    assert text == "project\ntask demo; 1.5 w\n"
    assert read_call(text, CALLS)[1]["tasks"] == [{"name": "demo", "days": 7.5}]


@pytest.mark.parametrize(
    ("clock", "said"),
    [("00:05", "12:05 am"), ("12:00", "12:00 pm"), ("09:30", "9:30 am"), ("23:59", "11:59 pm")],
)
def test_a_clock_time_is_written_as_people_say_it(clock, said):
    text = write_call("route", RouteArguments, {"depart": clock})
    assert text == f"route\nleave {said}\n"
    assert read_call(text, CALLS)[1] == {"depart": clock}


def test_miles_become_kilometres():
    text = write_call(
        "route", RouteArguments, {"origin": "Rome", "destination": "Troy", "max_distance_km": "200 mi"}
    )
    assert text.endswith("max 200 mi\n")
    assert read_call(text, CALLS)[1]["max_distance_km"] == 322


@pytest.mark.parametrize(
    "text",
    [
        "",
        "route",
        "route\nfrom \n",
        "route\nto Rome\nfrom Troy\n",
        "route\nfrom Rome\nfrom Troy\n",
        "route\nleave 13:00 pm\n",
        "route\nleave 18:00\n",
        "route\navoid tolls, ferries\n",
        "route\nhours 0\n",
        "route\nmax 5 ly\n",
        "route\nfrom Al\x85bany\n",
        "route\nfrom Al\x1bbany\n",
        "taxi\n",
        "project\ntask demo\n",
        "project\ntask demo; 2 d; by Ray; after tiling\n",
        "project\nstart 2027-13-01\n",
        "code\nentity patient; name str\n",
        "code\nentity Patient; name string\n",
        "code\nwith search, auth\n",
    ],
)
def test_the_grammar_takes_nothing_else(text):
    assert not accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "taxi\n",
        "route\nfly me\n",
        "route\nmax five mi\n",
        "route\nmax 5 ly\n",
        "project\ntask demo; soon\n",
        "project\nstart 2027-02-30\n",
        "code\nbuild robot\n",
        "code\nlink A likes B\n",
    ],
)
def test_what_is_no_call_is_refused(text):
    with pytest.raises(ValueError, match=r"no tool|no argument|cannot read"):
        read_call(text, CALLS)


def test_a_field_without_a_line_is_refused():
    class Lacking(BaseModel):
        where: Annotated[str, Line("to", NAME)]
        when: str

    with pytest.raises(TypeError, match=r"Lacking\.when"):
        grammar({"lacking": Lacking})


def test_every_registered_tool_has_a_grammar():
    text = grammar({name: tool.arguments for name, tool in TOOLS.items()})
    assert not llguidance.LLMatcher.validate_grammar(llguidance.LLMatcher.grammar_from_lark(text))
