"""Functions written from their headers: ``python -m benchmarks.humaneval FILE.jsonl.gz ...``.

Each FILE holds problems in HumanEval's format, a JSON object a line with ``task_id``, ``prompt`` (a header
and its description), ``entry_point`` (the function's name), ``test`` (defines ``check(candidate)``) and
``canonical_solution``. The base and the model with its memory (empty: the prompt stands in the window)
continue the same prompts with the same seeds, and what they write is run in the sandbox.

pass@k is the unbiased estimate of M. Chen et al., "Evaluating large language models trained on code" (2021).
Prompts are given without the white space at their end, and a continuation ends before the first line that
is not indented.
"""

from __future__ import annotations

import os

# Nothing is fetched. Read when transformers is first imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import argparse
import gzip
import json
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import PreTrainedTokenizerBase

from benchmarks.planner import machine
from lpm_model.base import BaseError, load_alone, load_model
from lpm_model.decoder import WithHead
from lpm_model.sampling import Sampled, Sampling, continuations
from planner.bench.bootstrap import mean_interval
from tools.cache import cache_dir
from tools.code_writer.logic import body_end
from tools.sandbox import Limits, Sandbox, find_sandbox

_LIMITS = Limits(memory_mb=512, processes=16, seconds=5.0, disk_mb=16)
_KS = (1, 10)
_ARMS = ("base", "retrofitted")


@dataclass(frozen=True)
class Problem:
    """One function to write; the fields are the format's."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""

    @property
    def cue(self) -> str:
        """What is continued."""
        return self.prompt.rstrip()


def read(path: Path) -> list[Problem]:
    """Problems of a file, ``.jsonl`` or ``.jsonl.gz``.

    Raises:
        ValueError: If a line is not a problem.
        OSError: If the file cannot be read.
    """
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        try:
            rows = [json.loads(line) for line in file if line.strip()]
            names = Problem.__dataclass_fields__
            return [Problem(**{name: str(row[name]) for name in names if name in row}) for row in rows]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} does not hold problems in HumanEval's format: {error}") from error


def passes(sandbox: Sandbox, problem: Problem, solution: str) -> bool:
    """Whether the problem's test accepts a function: its text from the header to its end."""
    # Printed only where the test has come to its end: a program that leaves early does not know it.
    mark = secrets.token_hex(8)
    program = f"{solution}\n\n{problem.test}\n\ncheck({problem.entry_point})\nprint({mark!r})\n"
    with TemporaryDirectory() as folder:
        Path(folder, "program.py").write_text(program)
        outcome = sandbox.run([sys.executable, "-I", "program.py"], Path(folder), limits=_LIMITS)
    return outcome.code == 0 and outcome.output.endswith(f"{mark}\n")


def score(sandbox: Sandbox, problem: Problem, solutions: Sequence[str], workers: int) -> list[bool]:
    """Which functions pass; equal ones are run once."""
    distinct = list(dict.fromkeys(solutions))
    with ThreadPoolExecutor(workers) as pool:
        found = dict(zip(distinct, pool.map(partial(passes, sandbox, problem), distinct), strict=True))
    return [found[solution] for solution in solutions]


def pass_at(k: int, samples: int, passed: int) -> float:
    """Probability that of ``k`` drawn from the samples without replacement at least one passes."""
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} cannot be told from {samples} samples")
    return 1.0 - comb(samples - passed, k) / comb(samples, k)


@dataclass(frozen=True)
class Result:
    """What one model wrote for one problem, and which of it passes."""

    task_id: str
    arm: str
    solutions: tuple[str, ...]
    passed: tuple[bool, ...]

    def pass_at(self, k: int) -> float:
        """See ``pass_at``."""
        return pass_at(k, len(self.passed), sum(self.passed))


@dataclass(frozen=True)
class Spent:
    """Tokens written, and seconds for writing and for testing."""

    tokens: int
    writing: float
    testing: float


