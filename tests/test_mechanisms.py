"""What the memory is compared with: causal, the same in every order of reading, learned through."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import DynamicCache

from lpm_model import LPMConfig
from lpm_model.memory import placement
from lpm_model.modeling import from_base
from lpm_model.retrofit import load_adapter, read_adapter, save_adapter
from lpm_model.state import rounded
from tests.tiny import MEMORY, SIZES, tiny_base, tiny_model

KINDS: dict[str, dict[str, Any]] = {
    "ungated": {"mechanism": "ungated"},
    "per_token": {"mechanism": "per_token"},
    "gated_slots": {"mechanism": "gated_slots"},
    "delta_rule": {"mechanism": "delta_rule", "state_dim": 24},
    "one layer in three": {"memory_every": 3},
    "delta rule, one layer in three": {"mechanism": "delta_rule", "state_dim": 24, "memory_every": 3},
}
MODELS = {name: tiny_model(**overrides) for name, overrides in KINDS.items()}
KIND = pytest.mark.parametrize("kind", KINDS)


def tokens(*shape, seed=0):
    return torch.randint(3, SIZES["vocab_size"], shape, generator=torch.Generator().manual_seed(seed))


@KIND
def test_a_retrofitted_model_starts_as_its_base(kind):
    base, ids = tiny_base(), tokens(2, 11)
    model = from_base(base, **(MEMORY | KINDS[kind]))
    with torch.no_grad():
        assert_close(model(ids).logits, base(ids).logits, atol=1e-5, rtol=1e-5)


@KIND
def test_no_token_sees_what_comes_after_it(kind):
    model, ids = MODELS[kind], tokens(1, 12)
    with torch.no_grad():
        state = model(tokens(1, 9, seed=1), write=True).latent_state
        for held in (None, state):
            for position in (0, 5, 11):
                changed = ids.clone()
                changed[0, position] = (ids[0, position] - 2) % (SIZES["vocab_size"] - 3) + 3
                one, two = (model(x, latent_state=held, write=True) for x in (ids, changed))
                assert_close(one.logits[:, :position], two.logits[:, :position], atol=0, rtol=0)
                assert not torch.equal(one.logits[:, position:], two.logits[:, position:])
                assert not torch.equal(one.latent_state, two.latent_state)


@KIND
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("chunks", [(13,), (5, 8), (1,) * 13])
def test_chunks_single_tokens_and_padding_change_nothing(kind, with_state, chunks):
    model, ids = MODELS[kind], tokens(2, 13)
    mask = torch.ones(2, 13, dtype=torch.long)
    mask[0, :4] = 0
    with torch.no_grad():
        held = model(tokens(2, 9, seed=5), write=True).latent_state
        held = held if with_state else None
        whole = model(ids, attention_mask=mask, latent_state=held, write=True)
        alone = model(ids[:1, 4:], latent_state=None if held is None else held[:1], write=True)
        cache, drafts, logits, start = DynamicCache(), list[torch.Tensor](), [], 0
        for size in chunks:
            out = model(
                ids[:, start : start + size],
                attention_mask=mask[:, : start + size],
                latent_state=held,
                past_key_values=cache,
                write=start + size == 13,
                drafts=drafts,
            )
            logits.append(out.logits)
            start += size
    real = mask.bool()
    assert_close(torch.cat(logits, 1)[real], whole.logits[real], atol=3e-5, rtol=3e-5)
    assert_close(out.latent_state, whole.latent_state, atol=3e-4, rtol=2e-3)
    assert_close(alone.logits, whole.logits[:1, 4:], atol=3e-5, rtol=3e-5)
    assert_close(alone.latent_state, whole.latent_state[:1], atol=3e-4, rtol=2e-3)


@KIND
def test_the_state_has_its_size_is_read_and_thought_about(kind):
    model, ids = MODELS[kind], tokens(1, 6)
    with torch.no_grad():
        state = model(tokens(1, 8, seed=3), write=True).latent_state
        assert tuple(state.shape[1:]) == model.config.state_shape
        held = model(ids, latent_state=state).logits
        assert not torch.allclose(model(ids).logits, held, atol=1e-3)
        for layer in range(state.shape[1]):
            other = state.clone()
            other[:, layer] += 1
            assert not torch.allclose(model(ids, latent_state=other).logits, held, atol=1e-5)
        thought = model(None, latent_state=state, write=True).latent_state
    assert thought.shape == state.shape and not torch.allclose(thought, state, atol=1e-3)


@KIND
def test_gradients_reach_the_first_of_several_turns_and_every_parameter(kind):
    model = tiny_model(**KINDS[kind])
    first = model(tokens(1, 5), write=True).latent_state
    first.retain_grad()
    state = first
    for turn in (1, 2):
        state = model(tokens(1, 5, seed=turn), latent_state=state, write=True).latent_state
    state = model(None, latent_state=state, write=True).latent_state
    model(tokens(1, 4, seed=9), latent_state=state, labels=tokens(1, 4, seed=9)).loss.backward()
    assert first.grad is not None and first.grad.abs().sum() > 0
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


@KIND
def test_an_adapter_says_which_mechanism_it_is_of(kind, tmp_path):
    model = MODELS[kind]
    save_adapter(model, tmp_path / "adapter.safetensors")
    learned, memory, _ = read_adapter(tmp_path / "adapter.safetensors")
    again = from_base(tiny_base(), **memory)
    load_adapter(again, learned)
    assert again.config.state_shape == model.config.state_shape
    assert again.config.mechanism == model.config.mechanism


def segment(kind, length=7):
    """A block, the drafts of a segment whose first token is padding, and a state."""
    block = MODELS[kind].model.blocks[0]
    rows = torch.randn(3, 1, length, 48, generator=torch.Generator().manual_seed(4))
    mask = torch.ones(1, length, dtype=torch.long)
    mask[:, 0] = 0
    state = rounded(torch.randn(1, 4, 24 if kind == "delta_rule" else 32))
    return block, rows[0], rows[1], mask, state


@torch.no_grad()
def test_gated_slots_written_at_once_are_those_written_one_by_one():
    block, before, after, mask, state = segment("gated_slots")
    at_once = block.write(block.draft(before, after), after[:, -1:], state, mask)
    for token in range(1, mask.shape[1]):
        keep = torch.sigmoid(block.gate_out(block.gate_in(after[:, token])))[..., None]
        state = keep * state + (1 - keep) * block.down(before[:, token])[:, None]
    assert_close(at_once, rounded(state), atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_the_delta_rule_written_at_once_is_that_written_one_by_one():
    block, before, after, mask, state = segment("delta_rule")
    at_once = block.write(block.draft(before, after), after[:, -1:], state, mask)
    by_head = state.unflatten(-1, (6, 4)).transpose(1, 2)[0]  # heads, K, r / heads
    for token in range(1, mask.shape[1]):
        key = F.normalize(block.key(before[0, token]).view(6, 4), dim=-1)
        value = block.down(before[0, token]).view(6, 4)
        correct, keep = torch.sigmoid(block.gate(after[0, token])).chunk(2)
        for head in range(6):
            k = key[head][:, None]
            kept = (torch.eye(4) - correct[head] * k @ k.T) @ by_head[head] * keep[head]
            by_head[head] = kept + correct[head] * k @ value[head][None]
    one_by_one = by_head.transpose(0, 1).flatten(1)[None]
    assert_close(at_once, rounded(one_by_one), atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_per_token_is_a_segment_of_every_token():
    block, before, after, mask, state = segment("per_token")
    places = block.places(state.ne(0).any(-1), mask)
    at_once = block.write(block.draft(before, after), after[:, -1:], state, places)
    for token in range(1, mask.shape[1]):
        step = placement(state.ne(0).any(-1), mask[:, token : token + 1])
        forget, _ = block._gates(after[:, token : token + 1].expand(-1, 4, -1), state)
        take = super(type(block), block).draft(before[:, token : token + 1], after[:, token : token + 1])
        state = step[..., :4] @ (forget * state) + step[..., 4:] @ take
    assert_close(at_once, rounded(state), atol=1e-4, rtol=1e-3)


def test_layers_that_carry_a_block_are_spread_and_the_last_is_one():
    config = LPMConfig(num_hidden_layers=6, memory_every=2)
    assert [config.carries_memory(i) for i in range(6)] == [False, True] * 3
    assert config.state_shape[0] == 3 == len(tiny_model().model.blocks)
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="memory_every"):
            from_base(tiny_base(), memory_every=wrong)
    with pytest.raises(ValueError, match="multiple of 6 heads"):
        from_base(tiny_base(), mechanism="delta_rule", state_dim=32)
