"""A program for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from planner.answer import Answer
from planner.report.domain import Domain, field_lines, shown, visible
from tools.code_writer.types import CodeAnswer, CodeRequest

__all__ = ["CODE"]

_MOST_ENTITIES = 40  # whose reading is repeated


def _fields(answer: Answer) -> dict[str, Any]:
    """The program: where it stands, its package, its files, what became of those that were there."""
    request, found = answer.request, answer.result
    if not isinstance(request, CodeRequest) or not isinstance(found, CodeAnswer):
        return {"program": None}
    out = request.given.out
    program = {
        "folder": None if out is None else str(out),
        "package": found.package,
        "files": sorted(found.files),
        "changes": [change.model_dump() for change in found.changes],
        "functions": [function.model_dump() for function in found.functions],
    }
    return {"program": program | ({"diff": found.diff} if request.given.diff else {})}


def _understood(constraints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A line for each kind of record and each relation, and for every other field one."""
    for name, value in constraints.items():
        if name == "entities" and len(value) > _MOST_ENTITIES:
            yield name, f"{len(value):,}"
        elif name == "entities":
            for entity in value:
                fields = ", ".join(f"{field} {kind}" for field, kind in entity.get("fields", {}).items())
                yield "entity", f"{entity['name']}: {fields}" if fields else entity["name"]
        elif name == "relations":
            yield from (("relation", " ".join(relation)) for relation in value)
        else:
            yield from field_lines({name: value})


def _show(answer: Answer, console: Console) -> None:
    request, found = answer.request, answer.result
    if not isinstance(request, CodeRequest) or not isinstance(found, CodeAnswer):
        return
    kinds = Counter(change.kind for change in found.changes)
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing to change"
    console.print("\n[bold]Program[/bold]")
    where = "" if request.given.out is None else f" in {shown(str(request.given.out))}"
    console.print(f"  {found.package}{where}: {len(found.files)} files; {done}", highlight=False)
    for line in found.diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(visible(line), style=style, markup=False, highlight=False)


def _unsatisfied(_answer: Answer) -> str:
    return "The program does not do all that was asked; it is written as it is."


CODE = Domain(
    empty={"program": None},
    fields=_fields,
    understood=_understood,
    show=_show,
    unsatisfied=_unsatisfied,
)
