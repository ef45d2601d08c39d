"""Continue many texts at once: each prompt is read once, and rows that have ended leave the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from lpm_model.decoder import WithHead

__all__ = ["Continued", "Sampled", "Sampling", "chosen", "continuations"]

_LEAVING = 0.8  # rows that ended are dropped when at most this share still runs, since the rest is copied
_CANDIDATES = (
    200  # tokens among which is drawn, at most: sorting the whole vocabulary takes longer than the model
)


@dataclass(frozen=True)
class Sampling:
    """How to choose.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: Only the likeliest tokens that together have this probability are drawn.
        max_tokens: Most tokens to write.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 256


@dataclass(frozen=True)
class Sampled:
    """What follows a prompt, up to its end, and how many tokens were written for it."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Continued:
    """What follows each prompt, continuation by continuation, and how many calls of the model it took."""

    every: list[list[Sampled]]
    forwards: int


class Window:
    """Keys and values of a batch, in memory taken once for all steps; what the decoder needs of a cache."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: list[tuple[torch.Tensor, torch.Tensor]] = []  # by layer, (B, kv_heads, room, head_dim)
        self._used: list[int] = []

    def get_seq_length(self) -> int:
        """Tokens held."""
        return self._used[0] if self._used else 0

    def update(self, key: torch.Tensor, value: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a layer's (B, kv_heads, T, head_dim); returns all of the layer's."""
        if layer == len(self._held):
            shape = (*key.shape[:2], self._room, key.shape[3])
            self._held.append((key.new_empty(shape), value.new_empty(shape)))
            self._used.append(0)
        begin = self._used[layer]
        end = self._used[layer] = begin + key.shape[2]
        keys, values = self._held[layer]
        keys[:, :, begin:end], values[:, :, begin:end] = key, value
        return keys[:, :, :end], values[:, :, :end]

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows, in this order; one may come more than once."""
        for layer, (keys, values) in enumerate(self._held):
            shape, used = (len(rows), *keys.shape[1:]), self._used[layer]
            kept = keys.new_empty(shape), values.new_empty(shape)
            kept[0][:, :, :used], kept[1][:, :, :used] = keys[rows, :, :used], values[rows, :, :used]
            self._held[layer] = kept


def chosen(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """A token for each row of logits (B, V)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    likely, tokens = torch.softmax(logits / sampling.temperature, -1).topk(min(_CANDIDATES, logits.shape[-1]))
    before = likely.cumsum(-1) - likely
    likely = likely.masked_fill(before >= sampling.top_p, 0.0)
    return tokens.gather(-1, torch.multinomial(likely, 1, generator=generator))[:, 0]


@torch.inference_mode()
def continuations(
    model: WithHead,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    each: int,
    end: Callable[[str], int | None],
    sampling: Sampling,
    generator: torch.Generator,
) -> Continued:
    """Continuations of every prompt, in one batch.

    Args:
        model: With an empty memory: prompts stand in its window.
        tokenizer: Its tokenizer.
        prompts: Texts.
        each: How many continuations of each.
        end: Where a continuation ends, as far as it is written; None if it goes on.
        sampling: How to choose.
        generator: On the model's device.
    """
    device = model.lm_head.weight.device
    rows = [tokenizer.encode(text, add_special_tokens=False) for text in prompts]
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    window = Window(longest + sampling.max_tokens)
    logits = model.run(ids, logits_to_keep=1, attention_mask=mask, past_key_values=window).logits[:, -1]

    stops = set(tokenizer.all_special_ids)
    written: list[list[int]] = [[] for _ in range(len(prompts) * each)]
    texts = [""] * len(written)
    running = list(range(len(written)))
    ended: set[int] = set()
    rows_of = torch.arange(len(prompts), device=device).repeat_interleave(each)
    window.select(rows_of)
    forwards = 1
    mask, logits = mask[rows_of], logits[rows_of]
    for step in range(1, sampling.max_tokens + 1):
        tokens = chosen(logits.float(), sampling, generator)
        for row, token in zip(running, tokens.tolist(), strict=True):
            if row in ended:
                continue
            written[row].append(token)
            if token in stops:
                ended.add(row)
                continue
            texts[row] = tokenizer.decode(written[row])
            if (cut := end(texts[row])) is not None:
                texts[row] = texts[row][:cut]
                ended.add(row)
        places = [place for place, row in enumerate(running) if row not in ended]
        if not places or step == sampling.max_tokens:
            break
        if len(places) <= _LEAVING * len(running):
            kept = torch.tensor(places, device=device)
            window.select(kept)
            mask, tokens, running = mask[kept], tokens[kept], [running[place] for place in places]
        mask = torch.cat((mask, mask.new_ones(len(mask), 1)), dim=1)
        options = {"attention_mask": mask, "past_key_values": window}
        logits = model.run(tokens[:, None], logits_to_keep=1, **options).logits[:, -1]
        forwards += 1
    every = [Sampled(text, len(tokens)) for text, tokens in zip(texts, written, strict=True)]
    return Continued([every[n : n + each] for n in range(0, len(every), each)], forwards)