def batches(problems: Sequence[Problem], samples: int, batch: int) -> Iterator[tuple[list[Problem], int]]:
    """Problems that are continued together, prompts of like length, and how many times each."""
    ordered = sorted(problems, key=lambda problem: len(problem.cue))
    together, each = max(1, batch // samples), min(samples, batch)
    for start in range(0, len(ordered), together):
        for done in range(0, samples, each):
            yield ordered[start : start + together], min(each, samples - done)


def evaluate(
    arm: str,
    model: WithHead,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    sandbox: Sandbox,
    *,
    samples: int,
    batch: int,
    sampling: Sampling,
    seed: int,
    workers: int,
    tell: Console,
) -> tuple[list[Result], Spent]:
    """Write and test, in turn."""
    generator = torch.Generator(model.lm_head.weight.device).manual_seed(seed)
    written: dict[str, list[Sampled]] = {problem.task_id: [] for problem in problems}
    began = time.perf_counter()
    for some, each in batches(problems, samples, batch):
        cues = [problem.cue for problem in some]
        found = continuations(model, tokenizer, cues, each, body_end, sampling, generator)
        for problem, more in zip(some, found.every, strict=True):
            written[problem.task_id] += more
        count = sum(map(len, written.values()))
        seconds = time.perf_counter() - began
        tell.print(f"{arm}: {count} of {len(problems) * samples} written in {seconds:.0f} s", highlight=False)
    writing = time.perf_counter() - began
    results = []
    for problem in problems:
        solutions = [problem.cue + sampled.text for sampled in written[problem.task_id]]
        passed = score(sandbox, problem, solutions, workers)
        results.append(Result(problem.task_id, arm, tuple(solutions), tuple(passed)))
    tokens = sum(sampled.tokens for row in written.values() for sampled in row)
    return results, Spent(tokens, writing, time.perf_counter() - began - writing)


def load(
    arm: str, base: Path | None, adapter: Path | None, device: str
) -> tuple[WithHead, PreTrainedTokenizerBase]:
    """A model of an arm; without an adapter, and an empty memory, the model is its base.

    Raises:
        BaseError: If the base or the adapter is missing or does not fit.
    """
    if arm == "base":
        model, tokenizer = load_alone(base, cache_dir())
    else:
        loaded = load_model(base, cache_dir(), adapter=adapter)
        model, tokenizer = loaded.model, loaded.tokenizer
    return model.to(device), tokenizer


def table(every: dict[str, tuple[list[Result], Spent]], ks: Sequence[int]) -> Table:
    """Means with their intervals, and the difference of the arms over the same problems."""
    found = Table("model", *(f"pass@{k}" for k in ks), "tokens", "tokens/s", "writing s", "testing s")

    def cell(values: np.ndarray) -> str:
        mean, low, high = mean_interval(values)
        return f"{mean:.1%} [{low:.1%}, {high:.1%}]"

    means = {
        arm: [np.array([result.pass_at(k) for result in results]) for k in ks]
        for arm, (results, _) in every.items()
    }
    for arm, (_, spent) in every.items():
        speed = f"{spent.tokens / spent.writing:.0f}"
        costs = (str(spent.tokens), speed, f"{spent.writing:.0f}", f"{spent.testing:.0f}")
        found.add_row(arm, *map(cell, means[arm]), *costs)
    if len(means) == len(_ARMS):
        base, retrofitted = (means[arm] for arm in _ARMS)
        gains = [after - before for before, after in zip(base, retrofitted, strict=True)]
        found.add_row("difference, paired", *map(cell, gains), "", "", "", "")
    return found


def arguments() -> argparse.Namespace:
    """What the person asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.humaneval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Sampling()
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--base", type=Path, help="folder of another base model, with its adapter")
    parser.add_argument("--adapter", type=Path, help="weights of the memory instead of the base's own")
    parser.add_argument("--arms", nargs="+", choices=_ARMS, default=list(_ARMS))
    parser.add_argument("--n", type=int, default=10, help="functions written for each problem")
    parser.add_argument("--limit", type=int, help="only so many problems")
    parser.add_argument("--temperature", type=float, default=usual.temperature, help="0: the likeliest")
    parser.add_argument("--top-p", type=float, default=usual.top_p)
    parser.add_argument("--max-tokens", type=int, default=usual.max_tokens)
    parser.add_argument("--batch", type=int, default=40, help="functions written at a time")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="tests at a time")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write what was written (.jsonl)")
    parser.add_argument("--canonical", action="store_true", help="only test the file's own solutions")
    wanted = parser.parse_args()
    if wanted.n < 1 or wanted.batch < 1:
        parser.error("--n and --batch are at least 1")
    return wanted


def main() -> int:
    """Measure and print; returns the exit code."""
    wanted = arguments()
    console, errors = Console(width=130), Console(stderr=True)
    try:
        problems = [problem for path in wanted.files for problem in read(path)][: wanted.limit]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    sandbox = find_sandbox()
    if sandbox is None:
        print("error: no sandbox works here, so nothing is run (see `planner doctor`)", file=sys.stderr)
        return 1
    if wanted.canonical:
        failed = [p.task_id for p in problems if not passes(sandbox, p, p.prompt + p.canonical_solution)]
        print(f"{len(problems) - len(failed)} of {len(problems)} canonical solutions pass", *failed)
        return 1 if failed else 0
    console.print(machine(), markup=False, highlight=False, soft_wrap=True)
    every = {}
    try:
        for arm in wanted.arms:
            model, tokenizer = load(arm, wanted.base, wanted.adapter, wanted.device)
            every[arm] = evaluate(
                arm,
                model,
                tokenizer,
                problems,
                sandbox,
                samples=wanted.n,
                batch=wanted.batch,
                sampling=Sampling(wanted.temperature, wanted.top_p, wanted.max_tokens),
                seed=wanted.seed,
                workers=wanted.workers,
                tell=errors,
            )
    except BaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if wanted.out:
        rows = [asdict(result) for results, _ in every.values() for result in results]
        wanted.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    what = f"{len(problems)} problems, {wanted.n} functions each, temperature {wanted.temperature:g}"
    console.print(f"{what}, top-p {wanted.top_p:g}, in {sandbox.name}", markup=False, highlight=False)
    console.print(table(every, [k for k in _KS if k <= wanted.n]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
