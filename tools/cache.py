"""The cache directory: arrays that take long to build, kept between runs.

A cache is never needed for correctness. Whatever is wrong with it (missing, damaged, from another
version, a full disk, no permission) costs time and yields a plain note, not an error.
"""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

__all__ = ["cache_dir", "load_arrays", "store_arrays"]

log = logging.getLogger(__name__)

_KEY = "cache_key"


def cache_dir() -> Path:
    """Directory for caches: ``LPM_CACHE_DIR`` if set, else the user's cache directory."""
    named = os.environ.get("LPM_CACHE_DIR")
    return Path(named) if named else Path(user_cache_dir("lpm-planner"))


def load_arrays(name: str, key: str) -> tuple[dict[str, np.ndarray] | None, str | None]:
    """Arrays stored under ``name``, if they are whole and were stored with the same ``key``.

    Args:
        name: File name in the cache directory, without ``.npz``.
        key: Fingerprint of what the arrays were built from.

    Returns:
        The arrays, or None; and a note for the person where a file was there but of no use.
    """
    path = cache_dir() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored[_KEY]) != key:
                return None, f"the cache {path} is of another version and is built again"
            return {entry: stored[entry] for entry in stored.files if entry != _KEY}, None
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        return None, f"the cache {path} cannot be read ({error}) and is built again"


def store_arrays(name: str, key: str, arrays: Mapping[str, np.ndarray]) -> str | None:
    """Store arrays atomically: readers see the old file or the whole new one.

    Returns:
        None, or a note where nothing could be stored (a full disk, no permission).
    """
    path = cache_dir() / f"{name}.npz"
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **{_KEY: np.array(key)}, **dict(arrays))
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        note = f"nothing is cached in {path.parent} ({error.strerror or error}); each start takes longer"
        log.warning(note)
        return note
    return None
