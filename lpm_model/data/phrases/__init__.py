"""The hand-written phrases that requests are composed of, a folder for every domain."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["phrases"]


@functools.cache
def phrases(name: str) -> dict[str, Any]:
    """The phrases of ``NAME.yaml`` in this folder, e.g. of "route/edits"."""
    return yaml.safe_load(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
