"""Sessions on disk: what is kept, what is refused, and that no turn is ever half stored."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from lpm_model.state import LatentState
from planner import Planner, SessionError, Status
from planner.loop import LatentBytes, LedgerEntry
from planner.sessions import open_session, sessions_file
from tests.fakes import FULL_SIZE, NOTHING, FakeReader, Says, marks

NEAR = "route | from Albany, NY | to Utica, NY"
FAR = "route | from Albany, NY | to Buffalo, NY"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "sessions.sqlite"


def turn(file, *readings, session="trip", **options):
    """A turn in a planner of its own, as a new process would take it."""
    reader = FakeReader(*readings, **options)
    return Planner(reader=reader, sessions=file).route("anything", session=session), reader


def rows(file, query="SELECT thread_id, type, checkpoint FROM checkpoints"):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def stored(file):
    """What a session holds, as the only row of the file says it."""
    ((_, kind, blob),) = rows(file)
    kinds = [("planner.loop", "LatentBytes"), ("planner.loop", "LedgerEntry")]
    return JsonPlusSerializer(allowed_msgpack_modules=kinds).loads_typed((kind, blob))["channel_values"]


@contextmanager
def full_disk(free):
    """No file can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_only_what_outlives_a_turn_is_stored_once(file):
    turn(file, NEAR)
    values = stored(file)
    assert set(values) == {"latent", "ledger", "given"} and values["given"] == "{}"
    assert values["ledger"] == [LedgerEntry(1, NEAR.replace(" | ", "\n") + "\n")]
    assert isinstance(values["latent"], LatentBytes)
    assert LatentState.from_bytes(values["latent"].data, fingerprint="f" * 64).segments == 2
    assert rows(file, "SELECT * FROM writes") == []


def test_a_session_goes_on_in_another_planner(file):
    first, _ = turn(file, NEAR)
    second, reader = turn(file, FAR)
    assert (first.turn, second.turn) == (1, 2)
    assert second.constraints["destination"] == "Buffalo, NY"
    assert marks(reader.began_with) == [2.0, 2.0, 3.0]
    assert [entry.turn for entry in stored(file)["ledger"]] == [1, 2]


def test_sessions_do_not_see_each_other(file):
    turn(file, NEAR, session="one")
    answer, reader = turn(file, FAR, session="two")
    assert answer.turn == 1 and reader.began_with[0] is None
    assert sorted(name for name, *_ in rows(file)) == ["one", "two"]
    assert turn(file, NEAR, session="one")[0].turn == 2


def test_without_a_session_no_file_is_touched(file):
    answer, _ = turn(file, NEAR, session=None)
    assert answer.status is Status.PLANNED and answer.session == "" and not file.parent.exists()


def test_the_file_does_not_grow_with_the_turns(file):
    """A state of the shipped model's size, 391,680 bytes, through turns that only read."""
    sizes = []
    said: list[Says | str] = [NOTHING, "route | to Utica, NY"] * 15
    planner = Planner(reader=FakeReader(*said, shape=FULL_SIZE), sessions=file)
    for _ in range(30):
        planner.route("anything", session="trip")
        sizes.append(file.stat().st_size)
    print(f"bytes after 2 turns {sizes[1]:,}, after 30 {sizes[-1]:,}")
    assert 391_680 < sizes[1] < 450_000
    assert sizes[-1] < 2 * 391_680 + 100_000, "one state, and the room of the one it replaced"
    assert len(stored(file)["ledger"]) == 15


def test_a_question_is_answered_in_the_next_turn(file):
    asked, _ = turn(file, "route | from Springfield | to Los Angeles")
    assert asked.status is Status.NOT_UNDERSTOOD and asked.turn == 1
    assert "Springfield, IL" in asked.questions[0].candidates
    answer, reader = turn(file, "route | from Springfield, IL | to Los Angeles")
    assert reader.began_with[0].segments == 1, "the call of the asking turn is remembered"
    assert answer.status is Status.PLANNED and answer.turn == 2
    assert answer.constraints["origin"] == "Springfield, IL"


