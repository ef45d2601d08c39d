"""``python -m benchmarks.calibration FILE.jsonl [--draw FILE.svg]``: is the reader as often right as it says?

Reads conversations whose meaning is known, and notes for every field that was read, or nearly was, how sure
the reader was and whether it was right. Prints the expected calibration error before and after the weights'
calibration and what the planner would ask about under several thresholds; draws a reliability diagram.
"""

from __future__ import annotations

import os

# Nothing is fetched. Read when transformers is first imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from lpm_model.base import BaseError, adapter_file, load_model
from planner.calibrate import Observed, observed
from planner.calibration import Calibration, binned, calibration_of, expected_calibration_error
from planner.evaluate import EvaluationError, read_all, read_gold
from planner.reader import LPMReader
from tools.cache import cache_dir
from tools.registry import ARGUMENTS
from tools.tool import silent

THRESHOLDS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)


def errors(found: Sequence[Observed], after: Sequence[float]) -> Table:
    """Expected calibration error by kind of field, before and after."""
    table = Table("fields", "number", "right", "said before", "said after", "error before", "error after")
    kinds = sorted({o.kind for o in found})
    for name, chosen in [("all", kinds), *((kind, [kind]) for kind in kinds)]:
        rows = [(o, p) for o, p in zip(found, after, strict=True) if o.kind in chosen]
        right = [o.right for o, _ in rows]
        said = [[o.raw for o, _ in rows], [p for _, p in rows]]
        table.add_row(
            name,
            str(len(rows)),
            f"{sum(right) / len(rows):.2f}",
            *(f"{sum(each) / len(rows):.2f}" for each in said),
            *(f"{expected_calibration_error(each, right):.3f}" for each in said),
        )
    return table


def asking(found: Sequence[Observed], probabilities: Sequence[float]) -> Table:
    """What is asked about under a threshold, and what it catches."""
    table = Table("asked under", "fields asked about", "of these wrong", "wrong and not asked about")
    wrong = sum(not o.right for o in found)
    for threshold in THRESHOLDS:
        asked = [o for o, p in zip(found, probabilities, strict=True) if p < threshold]
        caught = sum(not o.right for o in asked)
        share = f"{caught / len(asked):.0%}" if asked else "-"
        table.add_row(
            f"{threshold:.2f}", f"{len(asked)} of {len(found)}", share, f"{wrong - caught} of {wrong}"
        )
    return table


def diagram(found: Sequence[Observed], after: Sequence[float]) -> Figure:
    """Share of right fields over the probability that was said; each point holds as many fields."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    right = [o.right for o in found]
    for label, said in (("before", [o.raw for o in found]), ("after", list(after))):
        groups = binned(said, right)
        name = f"{label}: error {expected_calibration_error(said, right):.3f}"
        axes.plot([p for p, _, _ in groups], [share for _, share, _ in groups], marker="o", label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability said", ylabel="share right", aspect="equal")
    axes.legend()
    return figure


def calibrated(found: Sequence[Observed], calibration: Calibration) -> list[float]:
    """Probabilities after calibration."""
    return [calibration.probability(o.kind, o.raw) for o in found]


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("file", type=Path, help="conversations with their meaning")
    parser.add_argument("--draw", type=Path, help="write the reliability diagram (.svg, .png)")
    parser.add_argument("--domain", choices=sorted(ARGUMENTS), help="only conversations of this domain")
    parser.add_argument("--limit", type=int, help="only the first so many conversations")
    parser.add_argument("--adapter", type=Path, help="other trained weights, beside their calibration")
    args = parser.parse_args()
    console = Console(width=110)
    try:
        gold = [c for c in read_gold(args.file) if c.domain in ([args.domain] if args.domain else ARGUMENTS)]
        loaded = load_model(None, cache_dir(), adapter=args.adapter)
    except (EvaluationError, BaseError) as error:
        console.print(f"error: {error}", markup=False, highlight=False)
        return 1
    found = observed(gold[: args.limit], read_all(LPMReader(loaded), gold[: args.limit], silent))
    adapter = args.adapter or adapter_file(None)
    calibration = calibration_of(adapter, loaded.fingerprint, console.print)
    if not found or calibration is None:
        console.print("error: no field was read" if not found else "error: run `planner calibrate` first")
        return 1
    after = calibrated(found, calibration)
    console.print(f"calibration: {calibration.fitted_on}", highlight=False)
    console.print(errors(found, after))
    console.print(asking(found, after))
    if args.draw is not None:
        diagram(found, after).savefig(args.draw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
