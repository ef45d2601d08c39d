"""The command line of programs: outcomes, one JSON object, folders, sessions, bad input; a real sandbox."""

import json
import os
from functools import partial

import pytest
from typer.testing import CliRunner

import cli
from planner import Planner, code_models
from planner import agent as agents
from tests.fakes import NOTHING, FakeReader, Says
from tests.programs import needs_sandbox, specified
from tools.code_writer import rendering
from tools.code_writer.arguments import CodeArguments, Entity
from tools.code_writer.logic import Proposed
from tools.code_writer.tool import code_tool
from tools.code_writer.types import CodeAnswer, CodeGiven, CodeRequest
from tools.code_writer.verify import NOT_RUN, verify
from tools.sandbox import Outcome, find_sandbox
from tools.tool import Spent, silent

TASKS = "code | build library | entity Task; title str, done bool"
DUE = "code | build library | entity Task; title str, done bool, due date | with timestamps"
KEYS = ["constraints", "program", "checks", "warnings", "session", "usage"]


class Trusting:
    """Runs nothing: the tests pass, and the probe says what it is told to."""

    name = "nothing"

    def __init__(self, *found):
        self.found, self.ran = found, []

    def run(self, command, folder, *, limits=None, readable=(), environment=None):
        self.ran.append(sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py")))
        if "probe.py" in command:
            self.answer(folder / command[-1])
        return Outcome(0, "3 passed\n", 0.1, None)

    def answer(self, file):
        said = [{"constraint": what, "satisfied": good, "evidence": "seen"} for what, good in self.found]
        file.write_text(json.dumps(said))


ALL = Trusting(("kind: library", True), ("entity: Task", True), ("feature: timestamps", True))

SEARCHED = Trusting(*ALL.found, ("feature: search", True))


@pytest.fixture(autouse=True)
def own_sessions(monkeypatch, tmp_path):
    monkeypatch.setenv("LPM_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def run(monkeypatch):
    """Run the program with a reader that says what the test says, and a sandbox that it gives."""

    def run(*args, says=(), sandbox=ALL, **options):
        reader = FakeReader(*([says] if isinstance(says, str | Says) else says), **options)
        monkeypatch.setattr(Planner, "reader", lambda self: reader)
        monkeypatch.setattr(agents, "code_tool", partial(code_tool, sandbox=lambda: sandbox))
        result = CliRunner().invoke(cli.app, ["code", *map(str, args)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def only_object(result):
    """The one JSON object on standard output, and nothing else."""
    assert result.stdout.count("\n") == 1 and result.stdout.endswith("}\n")
    return json.loads(result.stdout)


def test_a_program_as_json(run, tmp_path):
    result = run("anything", "--out", tmp_path / "tasks", "--json", says=DUE)
    assert result.exit_code == 0 and result.stderr == "", result.output
    found = only_object(result)
    assert list(found) == KEYS
    assert found["constraints"] == {
        "kind": "library",
        "entities": [{"name": "Task", "fields": {"title": "str", "done": "bool", "due": "date"}}],
        "features": ["timestamps"],
    }
    assert found["program"]["package"] == "task_lib"
    assert {change["kind"] for change in found["program"]["changes"]} == {"new"}
    for path in found["program"]["files"]:
        assert (tmp_path / "tasks" / path).is_file()


def test_a_program_for_a_person(run, tmp_path):
    result = run("anything", "--out", tmp_path / "tasks", says=DUE)
    assert result.exit_code == 0
    for words in ("entity             Task: title str", "task_lib in", "kept   its tests pass", "written: "):
        assert words in result.stdout
    assert "3 passed (in nothing)" in result.stdout


def test_a_session_revises_the_same_folder(run, tmp_path):
    folder = tmp_path / "tasks"
    assert (
        run(
            "one",
            "--out",
            folder,
            "--session",
            "s",
            "--json",
            says=TASKS,
            sandbox=Trusting(("kind: library", True), ("entity: Task", True)),
        ).exit_code
        == 0
    )
    (folder / "README.md").write_text("mine\n")
    again = run("and due dates", "--session", "s", "--diff", "--json", says=DUE)
    assert again.exit_code == 0, again.output
    program = only_object(again)["program"]
    kinds = {change["path"]: change["kind"] for change in program["changes"]}
    assert kinds["README.md"] == "conflict" and kinds["src/task_lib/models/task.py"] == "changed"
    assert kinds["src/task_lib/features/timestamps.py"] == "new"
    assert "src/task_lib/database.py" not in kinds
    assert "+    due: orm.Mapped[dt.date]" in program["diff"]
    assert (folder / "README.md").read_text() == "mine\n"
    assert "due" in (folder / "README.md.new").read_text()
    assert "due: orm.Mapped" in (folder / "src/task_lib/models/task.py").read_text()
    assert any("edited by hand" in warning for warning in only_object(again)["warnings"])
    assert any("tables have changed" in warning for warning in only_object(again)["warnings"])
    (folder / "README.md.new").write_text("half merged\n")
    third = run("and search", "--session", "s", "--json", says=DUE + ", search", sandbox=SEARCHED)
    assert third.exit_code == 0, third.output
    assert (folder / "README.md.new").read_text() == "half merged\n"
    assert "search" in (folder / "README.md.new.2").read_text()
    said = "the new text goes into README.md.new.2, since README.md.new was edited, too"
    assert any(said in warning for warning in only_object(third)["warnings"])


def test_without_a_folder_nothing_is_written(run, tmp_path):
    found = only_object(run("anything", "--json", says=DUE))
    assert (
        found["program"]["folder"] is None and "nothing is written: no folder was named" in found["warnings"]
    )
    assert not list(tmp_path.glob("*.py"))


def test_a_wish_that_the_probe_does_not_find(run, tmp_path):
    bad = Trusting(("kind: library", True), ("entity: Task", False), ("feature: timestamps", True))
    result = run("anything", "--out", tmp_path / "tasks", says=DUE, sandbox=bad)
    assert result.exit_code == 3
    assert "broken entity: Task" in result.stdout and "does not do all" in result.stdout


def test_a_probe_that_asks_too_little_is_noticed(run):
    found = only_object(run("anything", "--json", says=DUE, sandbox=Trusting(("kind: library", True))))
    assert found["checks"][-1] == {
        "constraint": "everything was asked",
        "satisfied": False,
        "evidence": "checks are missing",
    }


@pytest.mark.parametrize("kind", ["nothing", "link", "pipe", "folder", "endless"])
def test_only_a_plain_file_of_checks_is_read(run, tmp_path, kind):
    class Laying(Trusting):
        def answer(self, file):
            if kind == "link":
                super().answer(tmp_path / "elsewhere")
                file.symlink_to(tmp_path / "elsewhere")
            elif kind == "pipe":
                os.mkfifo(file)
            elif kind == "folder":
                file.mkdir()
            elif kind == "endless":
                super().answer(file)
                file.write_text(file.read_text() + " " * 10_000_000)

    result = run("anything", "--json", says=DUE, sandbox=Laying(*ALL.found))
    assert result.exit_code == 3
    broken = [check["constraint"] for check in only_object(result)["checks"] if not check["satisfied"]]
    assert broken == ["it answers"]


def test_without_a_sandbox_nothing_is_run(run, tmp_path):
    result = run("anything", "--out", tmp_path / "tasks", "--json", says=DUE, sandbox=None)
    assert result.exit_code == 3
    assert NOT_RUN in [check["evidence"] for check in only_object(result)["checks"]]
    assert (tmp_path / "tasks" / "README.md").is_file()


def test_what_is_missing_is_asked(run, tmp_path):
    result = run("anything", "--out", tmp_path / "x", "--json", says="code | entity Task; title str")
    assert result.exit_code == 4
    found = only_object(result)
    assert found["program"] is None and found["questions"][0]["candidates"] == ["rest_api", "cli", "library"]
    assert not (tmp_path / "x").exists()
    assert run("nonsense", says=NOTHING).exit_code == 4


def test_a_program_that_cannot_be_made_leaves_nothing(run, tmp_path, monkeypatch):
    """A full disk, for instance, while ruff formats."""

    def full(folder, *words):
        raise rendering.RenderError("ruff format: No space left on device")

    monkeypatch.setattr(rendering, "_run", full)
    result = run("anything", "--out", tmp_path / "tasks", "--json", says=TASKS)
    assert result.exit_code == 2 and "No space left" in only_object(result)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"] or not list(tmp_path.iterdir())


FEE = '''def late_fee(days: int) -> int:
    """Cents for a late book.

    >>> late_fee(3)
    30
    """
'''


@pytest.fixture
def bodies(monkeypatch):
    """What was asked for functions, and with which options; every answer is the same body."""
    asked: list[object] = []

    class Model:
        name = "scripted"

        def propose(self, task, count):
            asked.append((task.function.name, count, task.failed and task.failed.reason))
            return Proposed(("    return 10 * days",), Spent(model_calls=7, tokens_in=20, tokens_out=5))

    def chosen(base, **options):
        asked.append(options)
        return Model

    monkeypatch.setattr(code_models, "chosen_model", chosen)
    return asked


def test_a_function_that_cannot_be_written_is_reported(run, tmp_path, bodies):
    """The trusting sandbox never comes to the end of a trial, so no body passes."""
    file = tmp_path / "rules.py"
    file.write_text(FEE)
    words = ["anything", "--out", tmp_path / "tasks", "--function", file, "--samples", 4, "--repairs", 1]
    sandbox = Trusting(("kind: library", True), ("entity: Task", True))
    result = run(*words, "--session", "s", "--json", says=TASKS, sandbox=sandbox)
    assert result.exit_code == 3, result.output
    found = only_object(result)
    (fee,) = found["program"]["functions"]
    assert (fee["name"], fee["state"], fee["tried"], fee["repairs"]) == ("late_fee", "stub", 1, 1)
    assert [c["constraint"] for c in found["checks"] if not c["satisfied"]] == ["function: late_fee"]
    assert any("late_fee is not written" in warning for warning in found["warnings"])
    assert bodies[:2] == [{"endpoint": None, "name": None}, ("late_fee", 4, None)]
    assert bodies[2][2] and len(bodies) == 3, "the failure was shown once"
    assert found["usage"]["model_calls"] >= 14 and found["usage"]["tokens_in"] >= 40
    text = (tmp_path / "tasks/src/task_lib/logic.py").read_text()
    assert "# NOT WRITTEN" in text and "raise NotImplementedError" in text
    assert "xfail" in (tmp_path / "tasks/tests/test_logic.py").read_text()
    again = run("and due dates", "--session", "s", says=DUE)
    assert again.exit_code == 3 and "broken function: late_fee: not written" in again.stdout
    assert "NOT WRITTEN" in (tmp_path / "tasks/src/task_lib/logic.py").read_text(), "a session remembers them"


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (None, [], "cannot read"),
        ("\udcff", [], "cannot read"),
        ("def f(:", [], "not Python"),
        ("def f(x) -> int: ...\nassert f(1) == 1", [], "does not say the type of x"),
        (FEE, ["--endpoint", "nowhere", "--endpoint-model", "big"], "no address"),
        (FEE, ["--endpoint", "http://127.0.0.1:9/v1"], "which of its models"),
        (FEE, ["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "big"], "cannot be asked"),
        (FEE.replace("late_fee(days", "late_fee(l"), [], "ruff"),
    ],
)
def test_functions_that_cannot_be_used(run, tmp_path, text, options, reason):
    file = tmp_path / "rules.py"
    if text is not None:
        file.write_text(text, errors="surrogateescape")
    words = ["anything", "--out", tmp_path / "tasks", "--function", file, *options]
    result = run(*words, "--json", says=TASKS)
    assert result.exit_code == 2 and reason in only_object(result)["error"], result.output
    assert not (tmp_path / "tasks").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_folder_that_is_not_ours(run, tmp_path, as_json):
    (tmp_path / "mine.txt").write_text("mine")
    result = run("anything", "--out", tmp_path, *(["--json"] if as_json else []))
    assert result.exit_code == 2 and "not empty" in result.stderr
    if as_json:
        assert only_object(result)["program"] is None and "not empty" in only_object(result)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@needs_sandbox
@pytest.mark.parametrize("kind", ["rest_api", "cli", "library"])
def test_a_program_with_everything_does_what_was_asked(run, tmp_path, kind):
    call = (
        f"code | build {kind} | entity Shelf; label str | entity Book; title str, price float"
        " | entity Tag; name str | link Book belongs_to Shelf | link Book many_to_many Tag"
        " | with auth, pagination, search, filter, csv_export, soft_delete, timestamps, stats"
    )
    result = run("anything", "--out", tmp_path / "p", "--json", says=call, sandbox=find_sandbox())
    checks = only_object(result)["checks"]
    assert result.exit_code == 0, [check for check in checks if not check["satisfied"]]
    asked = {check["constraint"] for check in checks}
    assert {"its tests pass", "entity: Book", "relation: Book belongs_to Shelf", "feature: auth"} <= asked
    assert len(checks) == 2 + 1 + 3 + 3 + 8


SHORT = CodeArguments(kind="library", entities=(Entity(name="Task", fields={"title": "str"}),))


def checked(wanted, **changed):
    """The checks of the short program under what is wanted of it; ``changed``: module -> old and new text."""
    tool = code_tool(sandbox=find_sandbox)
    answer = tool.run(tool.prepare(SHORT, silent), silent)
    assert isinstance(answer, CodeAnswer)
    files = dict(answer.files)
    for module, (old, new) in changed.items():
        path = f"src/task_lib/{module}.py"
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    request = CodeRequest(call=wanted, specification=specified(wanted), warnings=(), given=CodeGiven())
    return verify(request, answer.model_copy(update={"files": files}), find_sandbox())


@needs_sandbox
def test_a_broken_program_is_found_out():
    """The probe believes the program, not what was rendered."""
    wanted = CodeArguments(
        kind="library",
        entities=(Entity(name="Task", fields={"title": "str", "due": "date"}),),
        features=("stats",),
    )
    broken = {check.constraint for check in checked(wanted) if not check.satisfied}
    assert broken == {"entity: Task", "feature: stats"}


@needs_sandbox
def test_checks_of_any_length_come_through():
    """A program of many records has more to tell than a sandbox keeps of what is printed."""
    stored = "refresh(row)\n        return self.read.model_validate(row)"
    long = ".model_copy(update={'title': 'x' * 100_000})"
    found = {check.constraint: check for check in checked(SHORT, service=(stored, stored + long))}
    assert "it answers" not in found
    assert not found["entity: Task"].satisfied and len(found["entity: Task"].evidence) > 100_000
