"""Sessions: the latent state and the ledger of each conversation, in one SQLite file.

A turn is stored whole at its end or not at all, so a turn that fails leaves the session as it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_data_dir

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # read when langgraph is imported

from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: E402
from langgraph.checkpoint.memory import InMemorySaver  # noqa: E402
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: E402
from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: E402

__all__ = ["SessionError", "open_sessions", "sessions_file"]

# Only these come back from a checkpoint as what they were; anything else would be a bare dict.
_ALLOWED = [("planner.loop", "LatentBytes"), ("planner.loop", "LedgerEntry")]


class SessionError(RuntimeError):
    """The session store cannot be used; the message says why."""


def sessions_file() -> Path:
    """Where sessions are kept: ``LPM_DATA_DIR`` if set, else the user's data directory."""
    named = os.environ.get("LPM_DATA_DIR")
    return (Path(named) if named else Path(user_data_dir("lpm-planner"))) / "sessions.sqlite"


@contextmanager
def open_sessions(path: Path | None) -> Iterator[BaseCheckpointSaver[str]]:
    """The store of sessions; in memory only where ``path`` is None.

    Raises:
        SessionError: If the file cannot be opened or is not a session store.
    """
    serializer = JsonPlusSerializer(allowed_msgpack_modules=_ALLOWED)
    if path is None:
        yield InMemorySaver(serde=serializer)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        try:
            saver = SqliteSaver(connection, serde=serializer)
            saver.setup()
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise SessionError(f"the session store {path} cannot be used: {error}") from error
    try:
        yield saver
    finally:
        connection.close()
