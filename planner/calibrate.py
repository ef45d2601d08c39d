"""Fit the calibration of the reader's weights: ``planner calibrate``.

Conversations are generated as for training, with towns that are never trained on and other chance, and read
through the same loop that plans. What is fitted is in ``planner.calibration``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch.nn import functional as F

from lpm_model.base import adapter_file, load_model
from lpm_model.data.code.conversations import CodeConversations
from lpm_model.data.conversation import Conversations, Domain
from lpm_model.data.project.conversations import ProjectConversations
from lpm_model.data.route.conversations import RouteConversations
from planner.calibration import (
    CALIBRATION_NAME,
    LEFT_OUT,
    Calibration,
    Scaling,
    expected_calibration_error,
    field_kind,
    logit,
)
from planner.evaluate import GoldConversation, GoldTurn, Understood, read_all
from planner.meaning import in_force
from planner.reader import LPMReader
from planner.scoring import wrong_fields
from planner.train import data_version, place_names
from planner.write import check_target
from tools.cache import cache_dir
from tools.notation import write_call
from tools.places import Gazetteer
from tools.registry import ARGUMENTS
from tools.tool import Progress

__all__ = ["Observed", "calibrate_weights", "fitted", "generated", "observed"]

_ORDER: tuple[Domain, ...] = ("route", "route", "project", "route", "code")  # projects take longest to write
_TURNS = (0.6, 0.25, 0.15)  # conversations of 1, 2, 3 turns
_LONGEST = 300  # characters of a turn
_SEED = "calibration"
_PULL = 1.0  # of a kind's scaling towards that of all kinds, and of that towards none: 1 / nats squared


@dataclass(frozen=True)
class Observed:
    """One field of one reading.

    Attributes:
        kind: See ``planner.calibration.field_kind``, or ``LEFT_OUT``.
        raw: Probability of what was chosen, not calibrated.
        right: Whether the field was read as it was meant.
    """

    kind: str
    raw: float
    right: bool


def calibrate_weights(
    conversations: int,
    *,
    base: Path | None,
    adapter: Path | None,
    progress: Progress,
    note: Callable[[str], None],
) -> list[str]:
    """Fit the calibration of some weights and write it beside them; returns the lines to print.

    Raises:
        BaseError: If the model cannot be loaded.
        OSError: If the file cannot be written.
    """
    target = (adapter or adapter_file(base)).with_name(CALIBRATION_NAME)
    check_target(target)
    progress("loading the model", 0.0)
    loaded = load_model(
        base, cache_dir(), adapter=adapter, progress=lambda stage: progress(stage, 0.0), note=note
    )
    gold = generated(conversations)
    readings = list(read_all(LPMReader(loaded), gold, progress))
    found = observed(gold, readings)
    data = f"{conversations} generated conversations, {len(found)} fields, data {data_version()}"
    calibration = fitted(found, loaded.fingerprint, data)
    calibration.save(target)
    return [
        f"fitted on {data}: {sum(o.right for o in found)} fields read as they were meant",
        "expected calibration error, each half with what was fitted on the other: "
        f"{_error(found, [o.raw for o in found]):.3f} before, {_crossed(gold, readings):.3f} after",
        f"written to {target}",
    ]


def generated(count: int) -> list[GoldConversation]:
    """Conversations of all domains, their meaning resolved as the planner resolves what it reads."""
    rng = Random(_SEED)
    sources: dict[Domain, Conversations] = {
        "route": RouteConversations(place_names(Gazetteer.load(), held_out=True), rng, _TURNS),
        "project": ProjectConversations(rng, _TURNS),
        "code": CodeConversations(rng, _TURNS),
    }
    found: list[GoldConversation] = []
    while len(found) < count:
        domain = _ORDER[len(found) % len(_ORDER)]
        drawn, arguments = sources[domain].conversation(), ARGUMENTS[domain]
        if all(len(turn.user) <= _LONGEST for turn in drawn.turns):
            turns = tuple(
                GoldTurn(user=turn.user, means=in_force(write_call(domain, arguments, turn.means)))
                for turn in drawn.turns
            )
            found.append(GoldConversation(id=f"{domain} {len(found)}", domain=domain, turns=turns))
    return found


def observed(gold: Sequence[GoldConversation], readings: Iterable[Sequence[Understood]]) -> list[Observed]:
    """Every field that was written, or nearly was, of every turn."""
    return [
        Observed(
            field_kind(ARGUMENTS[conversation.domain], field) if field in understood.written else LEFT_OUT,
            raw,
            field not in wrong,
        )
        for conversation, read in zip(gold, readings, strict=True)
        for turn, understood in zip(conversation.turns, read, strict=True)
        for wrong in [wrong_fields(understood.means, turn.means)]
        for field, raw in understood.confidence.items()
    ]


def fitted(found: Sequence[Observed], fingerprint: str, data: str) -> Calibration:
    """The calibration of what was observed.

    A kind of which little was seen is scaled nearly as all are, and all are hardly scaled where little was
    seen of any.

    Args:
        found: At least one field.
        fingerprint: Of the model.
        data: What was read, in words.
    """
    every = _fit(found, Scaling())
    kinds = {
        kind: _fit([o for o in found if o.kind == kind], every) for kind in sorted({o.kind for o in found})
    }
    return Calibration(fingerprint=fingerprint, fitted_on=data, all_kinds=every, kinds=kinds)


def _fit(found: Sequence[Observed], around: Scaling) -> Scaling:
    """The most likely scaling of some fields, drawn towards another one."""
    odds = torch.tensor([logit(o.raw) for o in found], dtype=torch.float64)
    right = torch.tensor([o.right for o in found], dtype=torch.float64)
    middle = torch.tensor([around.stretch, around.shift], dtype=torch.float64)
    scaling = middle.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([scaling], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        surprise = F.binary_cross_entropy_with_logits(
            scaling[0].exp() * odds + scaling[1], right, reduction="sum"
        )
        total = surprise + _PULL / 2 * (scaling - middle).pow(2).sum()
        total.backward()
        return total

    optimizer.step(loss)
    stretch, shift = scaling.tolist()
    return Scaling(stretch=stretch, shift=shift)


def _error(found: Sequence[Observed], probabilities: Sequence[float]) -> float:
    return expected_calibration_error(probabilities, [o.right for o in found])


def _crossed(gold: Sequence[GoldConversation], readings: Sequence[Sequence[Understood]]) -> float:
    """Error after calibration, of conversations that it was not fitted on."""
    halves = [observed(gold[start::2], readings[start::2]) for start in (0, 1)]
    probabilities: list[float] = []
    for mine, other in (halves, halves[::-1]):
        fit = fitted(other, "", "")
        probabilities += [fit.probability(o.kind, o.raw) for o in mine]
    return _error([*halves[0], *halves[1]], probabilities)
