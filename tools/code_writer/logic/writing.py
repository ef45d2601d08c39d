"""Write bodies: best of n under the tests, and a number of repairs that read why the best one failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tools.code_writer.logic.model import CodeModel, Failed, Repairer, Task
from tools.code_writer.logic.source import Function, Logic
from tools.code_writer.logic.texts import above
from tools.code_writer.logic.trial import judged
from tools.sandbox import Sandbox
from tools.tool import Spent

__all__ = ["NO_MODEL", "Complains", "Written", "write_bodies"]

NO_MODEL = "there is no model to write it"
_AT_A_TIME = 2  # trials

Complains = Callable[[Mapping[str, str]], str]
"""What is wrong with the style and the types of bodies, function -> body, in words; empty if nothing is."""


class Written(BaseModel):
    """What became of a function.

    Attributes:
        name: Its name.
        state: ``written`` by the model; ``kept`` as it stood in the program's folder; or a ``stub``.
        body: Indented; empty for a stub.
        reason: Of a stub: why the best body that was tried is not right.
        tried: Bodies that were tried.
        repairs: How often a failure was read and repaired.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["written", "kept", "stub"]
    body: str = ""
    reason: str = ""
    tried: int = 0
    repairs: int = 0


def write_bodies(
    logic: Logic,
    model: CodeModel,
    repairer: Repairer,
    sandbox: Sandbox,
    complains: Complains,
    *,
    there: Mapping[str, str],
    samples: int,
    repairs: int,
    tell: Callable[[str], None],
) -> tuple[tuple[Written, ...], Spent]:
    """Write the functions of a file, one after another.

    A body counts that passes every example and test of its function, and with which ruff and mypy find
    nothing in the module.

    Args:
        logic: The file.
        model: Writes bodies.
        repairer: Writes others where none passed.
        sandbox: Where bodies are tried.
        complains: Looks at style and types.
        there: Function -> body that stands in the program already; if it passes it stays, and no model is
            asked.
        samples: Bodies to ask for at a time.
        repairs: Most rounds of repair.
        tell: Told what is being written.

    Raises:
        OSError: If the model cannot be reached.
    """
    done: list[Written] = []
    bodies: dict[str, str] = {}
    spent = Spent()
    for function in logic.functions:
        tell(function.name)
        one = _Writing(logic, function, dict(bodies), sandbox, complains)
        found, cost = one.written(model, repairer, there.get(function.name), samples, repairs)
        spent += cost
        done.append(found)
        if found.body:
            bodies[function.name] = found.body
    return tuple(done), spent


class _Writing:
    """One function on its way."""

    def __init__(
        self,
        logic: Logic,
        function: Function,
        bodies: dict[str, str],
        sandbox: Sandbox,
        complains: Complains,
    ) -> None:
        self._logic, self._function, self._bodies = logic, function, bodies
        self._sandbox, self._complains = sandbox, complains
        self._tried: dict[str, Failed] = {}
        self._count = 0

    def written(
        self, model: CodeModel, repairer: Repairer, there: str | None, samples: int, repairs: int
    ) -> tuple[Written, Spent]:
        name = self._function.name
        if there is not None and self._first_right([there]) is not None:
            return Written(name=name, state="kept", body=there, tried=1), Spent()
        self._tried.clear()
        self._count = 0  # what stood there is the person's, or a stub: the model begins anew
        task = Task(self._function, above(self._logic, self._function, self._bodies))
        proposed = model.propose(task, samples)
        spent = proposed.spent
        right, rounds = self._first_right(proposed.bodies), 0
        while right is None and self._tried and rounds < repairs:
            rounds += 1
            proposed = repairer.repair(task, self._best(), samples)
            spent += proposed.spent
            right = self._first_right(proposed.bodies)
        if right is not None:
            return Written(name=name, state="written", body=right, tried=self._count, repairs=rounds), spent
        reason = self._best().reason if self._tried else "the model wrote nothing"
        return Written(name=name, state="stub", reason=reason, tried=self._count, repairs=rounds), spent

    def _best(self) -> Failed:
        """The body that passed most; of several the latest, so that a repair goes on from a repair."""
        return max(reversed(self._tried.values()), key=lambda failed: failed.passed)

    def _first_right(self, bodies: Sequence[str]) -> str | None:
        """The first that is right, in the order in which they were written; the others' failures are kept."""
        new = [body for body in dict.fromkeys(bodies) if body not in self._tried]
        self._count += len(new)
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            failures = list(pool.map(self._failure, new))
        for body, failed in zip(new, failures, strict=True):
            if failed is None:
                complaint = self._complains({**self._bodies, self._function.name: body})
                if not complaint:
                    return body
                every = self._function.examples + len(self._function.tests)
                failed = Failed(body, every, complaint)
            self._tried[body] = failed
        return None

    def _failure(self, body: str) -> Failed | None:
        return judged(self._logic, self._bodies, self._function, body, self._sandbox)
