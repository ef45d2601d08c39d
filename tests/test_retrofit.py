"""Adapters: what training changed, in a file that is checked before it is used."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lpm_model.modeling import from_base
from lpm_model.retrofit import AdapterError, fingerprint, load_adapter, read_adapter, save_adapter
from tests.tiny import FAMILIES, MEMORY, tiny_base, tiny_model

FAMILY = pytest.mark.parametrize("family", FAMILIES)
IDS = torch.arange(3, 14)[None]


@pytest.fixture
def saved(tmp_path):
    model, path = tiny_model(), tmp_path / "deep" / "adapter.safetensors"
    save_adapter(model, path, {"seed": "1"})
    return model, path


@FAMILY
def test_saved_and_loaded_it_is_the_same_model(family, tmp_path):
    model, path = tiny_model(family), tmp_path / "adapter.safetensors"
    save_adapter(model, path, {"seed": "1"})
    tensors, memory, header = read_adapter(path)
    again = from_base(tiny_base(family), **memory)
    load_adapter(again, tensors)
    for name, parameter in model.named_parameters():
        wanted = parameter.bfloat16().float() if name in model.learned_names else parameter
        assert torch.equal(dict(again.named_parameters())[name], wanted), name
    assert fingerprint(again) == fingerprint(model)
    assert header["seed"] == "1" and json.loads(header["memory"]) == memory
    with torch.no_grad():
        for one, two in zip(model(IDS, write=True).values(), again(IDS, write=True).values(), strict=True):
            # A number of the state that lies between two codes may be rounded to the other one.
            assert (two - one).abs().mean() < 0.02 * one.abs().mean()


def test_the_file_holds_what_is_learned_and_nothing_else(saved):
    model, path = saved
    tensors = load_file(path)
    assert (
        tensors.keys() == model.learned_names == {n for n, p in model.named_parameters() if p.requires_grad}
    )
    assert {t.dtype for t in tensors.values()} == {torch.bfloat16}
    assert not any(
        n.endswith(("qkv.weight", "o.weight", "gate_up.weight", "lm_head.weight")) for n in tensors
    )
    kinds = {name.split(".", 3)[-1] for name in tensors}
    assert {
        "memory.gate_in.weight",
        "memory.merge_out.weight",
        "attention.qkv.lora_a",
        "mlp.down.lora_b",
    } <= kinds
    assert "model.slot_embeddings" in tensors
    assert not list(path.parent.glob("*.part"))


def test_the_memory_may_have_any_size(tmp_path):
    sizes = {"num_slots": 7, "state_dim": 20, "gate_rank": 2, "merge_rank": 5, "adapter_rank": 6}
    model = tiny_model(**sizes)
    save_adapter(model, tmp_path / "a")
    tensors, memory, _ = read_adapter(tmp_path / "a")
    assert memory == sizes | {"mechanism": "slots", "memory_every": 1}
    load_adapter(from_base(tiny_base(), **memory), tensors)


@pytest.mark.parametrize(
    "damage", ["missing", "folder", "empty", "short", "noise", "no header", "odd header", "no fields"]
)
def test_a_damaged_file_is_refused(saved, tmp_path, damage):
    _, path = saved
    whole = path.read_bytes()
    headers = {
        "no header": {},
        "odd header": {"memory": '{"num_slots": "many"}'},
        "no fields": {"memory": "[64, 384]"},
    }
    if damage == "missing":
        path = tmp_path / "nowhere"
    elif damage == "folder":
        path = path.parent
    elif damage in headers:
        save_file(load_file(path), path, metadata=headers[damage])
    else:
        path.write_bytes({"empty": b"", "short": whole[: len(whole) // 2], "noise": b"\xff" * 400}[damage])
    with pytest.raises(AdapterError, match="cannot read the adapter"):
        read_adapter(path)


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_the_adapter_of_another_base_is_refused(saved, family):
    tensors, memory, _ = read_adapter(saved[1])
    other = from_base(tiny_base(family), **memory | {"state_dim": 30})
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(AdapterError, match="does not fit this base"):
        load_adapter(other, tensors)
    assert all(torch.equal(one, two) for one, two in zip(before, other.parameters(), strict=True))


def test_the_adapter_of_a_deeper_base_is_refused(saved):
    tensors, memory, _ = read_adapter(saved[1])
    more = tensors | {"model.layers.3.memory.gate_in.weight": torch.zeros(3, 80)}
    with pytest.raises(AdapterError, match=r"1 names differ, e\.g\. model\.layers\.3"):
        load_adapter(from_base(tiny_base(), **memory), more)


def test_the_fingerprint_knows_every_parameter_that_is_no_copy(saved):
    """The projections of the memory come from the base's keys and values."""
    model, _ = saved
    start = fingerprint(model)
    seen = {start}
    copies = ("memory.down.weight", "memory.up.weight")
    known = {name for name, _ in model.named_parameters() if not name.endswith(copies)}
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            kept = parameter.detach().clone()
            parameter.view(-1)[-1] += 1
            found = fingerprint(model)
            parameter.copy_(kept)
        assert (found != start) is (name in known), name
        seen.add(found)
    assert len(seen) == len(known) + 1 and model.learned_names < known
    assert fingerprint(model) == start


def test_the_fingerprint_knows_the_base_and_the_shape_of_the_memory():
    prints = [
        fingerprint(
            from_base(tiny_base(), **MEMORY | {"adapter_rank": 0, "num_slots": slots}, base_name=name)
        )
        for slots, name in ((4, "a"), (4, "b"), (5, "a"))
    ]
    assert len(set(prints)) == 3


def test_a_fingerprint_is_taken_before_folding(saved, tmp_path):
    """Two loads of one adapter know each other's states, however each is folded afterwards."""
    _, path = saved
    tensors, memory, _ = read_adapter(path)
    prints = []
    for order in (tensors, dict(reversed(tensors.items()))):
        model = from_base(tiny_base(), **memory)
        load_adapter(model, order)
        prints.append(fingerprint(model))
        assert model.fold().learned_names < set(tensors)
    assert prints[0] == prints[1]
