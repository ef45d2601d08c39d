"""``python -m benchmarks.multihop COMMAND``: the arms of the multi-hop comparison, trained and drawn.

    train CONFIG [--arm NAME] [--seed N]        train what is not finished, on from its last checkpoint
    statistics --data FILE [--count N]          the generator's graphs beside those of a file
    write KIND FILE [--count N] [--seed N]      a file of generated problems in ProsQA's format
    costs CONFIG [--facts N] [--hops N]         operations where many questions are asked about one context
    curve DATA CONFIG... [--draw FILE.svg]      accuracy against operations, a point an arm and experiment
    adaptive DATA CONFIG                        answers once an arm is sure, beside fixed numbers of thoughts
    improve CONFIG                              longer chains by reward alone: before, after, and the cost

Accuracy is measured by ``planner bench multihop --data FILE --config CONFIG``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

import torch
from matplotlib.figure import Figure
from rich.console import Console

from lpm_model.baselines.adaptive import halting
from lpm_model.baselines.data import Problems
from lpm_model.baselines.experiment import Experiment, ExperimentError, load, problems, train
from lpm_model.baselines.measure import score, wilson
from lpm_model.baselines.reinforce import Improvement, improve
from lpm_model.baselines.report import break_even, compare, costs
from lpm_model.data.multihop import (
    DataError,
    Problem,
    Shape,
    as_prosqa,
    prontoqa,
    prosqa,
    read_prosqa,
    statistics,
)

SHAPES = {
    "prosqa": Shape(),
    "7-hops": Shape(nodes=(28, 34), hops=(7, 7), deepest=1.0),
    "8-hops": Shape(nodes=(30, 36), hops=(8, 8), deepest=1.0),
    "small": Shape(nodes=(9, 12), hops=(2, 4)),
    "dense": Shape(degree=3.0, rootless=0.02),
}

NEVER = 2.0  # no probability is as large
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def generated(kind: str, count: int, seed: int) -> list[Problem]:
    """Problems of a kind, none of which is trained on: the training problems have a seed of their own."""
    rng = Random(f"multihop/{kind}/{seed}")
    if kind == "prontoqa":
        return [prontoqa(rng) for _ in range(count)]
    return [prosqa(rng, SHAPES[kind]) for _ in range(count)]


def main() -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multihop", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("config", type=Path)
    training.add_argument("--arm", action="append", help="this arm alone; repeat it")
    training.add_argument("--seed", type=int, action="append", help="this seed alone; repeat it")
    stats = commands.add_parser("statistics")
    stats.add_argument("--data", type=Path, required=True)
    stats.add_argument("--count", type=int, default=1000)
    writing = commands.add_parser("write")
    writing.add_argument("kind", choices=[*SHAPES, "prontoqa"])
    writing.add_argument("file", type=Path)
    writing.add_argument("--count", type=int, default=300)
    writing.add_argument("--seed", type=int, default=0)
    costing = commands.add_parser("costs")
    costing.add_argument("config", type=Path)
    costing.add_argument("--facts", type=int, default=36)
    costing.add_argument("--hops", type=int, default=4)
    drawing = commands.add_parser("curve")
    drawing.add_argument("data", type=Path)
    drawing.add_argument("config", type=Path, nargs="+")
    drawing.add_argument("--draw", type=Path, help="where to draw it (SVG)")
    halts = commands.add_parser("adaptive")
    halts.add_argument("data", type=Path)
    halts.add_argument("config", type=Path)
    improving = commands.add_parser("improve")
    improving.add_argument("config", type=Path)
    args = parser.parse_args()
    console = Console(soft_wrap=True, markup=False, highlight=False)
    try:
        if args.command == "train":
            run(Experiment.from_file(args.config), args.arm, args.seed, console)
        elif args.command == "statistics":
            compare_statistics(read_prosqa(args.data), generated("prosqa", args.count, 0), console)
        elif args.command == "write":
            args.file.write_text(as_prosqa(generated(args.kind, args.count, args.seed)), encoding="utf-8")
        elif args.command == "curve":
            curve(args.data, args.config, args.draw, console)
        elif args.command == "improve":
            improved(args.config, console)
        elif args.command == "adaptive":
            adaptive(Experiment.from_file(args.config), read_prosqa(args.data), console)
        else:
            experiment = Experiment.from_file(args.config)
            console.print(costs(experiment, args.facts, args.hops, (1, 2, 5, 10, 20, 50, 100, 1000)))
            for arm in ("memory", "memory, thoughts in the window"):
                console.print(f"\n{break_even(experiment, arm, args.facts, args.hops, 0.6)}")
    except (ExperimentError, DataError, OSError) as error:
        console.print(f"error: {error}")
        return 1
    return 0


def run(experiment: Experiment, arms: list[str] | None, seeds: list[int] | None, console: Console) -> None:
    """Train, seed after seed, so that there is something to compare as early as can be."""
    torch.set_num_threads(experiment.threads)
    data = problems(experiment)
    for seed in experiment.seeds:
        for arm in experiment.arms:
            if (arms is None or arm in arms) and (seeds is None or seed in seeds):

                def report(line: dict[str, float], arm: str = arm, seed: int = seed) -> None:
                    console.print(
                        f"{time.strftime('%H:%M:%S')} {arm}, seed {seed}: step {line['step']}, stage "
                        f"{line['stage']}, loss {line['loss']:.3f}, {line['seconds']:.3f} s a step"
                    )

                train(experiment, data, arm, seed, report)


def compare_statistics(theirs: list[Problem], ours: list[Problem], console: Console) -> None:
    """Two columns."""
    console.print("| | file | generated |\n| --- | --- | --- |")
    found = statistics(ours)
    for name, value in statistics(theirs).items():
        console.print(f"| {name} | {value} | {found[name]} |")


def curve(data: Path, configs: list[Path], drawn: Path | None, console: Console) -> None:
    """Accuracy against operations a question, where one is asked about a context and where a hundred are."""
    asked, found = read_prosqa(data), {}
    for experiment in map(Experiment.from_file, configs):
        rows = compare(experiment, Problems(asked, experiment.symbols), timed=False)
        found[experiment.folder.name] = rows
    console.print("| experiment | arm | right (95%) | kFLOP, 1 asked | kFLOP, 100 asked |")
    console.print("| --- | --- | --- | --- | --- |")
    for folder, rows in found.items():
        for row in rows:
            low, high = row.interval
            one, many = (row.cost.operations(count) / 1e3 for count in (1, 100))
            share = f"{row.share:.1%} ({low:.1%} to {high:.1%})"
            console.print(f"| {folder} | {row.name} | {share} | {one:,.0f} | {many:,.0f} |")
    if drawn is not None:
        figure = Figure(figsize=(9, 4), layout="constrained")
        for axes, count in zip(figure.subplots(1, 2, sharey=True), (1, 100), strict=True):
            for name in dict.fromkeys(row.name for rows in found.values() for row in rows):
                points = sorted(
                    (row.cost.operations(count) / 1e3, row.share, *row.interval)
                    for rows in found.values()
                    for row in rows
                    if row.name == name
                )
                costs, shares, lows, highs = zip(*points, strict=True)
                spread = [
                    [share - low for share, low in zip(shares, lows, strict=True)],
                    [high - share for share, high in zip(shares, highs, strict=True)],
                ]
                axes.errorbar(costs, shares, yerr=spread, marker="o", capsize=2, alpha=0.8, label=name)
            axes.set(title=f"{count} asked about a context", xlabel="kFLOP a question", xscale="log")
            axes.grid(alpha=0.3)
        figure.axes[0].set_ylabel("right")
        figure.axes[0].legend(fontsize=7)
        figure.savefig(drawn)


def adaptive(experiment: Experiment, asked: list[Problem], console: Console) -> None:
    """Every seed of every arm that thinks: fixed numbers of thoughts, then thresholds."""
    torch.set_num_threads(experiment.threads)
    data, most = Problems(asked, experiment.symbols), experiment.schedule.last
    console.print("| arm | seed | halts | right (95%) | thoughts | kFLOP a question |")
    console.print("| --- | --- | --- | --- | --- | --- |")
    for name in experiment.arms:
        for seed in experiment.seeds:
            model = load(experiment, name, seed)
            if not model.thinks:
                continue
            fixed = [halting(model, data, count, [NEVER])[0] for count in range(most + 1)]
            for found in [*fixed, *halting(model, data, most, THRESHOLDS)]:
                low, high = wilson(round(found.share * len(data)), len(data))
                when = "never" if found.threshold == NEVER else f"at {found.threshold:.0%}"
                console.print(
                    f"| {name} | {seed} | {when} | {found.share:.1%} ({low:.1%} to {high:.1%}) | "
                    f"{found.thoughts:.2f} | {found.operations / 1e3:,.0f} |"
                )


def improved(config: Path, console: Console) -> None:
    """Every arm and seed: problems of the trained kind and harder ones, before and afterwards."""
    wanted, experiment = Improvement.from_file(config)
    torch.set_num_threads(experiment.threads)
    data = wanted.drawn(experiment, "train", wanted.problems, wanted.more)
    harder = wanted.drawn(experiment, "ask", wanted.asked, 0), wanted.thoughts
    easier = wanted.model_copy(update={"shape": experiment.shape})
    trained = easier.drawn(experiment, "ask", wanted.asked, 0), experiment.schedule.last
    console.print(
        "| arm | seed | harder, before (95%) | afterwards | as trained, before | afterwards "
        "| answers drawn | TFLOP | seconds |"
    )
    console.print("| --- " * 9 + "|")
    for name in wanted.arms:
        for seed in wanted.seeds:
            model, shares = load(experiment, name, seed), []
            for after in (False, True):
                if after:
                    began = time.perf_counter()

                    def report(step: int, reward: float, name: str = name) -> None:
                        if (step + 1) % 50 == 0:
                            print(f"{name}: update {step + 1}, reward {reward:.3f}", file=sys.stderr)

                    spent = improve(model, data, wanted, seed, report)
                    taken = time.perf_counter() - began
                for asked, thoughts in (harder, trained):
                    found = score(model, asked, thoughts)
                    low, high = wilson(sum(found.right.values()), len(asked))
                    shares.append(f"{found.share:.1%} ({low:.1%} to {high:.1%})")
            console.print(
                f"| {name} | {seed} | {shares[0]} | {shares[2]} | {shares[1]} | {shares[3]} "
                f"| {spent.answers:,} | {spent.operations / 1e12:,.2f} | {taken:,.0f} |"
            )


if __name__ == "__main__":
    sys.exit(main())
