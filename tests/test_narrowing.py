"""Narrow slots: along which directions, and an adapter rewritten along them."""

import pytest
import torch
from torch.testing import assert_close

from lpm_model.modeling import from_base
from lpm_model.narrowing import directions, narrowed
from lpm_model.objective import Reading, Rows
from lpm_model.retrofit import AdapterError, fingerprint, load_adapter, read_adapter, save_adapter
from tests.tiny import MEMORY, SIZES, tiny_base, tiny_model

WIDTH, NARROW = 32, 20  # a key and value of the tiny decoder, and what is kept of it


def reading(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(3, SIZES["vocab_size"], (2, 4, 9), generator=generator)
    mask = torch.ones(4, 9, dtype=torch.long)
    mask[1, :4] = 0
    return Reading(tuple(Rows(ids, mask) for ids in rows), (None, None), 0, (True, True))


def learned(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if n in model.learned_names}


@pytest.fixture(scope="module")
def wide():
    return tiny_model()


@pytest.fixture(scope="module")
def chosen(wide):
    return directions(wide, [reading(1), reading(2)], NARROW)


@pytest.fixture(scope="module")
def narrow(wide, chosen):
    model = from_base(tiny_base(), **MEMORY, state_dim=NARROW)
    load_adapter(model, narrowed(learned(wide), chosen))
    return model


def brought(model):
    """What tokens that nobody measured bring to each layer, (L, N, r)."""
    drafts: list[torch.Tensor] = []
    with torch.no_grad():
        model.model(reading(3).segments[0].ids, None, write=True, drafts=drafts)
    return drafts[0].transpose(0, 1).flatten(1, 2)


def test_directions_stand_upright_and_keep_more_than_others_do(wide, chosen):
    generator = torch.Generator().manual_seed(5)
    assert len(chosen) == len(wide.model.blocks)
    for layer, kept in zip(brought(wide), chosen, strict=True):
        assert kept.shape == (WIDTH, NARROW) and kept.dtype == torch.bfloat16
        assert_close(kept.float().T @ kept.float(), torch.eye(NARROW), atol=0.02, rtol=0)
        other = torch.linalg.qr(torch.randn(WIDTH, NARROW, generator=generator)).Q
        ours, theirs = ((layer @ b.float()).square().sum() / layer.square().sum() for b in (kept, other))
        assert ours > 0.9 > theirs


def test_all_numbers_of_a_slot_are_alike(wide, narrow):
    """Along the principal directions themselves the first number would be many times the last."""
    for layer in brought(narrow):
        sizes = layer.square().mean(0).sqrt()
        assert sizes.max() < 8 * sizes.min()


def test_only_what_is_wide_is_narrowed(wide, narrow):
    for model, width in ((wide, 0), (wide, WIDTH), (narrow, 8)):
        with pytest.raises(ValueError, match="cannot narrow"):
            directions(model, [reading(1)], width)


def test_what_is_brought_and_what_is_read_are_the_same_along_the_directions(wide, narrow, chosen):
    x, slots = torch.randn(5, 48), torch.randn(5, NARROW)
    for one, two, kept in zip(wide.model.blocks, narrow.model.blocks, chosen, strict=True):
        assert_close(two.down(x), one.down(x) @ kept.float(), atol=1e-4, rtol=1e-4)
        assert_close(two.up(slots), one.up(slots @ kept.float().T), atol=1e-4, rtol=1e-4)


def test_gates_that_treat_all_numbers_alike_stay_as_they_are(wide, chosen):
    tensors = learned(wide)
    for name in tensors:
        if "memory.gate_out" in name:  # the first half of the rows forgets, the second takes
            halves = tensors[name].unflatten(0, (2, WIDTH))
            halves[:] = halves[:, :1]
    after = narrowed(tensors, chosen)
    for name in after:
        if "memory.gate_out" in name:
            old, new = tensors[name].unflatten(0, (2, WIDTH)), after[name].unflatten(0, (2, NARROW))
            assert_close(new, old[:, :1].expand_as(new), atol=0.02, rtol=0.02)


def test_the_gates_see_a_slot_at_the_size_it_had(wide, narrow, chosen):
    """A slot that lies along the directions enters the gates as it did when it was wide."""
    x, slots = torch.randn(5, 48), torch.randn(5, NARROW)
    entered: list[torch.Tensor] = []
    for one, two, kept in zip(wide.model.blocks, narrow.model.blocks, chosen, strict=True):
        hooks = [b.gate_in.register_forward_hook(lambda *call: entered.append(call[2])) for b in (one, two)]
        one._gates(x, slots @ kept.float().T), two._gates(x, slots)
        for hook in hooks:
            hook.remove()
        assert_close(entered[-1], entered[-2], atol=0.02, rtol=0.02)


def test_a_narrow_adapter_holds_its_directions_and_makes_the_same_model_again(narrow, tmp_path):
    save_adapter(narrow, tmp_path / "a")
    tensors, memory, _ = read_adapter(tmp_path / "a")
    assert memory["state_dim"] == NARROW
    assert {name for name in tensors if name.endswith("memory.up.weight")} == {
        f"model.layers.{i}.memory.up.weight" for i in range(3)
    }
    assert not any(name.endswith("memory.down.weight") for name in tensors)
    again = from_base(tiny_base(), **memory)
    load_adapter(again, tensors)
    assert fingerprint(again) == fingerprint(narrow)
    for one, two in zip(again.model.blocks, narrow.model.blocks, strict=True):
        assert torch.equal(one.down.weight, two.down.weight) and torch.equal(one.up.weight, two.up.weight)


def test_projections_that_were_trained_are_not_found_anew():
    model = from_base(tiny_base(), **MEMORY, state_dim=NARROW).requires_grad_(True)
    trained = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    load_adapter(model, trained)
    assert torch.equal(model.model.blocks[0].down.weight, trained["model.layers.0.memory.down.weight"])


def test_a_wide_adapter_does_not_fit_a_narrow_state(wide):
    with pytest.raises(AdapterError, match="names differ"):
        load_adapter(from_base(tiny_base(), **MEMORY, state_dim=NARROW), learned(wide))
