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
    assert ("no plan is shorter" in result.stdout) == (code == 0)
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


# -- files, options, templates ---------------------------------------------------------------

PLAN = """\
title: Garden
start: 2027-03-01
people: {Ola: 1, Per: 1}
tasks:
  - {task: clear beds, days: 2, who: Ola}
  - {task: order seeds, days: 0.5, who: Per}
  - {task: sow, days: 1.5, after: [clear beds, order seeds], who: [Ola, Per], best: 1, likely: 1.5, worst: 4}
"""
OPEN = "  - {task: open, days: 0, after: sow}\n"


@pytest.fixture
def plan_file(tmp_path):
    path = tmp_path / "garden.yaml"
    path.write_text(PLAN)
    return path


def ends(result):
    return {row["task"]: row["end"] for row in only_object(result)["schedule"]}


def test_a_file_is_planned_without_the_model(run, plan_file, monkeypatch):
    monkeypatch.setattr(Planner, "reader", lambda self: pytest.fail("the model was loaded"))
    result = CliRunner().invoke(cli.app, ["project", "--file", str(plan_file), "--json"])
    assert result.exit_code == 0 and ends(result)["sow"] == "2027-03-04"
    assert only_object(result)["usage"]["model_calls"] == 0


def test_what_was_said_changes_the_file(run, plan_file):
    says = "project | task clear beds; 4 d | off Per; 2027-03-08; 2027-03-09"
    result = run("anything", "--file", plan_file, "--json", says=says)
    assert result.exit_code == 0
    assert ends(result) == {"clear beds": "2027-03-04", "order seeds": "2027-03-01", "sow": "2027-03-10"}


def test_dates_of_the_options_count_before_the_file_and_after_what_was_said(run, plan_file):
    dated = PLAN.replace("start: 2027-03-01\n", "start: 2027-03-01\ndeadline: 2027-03-31\n")
    plan_file.write_text(dated)
    options = ("--file", plan_file, "--start", "2027-03-08", "--deadline", "2027-03-26", "--json")
    found = only_object(run(*options))
    assert (found["constraints"]["start"], found["constraints"]["deadline"]) == ("2027-03-08", "2027-03-26")
    assert found["schedule"][0]["start"] == "2027-03-08"
    said = only_object(run("anything", *options, says="project | start 2027-03-15"))
    assert (said["constraints"]["start"], said["constraints"]["deadline"]) == ("2027-03-15", "2027-03-26")


def test_all_kinds_of_files_are_written(run, plan_file, tmp_path):
    kinds = {"gantt": "html", "csv": "csv", "ics": "ics", "mermaid": "mmd", "xml": "xml"}
    targets = {kind: tmp_path / f"out.{end}" for kind, end in kinds.items()}
    options = [part for kind, path in targets.items() for part in (f"--{kind}", path)]
    result = run("--file", plan_file, *options)
    assert result.exit_code == 0 and all(str(path) in result.stdout for path in targets.values())
    begins = {
        "gantt": "<!doctype html>",
        "csv": "task,",
        "ics": "BEGIN:VCALENDAR",
        "mermaid": "gantt",
        "xml": "<?xml",
    }
    assert all(path.read_text().startswith(begins[kind]) for kind, path in targets.items())
    for kind in ("csv", "xml"):
        again = run("--file", targets[kind], "--start", "2027-03-01", "--json")
        assert ends(again)["sow"] == "2027-03-04", kind


def test_questions_about_the_plan(run, plan_file):
    asked = run("--file", plan_file, "--slip", "clear beds=2", "--simulate", "500", "--json")
    found = only_object(asked)
    (slip,) = found["what_if"]
    assert (slip["same_order"], slip["replanned"]) == ("2027-03-08", "2027-03-08")
    assert dict(slip["moved"])["sow"] == 2
    assert found["chances"]["p50"] <= found["chances"]["p80"] <= found["chances"]["p95"]
    told = run("--file", plan_file, "--slip", "clear beds=2", "--simulate", "500").stdout
    assert "If clear beds takes 2 working days longer" in told and "How sure the finish is" in told


def test_progress_is_kept_and_the_rest_planned_anew(run, plan_file):
    result = run("--file", plan_file, "--done", "clear beds=50%", "--asof", "2027-03-03", "--json")
    found = only_object(result)
    assert result.exit_code == 0
    assert {row["task"]: row["start"] for row in found["schedule"]}["clear beds"] == "2027-03-01"
    assert ends(result)["clear beds"] == "2027-03-04" and ends(result)["sow"] == "2027-03-08"
    assert {d["task"]: d["days"] for d in found["drift"]} == {"clear beds": 2, "order seeds": 3, "sow": 2}


def test_a_table_with_progress_needs_the_day_on_which_work_began(run, tmp_path):
    table = tmp_path / "plan.csv"
    table.write_text("task,days,done\ndig,4,50%\nsow,1,\n")
    asked = run("--file", table, "--asof", "2027-03-03")
    assert asked.exit_code == 4 and "work has been done, so the project has begun" in asked.stdout
    told = run("--file", table, "--start", "2027-03-01", "--asof", "2027-03-03", "--json")
    assert ends(told) == {"dig": "2027-03-05", "sow": "2027-03-04"}


