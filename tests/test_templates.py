"""Templates: every shipped one is a plan that holds, and a person's own replace them or are refused."""

from datetime import date
from itertools import combinations
from pathlib import Path

import networkx as nx
import pytest

from tools.scheduler.draft import name_key
from tools.scheduler.planning import plan_project
from tools.scheduler.resolve import resolve
from tools.scheduler.templates import Template, TemplateError, read_templates
from tools.scheduler.types import ScheduleRequest
from tools.scheduler.verify import verify
from tools.tool import silent

FRIDAY = date(2027, 1, 8)
SHIPPED = tuple(read_templates())
EACH = pytest.mark.parametrize("template", SHIPPED, ids=lambda template: template.name)

SHED = """title: garden shed
also: [build a shed]
tasks:
  - {task: pour slab, days: 1, who: Ola}
"""


def order_of(template: Template) -> nx.DiGraph:
    """Which task is tied to which earlier one, by the names that are compared."""
    graph = nx.DiGraph()
    graph.add_nodes_from(name_key(task.name) for task in template.draft.tasks)
    graph.add_edges_from(
        (name_key(link.task), name_key(task.name)) for task in template.draft.tasks for link in task.after
    )
    return graph


def test_the_library_is_large_and_nothing_in_it_stands_for_two():
    assert len(SHIPPED) >= 30
    names = [template.name for template in SHIPPED]
    phrases = [name_key(phrase) for template in SHIPPED for phrase in template.phrases]
    for said in (names, phrases):
        assert not {one for one in said if said.count(one) > 1}
    with pytest.raises(TemplateError, match=r"'moon-landing'.* web-shop"):
        read_templates().named("moon-landing")


@EACH
def test_a_template_says_what_it_is_for_and_what_it_assumes(template):
    tasks = template.draft.tasks
    assert 5 <= len(template.phrases) <= 9 and 1 <= len(template.ask) <= 4
    assert 8 <= len(tasks) <= 18
    for task in tasks:
        assert task.who, f"{task.name} has no role"
        assert not set("()[],;:") & set(task.name), f"{task.name} cannot be written as a link"
        assert task.days == 0 or task.estimate is not None, f"{task.name} has no estimate"
    roles = {demand.name for task in tasks for demand in task.who}
    assert 2 <= len(roles) <= 5
    assert all(role in template.assumed[1] for role in roles)
    assert template.assumed[-1] == f"please say: {template.ask[-1]}"


@EACH
def test_a_template_is_no_mere_chain(template):
    graph = order_of(template)
    assert nx.is_directed_acyclic_graph(graph) and nx.is_weakly_connected(graph)
    before = {task: nx.ancestors(graph, task) for task in graph}
    assert any(a not in before[b] and b not in before[a] for a, b in combinations(graph, 2))


@EACH
def test_a_template_is_planned_as_it_stands(template):
    request = resolve(template.draft, FRIDAY)
    assert isinstance(request, ScheduleRequest), request
    answer = plan_project(request, silent, seconds=5)
    broken = [f"{c.constraint}: {c.evidence}" for c in verify(request, answer) if not c.satisfied]
    assert not broken and not answer.broken
    work = sum(task.length for task in template.draft.tasks)
    lags = sum(link.lag for task in template.draft.tasks for link in task.after)
    # At least the longest task, at most all of it one after the other; none takes two years.
    assert max(task.length for task in template.draft.tasks) <= answer.days <= min(work + lags, 500)
    if not lags:
        assert answer.days < work, "nothing is done side by side"


def test_a_persons_own_comes_first_and_replaces_one_of_the_same_name(tmp_path):
    (tmp_path / "shed.yaml").write_text(SHED)
    (tmp_path / "deck.yaml").write_text(SHED.replace("garden shed", "deck of cards"))
    library = read_templates(tmp_path)
    assert [template.name for template in library][:2] == ["deck", "shed"]
    assert library.named("deck").title == "deck of cards"
    assert library.named("shed").phrases == ("garden shed", "build a shed")
    assert len(tuple(library)) == len(SHIPPED) + 1
    assert read_templates().named("deck").title == "wooden deck"
    assert tuple(read_templates(tmp_path / "missing")) == SHIPPED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1"),
        ("- a\n- b\n", "line 1"),
        ("title: x\n", "a title and tasks"),
        (SHED.replace("title: garden shed\n", ""), "a title and tasks"),
        (SHED + "  - {task: raise walls, days: 2\n", "line 6"),
        (SHED + "  - {task: raise walls}\n", "line 5.*'raise walls'"),
        (SHED + "  - {task: raise walls, days: -2}\n", "line 5.*-2"),
        (SHED + "  - {task: raise walls, best: 3, likely: 2, worst: 4}\n", "line 5.*best <= likely"),
        (SHED + "  - {task: raise walls, best: 1, likely: 2}\n", "line 5.*all three"),
        (SHED + "  - {task: raise walls, days: 2, after: ['pour slab [XX+1]']}\n", "line 5.*XX"),
        (SHED + "  - {task: raise walls, weeks: 2}\n", "line 5.*'weeks'"),
        (SHED + "people: [Ola, Ola]\nteam: [Per]\n", "line 1.*'team'"),
        (SHED + "  - {task: &a raise walls, days: 2}\n  - {task: *a , days: 2}\n", "line 6.*alias"),
    ],
)
def test_a_broken_file_is_named_with_the_line(tmp_path: Path, text, words):
    path = tmp_path / "shed.yaml"
    path.write_text(text)
    with pytest.raises(TemplateError, match=f"(?s)shed.yaml.*{words}") as error:
        read_templates(tmp_path)
    assert str(path) in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "shed.yaml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(TemplateError, match=r"shed\.yaml"):
        read_templates(tmp_path)
