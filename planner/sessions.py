"""Sessions: the latent state and the ledger of each conversation, in one SQLite file.

A turn runs in memory and is stored in one transaction at its end, or not at all: a turn that fails, is
interrupted or crashes leaves the session as it was. Of each session only the newest state is kept, so
that the file grows with the number of sessions and hardly with their turns.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from platformdirs import user_data_dir

from planner.loop import LatentBytes, LedgerEntry

__all__ = ["SessionError", "kept_values", "memory_store", "open_session", "sessions_file", "thread"]

_LONGEST_NAME = 100
_WAIT_SECONDS = 10.0  # for another process that is just storing its turn


class SessionError(RuntimeError):
    """A session cannot be read, continued or stored; the message says why."""


def sessions_file() -> Path:
    """Where sessions are kept: ``LPM_DATA_DIR`` if set, else the user's data directory."""
    named = os.environ.get("LPM_DATA_DIR")
    return (Path(named) if named else Path(user_data_dir("lpm-planner"))) / "sessions.sqlite"


def thread(name: str | None) -> dict[str, Any]:
    """What LangGraph calls the session of this name."""
    return {"thread_id": name or "", "checkpoint_ns": ""}


def memory_store() -> BaseCheckpointSaver[str]:
    """A store that forgets everything at the end of the process."""
    return InMemorySaver(serde=_serializer())


def kept_values(store: BaseCheckpointSaver[str], name: str | None) -> dict[str, Any]:
    """What a session holds in a store that ``open_session`` has given; empty for a new one."""
    found = store.get_tuple({"configurable": thread(name)})
    return found.checkpoint["channel_values"] if found else {}


@contextmanager
def open_session(path: Path, name: str | None) -> Iterator[BaseCheckpointSaver[str]]:
    """One turn of a session.

    Args:
        path: The file of sessions; made if it is not there.
        name: The session; None remembers nothing and touches no file.

    Yields:
        A store in memory with the session's newest state. What the turn puts into it is written to the
        file when the block ends without an exception.

    Raises:
        SessionError: If the session cannot be read or stored.
    """
    memory = memory_store()
    if name is None:
        yield memory
        return
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise SessionError(f"a session's name is printable text of at most {_LONGEST_NAME} characters")
    with _opened(path) as saver:
        before = _newest(saver, path, name)
    if before is not None:
        checkpoint = before.checkpoint
        memory.put(
            {"configurable": thread(name)}, checkpoint, before.metadata, checkpoint["channel_versions"]
        )
    yield memory
    after = memory.get_tuple({"configurable": thread(name)})
    if after is not None:
        with _opened(path) as saver:
            _store(saver, name, before, after)


@contextmanager
def _opened(path: Path) -> Iterator[SqliteSaver]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, check_same_thread=False, timeout=_WAIT_SECONDS)) as connection:
            saver = SqliteSaver(connection, serde=_serializer())
            saver.setup()
            yield saver
    except (OSError, sqlite3.Error) as error:
        raise SessionError(f"the sessions in {path} cannot be read or stored: {error}") from error


def _newest(saver: SqliteSaver, path: Path, name: str) -> CheckpointTuple | None:
    """A session's state, checked: a file is data from outside."""
    try:
        found = saver.get_tuple({"configurable": thread(name)})
        values = found.checkpoint["channel_values"] if found else {}
        whole = (
            isinstance(values.get("latent", LatentBytes(b"")), LatentBytes)
            and isinstance(values.get("given", ""), str)
            and all(isinstance(entry, LedgerEntry) for entry in values.get("ledger", []))
        )
    except sqlite3.Error:
        raise
    except Exception as error:  # whatever the decoder makes of bytes that are damaged
        raise SessionError(f"session {name!r} in {path} is damaged: {error}") from error
    if not whole:
        raise SessionError(f"session {name!r} in {path} is damaged or was written by another version")
    return found


def _store(saver: SqliteSaver, name: str, before: CheckpointTuple | None, after: CheckpointTuple) -> None:
    newest = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?"
    saver.conn.execute("BEGIN IMMEDIATE")
    (found,) = saver.conn.execute(newest, (name,)).fetchone()
    if found != (before.checkpoint["id"] if before else None):
        saver.conn.rollback()
        raise SessionError(f"session {name!r} was continued by another process meanwhile: ask again")
    saver.put(
        {"configurable": thread(name)}, after.checkpoint, after.metadata, after.checkpoint["channel_versions"]
    )  # commits
    with suppress(sqlite3.Error):  # an old state that could not be removed is removed by the next turn
        older = "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_id != ?"
        saver.conn.execute(older, (name, after.checkpoint["id"]))
        saver.conn.commit()


def _serializer() -> JsonPlusSerializer:
    """Builds only the two types that a session holds; all else comes back as plain values."""
    return JsonPlusSerializer(
        allowed_msgpack_modules=[(kind.__module__, kind.__name__) for kind in (LatentBytes, LedgerEntry)]
    )
