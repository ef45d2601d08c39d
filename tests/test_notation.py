"""The lines of a tool call: what is written is read back, and the grammar takes exactly that."""

from typing import Annotated

import llguidance
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from pydantic import BaseModel

from tools.notation import Line, Name, grammar, read_call, write_call
from tools.registry import TOOLS
from tools.roads.arguments import RouteArguments

CALLS = {"route": RouteArguments}
words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ'.-é", min_size=3, max_size=10)
names = st.builds(lambda a, b, s: f"{a} {b}{s}", words, words, st.sampled_from(["", ", CA", ", DC"]))
clock = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
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
        "route\nleave 24:00\n",
        "route\navoid tolls, ferries\n",
        "route\nhours 0\n",
        "route\nmax 5 ly\n",
        "route\nfrom Al\x85bany\n",
        "route\nfrom Al\x1bbany\n",
        "taxi\n",
    ],
)
def test_the_grammar_takes_nothing_else(text):
    assert not accepts(text)


@pytest.mark.parametrize("text", ["taxi\n", "route\nfly me\n", "route\nmax five mi\n", "route\nmax 5 ly\n"])
def test_what_is_no_call_is_refused(text):
    with pytest.raises(ValueError, match=r"no tool|no argument|cannot read"):
        read_call(text, CALLS)


def test_a_field_without_a_line_is_refused():
    class Lacking(BaseModel):
        where: Annotated[str, Line("to", Name())]
        when: str

    with pytest.raises(TypeError, match=r"Lacking\.when"):
        grammar({"lacking": Lacking})


def test_every_registered_tool_has_a_grammar():
    text = grammar({name: tool.arguments for name, tool in TOOLS.items()})
    assert not llguidance.LLMatcher.validate_grammar(llguidance.LLMatcher.grammar_from_lark(text))
