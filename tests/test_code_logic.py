"""Functions that no template knows: read from a file, written under their tests, repaired, kept, stubs.

What proposes bodies is scripted, so that every outcome is met; the sandbox, ruff and mypy are the real ones.
The local model is a tiny real decoder, and the endpoint a real server on this machine.
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lpm_model.sampling import Sampling
from planner.code_models import Endpoint, LocalModel, chosen_model, reading_base
from tests.programs import call, needs_sandbox, python, specified
from tests.talking import TOKENIZER, save_base, talking_model
from tools.code_writer.folder import write
from tools.code_writer.logic import (
    Failed,
    ModelRepairer,
    Proposed,
    Task,
    Written,
    body_of,
    judged,
    module_text,
    read_logic,
    write_bodies,
)
from tools.code_writer.logic.bodies import imports_of
from tools.code_writer.rendering import render
from tools.code_writer.tool import code_tool
from tools.code_writer.types import CodeAnswer, CodeGiven, CodeRequest
from tools.code_writer.verify import NOT_RUN
from tools.sandbox import find_sandbox
from tools.tool import BadInput, Spent, silent

FILE = '''"""Rules of a library."""
import datetime as dt
import pytest

DAILY = 10  # cents


def late_fee(days: int) -> int:
    """Fee of a late book in cents: 10 cents a day, at most 5 dollars.

    >>> late_fee(3)
    30
    >>> late_fee(100)
    500
    """


def due(day: dt.date, days: int = 14) -> dt.date: ...


def shown(cents: int) -> str:
    """Cents as dollars."""
    return f"{cents / 100:.2f} $"


assert late_fee(0) == 0


def test_due():
    # A loan is for two weeks.
    assert due(dt.date(2026, 1, 1)) == dt.date(2026, 1, 15)
    with pytest.raises(OverflowError):
        due(dt.date.max)
'''
FEE = "    # a day costs the same, whatever day it is\n    return min(days * DAILY, 500)"
DUE = "    return day + dt.timedelta(days=days)"


class Scripted:
    """Proposes what it is told to, batch after batch for each function, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, **batches):
        self.batches, self.asked = {name: list(every) for name, every in batches.items()}, []

    def propose(self, task, count):
        self.asked.append(task)
        every = self.batches[task.function.name]
        return Proposed(
            tuple(every.pop(0)) if every else (), Spent(model_calls=1, tokens_in=10, tokens_out=5)
        )


def clean(bodies):
    return ""


def functions_written(model, sandbox, there=None, repairs=2, complains=clean, repairer=None):
    return write_bodies(
        read_logic(FILE),
        model,
        repairer or ModelRepairer(model),
        sandbox,
        complains,
        there=there or {},
        samples=3,
        repairs=repairs,
        tell=lambda name: None,
    )


