"""Writing under a grammar: always valid, forced tokens unpaid, the state decides."""

import pytest
import torch

from lpm_model.decoding import ConstrainedDecoder
from lpm_model.text import answer_ids, prompt_ids, segment_ids
from tests.tiny import SIZES, byte_tokenizer, tiny_model
from tools.notation import grammar, read_call
from tools.roads.arguments import RouteArguments

CALLS = {"route": RouteArguments}


@pytest.fixture(scope="module")
def parts():
    tokenizer = byte_tokenizer()
    SIZES["vocab_size"], before = len(tokenizer), SIZES["vocab_size"]
    try:
        model = tiny_model()
    finally:
        SIZES["vocab_size"] = before
    return model, tokenizer, ConstrainedDecoder(model, tokenizer)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_state_holds_the_call_is_valid(parts, seed):
    _, _, decoder = parts
    state = 3 * torch.randn(1, 3, 4, 32, generator=torch.Generator().manual_seed(seed))
    written = decoder.write(grammar(CALLS), state, max_tokens=2000)
    assert written.complete
    name, values, places = read_call(written.text, CALLS)
    assert name == "route" and places.keys() == values.keys()
    RouteArguments(**values)
    assert written.forwards < written.tokens  # "route" alone is five forced tokens here
    assert all(0 < p <= 1 for _, p in written.spans)
    assert 0 <= written.confidence(0, len(written.text)) <= 1


def test_different_states_write_different_calls(parts):
    _, _, decoder = parts
    texts = set()
    for seed in range(12):
        state = 3 * torch.randn(1, 3, 4, 32, generator=torch.Generator().manual_seed(seed))
        texts.add(decoder.write(grammar(CALLS), state, max_tokens=2000).text)
    assert len(texts) > 6


def test_too_small_a_budget_is_told(parts):
    _, _, decoder = parts
    assert not decoder.write("start: /a{50}/", None, max_tokens=10).complete
    assert decoder.write("start: /a{50}/", None, max_tokens=50).text == "a" * 50


def test_probabilities_equal_those_of_a_full_forward(parts):
    model, tokenizer, decoder = parts
    state = torch.randn(1, 3, 4, 32, generator=torch.Generator().manual_seed(3))
    written = decoder.write('start: ("yes" | "no" | "maybe") "."', state)
    ids = torch.tensor([prompt_ids(tokenizer)])
    with torch.no_grad():
        logits = model(ids, latent_state=state).logits[0, -1]
    options = [answer_ids(tokenizer, c)[0] for c in "ynm"]
    chances = torch.softmax(logits[options], -1)
    assert written.text[0] == "ynm"[chances.argmax()]
    assert written.spans[0][1] == pytest.approx(chances.max().item(), rel=1e-4)


def test_texts_weighed_together_weigh_what_each_weighs_alone(parts):
    model, tokenizer, decoder = parts
    state = torch.randn(1, 3, 4, 32, generator=torch.Generator().manual_seed(5))
    texts = ["to Rome", "to Troy, NY and back", "no"]
    together = decoder.log_likelihoods(texts, state)
    # What all begin with is no difference.
    longer = decoder.log_likelihoods([f"so {text}" for text in texts[:2]], state)
    shared = decoder.log_likelihoods([f"so {text}" for text in texts], state)
    assert shared[0] - longer[0] == pytest.approx(shared[1] - longer[1], rel=1e-3) and shared[0] < longer[0]
    for text, weight in zip(texts, together, strict=True):
        ids = torch.tensor([prompt_ids(tokenizer) + answer_ids(tokenizer, text)])
        with torch.no_grad():
            logits = model(ids[:, :-1], latent_state=state).logits[0]
        wanted = torch.log_softmax(logits.float(), -1).gather(-1, ids[0, 1:, None])
        assert weight == pytest.approx(wanted[len(prompt_ids(tokenizer)) - 1 :].sum().item(), rel=1e-4)


def test_likelihood_is_the_lowest_probability_of_the_tokens(parts):
    model, tokenizer, decoder = parts
    state = torch.randn(1, 3, 4, 32)
    ids = torch.tensor([prompt_ids(tokenizer) + answer_ids(tokenizer, "to Rome")])
    with torch.no_grad():
        chances = torch.softmax(model(ids, latent_state=state).logits[0], -1)
    lowest = min(chances[i, ids[0, i + 1]].item() for i in range(ids.shape[1] - 1))
    assert decoder.likelihood("to Rome", state) == pytest.approx(lowest, rel=1e-3)


def test_likelihood_with_a_text_in_the_window_before_it(parts):
    model, tokenizer, decoder = parts
    state, seen = torch.randn(1, 3, 4, 32), segment_ids(tokenizer, "by Rome")
    answer = answer_ids(tokenizer, "to Rome")
    ids = torch.tensor([seen + prompt_ids(tokenizer) + answer])
    with torch.no_grad():
        chances = torch.softmax(model(ids, latent_state=state).logits[0], -1)
    begin = ids.shape[1] - len(answer)
    lowest = min(chances[i - 1, ids[0, i]].item() for i in range(begin, ids.shape[1]))
    found = decoder.likelihood("to Rome", state, seen)
    assert found == pytest.approx(lowest, rel=1e-3)
    assert found != pytest.approx(decoder.likelihood("to Rome", state), rel=1e-3)


def test_text_never_yields_control_tokens(parts):
    _, tokenizer, _ = parts
    ids = segment_ids(tokenizer, "go <|im_end|> <|im_start|>to Rome")
    assert ids[0] == 1 and ids[-1] == 2 and not {1, 2} & set(ids[1:-1])
