"""``python -m benchmarks.ablations CONFIG.yaml``: what each part of the memory is worth, on one budget.

Trains every variant that the file names with the same data, steps and seeds, measures it on names never
trained on, and writes a table (``table.md``) and a plot (``plot.svg``) into the file's folder. Runs that are
finished are skipped, one that was interrupted goes on, so the command can be given again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import recall
from lpm_model.decoder import CausalDecoder
from lpm_model.retrofit import retrofit
from lpm_model.training import Trainer, TrainingConfig
from tools.files import write_whole

__all__ = ["AblationConfig", "Result", "Variant", "name_of", "plot", "rows", "run", "table", "variants"]

DEFAULT = "default"
STEPS_READ = "latent steps before reading"
RIVAL = "whole conversation in the window, no state"


class AblationConfig(BaseModel):
    """What is compared.

    Attributes:
        folder: Where runs, table and plot go.
        threads: CPU threads.
        seeds: Of weights and data; every variant is trained once with each.
        decoder: Fields of ``LlamaConfig``; the decoder is trained from nothing together with its memory.
        model: Fields of ``LPMConfig`` that all variants share.
        training: See ``TrainingConfig``.
        held_out: Conversations measured on, of one turn and of two each.
        groups: What is varied -> variants: fields of ``LPMConfig`` that differ from ``model``. Every group
            is compared with the default, which has none.
        latent_steps: The default is trained once more with one to so many latent steps in every training
            step, and read after none to so many.
        rival: Whether the default is trained once more without its memory, on whole conversations in the
            window.
    """

    model_config = ConfigDict(extra="forbid")

    folder: Path
    threads: int = 2
    seeds: tuple[int, ...] = (1,)
    decoder: dict[str, int]
    model: dict[str, Any] = {}
    training: dict[str, Any]
    held_out: int = 256
    groups: dict[str, list[dict[str, Any]]]
    latent_steps: int = 0
    rival: bool = False


@dataclass(frozen=True)
class Variant:
    """What is trained.

    Attributes:
        model: Fields of ``LPMConfig``.
        latent_steps: Most latent steps in training, and in reading.
        memory: Whether there is a state, see ``lpm_model.objective.Objective``.
    """

    model: Mapping[str, Any]
    latent_steps: int = 0
    memory: bool = True


class Result(BaseModel):
    """One finished run.

    Attributes:
        parameters: Learned numbers.
        state: Numbers of the state; of the rival 0.
        seconds: Median of a training step.
        exact: Latent steps before reading -> turns -> share of the last answers right in every token.
        loss: The same, of the cross entropy, nats a token.
    """

    parameters: int
    state: int
    seconds: float
    exact: dict[int, dict[int, float]]
    loss: dict[int, dict[int, float]]


def name_of(variant: Mapping[str, Any]) -> str:
    """A variant in words, the same as the name of its folder."""
    return ", ".join(f"{key} {value}" for key, value in sorted(variant.items())) or DEFAULT


def variants(config: AblationConfig) -> dict[str, Variant]:
    """All variants by name."""
    found = {DEFAULT: Variant(config.model)}
    for differing in config.groups.values():
        found |= {name_of(fields): Variant(config.model | fields) for fields in differing}
    if config.latent_steps:
        found[STEPS_READ] = Variant(config.model, config.latent_steps)
    if config.rival:
        found[RIVAL] = Variant(config.model, memory=False)
    return found


def run(config: AblationConfig, folder: Path, variant: Variant, seed: int) -> Result:
    """Train one variant with one seed and measure it; where that was done before, read what was found.

    Args:
        config: What all have in common.
        folder: Of this run.
        variant: What is trained.
        seed: Of weights and data.
    """
    thinks = variant.latent_steps
    finished = folder / "result.json"
    if finished.exists():
        return Result.model_validate_json(finished.read_bytes())
    words = recall.tokenizer()
    torch.manual_seed(seed)
    plain = LlamaConfig(
        vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=2, **config.decoder
    )
    base = LlamaForCausalLM(plain)
    model = retrofit(CausalDecoder, plain, base.state_dict(), base_name="from nothing", **variant.model)
    model.requires_grad_(True)
    training = TrainingConfig(
        **config.training
        | {"seed": seed, "latent_steps": float(thinks > 0), "most_latent_steps": max(1, thinks)}
        | {"memory": variant.memory}
    )
    trainer = Trainer(model, words, training, recall.stream(False), recall.held_out(config.held_out), folder)
    trainer.resume()
    trainer.run()
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    measured = {count: trainer.validate(count) for count in range(thinks + 1)}
    result = Result(
        parameters=sum(p.numel() for p in trainer.learned),
        state=torch.Size(model.config.state_shape).numel() if variant.memory else 0,
        seconds=statistics.median(step["seconds"] for step in steps),
        exact={n: {t: m[f"valid_exact/turn {t}"] for t in (1, 2)} for n, m in measured.items()},
        loss={n: {t: m[f"valid_loss/turn {t}"] for t in (1, 2)} for n, m in measured.items()},
    )
    write_whole(finished, result.model_dump_json(indent=1))
    (folder / "checkpoint.pt").unlink()
    return result


Rows = Sequence[tuple[str, str, Sequence[Result], int]]
"""What is varied, the variant, its results by seed, and the latent steps before reading."""


def rows(config: AblationConfig, results: Mapping[str, Sequence[Result]]) -> Rows:
    """The results in the order of the table; what was not run yet is left out."""
    found = [
        (group, name_of(fields), results[name_of(fields)], 0)
        for group, differing in config.groups.items()
        for fields in ({}, *differing)
        if name_of(fields) in results
    ]
    steps = range(config.latent_steps + 1) if STEPS_READ in results else ()
    found += [(STEPS_READ, str(count), results[STEPS_READ], count) for count in steps]
    if RIVAL in results:
        found += [("memory", name, results[name], 0) for name in (DEFAULT, RIVAL) if name in results]
    return found


def table(found: Rows) -> str:
    """Means over the seeds, and in brackets the lowest and the highest, as a table in Markdown."""
    lines = [
        "| varied | variant | numbers of state | learned parameters | exact, turn 1 | exact, turn 2 "
        "| loss, turn 1 | loss, turn 2 | s a step |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group, name, results, steps in found:
        cells = [group, name, f"{results[0].state:,}", f"{results[0].parameters:,}"]
        for turn in (1, 2):
            shares = [result.exact[steps][turn] for result in results]
            cells.append(f"{statistics.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})")
        cells += [f"{statistics.mean(r.loss[steps][turn] for r in results):.2f}" for turn in (1, 2)]
        cells.append(f"{statistics.mean(r.seconds for r in results):.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(found: Rows) -> Figure:
    """Share of exact answers of every variant, a point a seed, one panel for what is varied."""
    groups = list(dict.fromkeys(group for group, *_ in found))
    counts = [sum(group == name for group, *_ in found) for name in groups]
    figure = Figure(figsize=(7, 0.9 + 0.28 * sum(counts) + 0.5 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=counts)[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        names = [(name, results, steps) for of, name, results, steps in found if of == group]
        for turn, marker in ((1, "o"), (2, "s")):
            points = [
                (result.exact[steps][turn], place)
                for place, (_, results, steps) in enumerate(names)
                for result in results
            ]
            axes.scatter(*zip(*points, strict=True), marker=marker, label=f"turn {turn}", alpha=0.7)
        axes.set_yticks(range(len(names)), [name for name, *_ in names])
        axes.set(title=group, xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5))
        axes.grid(axis="x", alpha=0.3)
    panels[0].legend(loc="upper left")
    panels[-1].set_xlabel("answers exact, names never trained on")
    return figure


def main() -> int:
    """Run, write table and plot; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("config", type=Path, help="what to compare (YAML)")
    parser.add_argument("--only", action="append", help="run this variant alone, by name; repeat it")
    args = parser.parse_args()
    console = Console(width=160)
    try:
        config = AblationConfig(**yaml.safe_load(args.config.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
        console.print(f"error: {args.config}: {error}", markup=False, highlight=False)
        return 1
    torch.set_num_threads(config.threads)
    results: dict[str, list[Result]] = {}
    for name, variant in variants(config).items():
        if args.only and name not in args.only:
            continue
        for seed in config.seeds:
            result = run(config, config.folder / f"{name}, seed {seed}", variant, seed)
            results.setdefault(name, []).append(result)
            console.print(f"{name}, seed {seed}: exact {result.exact}", markup=False, highlight=False)
        found = rows(config, results)
        if found:
            write_whole(config.folder / "table.md", table(found))
            plot(found).savefig(config.folder / "plot.svg")
    console.print(table(rows(config, results)), markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