def test_a_file_is_read():
    logic = read_logic(FILE)
    fee, due = logic.functions
    assert (fee.name, fee.examples, fee.tests) == ("late_fee", 2, ("test_late_fee",))
    assert fee.head == "def late_fee(days: int) -> int:" and fee.docstring.startswith('    """Fee of a late')
    assert fee.asserted == ("assert late_fee(0) == 0",)
    assert (due.head, due.docstring, due.examples) == (
        "def due(day: dt.date, days: int = 14) -> dt.date:",
        "",
        0,
    )
    assert logic.imports == ("import datetime as dt",)
    assert logic.test_imports == ("import datetime as dt", "import pytest")
    assert logic.names == ("DAILY", "late_fee", "due", "shown")
    tests = dict(logic.tests)
    assert "def test_due() -> None:\n    # A loan is for two weeks." in tests["test_due"]
    assert "NOT WRITTEN" in module_text(logic, {"due": DUE}, {"late_fee": "no body"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(:\n", "line 1: not Python"),
        ("x = 1\0", "not Python"),
        ("", "none to write"),
        ("def f(x: int) -> int:\n    return x\n", "none to write"),
        ("def f(x: int) -> int: ...\n", "no example and no test"),
        ("def f(x) -> int:\n    '''\n    >>> f(1)\n    1\n    '''\n", "type of x"),
        ("def f(x: int):\n    '''\n    >>> f(1)\n    1\n    '''\n", "what it returns"),
        (
            "def f(x: int) -> int:\n    '''\n    >>> f(1)  # doctest: +SKIP\n    1\n    '''\n",
            "no example and no test",
        ),
        ("def f(x: int) -> int:\n    '''\n    >>>f(1)\n    1\n    '''\n", "cannot be read"),
        ("import numpy\n", "line 1: numpy is not in Python's standard library"),
        ("from . import other\n", "not in Python's standard library"),
        ("print('hello')\n", "line 1: only imports"),
        ("async def f() -> int: ...\n", "only imports"),
        ("def f() -> int: ...\ndef f() -> int: ...\n", "twice"),
        ("def f() -> int: ...\nassert True\n", "line 2: an assertion is about"),
        ("def f() -> int: ...\ndef test_f(x):\n    assert f() == x\n", "takes no arguments"),
        ("x = 1\n" * 30_000, "letters"),
    ],
)
def test_a_file_that_cannot_be_used(text, reason):
    with pytest.raises(BadInput, match=reason):
        read_logic(text)


def test_a_body_is_found_as_it_stands():
    source = f'import math\n\n\ndef f(x: int) -> int:\n    """Doc."""\n{FEE}\n\n\ny = 1\n'
    assert body_of(source, "f") == FEE
    assert body_of("def f(x):\n  if x:\n    return 1", "f") == "    if x:\n        return 1"
    assert body_of("def f(x): return x", "f") == "    return x"
    assert body_of("def f(x):\n    'only this'", "f") is None
    assert body_of("def g(x): return x", "f") is None and body_of("not Python", "f") is None
    assert imports_of(source) == ("import math",) and imports_of("not Python") == ()


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "passed", "reason"),
    [
        (FEE, 3, ""),
        ("    return days * DAILY", 2, "late_fee(100) gives 1000, not 500"),
        ("    return 1 if days == 0 else min(days * 10, 500)", 2, "the left side is 1"),
        ("    return day", 0, "late_fee(3) raises NameError: name 'day' is not defined"),
        ("    return (", 0, "it is not Python"),
        ("    pass\ndef other(): pass", 0, "no body of a function"),
        ("", 0, "no"),
        ("    import numpy\n    return 0", 0, "it imports numpy"),
        ("    import os\n    os._exit(0)", 0, "it ends the program"),
        ("    raise SystemExit", 0, "SystemExit"),
        ("    print('{}')\n    return min(days * DAILY, 500)", 1, "gives {} 30, not 30"),
        ("    open('/etc/hostname').read()\n    return min(days * DAILY, 500)", 0, "late_fee"),
    ],
)
def test_a_body_is_judged_by_what_it_does(body, passed, reason):
    logic, sandbox = read_logic(FILE), find_sandbox()
    assert sandbox is not None
    failed = judged(logic, {}, logic.functions[0], body, sandbox)
    if not reason:
        assert failed is None
    else:
        assert failed is not None and failed.body == body
        assert reason in failed.reason and failed.passed == passed


@needs_sandbox
def test_an_example_to_be_skipped_does_not_count():
    logic = read_logic(FILE.replace(">>> late_fee(3)\n", ">>> late_fee(3)  # doctest: +SKIP\n"))
    sandbox = find_sandbox()
    assert sandbox is not None and logic.functions[0].examples == 1
    assert judged(logic, {}, logic.functions[0], FEE, sandbox) is None


