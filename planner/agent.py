"""The planner as a Python object: ``Planner().route("New York to Los Angeles, no tolls")``."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError
from pydantic import ValidationError

from lpm_model.base import adapter_file, load_model
from lpm_model.state import StateFileError
from planner.answer import Answer, Status, UsageReport
from planner.brought import Brought
from planner.calibration import calibration_of
from planner.code_models import chosen_model
from planner.loop import Budget, BudgetSpent, TurnState, build_loop, remembered
from planner.reader import LPMReader, Reader, Reading, TooLong, Usage
from planner.sessions import SessionError, kept_values, open_session, sessions_file, thread
from tools.cache import cache_dir
from tools.code_writer.logic import CodeModel
from tools.code_writer.tool import code_tool
from tools.code_writer.types import CodeGiven
from tools.registry import TOOLS
from tools.scheduler.prepare import Given
from tools.scheduler.tool import project_tool
from tools.tool import Progress, Question, Questions, Tool, silent

__all__ = ["TEMPLATES_FOLDER", "Planner"]

TEMPLATES_FOLDER = "templates"
"""Where a person's own project templates lie, beside the sessions."""


class Planner:
    """Plans from words, offline, and remembers sessions.

    The model is loaded when it is first needed and kept. Not for use by several threads at once.

    Args:
        base: Folder of a base model with its adapter; None for the embedded one.
        reader: Another reasoner instead of the model.
        sessions: File of sessions; by default the user's.
        progress: Told about long work: a stage in words and the share done, 0 to 1.
        note: Told about what went wrong but was mended.
        budget: Hard limits on one turn.
    """

    def __init__(
        self,
        base: str | Path | None = None,
        *,
        reader: Reader | None = None,
        sessions: Path | None = None,
        progress: Progress = silent,
        note: Callable[[str], None] = lambda _: None,
        budget: Budget | None = None,
    ) -> None:
        self._base, self._reader = base, reader
        self._sessions = sessions or sessions_file()
        self._progress, self._note = progress, note
        self._budget = budget or Budget()

    def reader(self) -> Reader:
        """The reasoner, loaded on first use.

        Raises:
            BaseError: If the model cannot be loaded.
        """
        if self._reader is None:
            self._progress("loading the model", 0.0)
            loaded = load_model(
                self._base,
                cache_dir(),
                progress=lambda stage: self._progress(stage, 0.0),
                note=self._note,
            )
            calibration = calibration_of(adapter_file(self._base), loaded.fingerprint, self._note)
            self._reader = LPMReader(loaded, calibration=calibration)
        return self._reader

    def route(self, text: str, *, session: str | None = None) -> Answer:
        """Plan a route, or revise the one of a session; see ``plan``."""
        return self.plan(text, session=session, tools=("route",))

    def project(
        self, text: str | None = None, *, session: str | None = None, given: Given | None = None
    ) -> Answer:
        """Schedule a project, or revise the one of a session; see ``plan``.

        Args:
            text: What the person says; None where everything stands in ``given``, and no model is needed.
            session: Name of the session to continue or start.
            given: A project from a file or a template, progress, and questions about the plan.

        Raises:
            BadInput: If what was given cannot be used.
        """
        if text is None:
            brought = Brought(project=given or Given())
            return self._without_words(self._tools(("project",), brought)["project"])
        return self.plan(text, session=session, tools=("project",), given=Brought(project=given or Given()))

    def code(
        self,
        text: str,
        *,
        session: str | None = None,
        given: CodeGiven | None = None,
        model: Callable[[], CodeModel] | None = None,
    ) -> Answer:
        """Make a program and test it, or revise the one of a session; see ``plan``.

        The program is in ``Answer.result``; ``planner.write.write_code`` puts it into its folder.

        Args:
            given: The folder that it is for, and functions to write; a session remembers both.
            model: Makes what writes the functions; by default the base alone, as text in its window.

        Raises:
            BadInput: If the folder or the functions cannot be used.
            OSError: If ``model`` cannot be reached.
        """
        brought = Brought(code=given or CodeGiven())
        return self.plan(text, session=session, tools=("code",), given=brought, code_model=model)

    def _tools(
        self,
        names: Collection[str],
        brought: Brought,
        code_model: Callable[[], CodeModel] | None = None,
    ) -> dict[str, Tool]:
        """The tools of these names, with what was given."""
        tools = {name: TOOLS[name] for name in names}
        if "project" in tools:
            folder = self._sessions.parent / TEMPLATES_FOLDER
            given = brought.project
            given = given.model_copy(update={"templates": given.templates or folder})
            tools["project"] = project_tool(given=given)
        if "code" in tools:
            tools["code"] = code_tool(brought.code, model=code_model or chosen_model(self._base))
        return tools

    def _without_words(self, tool: Tool) -> Answer:
        """Run a tool on what it was given alone."""
        began = time.perf_counter()
        done = TurnState(reading=Reading("", tool.name), usage=Usage())
        prepared = tool.prepare(tool.arguments(), self._progress)
        if isinstance(prepared, Questions):
            done["questions"], done["constraints"] = prepared.questions, prepared.constraints
        else:
            result = tool.run(prepared, self._progress)
            done["request"], done["result"] = prepared, result
            done["constraints"], done["warnings"] = tool.constraints(prepared), tool.warnings(result)
            done["checks"] = tool.verify(prepared, result)
        return _answer(done, None, began)

    def plan(
        self,
        text: str,
        *,
        session: str | None = None,
        tools: Collection[str] = tuple(TOOLS),
        given: Brought | None = None,
        code_model: Callable[[], CodeModel] | None = None,
    ) -> Answer:
        """Take one turn.

        Args:
            text: What the person says.
            session: Name of the session to continue or start; None remembers nothing.
            tools: Names of the tools that may be called.
            given: What the turn comes with beside words. A session remembers it.
            code_model: See ``code``.

        Raises:
            BaseError: If the model cannot be loaded.
            SessionError: If the session cannot be read, continued or stored. It is as it was before.
            BadInput: If what was given cannot be used.
        """
        began = time.perf_counter()
        said = text.encode("utf-8", "replace").decode("utf-8")  # what is no text at all becomes "?"
        if not any(character.isprintable() and not character.isspace() for character in said):
            needs = " or ".join(TOOLS[name].needs for name in tools)
            return _refused(f"there is no text: say {needs}", session, began)
        limits = self._budget
        config: Any = {"configurable": thread(session), "recursion_limit": limits.steps}
        try:
            with open_session(self._sessions, session) as store:
                brought = (given or Brought()).after(_given_before(store, session))
                callable_ = self._tools(tools, brought, code_model)
                remembers = session is not None
                loop = build_loop(self.reader(), callable_, limits, self._progress, remembers=remembers)
                graph = loop.compile(checkpointer=store)
                kept = brought.kept(date.today())
                turn: Any = {"text": said, "brought": kept.model_dump_json(exclude_defaults=True)}
                done: Any = graph.invoke(turn, config, durability="exit")
        except TooLong as error:
            return _refused(str(error), session, began)
        except BudgetSpent as error:
            return _refused(str(error), session, began, error.usage)
        except GraphRecursionError:
            return _refused(f"the request took more than {limits.steps} steps", session, began)
        except StateFileError as error:
            raise SessionError(f"session {session!r} cannot be continued: {error}") from error
        return _answer(done, session, began)


