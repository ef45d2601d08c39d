"""Write text from the state under a grammar: always valid, forced tokens in one forward.

The grammar is Lark text as llguidance reads it. Tokens that it forces are not sampled: they are fed
together with the token before them. Valid does not mean right: each choice's probability is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import llguidance
import numpy as np
import torch
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from transformers import PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache

from lpm_model.decoder import WithHead
from lpm_model.text import answer_ids, prompt_ids

__all__ = ["NOTICED", "ConstrainedDecoder", "Decoded", "Drawn"]

NOTICED = 0.01
"""Least probability of a token that was not taken for it to be kept."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was written.

    Attributes:
        text: The text, valid under the grammar if ``complete``.
        complete: Whether the grammar was satisfied within the budget.
        spans: For each chosen token its text's end in ``text`` and its probability among the tokens
            that the grammar allowed. Forced tokens have none, and neither has the end.
        rivals: What was nearly written: where in ``text`` a choice was made, the text of a token that was
            not taken though its probability was ``NOTICED`` or more, and that probability.
        tokens: Tokens written, forced ones included.
        forwards: Calls of the model.
    """

    text: str
    complete: bool
    spans: tuple[tuple[int, float], ...]
    rivals: tuple[tuple[int, str, float], ...]
    tokens: int
    forwards: int

    def confidence(self, start: int, end: int) -> float:
        """Product of the probabilities chosen within ``text[start:end]``."""
        result = 1.0
        for position, probability in self.spans:
            if start < position <= end:
                result *= probability
        return result


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn.

    Attributes:
        text: The text; valid under the grammar if it ended within the budget.
        ids: Its tokens, the end's included, so far as they were drawn.
        chosen: Which of them were drawn, the others being forced.
        allowed: For each of those the tokens among which it was drawn, eight to a byte (V / 8), the first in
            the lowest bit.
    """

    text: str
    ids: tuple[int, ...]
    chosen: tuple[int, ...]
    allowed: tuple[np.ndarray, ...]


