"""``python -m benchmarks [--base DIR]``: everything in one run, with the machine it ran on."""

from __future__ import annotations

import os

# Nothing is fetched. Read when transformers is first imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from benchmarks import planner as measured
from benchmarks import roads
from lpm_model.base import BaseError, load_model
from lpm_model.text import segment_ids
from planner import Planner
from planner.reader import LPMReader
from tools.cache import cache_dir
from tools.registry import TOOLS


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--base", type=Path, help="folder of another base model with its adapter")
    base: Path | None = parser.parse_args().base
    console = Console(width=110)
    logging.disable_progress_bar()
    console.print(measured.machine(), markup=False, highlight=False, soft_wrap=True)
    try:
        rows = measured.cold(base)  # first, while this process is small
        loaded = load_model(base, cache_dir())
    except (BaseError, RuntimeError) as error:
        console.print(f"error: {error}", markup=False, highlight=False)
        return 1
    rows += measured.warm(Planner(base, reader=LPMReader(loaded)))
    folder = base or next((cache_dir() / "base").glob("*/config.json")).parent
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    calls = {name: tool.arguments for name, tool in TOOLS.items()}
    rows += measured.model_against_base(loaded, plain, calls)
    rows += measured.adapter_size(base)
    console.print(measured.table(rows))
    tokens = len(segment_ids(loaded.tokenizer, measured.REQUEST))
    console.print(measured.operations(loaded.model.config, tokens, answer=32))
    roads.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