@needs_sandbox
def test_the_first_right_body_of_several_is_taken():
    model = Scripted(late_fee=[["    return 0", FEE, "    return min(10 * days, 500)"]], due=[[DUE]])
    (fee, due), spent = functions_written(model, find_sandbox())
    assert (fee.state, fee.body, fee.tried, fee.repairs) == ("written", FEE, 3, 0)
    assert (due.state, due.body) == ("written", DUE)
    assert spent == Spent(model_calls=2, tokens_in=20, tokens_out=10)
    assert FEE in model.asked[1].before and "DAILY = 10  # cents" in model.asked[0].before


@needs_sandbox
def test_a_failure_is_read_and_repaired_and_every_call_counted():
    wrong = ["    return 0", "    return days * DAILY", "    return ("]
    model = Scripted(late_fee=[wrong, ["    return 1"], [FEE]], due=[[DUE]])
    (fee, _), spent = functions_written(model, find_sandbox())
    assert (fee.state, fee.repairs) == ("written", 2) and spent.model_calls == 4
    # The body that passed most is what is repaired.
    reasons = [task.failed and task.failed.reason for task in model.asked]
    assert reasons == [None, "late_fee(100) gives 1000, not 500", "late_fee(100) gives 1000, not 500", None]


@needs_sandbox
def test_another_repairer():
    class Rules:
        def repair(self, task, failed, count):
            return Proposed((failed.body.replace("DAILY", "DAILY if days < 50 else 500"),), Spent())

    model = Scripted(late_fee=[["    return days * DAILY"]], due=[[DUE]])
    (fee, _), spent = functions_written(model, find_sandbox(), repairer=Rules())
    assert fee.body == "    return days * DAILY if days < 50 else 500" and spent.model_calls == 2


@needs_sandbox
@pytest.mark.parametrize("repairs", [0, 2])
def test_what_is_never_right_is_a_stub(repairs):
    model = Scripted(late_fee=[["    return 0"]] * 9, due=[[]])
    (fee, due), _ = functions_written(model, find_sandbox(), repairs=repairs)
    assert (fee.state, fee.body, fee.repairs) == ("stub", "", repairs)
    assert fee.reason == "late_fee(3) gives 0, not 30"
    assert (due.state, due.reason) == ("stub", "the model wrote nothing")


@needs_sandbox
def test_what_stands_there_stays_if_it_is_right():
    model = Scripted(due=[[DUE]])
    (fee, due), spent = functions_written(
        model, find_sandbox(), there={"late_fee": FEE, "due": "    return day"}
    )
    assert (fee.state, fee.body, due.state) == ("kept", FEE, "written") and spent.model_calls == 1


@needs_sandbox
def test_style_and_types_count_too():
    def complains(bodies):
        return "" if "total" not in bodies.get("late_fee", "") else "mypy: wrong"

    ugly = "    total = min(days * DAILY, 500)\n    return total"
    model = Scripted(late_fee=[[ugly], [FEE]], due=[[DUE]])
    (fee, _), _ = functions_written(model, find_sandbox(), complains=complains)
    assert fee.body == FEE and model.asked[1].failed == Failed(ugly, 3, "mypy: wrong")


def test_imports_that_only_examples_need_stay(tmp_path):
    """Or that the body needs that is still to be written."""
    text = """import math
import datetime as dt

def area(radius: float) -> float:
    '''
    >>> area(2) == 4 * math.pi
    True
    '''

def year(days: int) -> int: ...
assert year(0) > 2000
"""
    body = "    return 3.141592653589793 * radius**2"
    done = [
        Written(name="area", state="written", body=body),
        Written(name="year", state="stub", reason="no body"),
    ]
    for path, content in render(specified(call("library")), read_logic(text), done).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    tested = python(tmp_path, "-m", "pytest", "tests/test_logic.py")
    assert tested.returncode == 0 and "1 passed, 1 xfailed" in tested.stdout, tested.stdout[-4000:]
    (logic,) = tmp_path.glob("src/*/logic.py")
    assert "import datetime as dt\nimport math\n" in logic.read_text()
    assert python(tmp_path, "-m", "ruff", "check").returncode == 0