class ConstrainedDecoder:
    """Decoding under a grammar.

    Args:
        model: The model, for inference.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: WithHead, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._end = answer_ids(tokenizer, "")[-1]
        # As `llguidance.hf.from_tokenizer` does, without the copy that it makes first.
        self._constraints = llguidance.LLTokenizer(
            tokenizer.backend_tokenizer.to_str(), n_vocab=model.config.vocab_size, eos_token=self._end
        )
        self._grammars: dict[str, str] = {}

    @torch.inference_mode()
    def write(
        self,
        grammar: str,
        state: torch.Tensor | None,
        *,
        context: list[int] | None = None,
        max_tokens: int = 256,
    ) -> Decoded:
        """Write the most likely text, token by token, from the state.

        Args:
            grammar: Lark grammar of what may be written.
            state: (1, L, K, r), or None for an empty memory.
            context: Token ids to keep in the window before the answer, for reading in sight.
            max_tokens: Most tokens to write.
        """
        matcher = self._matcher(grammar)
        bitmask = allocate_token_bitmask(1, self.model.config.vocab_size)
        cache = DynamicCache(config=self.model.config)
        decompressed = None if state is None else self.model.model.decompress(state)
        pending = [*(context or []), *prompt_ids(self.tokenizer)]
        written: list[int] = []
        chosen: list[tuple[int, float]] = []
        nearly: list[tuple[int, int, float]] = []
        forwards = 0
        while len(written) < max_tokens:
            forced = matcher.compute_ff_tokens()
            if len(written) + len(forced) > max_tokens:
                break
            if forced:
                matcher.consume_tokens(forced)
                written += forced
                pending += forced
            if matcher.is_stopped():
                break
            out = self.model(
                torch.tensor([pending]),
                latent_state=state,
                decompressed=decompressed,
                past_key_values=cache,
                logits_to_keep=1,
            )
            forwards += 1
            fill_next_token_bitmask(matcher, bitmask)
            allowed = self.unpacked(bitmask[0].view(np.uint8))
            logits = out.logits[0, -1].float().masked_fill(~allowed, -torch.inf)
            chances = torch.softmax(logits, -1)
            token = int(chances.argmax())
            others = (chances >= NOTICED).nonzero()[:, 0].tolist()
            nearly += [(len(written), o, float(chances[o])) for o in others if o not in (token, self._end)]
            matcher.consume_token(token)
            if token == self._end:
                break
            written.append(token)
            chosen.append((len(written), float(chances[token])))
            pending = [token]

        def length(count: int) -> int:
            return len(self.tokenizer.decode(written[:count]))

        ends = tuple((length(count), p) for count, p in chosen)
        rivals = tuple((length(count), self.tokenizer.decode([other]), p) for count, other, p in nearly)
        text = self.tokenizer.decode(written)
        return Decoded(text, matcher.is_accepting(), ends, rivals, len(written), forwards)

    @torch.no_grad()
    def draw(
        self, grammar: str, states: torch.Tensor, generator: torch.Generator | None, max_tokens: int = 256
    ) -> list[Drawn]:
        """Draw a text from every state, by the model's probabilities among what the grammar allows.

        Args:
            grammar: As for ``write``.
            states: (B, L, K, r).
            generator: Source of chance, on the CPU; None takes the likeliest token instead.
            max_tokens: Most tokens of a text, its end included.
        """
        device = states.device
        matchers = [self._matcher(grammar) for _ in states]
        forced: list[list[int]] = [[] for _ in matchers]
        ids: list[list[int]] = [[] for _ in matchers]
        chosen: list[list[int]] = [[] for _ in matchers]
        allowed: list[list[np.ndarray]] = [[] for _ in matchers]
        bitmask = allocate_token_bitmask(1, self.model.config.vocab_size)
        decompressed, cache = self.model.model.decompress(states), DynamicCache(config=self.model.config)
        pending = torch.tensor([prompt_ids(self.tokenizer)] * len(matchers), device=device)
        running = set(range(len(matchers)))
        for _ in range(max_tokens):
            logits = self.model(
                pending,
                latent_state=states,
                decompressed=decompressed,
                past_key_values=cache,
                logits_to_keep=1,
            ).logits[:, -1]
            taken = [self._end] * len(matchers)
            for row in sorted(running):
                matcher = matchers[row]
                if not forced[row] and not matcher.is_stopped():
                    forced[row] = list(matcher.compute_ff_tokens())
                    matcher.consume_tokens(forced[row])
                if forced[row]:
                    taken[row] = forced[row].pop(0)
                elif not matcher.is_stopped():
                    fill_next_token_bitmask(matcher, bitmask)
                    packed = bitmask[0].view(np.uint8).copy()
                    may = logits[row].float().cpu().masked_fill(~self.unpacked(packed), -torch.inf)
                    taken[row] = _drawn(may, generator)
                    matcher.consume_token(taken[row])
                    chosen[row].append(len(ids[row]))
                    allowed[row].append(packed)
                ids[row].append(taken[row])
                if taken[row] == self._end:
                    running.discard(row)
            if not running:
                break
            pending = torch.tensor(taken, device=device)[:, None]
        found = []
        for written, places, among in zip(ids, chosen, allowed, strict=True):
            whole = written[-1] == self._end
            text = self.tokenizer.decode(written[:-1] if whole else written)
            found.append(Drawn(text, tuple(written), tuple(places), tuple(among)))
        return found

    def unpacked(self, packed: np.ndarray) -> torch.Tensor:
        """Which of the vocabulary's tokens are allowed, of eight to a byte: bool (..., V)."""
        bits = np.unpackbits(packed, axis=-1, bitorder="little")
        return torch.from_numpy(bits[..., : self.model.config.vocab_size] != 0)

    def _matcher(self, grammar: str) -> llguidance.LLMatcher:
        """Where a text under a grammar begins."""
        compiled = self._grammars.setdefault(grammar, llguidance.LLMatcher.grammar_from_lark(grammar))
        return llguidance.LLMatcher(self._constraints, compiled)

    @torch.inference_mode()
    def log_likelihoods(self, texts: Sequence[str], state: torch.Tensor | None) -> tuple[float, ...]:
        """Logarithm of the probability of each text and its end, all read from the state in one forward.

        Given what they have in common: tokens that all texts begin with are not counted.
        """
        prompt = prompt_ids(self.tokenizer)
        rows = [prompt + answer_ids(self.tokenizer, text) for text in texts]
        alike = itertools.takewhile(lambda ids: len(set(ids)) == 1, zip(*rows, strict=False))
        shared = sum(1 for _ in alike)
        ids = torch.full((len(rows), max(map(len, rows))), self._end)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        every = None if state is None else state.expand(len(rows), -1, -1, -1)
        # Causal: what pads a row on the right changes nothing before it.
        logits = self.model(ids[:, :-1], latent_state=every).logits.float()
        chosen = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[..., 0]
        return tuple(
            float(row[shared - 1 : len(ids) - 1].sum()) for row, ids in zip(chosen, rows, strict=True)
        )

    @torch.inference_mode()
    def likelihood(self, text: str, state: torch.Tensor | None, context: Sequence[int] = ()) -> float:
        """Lowest probability of a token of ``text`` when read from the state, in one forward.

        A text that the model would write itself keeps every token above one half or so; a state
        that lost something shows it at the token where it would write something else.

        Args:
            text: The text.
            state: As for ``write``.
            context: Token ids in the window before it.
        """
        prompt = [*context, *prompt_ids(self.tokenizer)]
        ids = torch.tensor([prompt + answer_ids(self.tokenizer, text)])
        wanted = ids[0, len(prompt) :]
        logits = self.model(ids[:, :-1], latent_state=state, logits_to_keep=len(wanted)).logits[0].float()
        return float(torch.softmax(logits, -1).gather(-1, wanted[:, None]).min())


def _drawn(logits: torch.Tensor, generator: torch.Generator | None) -> int:
    """A token by its probability, or the likeliest one."""
    if generator is None:
        return int(logits.argmax())
    return int(torch.multinomial(torch.softmax(logits, -1), 1, generator=generator))
