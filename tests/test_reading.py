"""The shipped weights read a fixed sample of plain requests, from the state and from nothing else."""

import pytest

from lpm_model.base import load_model
from planner import Planner, Status
from planner.reader import LPMReader
from tools.cache import cache_dir
from tools.registry import TOOLS

CALLS = {"route": TOOLS["route"].arguments}
DEMO = "Plan a route from New York to Los Angeles that avoids toll roads and includes a stop in Denver."
SAMPLE = {
    DEMO: "route | from New York | to Los Angeles | via Denver | avoid tolls",
    "Take me from Boston to Miami.": "route | from Boston | to Miami",
    "from Chicago to Seattle, no tolls": "route | from Chicago | to Seattle | avoid tolls",
    "Drive from Austin to Denver and back": "route | from Austin | to Denver | round trip",
    "I need to get from Phoenix to Portland, OR": "route | from Phoenix | to Portland, OR",
    "Dallas to Memphis, no ferries": "route | from Dallas | to Memphis | avoid ferries",
    "from Omaha to Tulsa via Wichita": "route | from Omaha | to Tulsa | via Wichita",
    "Atlanta to Charlotte, shortest route please": "route | from Atlanta | to Charlotte | shortest",
}


@pytest.fixture(scope="module")
def loaded():
    return load_model(None, cache_dir())


def read(loaded, mode):
    reader, calls = LPMReader(loaded, mode), []
    for text in SAMPLE:
        state, _ = reader.perceive(text, None)
        reading, _ = reader.read(state, CALLS)
        calls.append(reading.call.strip().replace("\n", " | "))
    return calls


def test_the_sample_is_read_from_the_state(loaded):
    calls = read(loaded, "state")
    right = [said == meant for said, meant in zip(calls, SAMPLE.values(), strict=True)]
    assert right[0], "the README's own example"
    assert sum(right) >= LEAST_RIGHT, [c for c, r in zip(calls, right, strict=True) if not r]


LEAST_RIGHT = 7


def test_a_zeroed_state_reads_nothing(loaded):
    calls = read(loaded, "zeroed")
    assert len(set(calls)) == 1, "what is written depends on the state alone"
    assert calls[0] not in SAMPLE.values()


def test_the_planner_plans_the_example_and_remembers_it(loaded, tmp_path):
    planner = Planner(reader=LPMReader(loaded), sessions=tmp_path / "sessions")
    answer = planner.route(DEMO, session="trip")
    assert answer.status is Status.PLANNED and all(check.satisfied for check in answer.checks)
    assert answer.constraints == {
        "origin": "New York, NY",
        "destination": "Los Angeles, CA",
        "via": ["Denver, CO"],
        "avoid": ["tolls"],
    }
    assert answer.result is not None and answer.usage.model_calls > 0 and answer.turn == 1
    again = Planner(reader=LPMReader(loaded), sessions=tmp_path / "sessions").route("thanks!", session="trip")
    assert again.session == "trip"


@pytest.mark.parametrize(
    "text",
    ["¿Dónde está la biblioteca?", "今日はいい天気ですね", "\x00\x1b[31m\x07", "a" * 3000, "!!!", "🚗" * 50],
)
def test_what_is_no_request_ends_in_an_answer(loaded, tmp_path, text):
    answer = Planner(reader=LPMReader(loaded), sessions=tmp_path / "sessions").route(text)
    assert answer.status in Status and answer.usage.seconds > 0
