"""``planner train``: runs that start from an adapter, with another state, and go on after a stop."""

import itertools
from random import Random

import pytest
import torch

import planner.train as training
from lpm_model.base import ADAPTER_NAME
from lpm_model.retrofit import read_adapter
from planner.train import ConfigError, DataConfig, Reinforcement, TrainConfig, place_names, stream, train
from tests.talking import save_base
from tests.tiny import MEMORY
from tools.places import Gazetteer

WIDE, NARROW = 32, 20  # a key and value of the tiny base, and what is kept of it
SMALL = {name: MEMORY[name] for name in ("num_slots", "gate_rank", "merge_rank", "adapter_rank")}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base"))


def config(base, folder, steps, **fields):
    data = DataConfig(max_characters=60, held_out=1)
    steps = {"steps": steps, "batch_size": 2, "warmup": 1, "decay": 0, "save_every": 1, "validate_every": 100}
    return TrainConfig(folder=folder, base=base, data=data, training=steps, **{"model": SMALL} | fields)


def directions_of(folder):
    tensors, memory, header = read_adapter(folder / ADAPTER_NAME)
    return {n: t for n, t in tensors.items() if n.endswith("memory.up.weight")}, memory, header


def quiet(_metrics):
    pass


@pytest.fixture(scope="module")
def wide(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    assert train(config(base, folder, 1), quiet) == folder / ADAPTER_NAME
    found, memory, _ = directions_of(folder)
    assert not found and memory["state_dim"] == WIDE
    return folder


def test_a_run_narrows_the_adapter_it_starts_from_and_goes_on_along_the_same_directions(
    base, wide, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "_NARROWED_ON", 3)
    fields = {"start_from": wide / ADAPTER_NAME, "model": {"num_slots": 7, "state_dim": NARROW}}
    train(config(base, tmp_path, 1, **fields), quiet)
    first, memory, header = directions_of(tmp_path)
    assert (memory["num_slots"], memory["state_dim"]) == (7, NARROW) and header["steps"] == "1"
    assert len(first) == 3 and all(tensor.shape == (WIDE, NARROW) for tensor in first.values())

    monkeypatch.setattr(training, "_NARROWED_ON", 5)  # other directions would be found now
    seen: list[dict[str, float]] = []
    train(config(base, tmp_path, 2, **fields), seen.append)
    again, _, header = directions_of(tmp_path)
    assert header["steps"] == "2" and [metrics["step"] for metrics in seen] == [2]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_an_option_that_the_trainer_does_not_know_is_refused(base, tmp_path):
    wrong = config(base, tmp_path, 1)
    wrong.training["setps"] = 3
    with pytest.raises(ConfigError, match="setps"):
        train(wrong, quiet)


def test_a_run_learns_from_reward_where_the_configuration_says_so(base, wide, tmp_path):
    rows: list[dict[str, float]] = []
    fields = {"start_from": wide / ADAPTER_NAME, "reinforce": Reinforcement(group=2)}
    assert train(config(base, tmp_path, 1, **fields), rows.append) == tmp_path / ADAPTER_NAME
    before, after = rows
    assert (before["step"], after["step"]) == (0, 1)
    assert after["answers"] == 4 and after["reward"] == 0.0  # of letters drawn by chance no route is right
    assert {name for name in before if name.startswith("valid_")} == {
        "valid_loss/route/1",
        "valid_exact/route/1",
        "valid_reward/route/1",
    }


def test_reward_for_what_is_not_read_from_the_state_is_refused(base, tmp_path):
    wanted = config(base, tmp_path, 1, reinforce=Reinforcement())
    wanted.training["memory"] = False
    with pytest.raises(ConfigError, match="from the state"):
        train(wanted, quiet)


def test_the_model_learns_from_the_states_that_the_loop_keeps():
    data = DataConfig(turns=(0.0, 0.5, 0.5))
    drawn = stream(place_names(Gazetteer.load(), held_out=False), data)(Random(3))
    results = 0
    for example in itertools.islice(drawn, 200):
        before = ""
        parts = list(zip(example.segments, example.targets, example.kept, strict=True))
        for place, (said, written, kept) in enumerate(parts):
            if kept and said.startswith("route\n"):
                assert said == before, "of a turn the call is kept"
                assert not written or (place == len(parts) - 1 and written == said)
            elif kept:
                results += 1
                assert not written and parts[place + 1][0] == before, "and before it the result"
            else:
                assert written.startswith("route\n"), "of words nothing is kept, but they are answered"
                before = written
    assert results > 20


@pytest.mark.parametrize("limit", [None, 250])
def test_no_conversation_is_longer_than_the_machine_holds(limit):
    data = DataConfig(turns=(0.5, 0.5), max_conversation=limit)
    drawn = stream(place_names(Gazetteer.load(), held_out=False), data)(Random(2))
    lengths = [sum(map(len, (*e.segments, *e.targets))) for e, _ in zip(drawn, range(200), strict=False)]
    assert (max(lengths) <= 250) is (limit is not None)
