"""Schedules of what was read are held against what was meant."""

import json
from typing import Any

from benchmarks import projects

MEANT: dict[str, Any] = {
    "start": "2027-01-04",
    "tasks": [
        {"name": "design", "days": 2, "who": ["Ana"]},
        {"name": "build", "days": 3, "after": ["design"], "who": ["Ben"]},
    ],
}


def rows(table):
    return list(zip(*(column.cells for column in table.columns), strict=True))


def changed(**task: Any) -> dict[str, Any]:
    return MEANT | {"tasks": [MEANT["tasks"][0], MEANT["tasks"][1] | task]}


def test_a_schedule_is_held_against_what_was_meant():
    gold = dict.fromkeys("abcdefg", MEANT)
    read = {
        "a": MEANT,
        "b": changed(name="The Build", after=["design"]),  # the same name
        "c": changed(after=[]),  # both begin on the first day
        "d": changed(days=2),
        "e": changed(who=["Ana"]),
        "f": MEANT | {"tasks": MEANT["tasks"][:1]},
        "g": {},  # nothing is scheduled
    }
    assert rows(projects.measure(gold, read)) == [
        ("as read", "7", "6", "2 (29%)"),
        ("true", "7", "7", "7 (100%)"),
    ]


def test_files_that_cannot_be_used_are_refused(tmp_path, monkeypatch, capsys):
    good = tmp_path / "good.jsonl"
    turn = {"user": "design, then build", "means": MEANT}
    good.write_text(json.dumps({"id": "p", "domain": "project", "turns": [turn]}) + "\n")
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"id": "r", "domain": "route", "turns": [turn]}) + "\n")
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"id": "p"}\n')
    for file, predictions in ((tmp_path / "none", good), (good, odd), (other, good)):
        monkeypatch.setattr("sys.argv", ["projects", str(file), str(predictions)])
        assert projects.main() == 2
        assert capsys.readouterr().err.startswith("error: ")
    monkeypatch.setattr("sys.argv", ["projects", str(good), str(good)])
    assert projects.main() == 0
    assert "1 (100%)" in capsys.readouterr().out
