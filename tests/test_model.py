"""The persistent-memory decoder: its base at the start, causal, and the same in every order of reading."""

from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, DynamicCache, GPT2Config, GPT2LMHeadModel, LlamaConfig

from lpm_model import CausalDecoder, LPMConfig, LPMForCausalLM
from lpm_model.layers import LowRankLinear
from lpm_model.memory import placement
from lpm_model.modeling import from_base
from lpm_model.retrofit import retrofit
from lpm_model.state import LatentState, rounded
from tests.tiny import FAMILIES, MEMORY, SIZES, tiny_base, tiny_model

FAMILY = pytest.mark.parametrize("family", FAMILIES)
# Scales of a state are kept in half precision.
ROUNDED: dict[str, Any] = {"atol": 2e-5, "rtol": 1e-3}


def tokens(*shape, seed=0):
    return torch.randint(3, SIZES["vocab_size"], shape, generator=torch.Generator().manual_seed(seed))


@FAMILY
def test_a_retrofitted_model_starts_as_its_base(family):
    base = tiny_base(family)
    model = from_base(base, **MEMORY)
    ids = tokens(2, 19)
    with torch.no_grad():
        assert_close(model(ids).logits, base(ids).logits, atol=1e-5, rtol=1e-5)
        # Left padding: what stands behind it is as if it were not there.
        mask = torch.ones_like(ids)
        mask[0, :7] = 0
        assert_close(
            model(ids, attention_mask=mask).logits[0, 7:], base(ids[:1, 7:]).logits[0], atol=1e-5, rtol=1e-5
        )


def test_the_embedded_base_keeps_its_logits(embedded_base):
    base = AutoModelForCausalLM.from_pretrained(embedded_base, dtype=torch.float32).eval()
    model = LPMForCausalLM.from_base(base)
    ids = torch.tensor([[1, 504, 2863, 28, 12182, 314, 260, 3575]])
    with torch.no_grad():
        assert_close(model(ids).logits, base(ids).logits, atol=2e-3, rtol=1e-4)
    assert model.config.state_shape == (30, 64, 384)
    assert model.config.state_dim < model.config.hidden_size
    assert LatentState.of(torch.zeros(model.config.state_shape), 1, "f").nbytes <= 400_000


def test_other_architectures_are_refused():
    with pytest.raises(ValueError, match="gpt2"):
        from_base(GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=16)))
    with pytest.raises(ValueError, match="bias"):
        LPMConfig.from_base_config(LlamaConfig(**SIZES, attention_bias=True))
    tensors = tiny_base().state_dict() | {"model.norm.bias": torch.ones(48)}
    del tensors["model.layers.2.mlp.down_proj.weight"]
    with pytest.raises(KeyError, match="down_proj"):
        retrofit(CausalDecoder, tiny_base().config, tensors)


@pytest.mark.parametrize("state_dim", [0, 48, 64])
def test_a_state_that_is_not_compressed_is_refused(state_dim):
    with pytest.raises(ValueError, match="state_dim"):
        from_base(tiny_base(), state_dim=state_dim)


def test_a_narrow_state_is_the_best_low_rank_copy_of_keys_and_values():
    base = tiny_base()
    pair = torch.cat(
        [base.model.layers[0].self_attn.k_proj.weight, base.model.layers[0].self_attn.v_proj.weight]
    )
    exact, narrow = (from_base(base, **MEMORY, state_dim=r).state_dict() for r in (32, 12))
    up, down = "model.layers.0.memory.up.weight", "model.layers.0.memory.down.weight"
    assert_close(exact[up] @ exact[down], pair)
    left = pair - narrow[up] @ narrow[down]
    assert_close(left.norm(), torch.linalg.svdvals(pair)[12:].norm(), atol=1e-2, rtol=1e-2)
    assert up in from_base(base, **MEMORY, state_dim=12).learned_names, (
        "the directions are kept with the adapter"
    )
    assert up not in from_base(base, **MEMORY, state_dim=32).learned_names


