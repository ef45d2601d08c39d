"""The cache costs time when something is wrong with it, and never more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.cache import cache_dir, load_arrays, store_arrays
from tools.roads import RoadGraph, build, data, load_roads


@pytest.fixture(scope="module")
def built() -> RoadGraph:
    return load_roads()


@pytest.fixture
def fresh(built: RoadGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory; building is stood in for by the graph built before (it takes 20 s)."""
    monkeypatch.setenv("LPM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "build_roads", lambda progress: built)
    return tmp_path / "cache"


def _same(a: RoadGraph, b: RoadGraph) -> bool:
    first, second = a.to_arrays(), b.to_arrays()
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_the_directory_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPM_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("LPM_CACHE_DIR")
    assert cache_dir().name == "lpm-planner"


def test_stored_once_then_loaded(fresh: Path, built: RoadGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_roads().notes == ()
    assert [path.name for path in fresh.iterdir()] == ["roads.npz"]

    def fail(progress: object) -> RoadGraph:
        raise AssertionError("built again")

    monkeypatch.setattr(build, "build_roads", fail)
    again = load_roads()
    assert again.notes == ()
    assert _same(again, built)


@pytest.mark.parametrize("damage", ["empty", "cut", "bits", "text", "other"])
def test_a_damaged_cache_is_built_again_with_a_note(fresh: Path, built: RoadGraph, damage: str) -> None:
    load_roads()
    path = fresh / "roads.npz"
    whole = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "bits":
        middle = len(whole) // 2
        path.write_bytes(
            whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
        )
    elif damage == "text":
        path.write_text("not a cache")
    else:  # a whole file of the right version with arrays that do not fit together
        store_arrays("roads", data._fingerprint(), {**built.to_arrays(), "lon": np.zeros(3)})
    roads = load_roads()
    assert len(roads.notes) == 1 and "built again" in roads.notes[0]
    assert _same(roads, built)
    assert load_roads().notes == ()


def test_another_version_is_built_again(fresh: Path, built: RoadGraph) -> None:
    store_arrays("roads", "another version", built.to_arrays())
    assert "another version" in load_roads().notes[0]


def test_without_a_writable_directory_work_goes_on(
    fresh: Path, built: RoadGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.write_text("a file where the directory should be")  # no one can write below it, not even root
    roads = load_roads()
    assert len(roads.notes) >= 1 and "cache" in roads.notes[-1]
    assert _same(roads, built)


def test_a_full_disk_is_a_note(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.mkdir()
    monkeypatch.setattr("os.getpid", lambda: 4711)
    (fresh / "full.npz.4711.part").symlink_to("/dev/full")  # every write fails with ENOSPC
    note = store_arrays("full", "key", {"a": np.zeros(1 << 20)})
    assert note is not None and "No space left" in note
    assert list(fresh.iterdir()) == []
    assert load_arrays("full", "key") == (None, None)


def test_an_interrupted_write_leaves_the_old_file(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_arrays("kept", "key", {"a": np.arange(3)})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store_arrays("kept", "key", {"a": np.arange(5)})
    arrays, note = load_arrays("kept", "key")
    assert note is None and arrays is not None and len(arrays["a"]) == 3
    assert [path.name for path in fresh.iterdir()] == ["kept.npz"]
