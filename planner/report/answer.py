"""What all answers have in common: what was understood, questions, checks, warnings, files, cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from planner.answer import Answer, Status, UsageReport
from planner.report.domain import Domain, shown

__all__ = ["answer_object", "error_object", "print_answer"]

_MOST_CHECKS = 60  # that a person is shown; of more, only those that are broken


def answer_object(answer: Answer, domain: Domain) -> dict[str, Any]:
    """The answer as plain values; the form that ``--json`` prints."""
    fields: dict[str, Any] = {
        "constraints": answer.constraints,
        **domain.fields(answer),
        "checks": [check.model_dump(mode="json") for check in answer.checks],
        "warnings": [*answer.warnings],
        "session": answer.session,
        "usage": answer.usage.model_dump(),
    }
    if answer.questions:
        fields["questions"] = [question.model_dump(mode="json") for question in answer.questions]
    return fields


def error_object(message: str, session: str | None, domain: Domain) -> dict[str, Any]:
    """The same form where there is no answer, because something failed: ``error`` says what."""
    return {
        "constraints": {},
        **domain.empty,
        "checks": [],
        "warnings": [],
        "session": session or "",
        "usage": dict.fromkeys(UsageReport.model_fields, 0),
        "error": message,
    }


def print_answer(answer: Answer, domain: Domain, console: Console, written: Sequence[Path] = ()) -> None:
    """Print what was understood, the result, the checks, the files written, and the cost."""
    if answer.constraints:
        console.print("[bold]Understood[/bold]")
        for name, value in domain.understood(answer.constraints):
            console.print(f"  {name.replace('_', ' '):<18} {shown(value)}", highlight=False)
    if answer.questions:
        console.print("\n[bold yellow]Please say more[/bold yellow]")
        for question in answer.questions:
            console.print(f"  {question.field}: {shown(question.reason)}", highlight=False)
            if question.candidates:
                console.print(f"    perhaps {shown('; '.join(question.candidates))}", highlight=False)
    if answer.result is not None:
        domain.show(answer, console)
    if answer.checks:
        console.print("\n[bold]Checks[/bold]")
        kept = [check for check in answer.checks if check.satisfied]
        listed = [
            check for check in answer.checks if not check.satisfied or len(answer.checks) <= _MOST_CHECKS
        ]
        for check in listed:
            mark = "[green]kept  [/green]" if check.satisfied else "[red]broken[/red]"
            console.print(f"  {mark} {shown(check.constraint)}: {shown(check.evidence)}", highlight=False)
        if len(listed) < len(answer.checks):
            console.print(f"  [green]kept  [/green] {len(kept):,} others", highlight=False)
    for warning in answer.warnings:
        console.print(f"[yellow]warning:[/yellow] {shown(warning)}", highlight=False)
    for path in written:
        console.print(f"written: {shown(str(path))}", highlight=False)
    if answer.status is Status.UNSATISFIED:
        console.print(f"[red]{domain.unsatisfied(answer)}[/red]")
    usage = answer.usage
    turn = f"turn {answer.turn}" if answer.turn else "unchanged"
    console.print(
        f"\n{usage.model_calls} model calls, {usage.tokens_in} tokens in, {usage.tokens_out} out, "
        f"{usage.latent_steps} latent steps, {usage.seconds:.1f} s"
        + (f"; session {shown(answer.session)}, {turn}" if answer.session else ""),
        style="dim",
        highlight=False,
    )