ONLY_FEE = FILE[: FILE.index("def due")] + "assert late_fee(0) == 0\n"


@needs_sandbox
def test_a_program_with_functions(tmp_path):
    """One is written and one is not; then the person writes it, and a later turn keeps both."""
    out = tmp_path / "program"
    untyped = "    values = []\n    return min(days * DAILY, 500) + len(values)"
    model = Scripted(late_fee=[[untyped, FEE]], due=[["    return day"]] * 3)
    given = CodeGiven(out=out, functions=FILE, samples=2, repairs=1)
    tool = code_tool(given, model=lambda: model)
    request = tool.prepare(call("library"), silent)
    assert isinstance(request, CodeRequest)
    answer = tool.run(request, silent)
    assert isinstance(answer, CodeAnswer)
    assert [found.state for found in answer.functions] == ["written", "stub"]
    assert answer.functions[0].body == FEE, "mypy finds the untyped list"
    assert tool.spent(answer).model_calls == 3
    assert any(warning.startswith("due is not written") for warning in answer.warnings)
    checks = {check.constraint: check for check in tool.verify(request, answer)}
    broken = [check.constraint for check in checks.values() if not check.satisfied]
    assert broken == ["function: due"] and "1 xfailed" in checks["its tests pass"].evidence
    assert "all of its 3 examples and tests hold" in checks["function: late_fee"].evidence

    write(out, answer.package, answer.files)
    for words in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        done = python(out, "-m", *words)
        assert done.returncode == 0, (words, done.stdout[-4000:])
    file = out / "src" / answer.package / "logic.py"
    text = file.read_text()
    assert "# NOT WRITTEN" in text and "NOT WRITTEN" in (out / "README.md").read_text()
    begin = text.index("    # NOT WRITTEN")
    file.write_text(text[:begin] + DUE + text[text.index("\n\n\ndef shown") :])
    silent_model = Scripted()
    later = code_tool(given, model=lambda: silent_model)
    request = later.prepare(call("library", ("stats",)), silent)
    assert isinstance(request, CodeRequest)
    again = later.run(request, silent)
    assert isinstance(again, CodeAnswer)
    assert [found.state for found in again.functions] == ["kept", "kept"] and not silent_model.asked
    changed = {change.path: change.kind for change in again.changes}
    assert f"src/{answer.package}/logic.py" not in changed, "what the person wrote is what is wanted"
    assert changed["tests/test_logic.py"] == "changed" and "xfail" not in again.files["tests/test_logic.py"]


def test_nothing_is_run_without_a_sandbox():
    model = Scripted()
    tool = code_tool(CodeGiven(functions=ONLY_FEE), sandbox=lambda: None, model=lambda: model)
    request = tool.prepare(call("library"), silent)
    assert isinstance(request, CodeRequest)
    answer = tool.run(request, silent)
    assert isinstance(answer, CodeAnswer)
    (fee,) = answer.functions
    assert (fee.state, fee.reason) == ("stub", NOT_RUN) and not model.asked
    assert "function: late_fee" in [check.constraint for check in tool.verify(request, answer)]


def test_functions_that_mypy_refuses_are_the_persons_to_mend():
    text = ONLY_FEE.replace("DAILY = 10  # cents", 'DAILY: int = "ten"')
    tool = code_tool(CodeGiven(functions=text), model=Scripted)
    request = tool.prepare(call("library"), silent)
    assert isinstance(request, CodeRequest)
    with pytest.raises(BadInput, match="mypy"):
        tool.run(request, silent)


def task(failed=None):
    logic = read_logic(FILE)
    return Task(logic.functions[0], "DAILY = 10", failed)


