"""The ablations: every variant is trained and told, and what was finished is not trained again."""

import sys
from itertools import islice
from random import Random

import pytest
import yaml

from benchmarks import ablations, recall
from benchmarks.ablations import DEFAULT, RIVAL, STEPS_READ

CONFIG = {
    "threads": 1,
    "decoder": {
        "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 128,
    },
    "model": {"num_slots": 4, "state_dim": 4, "gate_rank": 2, "merge_rank": 2, "adapter_rank": 0},
    "training": {"steps": 2, "batch_size": 2, "sight": 0.0, "warmup": 1},
    "held_out": 4,
    "groups": {"number of slots": [{"num_slots": 2}], "update": [{"mechanism": "per_token"}]},
    "latent_steps": 1,
    "rival": True,
}  # fmt: skip


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG | {"folder": str(tmp_path / "runs")}))
    return path


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ablations", *map(str, arguments)])
    return ablations.main()


def test_one_command_makes_the_table_and_the_plot_and_goes_on_where_it_was(file, monkeypatch, capsys):
    folder = file.parent / "runs"
    assert command(monkeypatch, file, "--only", DEFAULT, "--only", "num_slots 2") == 0
    table = (folder / "table.md").read_text().splitlines()[2:]
    assert [row.split(" | ")[1] for row in table] == [DEFAULT, "num_slots 2", DEFAULT]
    finished = (folder / "default, seed 1" / "result.json").stat().st_mtime_ns
    assert command(monkeypatch, file) == 0
    assert (folder / "default, seed 1" / "result.json").stat().st_mtime_ns == finished
    table = (folder / "table.md").read_text().splitlines()[2:]
    named = [tuple(row.strip("| ").split(" | ")[:2]) for row in table]
    assert named == [
        ("number of slots", DEFAULT), ("number of slots", "num_slots 2"),
        ("update", DEFAULT), ("update", "mechanism per_token"),
        (STEPS_READ, "0"), (STEPS_READ, "1"),
        ("memory", DEFAULT), ("memory", RIVAL),
    ]  # fmt: skip
    states = [int(row.strip("| ").split(" | ")[2].replace(",", "")) for row in table]
    assert states == [16, 8, 16, 16, 16, 16, 16, 0]
    assert (folder / "plot.svg").read_text().count("number of slots") >= 1
    assert "answers exact" in (folder / "plot.svg").read_text()


def test_a_wrong_configuration_is_told(tmp_path, monkeypatch, capsys):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(CONFIG | {"slots": 3}))
    assert command(monkeypatch, path) == 1
    assert "slots" in capsys.readouterr().out


def test_a_second_turn_names_what_is_new_and_not_all_that_stays():
    marks = {"from", "to", "via", "no", "tolls"}
    seconds = [e for e in islice(recall.stream(False)(Random(4)), 200) if len(e.segments) == 2]
    assert len(seconds) > 50
    for example in seconds:
        said, first, second = (set(text.split()) for text in (example.segments[1], *example.targets))
        assert second - first - marks <= said
        assert (first & second) - marks - said
