"""Work-breakdown templates: what usually has to be done for a goal, as YAML files.

A template is a project (``files.yaml``) with durations and roles instead of people, and

    also: other ways to say its title
    ask: what only the person can know, a sentence each
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from rapidfuzz import fuzz, process

from tools.scheduler.draft import Draft
from tools.scheduler.files.entries import PlanFileError
from tools.scheduler.files.yaml import load_yaml, project_of, text_list
from tools.tool import BadInput

__all__ = ["Library", "Template", "TemplateError", "read_templates"]


_NEAREST, _PHRASES = 6, 3  # templates to choose from, and phrases of each


class TemplateError(BadInput):
    """A template cannot be read, or there is none of the name; the message says which."""


@dataclass(frozen=True)
class Template:
    """What usually has to be done for a goal.

    Attributes:
        name: Of its file, without its end.
        title: What it is for.
        phrases: Ways to say so, the title among them.
        ask: What only the person can know, a sentence each.
    """

    name: str
    title: str
    phrases: tuple[str, ...]
    ask: tuple[str, ...]
    draft: Draft

    @property
    def assumed(self) -> tuple[str, ...]:
        """What is taken for granted with it, and what should be said."""
        roles = dict.fromkeys(demand.name for task in self.draft.tasks for demand in task.who)
        return (
            f"assumed: the {len(self.draft.tasks)} tasks, their lengths and their order are those of the "
            f"template {self.name!r} ({self.title})",
            f"assumed: one person for each role: {', '.join(roles)}",
            *(f"please say: {question}" for question in self.ask),
        )


@dataclass(frozen=True)
class Library:
    """Templates, those of the person first."""

    templates: tuple[Template, ...]

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def nearest(self, goal: str) -> tuple[Template, ...]:
        """The templates whose phrases are spelled most like a goal, each with its nearest phrases only."""
        found: dict[str, list[str]] = {}
        owners = {phrase: template for template in self.templates for phrase in template.phrases}
        ranked = process.extract(goal, owners.keys(), scorer=_alike, processor=str.casefold, limit=None)
        for phrase, _, _ in ranked:
            mine = found.setdefault(owners[phrase].name, [])
            if len(mine) < _PHRASES:
                mine.append(phrase)
        return tuple(replace(self.named(name), phrases=tuple(found[name])) for name in [*found][:_NEAREST])

    def named(self, name: str) -> Template:
        """The template of this name.

        Raises:
            TemplateError: If there is none.
        """
        for template in self.templates:
            if template.name == name:
                return template
        known = ", ".join(template.name for template in self.templates)
        raise TemplateError(f"no template is called {name!r}; there are {known}")


def read_templates(folder: Path | None = None) -> Library:
    """The templates of the planner and those of a folder, which replace others of the same name.

    Raises:
        TemplateError: If one cannot be read.
    """
    own = _in_folder(folder) if folder is not None and folder.is_dir() else ()
    names = {template.name for template in own}
    return Library((*own, *(template for template in _shipped() if template.name not in names)))


def _alike(goal: str, phrase: str, *, score_cutoff: float | None = None) -> float:
    """Words in common count, in any order; then letters, so that "shops" is near "shop"."""
    return fuzz.token_set_ratio(goal, phrase) + fuzz.WRatio(goal, phrase)


@cache
def _shipped() -> tuple[Template, ...]:
    return _in_folder(Path(str(files("tools.scheduler.templates"))))


def _in_folder(folder: Path) -> tuple[Template, ...]:
    return tuple(_template(path) for path in sorted(folder.glob("*.yaml")))


def _template(path: Path) -> Template:
    try:
        fields = load_yaml(path.read_text(encoding="utf-8"))
        draft = project_of(fields, more=("also", "ask"))
        if not draft.tasks or not draft.title:
            raise PlanFileError("a template needs a title and tasks")
    except (OSError, UnicodeDecodeError, PlanFileError) as error:
        raise TemplateError(f"template {path}: {error}") from error
    phrases = (draft.title, *text_list(fields.get("also")))
    return Template(path.stem, draft.title, phrases, tuple(text_list(fields.get("ask"))), draft)
