"""How text becomes tokens: a person's turn as a segment, the cue to write, the written answer."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

__all__ = ["answer_ids", "prompt_ids", "segment_ids"]


def segment_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """A turn between the base's marks: ``<|im_start|>`` text ``<|im_end|>``.

    The text itself never yields control tokens, whatever it contains.
    """
    start, end = _marks(tokenizer)
    return [start, *tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True), end]


def prompt_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The cue to write what the state holds: ``<|im_start|>``."""
    return [_marks(tokenizer)[0]]


def answer_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """A written answer and its end."""
    return [*tokenizer.encode(text, add_special_tokens=False), _marks(tokenizer)[1]]


def _marks(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    if tokenizer.unk_token_id in (start, end) and tokenizer.unk_token_id is not None:
        raise ValueError("the base's tokenizer has no <|im_start|> and <|im_end|> tokens")
    return start, end
