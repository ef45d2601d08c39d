"""The planner's speed and memory, and its model against the base model alone, measured in one run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import transformers
from pydantic import BaseModel
from rich.table import Table
from transformers import PreTrainedModel

from lpm_model.base import LoadedModel, adapter_file
from lpm_model.configuration import LPMConfig
from lpm_model.decoding import ConstrainedDecoder
from lpm_model.flops import remembering_turn_flops, rereading_turn_flops, session_turn_flops
from lpm_model.state import LatentState
from lpm_model.text import prompt_ids, segment_ids
from planner import Planner
from tools.notation import grammar

ROOT = Path(__file__).resolve().parent.parent
REQUEST = "Plan a route from New York to Los Angeles that avoids toll roads and includes a stop in Denver."
COLD_RUNS, WARM_RUNS, MODEL_RUNS = 3, 5, 3
LONG = 256  # tokens of the long prompt
RESULT = 24  # tokens of what the route tool found, with their marks
ANSWERED = (0, 3, 4)  # exit codes of a run that came to an answer

Row = tuple[str, str, str]  # what, measured, aim


def machine() -> str:
    """One line on what this was measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{cpu or platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load}, "
        f"torch on {torch.get_num_threads()} threads; Python {platform.python_version()}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )


@dataclass(frozen=True)
class Run:
    """One process: seconds from start to end, its largest resident set in bytes, its exit code."""

    seconds: float
    peak: int
    code: int


def run_cold(base: Path | None, home: Path) -> Run:
    """Answer the request in a new process.

    Raises:
        RuntimeError: If it came to no answer.
    """
    command = [sys.executable, "cli.py", "route", REQUEST, "--json", *(["--base", str(base)] if base else [])]
    with (home / "out").open("w+") as out, (home / "err").open("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in ANSWERED:
            raise RuntimeError(f"`planner route` failed ({process.returncode}): {err.read().strip()}")
        json.loads(out.read())
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit, process.returncode)


def cold(base: Path | None) -> list[Row]:
    """A new process for every request, after one that fills the cache and the disk's memory."""
    with TemporaryDirectory() as home:
        runs = [run_cold(base, Path(home)) for _ in range(1 + COLD_RUNS)][1:]
    seconds = statistics.median(run.seconds for run in runs)
    peak = max(run.peak for run in runs)
    return [
        (f"cold `planner route`, median of {COLD_RUNS} (exit {runs[0].code})", f"{seconds:.2f} s", "8 s"),
        ("peak memory of that process", f"{peak / 1e9:.2f} GB", "2.5 GB"),
    ]


def warm(planner: Planner) -> list[Row]:
    """Requests one after another in one process."""
    planner.route(REQUEST)
    seconds = [_seconds(lambda: planner.route(REQUEST)) for _ in range(WARM_RUNS)]
    return [
        (f"warm plan in one process, median of {WARM_RUNS}", f"{statistics.median(seconds):.2f} s", "2 s")
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(work: Callable[[], object]) -> float:
    work()
    return statistics.median(_seconds(work) for _ in range(MODEL_RUNS))


@torch.inference_mode()
def model_against_base(
    loaded: LoadedModel, base: PreTrainedModel, calls: Mapping[str, type[BaseModel]], request: str = REQUEST
) -> list[Row]:
    """Reading and writing speed of the model with its memory, and of the plain base on the same lengths.

    Args:
        loaded: The model with its memory.
        base: The same base as transformers loads it, in float32.
        calls: Tools that may be called.
        request: What is read.
    """
    model, tokenizer = loaded.model, loaded.tokenizer
    ids = segment_ids(tokenizer, request)
    long = (ids * (LONG // len(ids) + 1))[:LONG]
    rows: list[Row] = []
    for tokens in (ids, long):
        window = torch.tensor([tokens])
        read = len(tokens) / _median(lambda window=window: model.model(window, write=True))  # type: ignore[misc]
        plain = len(tokens) / _median(lambda window=window: base(window, logits_to_keep=1))  # type: ignore[misc]
        rows.append((f"reading {len(tokens)} tokens into the state", f"{read:.0f} tokens/s", ""))
        rows.append((f"reading {len(tokens)} tokens, base alone", f"{plain:.0f} tokens/s", ""))

    decoder, rules = ConstrainedDecoder(model, tokenizer), grammar(calls)
    _, state = model.model(torch.tensor([ids]), write=True)
    written = decoder.write(rules, state)
    seconds = _median(lambda: decoder.write(rules, state))
    # The end is one more to choose or to be forced; every forward makes one choice.
    forced = written.tokens + 1 - written.forwards
    choices = f"{written.forwards} chosen, {forced} forced"
    how = f"writing {written.tokens} tokens and the end from the state: {choices}"
    rows.append((how, f"{written.tokens / seconds:.1f} tokens/s", ""))
    rows.append(("  counting only the chosen", f"{written.forwards / seconds:.1f} tokens/s", ""))

    def understand() -> None:
        _, read = model.model(torch.tensor([ids]), write=True)
        decoder.write(rules, read)

    rows.append(("from text to constraints: both of it", f"{_median(understand):.2f} s", "1 s"))
    prompt = torch.tensor([[*ids, *prompt_ids(tokenizer)]])
    count = max(2, written.tokens)

    def generate(tokens: int) -> None:
        base.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=model.config.pad_token_id,
        )

    alone = (count - 1) / max(1e-9, _median(lambda: generate(count)) - _median(lambda: generate(1)))
    rows.append((f"writing {count} tokens, base alone, greedy with its cache", f"{alone:.1f} tokens/s", ""))
    assert state is not None
    size = len(LatentState.of(state[0], 1, loaded.fingerprint).to_bytes())
    shape = " x ".join(map(str, state.shape[1:]))
    rows.append((f"latent state, {shape}, four bits each, whatever was read", f"{size / 1e3:.0f} kB", ""))
    return rows


def adapter_size(base: Path | None) -> list[Row]:
    """The file that training made."""
    path = adapter_file(base)
    return [("adapter", f"{path.stat().st_size / 1e6:.1f} MB", "24 MB")]


def table(rows: list[Row]) -> Table:
    """What was measured beside what was aimed for."""
    found = Table(title=f'"{REQUEST}"')
    found.add_column("what")
    found.add_column("measured", justify="right")
    found.add_column("aim", justify="right")
    for row in rows:
        found.add_row(*row)
    return found


def operations(config: LPMConfig, request: int, answer: int) -> Table:
    """Operations of one turn by the turns before it: the memory's cost stays, the base's grows."""
    found = Table(title=f"GFLOP of a turn of {request} tokens answered in {answer}, counted from the shapes")
    headings = ("turns before", "memory, reads and writes", "memory, all that a session does")
    for heading in (*headings, "base that reads the transcript again", "ratio", "ratio to all"):
        found.add_column(heading, justify="right")
    for before in (0, 1, 2, 4, 8, 19):
        ours = remembering_turn_flops(config, request, answer, first=before == 0)
        whole = session_turn_flops(config, request, answer, RESULT, first=before == 0)
        theirs = rereading_turn_flops(config, before * (request + answer), request, answer)
        billions = (f"{count / 1e9:.1f}" for count in (ours, whole, theirs))
        found.add_row(str(before), *billions, f"{theirs / ours:.2f}", f"{theirs / whole:.2f}")
    return found
