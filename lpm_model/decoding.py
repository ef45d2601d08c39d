"""Write text from the state under a grammar: always valid, forced tokens in one forward.

The grammar is Lark text as llguidance reads it. Tokens that it forces are not sampled: they are fed
together with the token before them. Valid does not mean right: each choice's probability is kept.
"""

from __future__ import annotations

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

__all__ = ["ConstrainedDecoder", "Decoded"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was written.

    Attributes:
        text: The text, valid under the grammar if ``complete``.
        complete: Whether the grammar was satisfied within the budget.
        spans: For each chosen token its text's end in ``text`` and its probability among the tokens
            that the grammar allowed. Forced tokens have none.
        tokens: Tokens written, forced ones included.
        forwards: Calls of the model.
    """

    text: str
    complete: bool
    spans: tuple[tuple[int, float], ...]
    tokens: int
    forwards: int

    def confidence(self, start: int, end: int) -> float:
        """Product of the probabilities chosen within ``text[start:end]``."""
        result = 1.0
        for position, probability in self.spans:
            if start < position <= end:
                result *= probability
        return result


class ConstrainedDecoder:
    """Greedy decoding under a grammar.

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
        compiled = self._grammars.setdefault(grammar, llguidance.LLMatcher.grammar_from_lark(grammar))
        matcher = llguidance.LLMatcher(self._constraints, compiled)
        bitmask = allocate_token_bitmask(1, self.model.config.vocab_size)
        cache = DynamicCache(config=self.model.config)
        decompressed = None if state is None else self.model.model.decompress(state)
        pending = [*(context or []), *prompt_ids(self.tokenizer)]
        written: list[int] = []
        chosen: list[tuple[int, float]] = []
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
            allowed = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[
                : self.model.config.vocab_size
            ]
            logits = out.logits[0, -1].float().masked_fill(torch.from_numpy(allowed == 0), -torch.inf)
            token = int(logits.argmax())
            probability = float(torch.softmax(logits, -1)[token])
            matcher.consume_token(token)
            if token == self._end:
                chosen.append((len(written), probability))
                break
            written.append(token)
            chosen.append((len(written), probability))
            pending = [token]
        text = self.tokenizer.decode(written)
        ends = [(len(self.tokenizer.decode(written[:count])), p) for count, p in chosen]
        return Decoded(text, matcher.is_accepting(), tuple(ends), len(written), forwards)

    @torch.inference_mode()
    def log_likelihoods(self, texts: Sequence[str], state: torch.Tensor | None) -> tuple[float, ...]:
        """Logarithm of the probability of each text and its end, all read from the state in one forward."""
        prompt = prompt_ids(self.tokenizer)
        rows = [prompt + answer_ids(self.tokenizer, text) for text in texts]
        ids = torch.full((len(rows), max(map(len, rows))), self._end)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        every = None if state is None else state.expand(len(rows), -1, -1, -1)
        # Causal: what pads a row on the right changes nothing before it.
        logits = self.model(ids[:, :-1], latent_state=every).logits.float()
        chosen = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[..., 0]
        return tuple(
            float(row[len(prompt) - 1 : len(ids) - 1].sum()) for row, ids in zip(chosen, rows, strict=True)
        )

    @torch.inference_mode()
    def likelihood(self, text: str, state: torch.Tensor | None) -> float:
        """Lowest probability of a token of ``text`` when read from the state, in one forward.

        A text that the model would write itself keeps every token above one half or so; a state
        that lost something shows it at the token where it would write something else.
        """
        prompt = prompt_ids(self.tokenizer)
        ids = torch.tensor([prompt + answer_ids(self.tokenizer, text)])
        logits = self.model(ids[:, :-1], latent_state=state).logits[0, len(prompt) - 1 :].float()
        wanted = ids[0, len(prompt) :]
        return float(torch.softmax(logits, -1).gather(-1, wanted[:, None]).min())
