"""The comparison as a table: every arm of an experiment on one file of problems, and what it costs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.data import Task
from lpm_model.baselines.experiment import Experiment, ExperimentError, load
from lpm_model.baselines.measure import (
    Cost,
    Score,
    cost,
    peak_bytes,
    questions_until,
    score,
    seconds,
    wilson,
)
from lpm_model.baselines.memory import PersistentMemory, ZeroedMemory

__all__ = ["Row", "break_even", "by_hops", "compare", "costs", "table"]

QUESTIONS = (1, 10, 100)
_SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One arm, with one number of thoughts.

    Attributes:
        name: The arm, and what was changed in it after training.
        scores: By seed.
        cost: For a context and a chain of the mean length of the file's.
        alone: Seconds a question at batch 1, or None where time was not measured.
        together: Seconds a question at batch 64.
        peak: Bytes of tensors alive at once at batch 64, beside the weights.
    """

    name: str
    scores: tuple[Score, ...]
    cost: Cost
    alone: float | None = None
    together: float | None = None
    peak: int | None = None

    @property
    def share(self) -> float:
        """Mean share of right answers over the seeds."""
        return statistics.mean(found.share for found in self.scores)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the mean share, as if it were one model's: all seeds answer the same."""
        asked = sum(self.scores[0].asked.values())
        return wilson(round(self.share * asked), asked)


def compare(
    experiment: Experiment,
    data: Task,
    *,
    timed: bool = True,
    note: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure all finished runs of an experiment.

    Args:
        experiment: The configuration.
        data: What is asked.
        timed: Whether to measure time and memory, too.
        note: Told which runs are not finished.

    Raises:
        ExperimentError: If no run is finished.
    """
    torch.set_num_threads(experiment.threads)
    thoughts, rows = experiment.schedule.last, []
    for name in experiment.arms:
        models = []
        for seed in experiment.seeds:
            try:
                models.append(load(experiment, name, seed))
            except ExperimentError as error:
                note(str(error))
        if not models:
            continue
        rows.append(_row(name, models, data, thoughts, timed=timed))
        if name == "memory":
            rows.append(_row("memory, no latent step", models, data, 0, timed=False))
        remembering = [model for model in models if isinstance(model, PersistentMemory)]
        if remembering and not isinstance(models[0], ZeroedMemory):
            for model in remembering:
                model.zeroed = True
            rows.append(_row(f"{name}, its state zeroed", models, data, thoughts, timed=False))
    if not rows:
        raise ExperimentError(f"no run of {experiment.folder} is finished")
    return rows


def _row(name: str, models: Sequence[Arm], data: Task, thoughts: int, *, timed: bool) -> Row:
    facts = round(data.facts)
    hops = round(float(data.hops.float().mean()))
    scores = tuple(score(model, data, thoughts) for model in models)
    counted = cost(models[0], facts, thoughts, hops)
    if not timed:
        return Row(name, scores, counted)
    chance = torch.Generator().manual_seed(0)
    many = data.batch(torch.arange(min(_SAMPLE, len(data))), chance)
    one = data.batch(torch.arange(1), chance)
    return Row(
        name,
        scores,
        counted,
        seconds(models[0], one, thoughts, times=20),
        seconds(models[0], many, thoughts),
        peak_bytes(models[0], many, thoughts),
    )


def table(rows: Sequence[Row]) -> str:
    """Accuracy and cost, as a table in Markdown."""
    lines = [
        "| arm | right, mean of seeds (95%) | lowest to highest seed | words written | passes "
        + "".join(f"| kFLOP, {count} asked " for count in QUESTIONS)
        + "| bytes kept | ms, batch 1 | ms, batch 64 | peak MB |",
        "| --- " * (9 + len(QUESTIONS)) + "|",
    ]
    for row in rows:
        low, high = row.interval
        shares = [found.share for found in row.scores]
        words = statistics.mean(found.words for found in row.scores)
        cells = [
            row.name,
            f"{row.share:.1%} ({low:.1%} to {high:.1%})",
            f"{min(shares):.1%} to {max(shares):.1%} ({len(shares)})",
            f"{words:.1f}",
            str(row.cost.passes),
            *(f"{row.cost.operations(count) / 1e3:,.0f}" for count in QUESTIONS),
            f"{row.cost.kept:,}",
            "" if row.alone is None else f"{row.alone * 1e3:.2f}",
            "" if row.together is None else f"{row.together * 1e3:.3f}",
            "" if row.peak is None else f"{row.peak / 1e6:.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_hops(rows: Sequence[Row]) -> str:
    """Share of wrong answers by steps of the chain, mean over the seeds, as a table in Markdown."""
    hops = sorted(rows[0].scores[0].asked)
    counts = rows[0].scores[0].asked
    lines = [
        "| wrong, by steps " + "".join(f"| {step} ({counts[step]}) " for step in hops) + "|",
        "| --- " * (1 + len(hops)) + "|",
    ]
    for row in rows:
        wrong = (
            1 - statistics.mean(found.right[step] / found.asked[step] for found in row.scores)
            for step in hops
        )
        lines.append(f"| {row.name} | " + " | ".join(f"{share:.0%}" for share in wrong) + " |")
    return "\n".join(lines)


def costs(experiment: Experiment, facts: int, hops: int, counts: Sequence[int]) -> str:
    """Operations a question where many are asked about one context; needs no trained weights.

    Args:
        experiment: For the size of the arms and the number of thoughts.
        facts: Length of the context.
        hops: Steps of a chain that is written out.
        counts: Numbers of questions.
    """
    lines = [
        "| kFLOP a question, by questions asked " + "".join(f"| {count} " for count in counts) + "|",
        "| --- " * (1 + len(counts)) + "|",
    ]
    for name in experiment.arms:
        counted = cost(experiment.make(name), facts, experiment.schedule.last, hops)
        cells = (f"{counted.operations(count) / 1e3:,.0f}" for count in counts)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def break_even(experiment: Experiment, arm: str, facts: int, hops: int, share: float) -> str:
    """From how many questions about one context on a memory costs at most ``share`` of CoCoNuT.

    By the number of thoughts of both, up to the experiment's; needs no trained weights.

    Args:
        experiment: For the size of the arms and the number of thoughts.
        arm: Name of the arm with the memory.
        facts: Length of the context.
        hops: Steps of the chain.
        share: Of CoCoNuT's operations a question.
    """
    memory, coconut = (experiment.make(name) for name in (arm, "coconut"))
    lines = [
        f"| thoughts | {arm}: at most {share:g} of CoCoNuT from | if CoCoNuT reads the context anew "
        "| at least | at least, anew |",
        "| --- | --- | --- | --- | --- |",
    ]
    for thoughts in range(1, experiment.schedule.last + 1):
        ours, theirs = (cost(model, facts, thoughts, hops) for model in (memory, coconut))
        counts = (questions_until(ours, theirs, share, anew=anew) for anew in (False, True))
        cells = ("never" if count is None else f"{count} questions" for count in counts)
        anew = (ours.opening + ours.question) / (theirs.reading + theirs.question)
        least = f"{ours.question / theirs.question:.2f} | {anew:.2f}"
        lines.append(f"| {thoughts} | {' | '.join(cells)} | {least} |")
    return "\n".join(lines)
