"""Written programs: ruff, mypy, their own tests and the probe of every wish.

For each kind of program six are run in the sandbox that let any two features meet in all four ways (on-on,
on-off, off-on, off-off): their tests pass, the probe finds every record, relation and feature, and ruff and
mypy (strict) find nothing in their code, nor in the tests of the one with every feature. Beyond that
every single feature and every pair with nothing else is rendered for each kind, which includes ruff, and
compiled. Names and sizes that a person may come up with are tried on the specification by hypothesis, and the
worst of them on a whole program.
"""

import ast
import keyword
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations, product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.programs import KINDS, ROWS, call, needs_sandbox, python, specified, written
from tools.code_writer.arguments import FEATURES, TYPES, CodeArguments, Entity
from tools.code_writer.names import reserved_field
from tools.code_writer.rendering import render
from tools.code_writer.resolve import Resolved, resolve
from tools.code_writer.specification import Specification
from tools.code_writer.types import CodeAnswer, CodeGiven, CodeRequest
from tools.code_writer.verify import verify
from tools.sandbox import find_sandbox


def test_the_programs_let_any_two_features_meet_in_all_ways():
    for one, two in combinations(FEATURES, 2):
        assert {(one in row, two in row) for row in ROWS} == set(product((True, False), repeat=2)), (one, two)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Kind and number of the row -> folder of the program."""
    root = tmp_path_factory.mktemp("programs")
    return {
        (kind, number): written(root / f"{kind}_{number}", call(kind, row), f"{kind}_{number}")
        for kind in KINDS
        for number, row in enumerate(ROWS)
    }


@needs_sandbox
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_features_meet_their_tests_pass_and_the_probe_finds_them(kind):
    sandbox = find_sandbox()

    def checked(row):
        arguments = call(kind, row)
        request = CodeRequest(
            call=arguments, specification=specified(arguments), warnings=(), given=CodeGiven()
        )
        files = render(request.specification)
        package = request.specification.package
        answer = CodeAnswer(package=package, files=files, changes=(), diff="", warnings=())
        return verify(request, answer, sandbox)

    with ThreadPoolExecutor(2) as pool:
        for row, checks in zip(ROWS, pool.map(checked, ROWS), strict=True):
            assert not [check for check in checks if not check.satisfied], sorted(row)
            asked = {check.constraint for check in checks}
            assert {"its tests pass", "entity: Book", "relation: Book belongs_to Author"} <= asked
            assert {f"feature: {feature}" for feature in row} == {
                name for name in asked if name.startswith("feature: ")
            }


def test_ruff_finds_nothing_in_their_code(programs, tmp_path):
    folders = programs.values()
    for words in (("check",), ("format", "--check")):
        done = python(tmp_path, "-m", "ruff", *words, "--no-cache", *folders)
        assert done.returncode == 0, (words, done.stdout[-4000:])


def test_mypy_finds_nothing_in_their_code(programs, tmp_path):
    path = ":".join(str(folder / "src") for folder in programs.values())
    packages = chain(*(("-p", f"{kind}_{number}") for kind, number in programs))
    done = python(tmp_path, "-m", "mypy", "--strict", *packages, MYPYPATH=path)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("kind", KINDS)
def test_the_style_of_a_program_with_everything_is_its_own(kind, tmp_path_factory):
    folder = written(tmp_path_factory.mktemp(kind), call(kind, FEATURES))
    cache = tmp_path_factory.getbasetemp() / "mypy"
    for words in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--cache-dir", cache)):
        done = python(folder, "-m", *words)
        assert done.returncode == 0, (words, done.stdout[-4000:])


@pytest.mark.parametrize("kind", KINDS)
def test_every_feature_and_every_pair_is_rendered(kind):
    alone = [(feature,) for feature in FEATURES]
    note = (Entity(name="Note", fields={"title": "str", "count": "int"}),)
    for features in [*alone, *combinations(FEATURES, 2)]:
        files = render(specified(call(kind, features, note, ())))
        for path, text in files.items():
            if path.endswith(".py"):
                compile(text, path, "exec")
        for feature in set(features) - {"auth", "filter"}:
            assert f"src/note_{kind.removeprefix('rest_')[:3]}/features/{feature}.py" in files
        assert len([path for path in files if "/features/" in path]) == len(
            set(features) - {"auth", "filter"}
        ) + bool(set(features) - {"auth", "filter"})


NAMES = st.text(min_size=1, max_size=30) | st.sampled_from(
    [
        *keyword.kwlist,
        "Query",
        "Settings",
        "Auth",
        "int",
        "metadata",
        "id",
        "'; DROP TABLE users; --",
        "naïve",
        "ß",
        "Item",
        "Links",
        "Model",
    ]
)
KIND_OF_FIELD = st.sampled_from(TYPES) | st.lists(
    st.text(st.characters(exclude_characters=",()"), min_size=1, max_size=10), min_size=1, max_size=4
).map(lambda values: f"enum({','.join(values)})")


@st.composite
def calls(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=5))
    entities = tuple(
        Entity(name=name, fields=draw(st.dictionaries(NAMES, KIND_OF_FIELD, max_size=4))) for name in names
    )
    one = st.sampled_from(names)
    relation = st.tuples(one, st.sampled_from(["belongs_to", "many_to_many"]), one)
    relations = tuple(draw(st.lists(relation, max_size=6)))
    features = tuple(sorted(draw(st.sets(st.sampled_from(FEATURES)))))
    return CodeArguments(
        kind=draw(st.sampled_from(KINDS)), entities=entities, relations=relations, features=features
    )


@given(calls())
@example(CodeArguments(kind="rest_api", entities=(Entity(name="A", fields={}),)))
def test_every_name_becomes_safe_or_is_asked_about(arguments):
    found = resolve(arguments)
    if not isinstance(found, Resolved):
        assert found and all(question.reason for question in found)
        return
    program = found.specification
    entities, done = program.entities, set[str]()
    for names in (
        [entity.name for entity in entities],
        [entity.module for entity in entities],
        [entity.plural for entity in entities],
        [field.enum for entity in entities for field in entity.enums],
        [table for table, _, _ in program.tables],
    ):
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name.isascii() and not keyword.iskeyword(name) for name in names)
    for entity in entities:
        fields = [field.name for field in entity.fields] + [r.name for r in entity.references]
        assert entity.fields and len(set(fields)) == len(fields)
        assert all(name.isidentifier() and not reserved_field(name) for name in fields)
        for link in entity.links:
            assert link.own != link.other
        for reference in entity.references:
            assert not reference.required or reference.target in done
        done.add(entity.name)


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(calls())
def test_whatever_is_asked_for_is_python(arguments):
    found = resolve(arguments)
    if isinstance(found, Resolved):
        for path, text in render(found.specification).items():
            if path.endswith(".py"):
                ast.parse(text, path)


def test_names_that_python_and_sql_keep_for_themselves(tmp_path):
    fields = dict.fromkeys(
        ("class", "select", "true", "metadata", "len", "given", "json", "output", "as_json"), "str"
    )
    entities = (
        Entity(name="List", fields=fields),
        Entity(name="Order", fields={"read": "enum(a,b)", "item_status": "enum(None,class,1st,ä,'\")"}),
        Entity(name="OrderItem", fields={"status": "enum(a,b)"}),
        Entity(name="Fastapi", fields={"name": "str"}),
        Entity(name="Größe", fields={"naïve größe": "int"}),
        Entity(name="People", fields={"robert'); drop table students; --": "str"}),
        Entity(name="Person", fields={"name": "str"}),
    )
    related = (
        ("List", "belongs_to", "Order"),
        ("Order", "belongs_to", "OrderItem"),
        ("OrderItem", "belongs_to", "Order"),
        ("Person", "belongs_to", "Person"),
        ("Person", "many_to_many", "Person"),
        ("Person", "many_to_many", "People"),
        ("People", "many_to_many", "Person"),
    )
    found = resolve(call("rest_api", FEATURES, entities, related))
    assert isinstance(found, Resolved)
    assert any("said twice" in warning for warning in found.warnings)
    assert any("may be made without" in warning for warning in found.warnings)
    folder = written(tmp_path, call("rest_api", FEATURES, entities, related))
    tests = ["test_program.py", "entities/test_list_route.py", "entities/test_list_service.py"]
    tests += [f"entities/test_{name}_service.py" for name in ("order", "grosse", "people", "person")]
    tested = python(folder, "-m", "pytest", "--tb=short", *(f"tests/{name}" for name in tests))
    assert tested.returncode == 0, tested.stdout[-4000:]


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_the_program_has_already(kind, tmp_path):
    """An id of an item, lists of items, pages and figures, and tables of links."""
    names = ("Item", "Links", "Page", "Loan", "Model")
    entities = tuple(Entity(name=name, fields={"label": "str"}) for name in names)
    related = (
        ("Loan", "belongs_to", "Item"),
        ("Loan", "belongs_to", "Model"),
        ("Links", "many_to_many", "Item"),
        ("Item", "many_to_many", "Page"),
    )
    arguments = call(kind, ("pagination", "stats"), entities, related)
    found = resolve(arguments)
    assert isinstance(found, Resolved)
    assert [r.name for e in found.specification.entities for r in e.references] == [
        "loan_item_id",
        "loan_model_id",
    ]
    assert "what says which Item Loan belongs to is called loan_item_id" in found.warnings
    folder = written(tmp_path, arguments)
    tested = python(folder, "-m", "pytest", "--tb=short")
    assert tested.returncode == 0, tested.stdout[-4000:]


ASKED_OVER_HTTP = r"""
import sys
from fastapi.testclient import TestClient
from author_api.main import app