def test_a_local_model_writes_and_counts():
    made = [LocalModel(talking_model().fold(), TOKENIZER, Sampling(max_tokens=12)) for _ in range(2)]
    first, second = (model.propose(task(), 3) for model in made)
    assert first == second and len(first.bodies) == 3
    assert 0 < first.spent.model_calls <= 12 and 0 < first.spent.tokens_out <= 36
    shown = made[0].propose(task(Failed("    return 0", 0, "late_fee(3) gives 0, not 30")), 1)
    assert shown.spent.tokens_in > first.spent.tokens_in, "the failure is read, too"


def test_a_function_that_does_not_fit_the_window():
    model = LocalModel(talking_model().fold(), TOKENIZER, Sampling(max_tokens=500))
    assert model.propose(task(), 3) == Proposed((), Spent())


def test_a_base_without_an_adapter_writes_but_does_not_read(tmp_path):
    base = save_base(tmp_path / "base")
    assert reading_base(base) is None
    (base / "adapter.safetensors").write_bytes(b"")
    assert reading_base(base) == base and reading_base(None) is None
    assert chosen_model(base)().propose(task(), 1).spent.model_calls > 0


ANSWER = """Here it is:
```python
import math

def late_fee(days: int) -> int:
    'Doc'
    return 5
```
Done."""


@pytest.fixture
def served():
    """A server that answers in OpenAI's form, one choice a request, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        reply = staticmethod(lambda: (200, {"choices": [{"message": {"content": ANSWER}}]}))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers.get("Authorization"), body))
            code, said = Handler.reply()
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/", asked, Handler
    server.shutdown()
    server.server_close()


def test_an_endpoint_is_asked_until_it_has_given_enough(served, monkeypatch):
    address, asked, handler = served
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    handler.reply = staticmethod(
        lambda: (200, {"choices": [{"message": {"content": ANSWER}}], "usage": usage})
    )
    monkeypatch.setenv("LPM_ENDPOINT_KEY", "secret")
    found = chosen_model(None, endpoint=address, name="big")().propose(task(), 2)
    assert found.bodies == ("    import math\n    return 5",) * 2
    assert found.spent == Spent(model_calls=2, tokens_in=14, tokens_out=6)
    path, key, body = asked[0]
    assert (path, key, body["model"], body["n"]) == ("/v1/chat/completions", "Bearer secret", "big", 2)
    assert "def late_fee(days: int) -> int:" in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [((503, {"error": "busy"}), "refuses"), ((200, {"choices": []}), "form"), ((200, [1]), "form")],
)
def test_an_endpoint_that_fails(served, reply, reason):
    address, _, handler = served
    handler.reply = staticmethod(lambda: reply)
    with pytest.raises(OSError, match=reason):
        Endpoint(address, "big").propose(task(), 1)


def test_an_endpoint_that_does_not_speak_http():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as asking:
                asking.recv(65_536)
                asking.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(OSError, match="cannot be asked"):
            Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/v1", "big").propose(task(), 1)


@pytest.mark.parametrize("address", ["http://a b/v1", "http://a..b/v1", "http://127.0.0.1:9/ä/v1"])
def test_an_endpoint_whose_address_is_not_possible(address):
    with pytest.raises(OSError, match="cannot be asked"):
        Endpoint(address, "big").propose(task(), 1)


def test_an_endpoint_that_is_not_there():
    with pytest.raises(OSError, match="cannot be asked"):
        Endpoint("http://127.0.0.1:9/v1", "big").propose(task(), 1)


@pytest.mark.parametrize(
    ("endpoint", "name", "reason"),
    [
        ("ftp://here/v1", "big", "no address"),
        ("nowhere", "big", "no address"),
        ("http://[", "big", "no address"),
        ("http://localhost:80a/v1", "big", "no address"),
        ("http://localhost:65536/v1", "big", "no address"),
        ("http://here/v1", None, "which of its models"),
        (None, "big", "no endpoint"),
    ],
)
def test_options_of_an_endpoint(endpoint, name, reason):
    with pytest.raises(BadInput, match=reason):
        chosen_model(None, endpoint=endpoint, name=name)