def test_what_was_not_understood_changes_nothing(file):
    turn(file, NEAR)
    before = stored(file)
    answer, _ = turn(file, NOTHING)
    assert answer.turn == 0 and stored(file) == before


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("bug"), KeyboardInterrupt(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_a_turn_that_fails_leaves_the_session_as_it_was(file, failure):
    turn(file, NEAR)
    before = rows(file)

    class Breaks(FakeReader):
        def holds(self, state, call, beside=""):
            if beside:
                return super().holds(state, call, beside)
            raise failure

    with pytest.raises(type(failure)):
        Planner(reader=Breaks(FAR), sessions=file).route("anything", session="trip")
    assert rows(file) == before
    assert turn(file, FAR)[0].turn == 2


def test_a_process_killed_in_a_turn_leaves_the_session_as_it_was(file):
    turn(file, NEAR)
    before = rows(file)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from planner.sessions import open_session, thread\n"
        "with open_session(Path(sys.argv[1]), 'trip') as store:\n"
        "    found = store.get_tuple({'configurable': thread('trip')})\n"
        "    store.put({'configurable': thread('trip')}, found.checkpoint | {'id': 'z'}, {}, {})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parent.parent
    killed = subprocess.run([sys.executable, "-c", script, str(file)], cwd=root, check=False)
    assert killed.returncode == -9
    assert rows(file) == before
    assert turn(file, FAR)[0].turn == 2


def test_two_processes_in_one_session_do_not_overwrite_each_other(file):
    turn(file, NEAR)

    class Slow(FakeReader):
        def holds(self, state, call, beside=""):
            if not beside:
                turn(file, NEAR)
            return super().holds(state, call, beside)

    with pytest.raises(SessionError, match="continued by another process"):
        Planner(reader=Slow(FAR), sessions=file).route("anything", session="trip")
    assert len(stored(file)["ledger"]) == 2


def test_a_full_disk_loses_the_turn_and_not_the_session(file):
    turn(file, NEAR, shape=FULL_SIZE)
    before = rows(file)
    with full_disk(20_000), pytest.raises(SessionError, match="cannot be read or stored"):
        turn(file, FAR, shape=FULL_SIZE)
    assert rows(file) == before
    assert turn(file, FAR, shape=FULL_SIZE)[0].turn == 2


def test_another_models_session_is_refused_and_kept(file):
    turn(file, NEAR)
    before = rows(file)
    with pytest.raises(SessionError, match=r"'trip' cannot be continued: .*another model"):
        turn(file, FAR, fingerprint="e" * 64)
    assert rows(file) == before


def test_a_file_that_is_no_database_is_refused_and_kept(file):
    file.parent.mkdir()
    file.write_bytes(b"a diary, not a database\n" * 100)
    with pytest.raises(SessionError, match="not a database"):
        turn(file, NEAR)
    assert file.read_bytes().startswith(b"a diary")


def test_a_place_where_nothing_can_be_stored_is_refused_before_any_reading(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    reader = FakeReader(NEAR)
    with pytest.raises(SessionError):
        Planner(reader=reader, sessions=tmp_path / "data" / "s.sqlite").route("anything", session="trip")
    assert reader.heard == []


def damage(file, blob):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE checkpoints SET checkpoint = ?", (blob,))


def test_a_damaged_session_is_refused(file):
    turn(file, NEAR)
    ((_, _, blob),) = rows(file)
    damage(file, blob[: len(blob) // 2])
    with pytest.raises(SessionError, match=r"'trip' in .* is damaged"):
        turn(file, FAR)
    assert turn(file, FAR, session="other")[0].turn == 1, "the other sessions of the file go on"


def test_a_flipped_bit_in_the_state_is_noticed(file):
    turn(file, NEAR)
    values = stored(file)
    ((_, _, blob),) = rows(file)
    data = values["latent"].data
    damage(file, blob.replace(data, data[:-1] + bytes([data[-1] ^ 1])))
    with pytest.raises(SessionError, match="damaged"):
        turn(file, FAR)


def test_types_that_no_session_holds_are_never_built(file):
    """A session file is data from outside: it must not choose what is constructed."""
    turn(file, NEAR)
    ((_, kind, _),) = rows(file)
    good = {
        "v": 4,
        "id": "z",
        "ts": "",
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }
    _, blob = JsonPlusSerializer().dumps_typed(good | {"channel_values": {"latent": Path("/etc/passwd")}})
    assert kind == "msgpack"
    damage(file, blob)
    with pytest.raises(SessionError, match="damaged"):
        turn(file, FAR)


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "two\nlines", "caf\udce9", "x" * 101])
def test_a_sessions_name_is_short_printable_text(file, name):
    with pytest.raises(SessionError, match="name"), open_session(file, name):
        pass
    assert not file.exists()


def test_where_sessions_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("LPM_DATA_DIR", str(tmp_path))
    assert sessions_file() == tmp_path / "sessions.sqlite"
    monkeypatch.delenv("LPM_DATA_DIR")
    assert sessions_file().name == "sessions.sqlite" and "lpm-planner" in str(sessions_file())
