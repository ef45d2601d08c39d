"""How many operations a turn costs: counted from the shapes, two for every multiplication and addition.

With T tokens run, S positions of the window, D the hidden width, A = heads * head_dim, P = 2 * kv heads *
head_dim, H the MLP's width, V the vocabulary, and per layer that carries a memory K slots of r numbers,
gates of rank g and a merge of rank m:

    base layer      2 T (D (A + P) + A D + 3 D H)  +  4 T S A      weights, then scores and their values
    head            2 V D for every position that gets logits
    slots read      2 K r P  +  4 T K A  +  2 T m (2 D + A)        W_up, scores and values, then the merge
    state written   2 T (D r + (D + r) g + 2 g r)  +  2 K N r      drafts, then N tokens into K slots
    over an older   2 K ((D + r) g + 2 g r)  +  2 K K r            forget gates, then slots into slots

Attention is counted as it is computed: every one of T rows over all S columns of the window, and over K
slots where they are read. Normalisations, rotary positions, softmaxes and activations are left out, as is
usual: they are below one in a hundred. The counts are those of inference, with the low-rank updates folded
into the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from lpm_model.configuration import LPMConfig

__all__ = ["Forward", "forward_flops", "remembering_turn_flops", "rereading_turn_flops"]


@dataclass(frozen=True, slots=True)
class Forward:
    """One call of the model.

    Attributes:
        tokens: Tokens run.
        past: Tokens already in the window, whose keys and values are kept.
        logits: Positions that get logits.
        reads: Whether a state is read.
        decompressed: Whether its keys and values are at hand from an earlier call.
        writes: Whether the state is written.
    """

    tokens: int
    past: int = 0
    logits: int = 0
    reads: bool = False
    decompressed: bool = False
    writes: bool = False


def forward_flops(config: LPMConfig, call: Forward) -> int:
    """Operations of one call, by the formulas above; one that neither reads nor writes is the base's.

    Raises:
        ValueError: If the memory is of another mechanism, which counts otherwise.
    """
    if config.mechanism != "slots":
        raise ValueError(f"the operations of mechanism {config.mechanism} are not counted")
    width, hidden, slots, state = (
        config.hidden_size,
        config.intermediate_size,
        config.num_slots,
        config.state_dim,
    )
    heads, pair = config.num_attention_heads * config.head_dim, 2 * config.kv_dim
    rows, gates = call.tokens, (width + state) * config.gate_rank + 2 * config.gate_rank * state
    seen = call.past + rows
    layer = 2 * rows * (width * (heads + pair) + heads * width + 3 * width * hidden) + 4 * rows * seen * heads
    memory = 0
    if call.reads:
        memory += 4 * rows * slots * heads + 2 * rows * config.merge_rank * (2 * width + heads)
    if call.reads and not call.decompressed:
        memory += 2 * slots * state * pair
    if call.writes:
        memory += 2 * rows * (width * state + gates) + 2 * slots * seen * state
    if call.writes and call.reads:
        memory += 2 * slots * gates + 2 * slots * slots * state
    carriers = config.state_shape[0]
    return config.num_hidden_layers * layer + carriers * memory + 2 * call.logits * config.vocab_size * width


def remembering_turn_flops(config: LPMConfig, request: int, answer: int, *, first: bool) -> int:
    """Operations of reading a request into the state and writing an answer from it, token by token.

    Nothing of earlier turns is run again: the cost is the same whatever was said before.

    Args:
        config: The model's.
        request: Tokens of this turn.
        answer: Tokens written.
        first: Whether the memory is still empty.
    """
    total = 0
    for start in range(0, request, config.segment_length):
        size = min(config.segment_length, request - start)
        total += forward_flops(config, Forward(size, reads=not first or start > 0, writes=True))
    calls = (Forward(1, past=i, logits=1, reads=True, decompressed=i > 0) for i in range(answer))
    return total + sum(forward_flops(config, call) for call in calls)


def session_turn_flops(config: LPMConfig, request: int, answer: int, result: int, *, first: bool) -> int:
    """Operations of all that the planner does with the model in a turn of a session.

    Beside reading and writing, the answer is read once more with the request in sight; the tool's result and
    the answer are read into the state of before the turn, and the answer must still follow from that.

    Args:
        config: The model's.
        request: Tokens of this turn.
        answer: Tokens written.
        result: Tokens of what the tool found.
        first: Whether the memory is still empty.
    """
    calls = (
        Forward(request + answer, logits=answer, reads=True),
        Forward(result, reads=not first, writes=True),
        Forward(answer, reads=True, writes=True),
        Forward(answer, logits=answer, reads=True),
    )
    turn = remembering_turn_flops(config, request, answer, first=first)
    return turn + sum(forward_flops(config, call) for call in calls)


def rereading_turn_flops(config: LPMConfig, transcript: int, request: int, answer: int) -> int:
    """Operations of the base alone, which runs the whole transcript before it answers.

    Args:
        config: The model's.
        transcript: Tokens of all earlier turns, requests and answers.
        request: Tokens of this turn.
        answer: Tokens written, with the keys and values of the window kept meanwhile.
    """
    read = forward_flops(config, Forward(transcript + request, logits=1))
    rest = range(transcript + request, transcript + request + answer - 1)
    return read + sum(forward_flops(config, Forward(1, past=past, logits=1)) for past in rest)
