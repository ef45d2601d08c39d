"""How sure a reading is, as a frequency: of the fields read with 0.8, eight in ten are right.

The product of the probabilities with which a field's tokens were chosen ranks the fields, but is no
frequency: a model that was trained until it is sure says so too often. For each kind of field (how its line
is written: a name, a list of names, a choice, ...) the log odds are stretched and shifted (Platt scaling),

    logit p' = e^stretch * logit p + shift

which keeps their order. Stretch and shift are fitted on generated conversations that were never trained on
(``planner calibrate``) and stand in a file beside the weights, which names those that they were fitted for.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.files import write_whole
from tools.notation import Each, lines_of

__all__ = [
    "CALIBRATION_NAME",
    "LEFT_OUT",
    "Calibration",
    "CalibrationError",
    "Scaling",
    "binned",
    "calibration_of",
    "expected_calibration_error",
    "field_kind",
    "logit",
]

CALIBRATION_NAME = "calibration.json"
FORMAT_VERSION = 1

LEFT_OUT = "left out"
"""Kind of the fields that were not written."""

_NEAREST = 1e-6  # nearer to 0 and 1 no probability is told from them


class CalibrationError(ValueError):
    """A calibration file is damaged, of another version, or was fitted for other weights."""


def logit(probability: float) -> float:
    """Log odds of a probability, finite also for 0 and 1."""
    held = min(max(probability, _NEAREST), 1 - _NEAREST)
    return math.log(held / (1 - held))


class Scaling(BaseModel):
    """Platt scaling of log odds; without a stretch and a shift it changes nothing.

    Attributes:
        stretch: Logarithm of what log odds are multiplied by, so that their order is always kept.
        shift: Added to them, in nats.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stretch: float = 0.0
    shift: float = 0.0

    def probability(self, raw: float) -> float:
        """The calibrated probability."""
        return 1 / (1 + math.exp(-(math.exp(self.stretch) * logit(raw) + self.shift)))


class Calibration(BaseModel):
    """Scalings by kind of field, as they are kept in the file.

    Attributes:
        version: Of the file's format.
        fingerprint: Of the model that they were fitted for (``lpm_model.retrofit.fingerprint``), a digest of
            all that its adapter holds.
        fitted_on: What they were fitted on, in words.
        all_kinds: Fitted on all fields; for kinds that have no scaling of their own.
        kinds: By kind of field, see ``field_kind``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = FORMAT_VERSION
    fingerprint: str
    fitted_on: str
    all_kinds: Scaling = Scaling()
    kinds: Mapping[str, Scaling] = {}

    def probability(self, kind: str, raw: float) -> float:
        """Probability that a field of this kind is right, where ``raw`` is that of the chosen tokens."""
        return self.kinds.get(kind, self.all_kinds).probability(raw)

    def save(self, path: Path) -> None:
        """Write the file whole.

        Raises:
            OSError: If it cannot be written.
        """
        write_whole(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> Calibration:
        """Read the file of the weights with this fingerprint.

        Raises:
            CalibrationError: If it cannot be read, or was fitted for other weights.
        """
        try:
            found = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise CalibrationError(f"cannot read {path}: {error}") from error
        if found.version != FORMAT_VERSION:
            raise CalibrationError(
                f"{path} has format version {found.version}, this program reads {FORMAT_VERSION}"
            )
        if found.fingerprint != fingerprint:
            raise CalibrationError(
                f"{path} was fitted for other weights: {found.fingerprint[:12]}, these are {fingerprint[:12]}"
            )
        return found


def calibration_of(adapter: Path, fingerprint: str, note: Callable[[str], None]) -> Calibration | None:
    """The calibration beside an adapter; None, and a note, where it was fitted for other weights.

    Args:
        adapter: The adapter's file.
        fingerprint: Of the model that it was loaded into.
        note: Told why there is none.
    """
    path = adapter.with_name(CALIBRATION_NAME)
    if not path.is_file():
        return None
    try:
        return Calibration.load(path, fingerprint)
    except CalibrationError as error:
        note(f"how sure a reading is was not calibrated for these weights, run `planner calibrate` ({error})")
        return None


def field_kind(arguments: type[BaseModel], field: str) -> str:
    """How a field's line is written, as the name of its form: ``Plain``, ``Several``, ``Record``, ..."""
    line, _ = lines_of(arguments)[field]
    form = line.form.item if isinstance(line.form, Each) else line.form
    return type(form).__name__


def expected_calibration_error(
    probabilities: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance of probability and frequency, over bins that hold the same number of fields.

    Bins of equal width would put nearly all fields of a good reader into the last one.

    Raises:
        ValueError: If there is nothing to measure.
    """
    groups = binned(probabilities, right, bins)
    return sum(abs(said - was) * count for said, was, count in groups) / len(probabilities)


def binned(
    probabilities: Sequence[float], right: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean probability, share of right ones and number of the fields of each bin, least probable first.

    Raises:
        ValueError: If there is nothing to measure.
    """
    if not probabilities:
        raise ValueError("there are no fields to measure")
    pairs = sorted(zip(probabilities, right, strict=True), key=lambda pair: pair[0])
    edges = [len(pairs) * place // bins for place in range(bins)]
    # Fields of one probability stay together: in which order they come says nothing.
    edges = [bisect.bisect_left(pairs, pairs[edge][0], key=lambda pair: pair[0]) for edge in edges]
    groups = [pairs[low:high] for low, high in itertools.pairwise(sorted({*edges, len(pairs)}))]
    return [
        (sum(p for p, _ in group) / len(group), sum(r for _, r in group) / len(group), len(group))
        for group in groups
    ]