@FAMILY
@given(position=st.integers(0, 11), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_no_token_sees_what_comes_after_it(family, position, seed):
    model = MODELS[family]
    ids = tokens(1, 12, seed=seed)
    changed = ids.clone()
    changed[0, position] = (ids[0, position] + 1 - 3) % (SIZES["vocab_size"] - 3) + 3
    with torch.no_grad():
        state = model(tokens(1, 9, seed=seed + 1), write=True).latent_state
        for held in (None, state):
            one, two = (model(x, latent_state=held, write=True) for x in (ids, changed))
            assert_close(one.logits[:, :position], two.logits[:, :position], atol=0, rtol=0)
            assert not torch.equal(one.logits[:, position:], two.logits[:, position:])
            assert not torch.equal(one.latent_state, two.latent_state)


MODELS = {family: tiny_model(family) for family in FAMILIES}


@FAMILY
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("chunks", [(13,), (5, 8), (1,) * 13, (4, 1, 1, 7)])
def test_chunks_and_single_tokens_equal_one_forward(family, with_state, chunks):
    model = MODELS[family]
    ids, mask = tokens(3, 13), torch.ones(3, 13, dtype=torch.long)
    mask[0, :4], mask[1, :1] = 0, 0
    with torch.no_grad():
        held = model(tokens(3, 9, seed=5), write=True).latent_state if with_state else None
        whole = model(ids, attention_mask=mask, latent_state=held, write=True)
        cache, logits, start = DynamicCache(), [], 0
        drafts: list[torch.Tensor] = []
        for size in chunks:
            last = start + size == 13
            out = model(
                ids[:, start : start + size],
                attention_mask=mask[:, : start + size],
                latent_state=held,
                past_key_values=cache,
                write=last,
                drafts=drafts,
            )
            logits.append(out.logits)
            start += size
    real = mask.bool()
    assert_close(torch.cat(logits, 1)[real], whole.logits[real], atol=2e-5, rtol=2e-5)
    assert_close(out.latent_state, whole.latent_state, **ROUNDED)
    assert cache.get_seq_length() == 13


@FAMILY
def test_padding_changes_neither_logits_nor_state(family):
    model = MODELS[family]
    ids = tokens(1, 10)
    padded = torch.cat((torch.full((1, 6), 2), ids), dim=1)
    mask = torch.cat((torch.zeros(1, 6, dtype=torch.long), torch.ones(1, 10, dtype=torch.long)), dim=1)
    with torch.no_grad():
        one, two = model(ids, write=True), model(padded, attention_mask=mask, write=True)
    assert_close(two.logits[:, 6:], one.logits, atol=2e-5, rtol=2e-5)
    assert_close(two.latent_state, one.latent_state, **ROUNDED)


def test_the_state_is_read_and_every_layer_of_it_matters():
    model, ids = MODELS["llama"], tokens(1, 6)
    with torch.no_grad():
        state = model(tokens(1, 8, seed=3), write=True).latent_state
        plain, held = model(ids).logits, model(ids, latent_state=state).logits
        assert not torch.allclose(plain, held, atol=1e-3)
        for layer in range(3):
            other = state.clone()
            other[:, layer] += 1
            assert not torch.allclose(model(ids, latent_state=other).logits, held, atol=1e-5)


def test_the_gates_keep_and_take():
    block = tiny_model().model.layers[0].memory
    normed, old = torch.randn(1, 4, 48), torch.randn(1, 4, 32)
    held = torch.ones(1, 4, dtype=torch.bool)
    whole, two = torch.ones(1, 4, dtype=torch.long), torch.tensor([[0, 0, 1, 1]])
    block.gate_in.weight.data.zero_()
    forget, take = block.gate_out.bias.data.chunk(2)
    forget.fill_(50.0), take.fill_(-50.0)
    nothing = block.draft(normed, normed)
    assert_close(nothing, torch.zeros(1, 4, 32))
    assert_close(block.rewrite(normed, normed, old), rounded(old))
    kept = block.write(nothing, normed[:, -1:], old, placement(held, two))
    wanted = torch.cat((old[:, :3].mean(1, True), old[:, 3:], torch.zeros(1, 2, 32)), dim=1)
    assert_close(kept, rounded(wanted)), "two slots for four: the newest has one of its own"
    forget.fill_(-50.0), take.fill_(50.0)
    candidate = block.down(normed)
    assert_close(block.draft(normed, normed), candidate)
    assert_close(block.rewrite(normed, normed, old), rounded(candidate))
    empty = torch.zeros(1, 4, dtype=torch.bool)
    assert_close(block.write(candidate, normed[:, -1:], None, placement(empty, whole)), rounded(candidate))


@given(
    count=st.integers(2, 9),
    turns=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12).filter(any), min_size=1, max_size=5),
)
def test_everything_read_has_a_place_in_order(count, turns):
    """Nothing is dropped, nothing stands before what is older, and room is used before slots are shared."""
    held = torch.zeros(1, count, dtype=torch.bool)
    for turn in turns:
        mask = torch.tensor([turn])
        weights = placement(held, mask)[0]
        present = torch.cat((held[0], mask[0].bool()))
        assert weights.shape == (count, len(present))
        assert (weights.gt(0).sum(0) == present).all(), "each in one slot, padding and empty slots in none"
        places = weights.argmax(0)[present]
        assert (places.diff() >= 0).all()
        sums = weights.sum(-1)
        old, new, alone = int(held.sum()), sum(turn), weights.gt(0).sum(-1) == 1
        own = alone[weights.argmax(0)]
        assert own[count:][mask[0].bool()].all() or new > count // 2, "half of the slots are for a segment"
        kept = min(old, count - min(new, max(count // 2, count - old)))
        assert own[count - 3 * kept // 4 : count].all(), "the newest of the slots so far keep their own"
        filled_now = sums > 0
        assert_close(sums[filled_now], torch.ones(int(filled_now.sum())))
        assert filled_now.sum() == min(count, present.sum()) and filled_now[-1]
        assert (filled_now.int().diff() >= 0).all(), "what is empty stands in front"
        held = filled_now[None]


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_a_short_text_is_remembered_as_if_it_stood_in_the_window(family):
    """Where nothing is shared or rounded, W_down is the keys and values, and the gates are open."""
    model = tiny_model(family, trained=False, num_slots=16)
    for layer in model.model.layers:
        layer.memory.gate_out.bias.data.fill_(50.0)
    said, more = tokens(2, 9), tokens(2, 5, seed=1)
    with torch.no_grad(), mock.patch("lpm_model.memory.rounded", lambda slots: slots):
        state = model(said, write=True).latent_state
        remembered = model(more, latent_state=state).logits
        seen = model(torch.cat((said, more), dim=1)).logits[:, 9:]
        assert_close(remembered, seen, atol=1e-5, rtol=1e-5)
        # And so over turns.
        state = model(more, latent_state=state, write=True).latent_state
        last = tokens(2, 2, seed=2)
        seen = model(torch.cat((said, more, last), dim=1)).logits[:, 14:]
        assert_close(model(last, latent_state=state).logits, seen, atol=1e-5, rtol=1e-5)


def test_an_empty_state_is_as_none():
    model, ids = tiny_model(trained=False), tokens(1, 6)
    with torch.no_grad():
        empty = torch.zeros(1, *model.config.state_shape)
        assert_close(model(ids, latent_state=empty).logits, model(ids).logits, atol=1e-5, rtol=1e-5)


def test_a_latent_step_changes_the_state_without_tokens():
    model = MODELS["llama"]
    with torch.no_grad():
        state = model(tokens(2, 8), write=True).latent_state
        out = model(None, latent_state=state, write=True)
    assert out.logits.shape == (2, 0, SIZES["vocab_size"])
    assert out.latent_state.shape == state.shape and not torch.allclose(out.latent_state, state, atol=1e-3)


def test_gradients_reach_the_first_of_several_turns():
    model = tiny_model()
    first = model.model.embed_tokens(tokens(1, 5))
    state = None
    for turn in range(3):
        state = model(tokens(1, 5, seed=turn), latent_state=state, write=True).latent_state
        if turn == 0:
            state.retain_grad()
            start = state
    state = model(None, latent_state=state, write=True).latent_state
    model(tokens(1, 4, seed=9), latent_state=state, labels=tokens(1, 4, seed=9)).loss.backward()
    assert start.grad is not None and start.grad.abs().sum() > 0
    assert first.grad is None  # the base's own weights stay as they are
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_generate_carries_the_state_and_equals_greedy_by_hand():
    model, prompt = MODELS["llama"], tokens(2, 5)
    with torch.no_grad():
        state = model(tokens(2, 8, seed=3), write=True).latent_state
        made = model.generate(
            prompt, latent_state=state, max_new_tokens=8, do_sample=False, eos_token_id=None
        )
        by_hand = prompt
        for _ in range(8):
            logits = model(by_hand, latent_state=state).logits[:, -1]
            by_hand = torch.cat((by_hand, logits.argmax(-1, keepdim=True)), dim=1)
        without = model.generate(prompt, max_new_tokens=8, do_sample=False, eos_token_id=None)
    assert made.tolist() == by_hand.tolist()
    assert made.tolist() != without.tolist()


@FAMILY
def test_saved_and_loaded_by_the_auto_classes(family, tmp_path):
    model, ids = MODELS[family], tokens(1, 7)
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert isinstance(again, LPMForCausalLM)
    with torch.no_grad():
        one, two = model(ids, write=True), again(ids, write=True)
    assert_close(two.logits, one.logits)
    assert_close(two.latent_state, one.latent_state)


@FAMILY
def test_folding_the_updates_changes_nothing_but_the_cost(family):
    model, folded, ids = tiny_model(family), tiny_model(family).fold(), tokens(1, 9)
    with torch.no_grad():
        assert_close(folded(ids, write=True).logits, model(ids, write=True).logits, atol=1e-5, rtol=1e-5)
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in model.parameters())


@pytest.mark.skipif(
    torch.backends.quantized.engine not in ("x86", "fbgemm"), reason="this processor has no such kernel"
)
@pytest.mark.parametrize("bias", [False, True])
def test_a_packed_map_is_the_map_in_half_precision(bias):
    linear = LowRankLinear(256, 300, 4, bias)
    for parameter in linear.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    inputs = [torch.randn(2, 3, 256), torch.randn(1, 1, 256), torch.randn(1, 0, 256), torch.randn(7, 256)]
    with torch.no_grad():
        linear.fold()
        wanted = [torch.nn.functional.linear(x, linear.weight.half().float(), linear.bias) for x in inputs]
        linear.pack()
        assert linear.packed is not None and not linear.weight.numel()
        linear.pack()
        for x, y in zip(inputs, wanted, strict=True):
            assert_close(linear(x), y, atol=1e-4, rtol=1e-5)


@FAMILY
def test_the_plain_decoder_computes_what_the_transformers_model_does(family):
    model = MODELS[family]
    plain = CausalDecoder(model.config).eval()
    plain.load_state_dict(model.state_dict())
    ids = tokens(2, 9)
    with torch.no_grad():
        one, two = model(ids, write=True), plain(ids, write=True)
        assert_close(two.logits, one.logits, atol=0, rtol=0)
        assert_close(two.latent_state, one.latent_state, atol=0, rtol=0)
        kept = plain(ids, latent_state=two.latent_state, logits_to_keep=2).logits
        assert_close(kept, model(ids, latent_state=one.latent_state).logits[:, -2:])


def test_a_base_whose_positions_depend_on_the_length_is_refused():
    base = tiny_base()
    base.config.rope_parameters = base.config.rope_parameters | {"rope_type": "dynamic", "factor": 2.0}
    with pytest.raises(ValueError, match="depend on the length"):
        from_base(base)