def _given_before(store: BaseCheckpointSaver[str], session: str | None) -> Brought:
    """What the session's turns came with beside words."""
    kept = kept_values(store, session).get("given")
    try:
        return Brought.model_validate_json(kept) if kept else Brought()
    except ValidationError as error:
        raise SessionError(f"session {session!r} cannot be continued: {error}") from error


def _refused(reason: str, session: str | None, began: float, usage: Usage | None = None) -> Answer:
    return Answer(
        status=Status.NOT_UNDERSTOOD,
        tool="",
        constraints={},
        confidence={},
        result=None,
        checks=(),
        questions=(Question(field="text", said=None, reason=reason),),
        warnings=(),
        session=session or "",
        turn=0,
        usage=_report(usage or Usage(), began),
    )


def _answer(done: TurnState, session: str | None, began: float) -> Answer:
    reading, ledger = done["reading"], done.get("ledger", [])
    questions, checks = done.get("questions", ()), done.get("checks", ())
    if not questions and not checks:
        questions = (Question(field="text", said=None, reason="no request was understood in this text"),)
    if questions:
        status = Status.NOT_UNDERSTOOD
    else:
        status = Status.PLANNED if all(check.satisfied for check in checks) else Status.UNSATISFIED
    warnings = done.get("warnings", ())
    if session and done.get("restored"):
        warnings += ("the session does not remember this result: it would have blurred what you asked for",)
    return Answer(
        status=status,
        tool=reading.tool,
        constraints=done.get("constraints", {}),
        confidence=dict(reading.confidence),
        request=done.get("request"),
        result=done.get("result"),
        checks=checks,
        questions=questions,
        warnings=warnings,
        session=session or "",
        turn=len(ledger) if remembered(done) else 0,
        usage=_report(done["usage"] + _spent_by_tool(done), began),
    )


def _spent_by_tool(done: TurnState) -> Usage:
    """What models cost that the tool asked."""
    if "result" not in done:
        return Usage()
    spent = TOOLS[done["reading"].tool].spent(done["result"])
    return Usage(spent.model_calls, spent.tokens_in, spent.tokens_out)


def _report(usage: Usage, began: float) -> UsageReport:
    return UsageReport(
        model_calls=usage.model_calls,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        latent_steps=usage.latent_steps,
        seconds=round(time.perf_counter() - began, 3),
    )
