"""One experiment, as its configuration file says: train every arm with every seed, each run resumable.

A run's folder holds ``checkpoint.pt`` while it lasts, ``weights.pt`` when it is finished and ``log.jsonl``.
All arms of an experiment see the same problems in the same order, whatever they do with them.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lpm_model.baselines import ARMS, CALLING, Arm, Size
from lpm_model.baselines.calculations import Calculations
from lpm_model.baselines.data import SYMBOLS, Problems, Task
from lpm_model.data.arithmetic import Calculation, calculation
from lpm_model.data.multihop import Shape, prosqa

__all__ = ["Experiment", "ExperimentError", "Schedule", "calculations", "load", "problems", "train"]

_CHECKPOINT_SECONDS = 60
_TRIES = 1000  # calculations drawn for one that is new


class ExperimentError(Exception):
    """A configuration that is none, or a run that is not finished."""


class Schedule(BaseModel):
    """How long and how fast each run trains.

    Attributes:
        stages: Optimizer steps of each stage of the curriculum: stage s removes the first s steps of chains.
        batch: Problems a step.
        learning_rate: Peak rate of AdamW, after ``warmup`` steps; over the last ``decay`` steps it falls
            linearly to zero.
        warmup: Steps.
        decay: Steps.
        weight_decay: Of AdamW.
        clip: Largest norm of a gradient.
        vary: Whether chance says how many thoughts there are in the last stage, from none to all: then an arm
            learns to answer after any number of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: tuple[int, ...] = Field(min_length=1)
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: int = 50
    decay: int = 200
    weight_decay: float = 0.01
    clip: float = 1.0
    vary: bool = False

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(self.stages)

    @property
    def last(self) -> int:
        """The last stage, and the number of thoughts after training."""
        return len(self.stages) - 1

    def stage(self, step: int) -> int:
        """The stage that a step, counted from 0, belongs to."""
        for stage, steps in enumerate(self.stages):
            step -= steps
            if step < 0:
                return stage
        return self.last

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        ramp = min(1.0, (step + 1) / self.warmup)
        fall = min(1.0, (self.steps - step) / self.decay)
        return self.learning_rate * ramp * fall


