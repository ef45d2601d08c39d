"""The benchmark of programs: what is counted, what is found in a program, tables; a tiny real model."""

import io
import json
from functools import partialmethod

import pytest
from rich.console import Console
from typer.testing import CliRunner

import cli
from lpm_model.base import LoadedModel, load_model
from lpm_model.decoding import ConstrainedDecoder
from lpm_model.retrofit import save_adapter
from planner.bench.arms import ARMS, Cost, Counted, Run, run, wanted
from planner.bench.code import Built, CodeBench, Measured, build, print_bench
from planner.evaluate import GoldConversation
from planner.reader import Usage
from tests.fakes import FakeReader
from tests.programs import needs_sandbox
from tests.talking import save_base, talking_model
from tools.code_writer import rendering
from tools.code_writer.arguments import CodeArguments
from tools.code_writer.rendering import RenderError, files_about, render
from tools.code_writer.resolve import Resolved, resolve
from tools.sandbox import find_sandbox

TRUE = {
    "name": "Shelf",
    "kind": "library",
    "entities": [
        {"name": "Author", "fields": {"name": "str"}},
        {"name": "Book", "fields": {"title": "str", "price": "float"}},
    ],
    "relations": [["Book", "belongs_to", "Author"], ["Author", "many_to_many", "Book"]],
    "features": ["search"],
}
PRICED = TRUE | {"entities": [TRUE["entities"][0], {"name": "Book", "fields": {"title": "str"}}]}
TALK = {
    "id": "shelf",
    "domain": "code",
    "turns": [
        {"user": "books and authors", "means": PRICED},
        {"user": "with a price", "means": TRUE},
    ],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = save_base(tmp_path_factory.mktemp("base") / "base")
    save_adapter(talking_model(base_name="base"), folder / "adapter.safetensors")
    return folder


@pytest.fixture(scope="module")
def loaded(base, tmp_path_factory) -> LoadedModel:
    return load_model(base, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def briefly(monkeypatch):
    """A model without training has no end to what it writes: a few tokens will do."""
    monkeypatch.setattr(ConstrainedDecoder, "write", partialmethod(ConstrainedDecoder.write, max_tokens=16))


def test_every_invocation_is_counted_whatever_becomes_of_it():
    reader = Counted(FakeReader("code | build cli | entity A", calls_per_read=5))
    state, _ = reader.perceive("one two three", None)
    reader.think(state)
    reader.read(state, {"code": CodeArguments})
    reader.holds(state, "code\n")
    reader.weigh(state, ["code\n"])
    cost = reader.cost
    assert (cost.calls, cost.passes, cost.tokens_in, cost.tokens_out) == (5, 9, 3, 9)
    cost.add(Usage())
    assert cost.calls == 5, "what takes no pass is no call"


def test_what_the_three_ways_cost(loaded, briefly):
    conversation = GoldConversation.model_validate(TALK)
    runs = {arm: run(arm, loaded, conversation) for arm in ARMS}
    assert all(len(found.means) == 2 and found.cost.seconds > 0 for found in runs.values())
    first, second = (resolve(wanted(turn.means)) for turn in conversation.turns)
    assert isinstance(first, Resolved) and isinstance(second, Resolved)
    about = files_about(first.specification)
    assert set(about) <= set(render(first.specification)) and set(about.values()) == {"Author", "Book"}
    changed = [path for path, entity in files_about(second.specification).items() if entity == "Book"]
    # Two plans, all files of the first turn, and those of the kind of record that the second one changes.
    assert runs["files"].cost.calls == 2 + len(about) + len(changed)
    # Without a state every call reads all that was said again.
    assert runs["files"].cost.tokens_in > runs["text"].cost.tokens_in > runs["state"].cost.tokens_in / 2
    assert runs["state"].cost.calls >= 4 and runs["text"].cost.calls >= 2


@needs_sandbox
def test_what_was_asked_for_is_found_in_a_program():
    sandbox = find_sandbox()
    assert sandbox is not None
    whole = build(TRUE, TRUE, sandbox)
    assert whole.complete
    assert whole.present == {"entities": (2, 2), "fields": (3, 3), "relations": (2, 2), "features": (1, 1)}
    read = PRICED | {"features": [], "relations": [["Book", "many_to_many", "Author"]]}
    part = build(read, TRUE, sandbox)
    assert (part.built, part.tests, part.answers, part.kind, part.complete) == (True, True, True, True, False)
    assert part.present == {"entities": (2, 2), "fields": (2, 3), "relations": (1, 2), "features": (0, 1)}


@needs_sandbox
@pytest.mark.parametrize("read", [{}, {"kind": "cli"}, {"entities": "none"}])
def test_what_was_not_understood_is_no_program(read):
    sandbox = find_sandbox()
    assert sandbox is not None
    found = build(read, TRUE, sandbox)
    assert not found.built and not found.complete
    assert found.present["fields"] == (0, 3)


@needs_sandbox
def test_a_program_that_cannot_be_rendered_is_no_program(monkeypatch):
    """The others are measured all the same."""

    def refuses(folder, *words):
        raise RenderError("ruff check: F811 redefined")

    monkeypatch.setattr(rendering, "_run", refuses)
    sandbox = find_sandbox()
    assert sandbox is not None
    found = build(TRUE, TRUE, sandbox)
    assert not found.built and found.present["entities"] == (0, 2)


def bench(*words):
    return CliRunner().invoke(cli.app, ["bench", "code", *map(str, words)])


@pytest.fixture
def tasks(tmp_path):
    plain = {
        "id": "one",
        "domain": "code",
        "turns": [{"user": "notes", "means": PRICED | {"kind": "library"}}],
    }
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({**plain, "domain": "route"}) + "\n" + json.dumps(plain) + "\n")
    return file


@needs_sandbox
def test_the_command(base, tasks, briefly):
    done = bench(tasks, "--base", base, "--limit", 1, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["conversations"] == 1 and [task["id"] for task in found["tasks"]] == ["one"]
    assert found["programs"]["true"]["complete"] == [1.0, 1.0, 1.0]
    assert found["programs"]["true"]["present"]["entities"] == [2, 2]
    for arm in ARMS:
        calls, low, high = found["arms"][arm]["calls"]
        assert calls == low == high == found["tasks"][0]["arms"][arm]["calls"] > 0
    by_files = found["state_by"]["files"]["calls"][0]
    assert by_files == found["arms"]["state"]["calls"][0] / found["arms"]["files"]["calls"][0]


def test_the_tables_fit_a_terminal():
    present = {"entities": (1, 2), "fields": (3, 4), "relations": (0, 0), "features": (1, 1)}
    good, bad = Built(True, True, True, True, present), Built(False, False, False, False, present)
    runs = {
        arm: Run(({},), Cost(calls, 100 * calls, 1000 * calls, 500 * calls, 60.0 * calls))
        for arm, calls in zip(ARMS, (3, 1, 12), strict=True)
    }
    one = Measured("one", {"read": bad, "true": good}, runs, dict.fromkeys(ARMS, True))
    console = Console(width=80, record=True, file=io.StringIO())
    print_bench(CodeBench("bubblewrap", (one, one)), console)
    shown = console.export_text()
    assert "…" not in shown
    for words in (
        "the true meaning",
        "6 of 8",
        "state / files",
        "0.25 [0.25, 0.25]",
        "3000.0",
    ):
        assert words in shown, words


def test_bad_files(tmp_path, tasks, monkeypatch):
    assert bench(tmp_path / "missing").exit_code == 2
    tasks.write_text('{"id": "x", "domain": "route", "turns": [{"user": "a", "means": {}}]}\n')
    done = bench(tasks)
    assert done.exit_code == 2 and "no conversation about a program" in done.stderr
    tasks.write_text("{\n")
    assert "line 1" in bench(tasks).stderr


@needs_sandbox
def test_what_is_too_long_for_one_way_is_left_out_and_said(base, tasks, briefly):
    whole = json.loads(tasks.read_text().splitlines()[-1])
    long = whole | {"id": "long", "turns": [{"user": "notes " * 1000, "means": whole["turns"][0]["means"]}]}
    tasks.write_text(json.dumps(long) + "\n" + json.dumps(whole) + "\n")
    done = bench(tasks, "--base", base, "--json")
    assert done.exit_code == 0, done.output
    assert [task["id"] for task in json.loads(done.stdout)["tasks"]] == ["one"]
    assert "long is left out" in done.stderr
    tasks.write_text(json.dumps(long) + "\n")
    done = bench(tasks, "--base", base)
    assert done.exit_code == 2 and "short enough" in done.stderr