BAD = [
    '{"price": 1e999}', '{"price": NaN}', '{"name": "\\ud800"}', '{"\\ud800": 1}',
    '{"added": "0001-01-01T00:00:00+14:00"}',
]
with TestClient(app) as client:
    for text in BAD:
        answer = client.post("/authors", content=text)
        print(answer.status_code, sorted(answer.json()["detail"][0]))
    answer = client.get("/authors", params={"added_min": "0001-01-01T00:00:00+14:00"})
    print(answer.status_code, answer.json()["detail"][0]["loc"])
"""


def test_an_api_refuses_what_it_cannot_send_back(tmp_path):
    fields = {"name": "str", "price": "float", "added": "datetime"}
    folder = written(tmp_path, call("rest_api", ("filter",), (Entity(name="Author", fields=fields),), ()))
    done = python(folder, "-c", ASKED_OVER_HTTP, PYTHONPATH="src", AUTHOR_API_DATABASE="a.sqlite")
    expected = ["422 ['loc', 'msg', 'type']"] * 5 + ["422 ['query', 'added_min']"]
    assert done.stdout.splitlines() == expected, done.stderr[-4000:]


EXPORTED = """
import csv, io
from author_lib import AuthorCreate, AuthorQuery, Store

with Store("a.sqlite") as store:
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\\t=1", "\\r=1", "\\n=1", "a=1", "1-1"):
        store.authors.create(AuthorCreate(name=name, born=-5, rating=-0.5))
    header, *rows = csv.reader(io.StringIO("".join(store.authors.export_csv(AuthorQuery())), newline=""))
    print([dict(zip(header, row))["name"] for row in rows])
    print({(dict(zip(header, row))["born"], dict(zip(header, row))["rating"]) for row in rows})