class Experiment(BaseModel):
    """What is compared.

    Attributes:
        folder: Where runs go.
        threads: CPU threads of a run.
        seeds: Of weights and of the order of the problems; every arm is trained once with each.
        task: Graphs, or calculations, of which ``shape``, ``symbols`` and ``more`` say nothing.
        arms: Names of ``ARMS``; for calculations of ``CALLING``, too.
        size: Of the decoder; the arms' own parts are added or matched.
        shape: Of the generated graphs.
        symbols: How many symbols nodes are called by; the fewer, the sooner they are learned.
        steps: Fewest and most steps of a calculation.
        problems: How many are generated to train on; all seeds share them.
        more: Questions about each beside the one that ProsQA would ask.
        schedule: See ``Schedule``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    threads: int = 1
    seeds: tuple[int, ...] = (1, 2, 3)
    task: Literal["graphs", "arithmetic"] = "graphs"
    arms: tuple[str, ...] = tuple(ARMS)
    size: Size = Size()
    shape: Shape = Shape()
    symbols: int = Field(SYMBOLS, le=SYMBOLS)
    steps: tuple[int, int] = (2, 5)
    problems: int = 10_000
    more: int = 7
    schedule: Schedule

    @classmethod
    def from_file(cls, file: Path) -> Experiment:
        """Read a configuration.

        Raises:
            ExperimentError: If it is not one.
            OSError: If it cannot be read.
        """
        try:
            experiment = cls(**yaml.safe_load(file.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError, TypeError) as error:
            raise ExperimentError(f"{file}: {error}") from error
        unknown = set(experiment.arms) - set(experiment.known)
        if unknown:
            known = sorted(experiment.known)
            raise ExperimentError(f"{file}: unknown arms {sorted(unknown)}; known are {known}")
        return experiment

    @property
    def known(self) -> dict[str, type[Arm]]:
        """The arms that fit the task."""
        return ARMS | CALLING if self.task == "arithmetic" else ARMS

    def make(self, arm: str) -> Arm:
        """An arm that has learned nothing yet."""
        return self.known[arm](self.size)

    def run(self, arm: str, seed: int) -> Path:
        """The folder of a run."""
        return self.folder / f"{arm}, seed {seed}"


def problems(experiment: Experiment) -> Task:
    """What is trained on, the same for all arms and seeds."""
    if experiment.task == "arithmetic":
        return Calculations(_learned(experiment))
    rng = Random("multihop/train")
    generated = [prosqa(rng, experiment.shape, experiment.more) for _ in range(experiment.problems)]
    return Problems(generated, experiment.symbols)


def calculations(experiment: Experiment, name: str, count: int) -> Calculations:
    """Calculations of an experiment's kind that it was not trained on, drawn anew under each name.

    Raises:
        ExperimentError: If hardly any is left.
    """
    rng, seen = Random(f"arithmetic/{name}"), set(_learned(experiment))
    drawn = (calculation(rng, experiment.steps) for _ in range(_TRIES * count))
    found = list(itertools.islice((new for new in drawn if new not in seen), count))
    if len(found) < count:
        raise ExperimentError(f"nearly all calculations of {experiment.steps} steps were trained on")
    return Calculations(found)


def _learned(experiment: Experiment) -> list[Calculation]:
    rng = Random("arithmetic/train")
    return [calculation(rng, experiment.steps) for _ in range(experiment.problems)]


def load(experiment: Experiment, arm: str, seed: int) -> Arm:
    """A trained arm.

    Raises:
        ExperimentError: If its run is not finished.
    """
    file = experiment.run(arm, seed) / "weights.pt"
    if not file.exists():
        raise ExperimentError(f"{file} is missing: the run is not finished")
    model = experiment.make(arm)
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


def train(
    experiment: Experiment,
    data: Task,
    arm: str,
    seed: int,
    report: Callable[[dict[str, float]], None] = lambda _: None,
) -> None:
    """Train one arm with one seed, or go on with what was begun.

    A finished run is left alone, and so is one that another process works on: several can share the work.

    Args:
        experiment: The configuration.
        data: What ``problems`` gave.
        arm: Its name.
        seed: Of weights and order.
        report: Told the loss every hundred steps.
    """
    folder, schedule = experiment.run(arm, seed), experiment.schedule
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not (folder / "weights.pt").exists():
            torch.manual_seed(seed)
            _train(schedule, data, experiment.make(arm), folder, seed, report)


def _train(
    schedule: Schedule,
    data: Task,
    model: Arm,
    folder: Path,
    seed: int,
    report: Callable[[dict[str, float]], None],
) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=schedule.weight_decay
    )
    first = 0
    if (folder / "checkpoint.pt").exists():
        saved = torch.load(folder / "checkpoint.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    total, count, began, saved_at = 0.0, 0, time.perf_counter(), time.monotonic()
    for step in range(first, schedule.steps):
        # What is drawn depends on the seed and the step alone, so a resumed run sees what it would have seen.
        chance = torch.Generator().manual_seed(seed * 1_000_003 + step)
        numbers = torch.randint(len(data), (schedule.batch,), generator=chance)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        stage = schedule.stage(step)
        thoughts = stage
        if schedule.vary and stage == schedule.last:
            thoughts = int(torch.randint(stage + 1, (), generator=chance))
        loss = model.loss(data.batch(numbers, chance), stage, thoughts)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        total, count = total + loss.item(), count + 1
        if (step + 1) % 100 == 0 or step + 1 == schedule.steps:
            line = {
                "step": step + 1,
                "stage": stage,
                "loss": total / count,
                "seconds": (time.perf_counter() - began) / count,
            }
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            report(line)
            total, count, began = 0.0, 0, time.perf_counter()
        if time.monotonic() - saved_at > _CHECKPOINT_SECONDS:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            _save(state, folder / "checkpoint.pt")
            saved_at = time.monotonic()
    _save(model.state_dict(), folder / "weights.pt")
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def _save(what: dict[str, Any], file: Path) -> None:
    part = file.with_suffix(".part")
    torch.save(what, part)
    os.replace(part, file)
