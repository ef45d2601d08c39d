"""Looks at a written program from outside: runs alone, in the sandbox, in the program's folder.

    python probe.py PLAN CHECKS

PLAN is a JSON file: ``tools.code_writer.verify`` says what stands in it. CHECKS is a file to be written: a
JSON list of checks.
Only what the program itself answers counts: over HTTP and in its OpenAPI, on its command line, or from its
classes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Plan = dict[str, Any]
Entity = dict[str, Any]
Record = dict[str, Any]
WHO = {"username": "prober", "password": "a long password"}
SAMPLES: dict[str, Callable[[str, int], Any]] = {
    "str": lambda name, n: f"{name} {n}",
    "text": lambda name, n: f"{name} {n} at length",
    "int": lambda name, n: n,
    "float": lambda name, n: n + 0.25,
    "bool": lambda name, n: n % 2 == 0,
    "date": lambda name, n: f"2026-02-{n:02}",
    "datetime": lambda name, n: f"2026-02-{n:02}T08:15:00Z",
    "email": lambda name, n: f"probe{n}@example.com",
}


class Missing(Exception):
    """Something that should be there is not; the message says what."""


def expect(holds: object, evidence: str) -> None:
    """Go on only if something holds."""
    if not holds:
        raise Missing(evidence)


class Http:
    """A REST API, asked over HTTP."""

    def __init__(self, plan: Plan) -> None:
        from fastapi.testclient import TestClient

        self._client = TestClient(importlib.import_module(f"{plan['package']}.main").app)
        self._client.__enter__()
        self.plan = plan
        self.paths: dict[str, Any] = self._ask("GET", "/openapi.json", 200)["paths"]
        self.refused = 0
        if "auth" in plan["features"]:
            self._log_in()

    def _ask(self, method: str, path: str, wanted: int, **more: Any) -> Any:
        answer = self._client.request(method, path, **more)
        expect(
            answer.status_code == wanted, f"{method} {path} answers {answer.status_code}: {answer.text[:200]}"
        )
        kind = answer.headers.get("content-type", "")
        return answer.json() if answer.content and kind.startswith("application/json") else answer.text

    def _log_in(self) -> None:
        for entity in self.plan["entities"]:
            self._ask("GET", self._path(entity), 401)
            self.refused += 1
        self._ask("POST", "/auth/register", 201, json=WHO)
        token = self._ask("POST", "/auth/token", 200, data=WHO)["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def _path(self, entity: Entity) -> str:
        path = f"/{entity['path']}"
        expect(path in self.paths, f"OpenAPI has no {path}")
        return path

    def auth(self) -> str:
        """Nobody unknown gets in."""
        return f"{self.refused} addresses answer 401 without a token, POST /auth/token gives one"

    def make(self, entity: Entity, values: Record) -> Record:
        """Store a record."""
        return dict(self._ask("POST", self._path(entity), 201, json=values))

    def get(self, entity: Entity, number: int) -> Record:
        """Read a record."""
        return dict(self._ask("GET", f"{self._path(entity)}/{number}", 200))

    def edit(self, entity: Entity, number: int, values: Record) -> Record:
        """Change a record."""
        return dict(self._ask("PATCH", f"{self._path(entity)}/{number}", 200, json=values))

    def remove(self, entity: Entity, number: int) -> None:
        """Remove a record."""
        self._ask("DELETE", f"{self._path(entity)}/{number}", 204)

    def restore(self, entity: Entity, number: int) -> None:
        """Bring a record back."""
        self._ask("POST", f"{self._path(entity)}/{number}/restore", 200)

    def refuses(self, entity: Entity, values: Record) -> bool:
        """Whether a record cannot be stored."""
        return int(self._client.post(self._path(entity), json=values).status_code) == 422

    def find(self, entity: Entity, **query: Any) -> list[Record]:
        """List records."""
        found = self._ask("GET", self._path(entity), 200, params=query)
        return list(found["items"] if "pagination" in self.plan["features"] else found)

    def csv(self, entity: Entity) -> str:
        """Records as CSV."""
        return str(self._ask("GET", f"{self._path(entity)}/export.csv", 200))

    def count(self, entity: Entity) -> int:
        """How many records the statistics count."""
        return int(self._ask("GET", f"{self._path(entity)}/stats", 200)["count"])

    def link(self, entity: Entity, link: Record, number: int, other: int) -> list[int]:
        """Let two records go together; the ids of all that go with the first."""
        path = f"{self._path(entity)}/{number}/{link['many'].replace('_', '-')}"
        self._ask("PUT", f"{path}/{other}", 204)
        return [row["id"] for row in self._ask("GET", path, 200)]


class Command:
    """A command-line tool, called as a person calls it."""

    def __init__(self, plan: Plan) -> None:
        from typer.testing import CliRunner

        self._app, self._runner = importlib.import_module(f"{plan['package']}.main").app, CliRunner()
        self.plan, self.refused = plan, 0
        if "auth" in plan["features"]:
            for entity in plan["entities"]:
                expect(self._run(entity["command"], "list").exit_code == 1, "a stranger may list records")
                self.refused += 1
            for word in ("register", "login"):
                words = ("auth", word, WHO["username"], "--password", WHO["password"])
                expect(self._run(*words).exit_code == 0, f"auth {word} fails")

    def _run(self, *words: Any) -> Any:
        return self._runner.invoke(self._app, [str(word) for word in words])

    def _ask(self, entity: Entity, *words: Any) -> Any:
        done = self._run(entity["command"], *words)
        shown = " ".join(map(str, (entity["command"], *words)))[:120]
        expect(done.exit_code == 0, f"{shown}: exit code {done.exit_code}: {done.output[:200]}")
        return done

    @staticmethod
    def _options(values: Record) -> Iterator[str]:
        for name, value in values.items():
            option = name.replace("_", "-")
            if isinstance(value, bool):
                yield f"--{option}" if value else f"--no-{option}"
            else:
                yield from (f"--{option}", str(value))

    def auth(self) -> str:
        """Nobody unknown gets in."""
        return f"{self.refused} commands end with 1 before auth login"

    def make(self, entity: Entity, values: Record) -> Record:
        """Store a record."""
        return dict(json.loads(self._ask(entity, "add", *self._options(values), "--json").stdout))

    def get(self, entity: Entity, number: int) -> Record:
        """Read a record."""
        return dict(json.loads(self._ask(entity, "show", number, "--json").stdout))

    def edit(self, entity: Entity, number: int, values: Record) -> Record:
        """Change a record."""
        return dict(json.loads(self._ask(entity, "edit", number, *self._options(values), "--json").stdout))

    def remove(self, entity: Entity, number: int) -> None:
        """Remove a record."""
        self._ask(entity, "remove", number)

    def restore(self, entity: Entity, number: int) -> None:
        """Bring a record back."""
        self._ask(entity, "restore", number)

    def refuses(self, entity: Entity, values: Record) -> bool:
        """Whether a record cannot be stored."""
        return int(self._run(entity["command"], "add", *self._options(values)).exit_code) != 0

    def find(self, entity: Entity, **query: Any) -> list[Record]:
        """List records."""
        options = self._options({"search" if key == "q" else key: value for key, value in query.items()})
        return list(json.loads(self._ask(entity, "list", *options, "--json").stdout))

    def csv(self, entity: Entity) -> str:
        """Records as CSV."""
        self._ask(entity, "export", "probe.csv")
        return Path("probe.csv").read_text(encoding="utf-8")

    def count(self, entity: Entity) -> int:
        """How many records the statistics count."""
        return int(json.loads(self._ask(entity, "stats", "--json").stdout)["count"])

    def link(self, entity: Entity, link: Record, number: int, other: int) -> list[int]:
        """Let two records go together; the ids of all that go with the first."""
        self._ask(entity, f"link-{link['one'].strip('_').replace('_', '-')}", number, other)
        listed = f"list-{link['many'].strip('_').replace('_', '-')}"
        return [row["id"] for row in json.loads(self._ask(entity, listed, number, "--json").stdout)]


class Library:
    """A library, called from Python."""

    def __init__(self, plan: Plan) -> None:
        self._package = importlib.import_module(plan["package"])
        self.plan, self._store, self.refused = plan, self._package.Store("probe.sqlite"), 0
        if "auth" in plan["features"]:
            for entity in plan["entities"]:
                try:
                    getattr(self._store, entity["plural"])
                except self._package.NotAllowed:
                    self.refused += 1
            expect(self.refused == len(plan["entities"]), "a stranger gets at records")
            self._store.register(WHO["username"], WHO["password"])
            self._store.log_in(WHO["username"], WHO["password"])

    def _records(self, entity: Entity) -> Any:
        return getattr(self._store, entity["plural"])

    def _class(self, entity: Entity, end: str) -> Any:
        return getattr(self._package, entity["name"] + end)

    def auth(self) -> str:
        """Nobody unknown gets in."""
        return f"{self.refused} kinds of records raise NotAllowed before log_in"

    def make(self, entity: Entity, values: Record) -> Record:
        """Store a record."""
        made = self._records(entity).create(self._class(entity, "Create").model_validate(values))
        return dict(made.model_dump(mode="json"))

    def get(self, entity: Entity, number: int) -> Record:
        """Read a record."""
        return dict(self._records(entity).get(number).model_dump(mode="json"))

    def edit(self, entity: Entity, number: int, values: Record) -> Record:
        """Change a record."""
        changes = self._class(entity, "Update").model_validate(values)
        return dict(self._records(entity).update(number, changes).model_dump(mode="json"))

    def remove(self, entity: Entity, number: int) -> None:
        """Remove a record."""
        self._records(entity).delete(number)

    def restore(self, entity: Entity, number: int) -> None:
        """Bring a record back."""
        self._records(entity).restore(number)

    def refuses(self, entity: Entity, values: Record) -> bool:
        """Whether a record cannot be stored."""
        try:
            self.make(entity, values)
        except (ValueError, self._package.InvalidReference):
            return True
        return False

    def find(self, entity: Entity, **query: Any) -> list[Record]:
        """List records."""
        found = self._records(entity).find(self._class(entity, "Query").model_validate(query))
        rows = found.items if "pagination" in self.plan["features"] else found
        return [row.model_dump(mode="json") for row in rows]

    def csv(self, entity: Entity) -> str:
        """Records as CSV."""
        return "".join(self._records(entity).export_csv(self._class(entity, "Query")()))

    def count(self, entity: Entity) -> int:
        """How many records the statistics count."""
        return int(self._records(entity).summary(self._class(entity, "Query")()).count)

    def link(self, entity: Entity, link: Record, number: int, other: int) -> list[int]:
        """Let two records go together; the ids of all that go with the first."""
        getattr(self._records(entity), f"link_{link['one']}")(number, other)
        return [row.id for row in getattr(self._records(entity), f"list_{link['many']}")(number)]


Way = Http | Command | Library
WAYS: dict[str, Callable[[Plan], Way]] = {"rest_api": Http, "cli": Command, "library": Library}


class Probe:
    """Asks a program for everything that its plan names."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.by_name: dict[str, Entity] = {entity["name"]: entity for entity in plan["entities"]}
        self.found: list[dict[str, Any]] = []

    def run(self) -> list[dict[str, Any]]:
        """All checks."""
        with self._check(f"kind: {self.plan['kind']}") as tell:
            way = WAYS[self.plan["kind"]](self.plan)
            tell("it starts, and its way in answers")
        if not self.found[-1]["satisfied"]:
            return self.found
        for entity in self.plan["entities"]:
            self._entity(way, entity)
            for reference in entity["references"]:
                self._reference(way, entity, reference)
            for link in entity["links"]:
                self._link(way, entity, link)
        for feature in self.plan["features"]:
            with self._check(f"feature: {feature}") as tell:
                tell(way.auth() if feature == "auth" else self._feature(way, feature))
        return self.found

    @contextmanager
    def _check(self, constraint: str) -> Iterator[Callable[[str], None]]:
        said = ["done"]
        try:
            yield lambda evidence: said.__setitem__(0, evidence)
            satisfied = True
        except Missing as missing:
            said, satisfied = [str(missing)], False
        except (Exception, SystemExit) as error:  # whatever a program may raise
            said, satisfied = [f"{type(error).__name__}: {error}"[:300]], False
        self.found.append({"constraint": constraint, "satisfied": satisfied, "evidence": said[0]})

    def _values(self, way: Way, entity: Entity, number: int) -> Record:
        """Values for a record; what it must belong to is made for it."""
        values: Record = {}
        for field in entity["fields"]:
            choices = [*field["members"].values()]
            kind, name = field["type"], field["name"]
            values[name] = choices[number % len(choices)] if choices else SAMPLES[kind](name, number)
        for reference in entity["references"]:
            if reference["required"]:
                target = self.by_name[reference["target"]]
                values[reference["name"]] = way.make(target, self._values(way, target, number))["id"]
        return values

    def _entity(self, way: Way, entity: Entity) -> None:
        with self._check(f"entity: {entity['said']}") as tell:
            first, second = (self._values(way, entity, number) for number in (1, 2))
            made = way.make(entity, first)
            names = [field["name"] for field in entity["fields"]]
            for name in names:
                expect(name in made, f"the stored record has no {name}")
                expect(
                    made[name] == first[name], f"{name} was {first[name]!r} and came back as {made[name]!r}"
                )
            expect(way.get(entity, made["id"]) == made, "what is read is not what was stored")
            changed = way.edit(entity, made["id"], second)
            expect(all(changed[name] == second[name] for name in names), "a change is not stored")
            expect(any(row["id"] == made["id"] for row in way.find(entity)), "it is not in the list")
            way.remove(entity, made["id"])
            expect(all(row["id"] != made["id"] for row in way.find(entity)), "it stays when it is removed")
            tell(f"stored, read, changed, listed, removed with {', '.join(names)}")

    def _reference(self, way: Way, entity: Entity, reference: Record) -> None:
        target, name = self.by_name[reference["target"]], reference["name"]
        with self._check(f"relation: {entity['said']} belongs_to {target['said']}") as tell:
            values = self._values(way, entity, 3)
            owner = way.make(target, self._values(way, target, 4))["id"]
            made = way.make(entity, values | {name: owner})
            expect(made[name] == owner, f"{name} is not kept")
            expect(way.find(entity, **{name: owner}) == [made], "the list cannot be narrowed to one owner")
            expect(way.refuses(entity, values | {name: 10**6}), f"{name} may name nothing")
            tell(f"{name} is kept, narrows the list, and must name a {target['said']}")

    def _link(self, way: Way, entity: Entity, link: Record) -> None:
        target = self.by_name[link["target"]]
        with self._check(f"relation: {entity['said']} many_to_many {target['said']}") as tell:
            one = way.make(entity, self._values(way, entity, 5))["id"]
            two = [way.make(target, self._values(way, target, number))["id"] for number in (6, 7)]
            for other in two:
                listed = way.link(entity, link, one, other)
            expect(sorted(listed) == sorted(two), f"of {two} it lists {listed}")
            tell(f"one goes with {len(two)} at a time")

    def _feature(self, way: Way, feature: str) -> str:
        ask: dict[str, Callable[[Way, Entity], str]] = {
            "csv_export": _csv,
            "filter": self._filter,
            "pagination": self._pages,
            "search": self._search,
            "soft_delete": self._soft_delete,
            "stats": self._stats,
            "timestamps": self._timestamps,
        }
        evidence = [ask[feature](way, entity) for entity in self.plan["entities"]]
        count = len(evidence)
        return evidence[0] if count == 1 else f"{evidence[0]}; so for all {count} kinds of records"

    def _stored(self, way: Way, entity: Entity, number: int) -> Record:
        return way.make(entity, self._values(way, entity, number))

    def _filter(self, way: Way, entity: Entity) -> str:
        made, field = self._stored(way, entity, 8), entity["fields"][0]["name"]
        found = way.find(entity, **{field: made[field]})
        expect(found and all(row[field] == made[field] for row in found), f"{field} does not narrow the list")
        return f"{field} narrows the list"

    def _pages(self, way: Way, entity: Entity) -> str:
        for number in (9, 10):
            self._stored(way, entity, number)
        first, second = (way.find(entity, limit=1, offset=offset) for offset in (0, 1))
        expect(len(first) == len(second) == 1 and first != second, "limit and offset change nothing")
        return "limit and offset cut pages out of the list"

    def _search(self, way: Way, entity: Entity) -> str:
        texts = [field["name"] for field in entity["fields"] if field["type"] in ("str", "text", "email")]
        made = self._stored(way, entity, 11)
        for name in texts:
            expect(made in way.find(entity, q=made[name]), f"{name} is not searched")
        expect(not way.find(entity, q="no such text anywhere"), "a search finds everything")
        return f"a search looks into {', '.join(texts) or 'nothing: there is no text'}"

    def _soft_delete(self, way: Way, entity: Entity) -> str:
        made = self._stored(way, entity, 12)["id"]
        way.remove(entity, made)
        way.restore(entity, made)
        expect(way.get(entity, made)["id"] == made, "it is not there after it was restored")
        return "what was removed was restored"

    def _stats(self, way: Way, entity: Entity) -> str:
        before = way.count(entity)
        self._stored(way, entity, 13)
        expect(way.count(entity) == before + 1, "the count of records is wrong")
        return "the figures count the records"

    def _timestamps(self, way: Way, entity: Entity) -> str:
        made = self._stored(way, entity, 14)
        expect(made.get("created_at") and made.get("updated_at"), "no created_at or updated_at")
        return "created_at and updated_at are kept"


def _csv(way: Way, entity: Entity) -> str:
    header = way.csv(entity).splitlines()[0].split(",")
    missing = {field["name"] for field in entity["fields"]} - set(header)
    expect(not missing, f"columns are missing: {', '.join(sorted(missing))}")
    return f"a CSV file of {len(header)} columns"


def main() -> None:
    """Probe the program of the plan in the first argument, in this folder; write to the second."""
    plan: Plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    checks = Path(sys.argv[2]).absolute()
    sys.path.insert(0, "src")
    os.environ[f"{plan['package'].upper()}_DATABASE"] = "probe.sqlite"
    checks.write_text(json.dumps(Probe(plan).run()), encoding="utf-8")


if __name__ == "__main__":
    main()