"""


def test_a_csv_file_holds_no_formulas_but_every_number(tmp_path):
    fields = {"name": "str", "born": "int", "rating": "float"}
    arguments = call("library", ("csv_export",), (Entity(name="Author", fields=fields),), ())
    done = python(written(tmp_path, arguments), "-c", EXPORTED, PYTHONPATH="src")
    names, numbers = done.stdout.splitlines()
    cells = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", "'\n=1", "a=1", "1-1"]
    assert ast.literal_eval(names) == cells
    assert ast.literal_eval(numbers) == {("-5", "-0.5")}


LOCKED = """
import sqlite3
import sqlalchemy as sa
from author_lib import AuthorCreate, AuthorQuery, AuthorUpdate, NotAllowed, Store, TagCreate

@sa.event.listens_for(sa.Engine, "connect")
def impatient(connection, record):
    connection.execute("PRAGMA busy_timeout = 1")

with Store("a.sqlite") as store:
    store.register("ada", "correct horse")
    store.log_in("ada", "correct horse")
    authors, tag = store.authors, store.tags.create(TagCreate(name="t")).id
    made = authors.create(AuthorCreate(name="one")).id
    authors.link_tag(made, tag)
    other = sqlite3.connect("a.sqlite", isolation_level=None)
    for change in (
        lambda: authors.create(AuthorCreate(name="two")),
        lambda: authors.update(made, AuthorUpdate(name="two")),
        lambda: authors.delete(made),
        lambda: authors.link_tag(made, tag),
        lambda: authors.unlink_tag(made, tag),
        lambda: store.register("bob", "correct horse"),
    ):
        other.execute("BEGIN IMMEDIATE")
        try:
            change()
        except sa.exc.OperationalError as error:
            print("locked" in str(error), end=" ")
        other.execute("ROLLBACK")
        print([author.name for author in authors.find(AuthorQuery())], len(authors.list_tags(made)))
    store.log_out()
    try:
        authors.find(AuthorQuery())
    except NotAllowed as error:
        print(error)
