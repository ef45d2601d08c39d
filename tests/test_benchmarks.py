"""The benchmarks measure what they say: counted operations are those that run, tokens those written."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache

from benchmarks import planner as measured
from lpm_model.base import LoadedModel
from lpm_model.flops import (
    Forward,
    forward_flops,
    remembering_turn_flops,
    rereading_turn_flops,
    session_turn_flops,
)
from tests.talking import TOKENIZER, talking_base, talking_model
from tests.tiny import MEMORY, tiny_base, tiny_model
from tools.roads.arguments import RouteArguments

CALLS = {"route": RouteArguments}


def run(work):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    return counter.get_total_flops()


def ids(count):
    return torch.arange(count)[None] % 200 + 3


@pytest.mark.parametrize(
    ("family", "every"), [("llama", 1), ("qwen2", 1), ("qwen3", 1), ("llama", 3)]
)  # in the last, one layer of three carries a memory
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(("tokens", "past"), [(1, 0), (40, 0), (1, 60), (30, 60)])
def test_counted_operations_equal_those_that_run(family, every, reads, writes, tokens, past):
    model = tiny_model(family, memory_every=every).fold()
    cache = DynamicCache(config=model.config)
    drafts: list[torch.Tensor] = []
    with torch.no_grad():
        state = model(ids(9), write=True).latent_state if reads else None
        if past:
            model(ids(past), latent_state=state, past_key_values=cache, drafts=drafts)
    ran = run(
        lambda: model(
            ids(tokens),
            latent_state=state,
            past_key_values=cache,
            write=writes,
            drafts=drafts if writes else None,
            logits_to_keep=1,
        )
    )
    counted = forward_flops(model.config, Forward(tokens, past, logits=1, reads=reads, writes=writes))
    assert counted == pytest.approx(ran, rel=0.01)


def test_another_mechanism_is_not_counted():
    with pytest.raises(ValueError, match="ungated"):
        forward_flops(tiny_model(mechanism="ungated").config, Forward(40))


def test_without_memory_it_is_the_base():
    base, config = tiny_base(), tiny_model().config
    base.set_attn_implementation("eager")
    assert forward_flops(config, Forward(40, logits=1)) == pytest.approx(
        run(lambda: base(ids(40), logits_to_keep=1)), rel=0.01
    )


def test_a_turn_is_the_sum_of_its_calls():
    model = tiny_model().fold()  # segments of 16 tokens

    def turn():
        state = None
        for start in range(0, 40, 16):
            _, state = model.model(ids(40)[:, start : start + 16], state, write=True)
        cache = DynamicCache(config=model.config)
        slots = model.model.decompress(state)
        for _ in range(12):
            model(ids(1), latent_state=state, decompressed=slots, past_key_values=cache)

    assert remembering_turn_flops(model.config, 40, 12, first=True) == pytest.approx(run(turn), rel=0.01)
    base = tiny_base()
    base.set_attn_implementation("eager")

    def reread():
        cache = DynamicCache(config=base.config)
        base(ids(60), past_key_values=cache, logits_to_keep=1)
        for _ in range(11):
            base(ids(1), past_key_values=cache)

    assert rereading_turn_flops(model.config, 20, 40, 12) == pytest.approx(run(reread), rel=0.01)


def test_a_turn_of_a_session_also_compares_keeps_and_checks():
    model = tiny_model().fold()
    with torch.no_grad():
        _, before = model.model(ids(9), write=True)

    def beside_the_turn():
        model(ids(16 + 12), latent_state=before, logits_to_keep=12)
        _, kept = model.model(ids(10), before, write=True)
        _, kept = model.model(ids(12), kept, write=True)
        model(ids(12), latent_state=kept, logits_to_keep=12)

    whole = session_turn_flops(model.config, 16, 12, 10, first=False)
    turn = remembering_turn_flops(model.config, 16, 12, first=False)
    assert whole - turn == pytest.approx(run(beside_the_turn), rel=0.01)


def test_memory_costs_the_same_whatever_was_said_before():
    config = tiny_model().config
    rereading = [rereading_turn_flops(config, before * 50, 40, 10) for before in (0, 1, 4)]
    assert rereading == sorted(rereading) and rereading[2] > 3 * rereading[0]
    table = measured.operations(config, 40, 10)
    columns = [list(column.cells) for column in table.columns]
    assert columns[0] == ["0", "1", "2", "4", "8", "19"] and all(
        len(set(ours[1:])) == 1 for ours in columns[1:3]
    )


def test_the_model_is_measured_beside_its_base():
    model = talking_model()
    loaded = LoadedModel(model.fold().requires_grad_(False).eval(), TOKENIZER, "f" * 64)
    rows = measured.model_against_base(loaded, talking_base(), CALLS, request="Reno to Elko, no tolls")
    names, values = [row[0] for row in rows], [row[1] for row in rows]
    assert "reading 24 tokens into the state" in names and "reading 256 tokens, base alone" in names
    assert sum("alone" in name for name in names) == 3
    assert all(float(value.split()[0]) >= 0 for value in values)
    state = next(row for row in rows if row[0].startswith("latent state"))
    layers = model.config.num_hidden_layers
    assert f"{layers} x {MEMORY['num_slots']} x {model.config.state_dim}" in state[0]


def test_the_machine_is_named():
    line = measured.machine()
    assert "cores" in line and "load" in line and torch.__version__ in line and "threads" in line


def test_a_process_is_measured_from_its_start_to_its_answer(tmp_path, monkeypatch):
    fake = tmp_path / "cli.py"
    fake.write_text("import time; hold = bytearray(200_000_000); time.sleep(0.3); print('{}')")
    monkeypatch.setattr(measured, "ROOT", tmp_path)
    run_ = measured.run_cold(None, tmp_path)
    assert run_.seconds > 0.3 and run_.peak > 200_000_000 and run_.code == 0
    fake.write_text("import sys; sys.exit('there is no adapter')")
    with pytest.raises(RuntimeError, match="there is no adapter"):
        measured.run_cold(None, tmp_path)
    fake.write_text(f"import sys, json; print(json.dumps(sys.argv)); sys.exit({measured.ANSWERED[1]})")
    assert measured.run_cold(Path("elsewhere"), tmp_path).code == 3
    assert json.loads((tmp_path / "out").read_text())[-2:] == ["--base", "elsewhere"]
