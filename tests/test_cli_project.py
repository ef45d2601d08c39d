"""The command line of projects: outcomes, exactly one JSON object, files in and out, bad input."""

import json
from datetime import date

import pytest
from typer.testing import CliRunner

import cli
from planner import Planner
from tests.fakes import NOTHING, FakeReader, Says

GARDEN = (
    "project | start 2027-03-01 | by 2027-03-12"
    " | task clear beds; 2 d; by Ola | task order seeds; 0.5 d; by Ola"
    " | task sow; 1.5 d; after clear beds, order seeds; by Ola, Per | off Per; 2027-03-03; 2027-03-03"
)
KEYS = ["constraints", "schedule", "checks", "warnings", "session", "usage"]


@pytest.fixture(autouse=True)
def own_sessions(monkeypatch, tmp_path):
    monkeypatch.setenv("LPM_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def run(monkeypatch):
    """Run the program with a reader that says what the test says."""

    def run(*args, says=(), stdin=None, **options):
        reader = FakeReader(*([says] if isinstance(says, str | Says) else says), **options)
        monkeypatch.setattr(Planner, "reader", lambda self: reader)
        result = CliRunner().invoke(cli.app, ["project", *map(str, args)], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def only_object(result):
    """The one JSON object on standard output, and nothing else."""
    assert result.stdout.count("\n") == 1 and result.stdout.endswith("}\n")
    return json.loads(result.stdout)


def test_a_schedule_as_json(run):
    result = run("anything", "--json", says=GARDEN)
    assert result.exit_code == 0 and result.stderr == ""
    found = only_object(result)
    assert list(found) == KEYS
    assert found["constraints"]["tasks"][2]["after"] == ["clear beds", "order seeds"]
    assert found["schedule"][0] == {
        "task": "clear beds",
        "start": "2027-03-01",
        "end": "2027-03-03",
        "who": ["Ola"],
        "critical": False,
        "slack": 0.5,
    }
    assert [row["end"] for row in found["schedule"]][-1] == "2027-03-05"
    assert all(check["satisfied"] for check in found["checks"]) and len(found["checks"]) > 8
    assert found["warnings"] == []


def test_a_schedule_for_people(run):
    result = run("anything", says=GARDEN)
    assert result.exit_code == 0
    for words in ("Understood", "sow: 1.5 days, after clear beds, order seeds, by Ola, Per", "Schedule", "█"):
        assert words in result.stdout
    assert "finished on 2027-03-05, 4.5 working days; no plan is shorter" in result.stdout


# What the person asked for -> the exit code, and what they are told.
OUTCOMES = {
    "nothing": (NOTHING, 4, "no request was understood"),
    "cycle": ("project | task a; 1 d; after c | task b; 1 d; after a | task c; 1 d; after b", 4, " -> "),
    "unknown task": ("project | task dig; 1 d | task pour; 1 d; after digging", 4, "no task is called that"),
    "twice": ("project | task dig; 1 d | task the dig; 1 d", 4, "two tasks are called"),
    "late": (
        "project | start 2027-03-01 | by 2027-03-02 | task dig; 1 w; by Ola",
        3,
        "move the deadline to 2027-03-05",
    ),
    "before the start": ("project | start 2027-03-05 | by 2027-03-01 | task dig; 1 d", 4, "before the start"),
    "many at once": ("project | task a; 1 d; by Ola | task b; 1 d; by Ola | many at once", 0, "a"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_how_a_request_ends(run, name):
    says, code, told = OUTCOMES[name]
    says = Says(says) if isinstance(says, str) else says
    result = run("anything", says=[says])
    assert result.exit_code == code, result.output
    assert told in result.stdout and result.stderr == ""
    found = only_object(again := run("anything", "--json", says=[says]))
    assert again.exit_code == code and again.stderr == ""
    assert list(found) == KEYS + (["questions"] if code == 4 else [])
    assert told in json.dumps(found, ensure_ascii=False)
    assert any(not check["satisfied"] for check in found["checks"]) == (code == 3)
    assert (found["schedule"] is None) == (code == 4)


def test_a_session_goes_on(run):
    first = run("a", "--session", "garden", says=GARDEN)
    assert "session garden, turn 1" in first.stdout
    later = GARDEN.replace("task order seeds; 0.5 d", "task order seeds; 2 d")
    found = only_object(run("b", "--session", "garden", "--json", says=later))
    assert found["session"] == "garden" and found["schedule"][2]["end"] == "2027-03-08"
    assert "turn 3" in run("c", "--session", "garden", says=GARDEN).stdout


def test_without_text_it_is_said_what_is_needed(run):
    result = run("-", stdin="  \n")
    assert result.exit_code == 4 and "say what is to be done" in result.stdout
    assert "the trip" not in result.stdout


def test_no_escape_reaches_the_terminal(run):
    told = run("anything", says="project | task dig\x1b[2J\x07; 1 d; by [red]Ola[/red]\u202e")
    assert told.exit_code == 0 and "[red]Ola[/red]" in told.stdout
    assert all(c.isprintable() or c == "\n" for c in told.output)


def test_without_a_start_the_plan_begins_on_the_next_working_day(run):
    found = only_object(run("anything", "--json", says="project | task dig; 1 d"))
    assert date.fromisoformat(found["schedule"][0]["start"]) > date.today()
    assert "start" not in found["constraints"] and "no start was given" in found["warnings"][0]
