"""Looking things up in the meaning of a project."""

from __future__ import annotations

from typing import Any

__all__ = ["Meaning", "all_dates", "busy", "find", "tidy", "waits", "without_years"]

Meaning = dict[str, Any]


def find(means: Meaning, name: str) -> dict[str, Any]:
    """The task of this name."""
    task: dict[str, Any] = next(task for task in means["tasks"] if task["name"] == name)
    return task


def busy(means: Meaning) -> list[str]:
    """Everybody who works on a task."""
    return list(dict.fromkeys(who for task in means.get("tasks", ()) for who in task.get("who", ())))


def all_dates(means: Meaning) -> list[str]:
    """Every date that the meaning holds."""
    gaps = [gap[key] for gap in means.get("days_off", ()) for key in ("from", "to")]
    return [*(means[key] for key in ("start", "deadline") if key in means), *gaps]


def waits(means: Meaning, name: str, for_: str) -> bool:
    """Whether a task waits for another, directly or not."""
    after = find(means, name).get("after", [])
    return for_ in after or any(waits(means, other, for_) for other in after)


def tidy(means: Meaning) -> Meaning:
    """The meaning without empty fields; what a task waits for stands in the order of the tasks."""
    order = [task["name"] for task in means.get("tasks", ())]
    tasks = []
    for task in means.get("tasks", ()):
        task["after"] = sorted(dict.fromkeys(task.get("after", [])), key=order.index)
        fields = ("name", "days", "after", "who")
        tasks.append({key: task[key] for key in fields if task.get(key)})
    whole = means | {"tasks": tasks}
    order_of_fields = ("start", "deadline", "tasks", "days_off", "one_at_a_time", "title")
    return {key: whole[key] for key in order_of_fields if key in whole and whole[key] != []}


def without_years(means: Meaning) -> Meaning:
    """The meaning where nobody said the year: days as MM-DD."""
    short = {key: means[key][5:] for key in ("start", "deadline") if key in means}
    gaps = [gap | {key: gap[key][5:] for key in ("from", "to")} for gap in means.get("days_off", ())]
    return means | short | ({"days_off": gaps} if gaps else {})