"""


@pytest.mark.parametrize("features", [("auth",), ("auth", "soft_delete")])
def test_a_library_is_of_use_after_an_error_and_of_none_after_log_out(tmp_path, features):
    entities = tuple(Entity(name=name, fields={"name": "str"}) for name in ("Author", "Tag"))
    arguments = call("library", features, entities, (("Author", "many_to_many", "Tag"),))
    done = python(written(tmp_path, arguments), "-c", LOCKED, PYTHONPATH="src")
    assert done.stdout.splitlines() == ["True ['one'] 1"] * 6 + ["log in first"], done.stderr[-4000:]


KEYS = """
import os
import secrets
from pathlib import Path
from author_cli.errors import ProgramError
from author_cli.settings import Settings

def interrupted(count):
    raise KeyboardInterrupt

settings, file = Settings(database=Path("a.sqlite")), Path("a.key")
token_hex, link = secrets.token_hex, os.link
secrets.token_hex = interrupted
try:
    settings.signing_key()
except KeyboardInterrupt:
    print(*Path().glob("*.key"))
secrets.token_hex = token_hex
key = settings.signing_key()
print(len(key), settings.signing_key() == key, oct(file.stat().st_mode & 0o777), *Path().glob("*.key"))
file.unlink()

def late(source, target):
    file.write_text("of another process")
    link(source, target)

os.link = late
print(settings.signing_key(), *Path().glob("*.key"))
file.write_text("\\n")
try:
    print(settings.signing_key())
except ProgramError as error:
    print(error)
"""


def test_the_key_of_tokens_is_whole_or_refused(tmp_path):
    """Whoever knows that it is empty can sign a token for anybody."""
    arguments = call("cli", ("auth",), (Entity(name="Author", fields={"name": "str"}),), ())
    done = python(written(tmp_path, arguments), "-c", KEYS, PYTHONPATH="src")
    assert done.stdout.splitlines() == [
        "",
        "64 True 0o600 a.key",
        "of another process a.key",
        "a.key is empty: remove it, and a key is made when one is needed",
    ], done.stderr[-4000:]


def test_numbers_that_no_record_has(tmp_path):
    """They are greater than what SQLite holds."""
    folder = written(tmp_path, call("cli"))
    words = ("book", "show"), ("book", "edit"), ("book", "remove"), ("book", "link-author", 1)
    for word in words:
        done = python(folder, "-m", "author_cli.main", *word, 10**20, PYTHONPATH="src")
        assert done.returncode == 2 and "Invalid value for" in done.stderr, done.stderr[-4000:]
    script = """
from author_cli import database, errors, migrate
from author_cli.services.author import AuthorService
from pathlib import Path
from sqlalchemy import orm
migrate.migrate(Path("a.sqlite"))
with orm.Session(database.make_engine(Path("a.sqlite"))) as session:
    try:
        AuthorService(session).get(10**20)
    except errors.NotFound as error:
        print(error)
"""
    assert "there is no author" in python(folder, "-c", script, PYTHONPATH="src").stdout


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": None}, "what to build"),
        ({"entities": ()}, "no kind of record"),
        ({"entities": (Entity(name="笔记"),)}, "Latin letters"),
        ({"entities": (Entity(name="Task"), Entity(name="task"))}, "same name"),
        ({"entities": (Entity(name="N" * 60),)}, "longer than"),
        ({"entities": (Entity(name="A", fields={"x": "money"}),)}, "no type"),
        ({"entities": (Entity(name="A", fields={"b c": "str", "b-c": "str"}),)}, "two fields"),
        ({"entities": (Entity(name="A", fields={"x": "enum()"}),)}, "not understood"),
        ({"relations": (("Book", "belongs_to", "Shop"),)}, "not among the records"),
        ({"relations": (("Book", "eats", "Author"),)}, "no relation"),
        ({"features": ("magic",)}, "no feature"),
        ({"entities": tuple(Entity(name=f"E{number}") for number in range(201))}, "too many"),
    ],
)
def test_what_cannot_be_built_is_asked(changes, reason):
    found = resolve(call("cli").model_copy(update=changes))
    assert isinstance(found, tuple) and reason in found[0].reason


@pytest.mark.parametrize("package", ["../victim", "/tmp/victim", "a.b", "class", "größe", ""])
def test_a_package_is_a_name_that_can_be_imported(package):
    """It is a folder of the program: what a manifest says may not lead elsewhere."""
    with pytest.raises(ValidationError, match="no name of a Python package"):
        Specification(package=package, kind="cli", entities=())


def test_two_hundred_kinds_of_records():
    entities = tuple(Entity(name=f"Thing{number}", fields={"name": "str"}) for number in range(200))
    chain_of = tuple((f"Thing{n}", "belongs_to", f"Thing{n - 1}") for n in range(1, 200))
    program = specified(call("library", ("pagination",), entities, chain_of))
    files = render(program)
    assert len([path for path in files if "/models/thing" in path]) == 200
    for path, text in files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