def test_a_session_remembers_the_file_and_the_progress(run, plan_file):
    first = run("a", "--file", plan_file, "--session", "g", says="project | by 2027-04-01")
    assert first.exit_code == 0
    later = "project | by 2027-04-01 | off Ola; 2027-03-02; 2027-03-02"
    moved = run("b", "--session", "g", "--json", says=later)
    assert ends(moved) == {"clear beds": "2027-03-03", "order seeds": "2027-03-01", "sow": "2027-03-05"}
    reported = ("--done", "clear beds=100%", "--asof", "2027-03-03")
    assert only_object(run("c", "--session", "g", "--json", *reported, says=later))["drift"]
    again = only_object(run("d", "--session", "g", "--json", says=later))
    assert again["drift"] and again["session"] == "g"
    # Another file replaces all of it.
    other = plan_file.with_name("other.yaml")
    other.write_text(PLAN.replace("clear beds", "mow"))
    new = only_object(run("e", "--file", other, "--session", "g", "--json", says=later))
    assert "drift" not in new and new["schedule"][0]["task"] == "mow"


def test_what_was_not_understood_is_not_remembered(run, plan_file):
    assert run("a", "--file", plan_file, "--session", "g", says=Says("")).exit_code == 4
    result = run("b", "--session", "g", says="project | by 2027-04-01")
    assert result.exit_code == 4 and "no task was understood" in result.stdout


def test_a_goal_becomes_the_template_that_the_state_means(run):
    says = "project | by 2027-12-01 | goal the launch of our web shop"
    weights = {"launch our web shop": -2.0, "sale of a house": -8.0}
    found = only_object(run("anything", "--json", says=says, weights=weights))
    assert len(found["schedule"]) >= 8 and found["constraints"]["deadline"] == "2027-12-01"
    assert found["constraints"]["title"] == "the launch of our web shop"
    assumed = [warning for warning in found["warnings"] if warning.startswith("assumed: ")]
    assert any("'web-shop'" in warning for warning in assumed)
    assert any(warning.startswith("please say: ") for warning in found["warnings"])
    assert all(check["satisfied"] for check in found["checks"])


def test_a_goal_that_could_be_two_is_asked_about(run):
    says = "project | goal the launch of our web shop"
    result = run("anything", says=says, weights={"launch our web shop": -2.0, "sale of a house": -2.5})
    assert result.exit_code == 4 and "perhaps" in result.stdout and "web shop" in result.stdout
    # Where the state holds none of them, none is taken.
    assert run("anything", says=says).exit_code == 4


def test_a_template_by_name_and_a_goal_with_changes(run):
    says = "project | by 2027-12-01"
    result = run("anything", "--template", "web-shop", "--json", says=says)
    assert result.exit_code == 0 and len(only_object(result)["schedule"]) >= 8
    wrong = run("--template", "nothing")
    assert wrong.exit_code == 2 and "no template is called 'nothing'" in wrong.stderr


# The options -> what is said, with exit code 2; or 4 where it is a question.
WRONG = {
    "no such file": (("--file", "nowhere.csv"), 2, "cannot read nowhere.csv"),
    "both": (("--file", "{plan}", "--template", "web-shop"), 2, "name one of them"),
    "bad start": (("--file", "{plan}", "--start", "soon"), 2, "--start"),
    "bad share": (("--file", "{plan}", "--done", "sow=lots"), 2, "--done"),
    "no equals": (("--file", "{plan}", "--slip", "sow"), 2, "TASK=VALUE"),
    "unknown task": (("--file", "{plan}", "--slip", "sowing=2"), 4, "sowing"),
    "nothing": ((), 2, "say what is to be done"),
    "a session without words": (("--file", "{plan}", "--session", "g"), 2, "remembers what was said"),
    "a deadline before the start": (("--file", "{plan}", "--deadline", "2027-02-01"), 4, "before the start"),
    "progress before the start": (
        ("--file", "{plan}", "--done", "sow=10%", "--asof", "2027-02-01"), 4, "nothing can be done by",
    ),
    "progress of what is no task": (("--file", "{plan}", "--done", "sowing=20%"), 4, "no task is called"),
    "half a milestone": (
        ("--file", "{plan}", "--done", "open=50%", "--asof", "2027-03-02"), 4, "'open' takes no time",
    ),
    "a start beyond the calendar": (("--file", "{plan}", "--start", "9999-12-30"), 4, "years from today"),
    "a slip of ages": (("--file", "{plan}", "--slip", "sow=1e9"), 4, "up to 2,600 can be planned"),
    "progress in another age": (
        ("--file", "{plan}", "--done", "sow=10%", "--asof", "9999-12-31"), 4, "more than 100 years from",
    ),
    "a folder that is not there": (("--file", "{plan}", "--csv", "nowhere/x.csv"), 2, "nowhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_told_and_nothing_is_written(run, plan_file, tmp_path, name, monkeypatch):
    options, code, told = WRONG[name]
    plan_file.write_text(PLAN + OPEN)
    monkeypatch.chdir(tmp_path)
    result = run(*(part.format(plan=plan_file) for part in options))
    assert result.exit_code == code, result.output
    assert told in result.output and "Traceback" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["garden.yaml"]


def test_nothing_is_written_half(run, plan_file, tmp_path):
    (tmp_path / "blocked.ics").mkdir()
    result = run("--file", plan_file, "--csv", tmp_path / "plan.csv", "--ics", tmp_path / "blocked.ics")
    assert result.exit_code == 2 and not (tmp_path / "plan.csv").exists()


def test_an_unknown_person_of_a_file_is_asked_about(run, plan_file):
    plan_file.write_text(PLAN.replace("who: Per}", "who: Pere}"))
    result = run("--file", plan_file)
    assert result.exit_code == 4 and "nobody is called that" in result.stdout and "Per" in result.stdout
    cycle = PLAN.replace("{task: clear beds, days: 2, who: Ola}", "{task: clear beds, days: 2, after: sow}")
    plan_file.write_text(cycle)
    assert " -> " in run("--file", plan_file).stdout
