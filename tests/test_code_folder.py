"""A program's folder: whole or not at all; what was edited by hand stays."""

import os
from pathlib import Path

import pytest

from tools.code_writer.folder import MANIFEST, changes, diff, look, write
from tools.tool import BadInput

FIRST = {"README.md": "one\n", "src/a.py": "a = 1\n", "src/b.py": "b = 1\n"}
SECOND = {"README.md": "two\n", "src/a.py": "a = 1\n", "src/c.py": "c = 1\n"}


def texts(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def own(folder):
    return {path: text for path, text in texts(folder).items() if path != MANIFEST}


def kinds(folder, files):
    return {change.path: change.kind for change in changes(folder, look(folder), files)}


@pytest.fixture
def program(tmp_path):
    write(tmp_path / "program", "shop", FIRST)
    return tmp_path / "program"


def test_a_new_program(tmp_path):
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "missing", tmp_path / "empty"):
        assert sorted(write(target, "shop", FIRST)) == sorted(target / path for path in FIRST)
        assert own(target) == FIRST
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "missing"]


def test_a_revision_touches_only_what_it_must(program):
    before = (program / "src/a.py").stat()
    assert kinds(program, SECOND) == {"README.md": "changed", "src/b.py": "removed", "src/c.py": "new"}
    write(program, "shop", SECOND)
    assert own(program) == SECOND
    after = (program / "src/a.py").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert kinds(program, SECOND) == {}


def test_what_was_edited_by_hand_stays(program):
    (program / "README.md").write_text("mine\n")
    (program / "src/a.py").write_text("a = 2\n")
    (program / "src/b.py").write_text("b = 2\n")
    (program / "src/c.py").write_text("c = 2\n")
    conflicts = dict.fromkeys(["README.md", "src/b.py", "src/c.py"], "conflict")
    assert kinds(program, SECOND) == conflicts
    write(program, "shop", SECOND)
    assert own(program) == {
        "README.md": "mine\n",
        "README.md.new": "two\n",
        "src/a.py": "a = 2\n",
        "src/b.py": "b = 2\n",
        "src/c.py": "c = 2\n",
        "src/c.py.new": "c = 1\n",
    }
    write(program, "shop", SECOND)
    assert (program / "README.md").read_text() == "mine\n"


def test_a_text_beside_it_that_was_edited_stays_too(program):
    """Somebody merges in FILE.new, or has a file of that name: the next texts go elsewhere."""
    third, fourth = ({**SECOND, "README.md": f"{number}\n"} for number in (3, 4))
    (program / "README.md").write_text("mine\n")
    (program / "src/a.py").write_text("a = 2\n")
    (program / "src/a.py.new").write_text("nobody wrote this but me\n")
    write(program, "shop", SECOND)
    write(program, "shop", third)
    assert (program / "README.md.new").read_text() == "3\n", "what nobody edited is replaced"
    (program / "README.md.new").write_text("half merged\n")
    files = {**fourth, "src/a.py": "a = 3\n"}
    beside = {change.path: change.beside for change in changes(program, look(program), files)}
    assert beside == {"README.md": "README.md.new.2", "src/a.py": "src/a.py.new.2"}
    write(program, "shop", files)
    found = own(program)
    assert found["README.md"] == "mine\n" and found["src/a.py"] == "a = 2\n"
    assert found["README.md.new"] == "half merged\n" and found["README.md.new.2"] == "4\n"
    assert found["src/a.py.new"] == "nobody wrote this but me\n" and found["src/a.py.new.2"] == "a = 3\n"


def test_what_is_no_file_stays(program):
    (program / "src/c.py").mkdir()
    (program / "src/c.py/mine").write_text("mine\n")
    write(program, "shop", SECOND)
    assert (program / "src/c.py/mine").read_text() == "mine\n"
    assert (program / "src/c.py.new").read_text() == SECOND["src/c.py"]


def test_a_removed_file_is_made_again_only_where_it_changes(program):
    (program / "src/a.py").unlink()
    (program / "README.md").unlink()
    assert kinds(program, SECOND)["README.md"] == "new" and "src/a.py" not in kinds(program, SECOND)


def test_a_difference_is_shown(program):
    found = changes(program, look(program), SECOND)
    assert diff(program, SECOND, found).splitlines()[:5] == [
        "--- a/README.md",
        "+++ b/README.md",
        "@@ -1 +1 @@",
        "-one",
        "+two",
    ]


HOSTILE = {
    "damaged": "{",
    "outside": '{"package": "x", "files": {"../../victim": "00"}}',
    "package outside": '{"package": "../../../victim", "files": {}}',
    "absolute package": '{"package": "/tmp/victim", "files": {}}',
    "package is a keyword": '{"package": "class", "files": {}}',
}


@pytest.mark.parametrize("kind", ["foreign", "file", "orphan", *HOSTILE])
def test_a_folder_that_is_not_ours_is_left_alone(tmp_path, kind):
    target = tmp_path / "place"
    if kind == "file":
        target.write_text("mine")
    elif kind == "orphan":
        target = target / "deeper"
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
        if kind in HOSTILE:
            (target / MANIFEST).write_text(HOSTILE[kind])
    before = texts(tmp_path)
    with pytest.raises(BadInput):
        write(target, "shop", FIRST)
    assert texts(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="no permission"):
        write(tmp_path / "program", "shop", FIRST)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_empty_folder_in_a_closed_one(tmp_path):
    (tmp_path / "program").mkdir()
    tmp_path.chmod(0o500)
    write(tmp_path / "program", "shop", FIRST)
    tmp_path.chmod(0o700)
    assert own(tmp_path / "program") == FIRST


def test_an_empty_folder_stays_the_same_folder(tmp_path, monkeypatch):
    """Somebody stands in it, it is a mount point, or others may read it: it is filled, not replaced."""
    target = tmp_path / "empty"
    target.mkdir(0o750)
    before = target.stat()
    monkeypatch.chdir(target)
    write(Path(), "shop", FIRST)
    after = target.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert own(target) == FIRST
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_link_to_a_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        (tmp_path / f"to {name}").symlink_to(name)
        write(tmp_path / f"to {name}", "shop", FIRST)
        assert own(tmp_path / name) == FIRST
        assert (tmp_path / f"to {name}").is_symlink()


def test_what_a_killed_writing_left_is_no_program(tmp_path):
    (tmp_path / ".planner-abc" / "new").mkdir(parents=True)
    (tmp_path / ".planner-abc" / "new" / "README.md").write_text("half")
    write(tmp_path, "shop", FIRST)
    assert (tmp_path / "README.md").read_text() == FIRST["README.md"]


def failing_at(monkeypatch, call, error, late):
    """Let one call of those that make files or put them in place fail, before or after what it does.

    How many there were is counted.
    """
    count = [0]

    def failing(real):
        def step(*args, **options):
            count[0] += 1
            failing = count[0] == call
            if failing and not late:
                raise error
            done = real(*args, **options)
            if failing:
                raise error
            return done

        return step

    monkeypatch.setattr(os, "rename", failing(os.rename))
    monkeypatch.setattr(Path, "write_text", failing(Path.write_text))
    return count


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", range(1, 12))
@pytest.mark.parametrize(
    ("kind", "late"), [("missing", False), ("empty", False), ("program", False), ("program", True)]
)
def test_a_full_disk_leaves_everything_as_it_was(program, tmp_path, monkeypatch, call, kind, late, error):
    """Whatever step fails, or is interrupted: making the files, or putting them in place."""
    target = tmp_path / kind
    if kind == "empty":
        target.mkdir()
    before, folders = texts(tmp_path), sorted(tmp_path.rglob("*"))
    count = failing_at(monkeypatch, call, error, late)
    try:
        write(target, "shop", SECOND)
    except (OSError, KeyboardInterrupt) as raised:
        assert str(error) in str(raised)
        assert texts(tmp_path) == before and sorted(tmp_path.rglob("*")) == folders
    else:
        assert count[0] < call, "the failure was swallowed"


def test_what_cannot_be_put_back_is_kept_and_said(program, monkeypatch):
    """The rest is put back all the same."""
    before = own(program)
    real = os.rename

    def rename(source, target):
        if str(source).endswith("new/src/c.py"):
            raise OSError(28, "No space left on device")
        if str(source).endswith("old/README.md"):
            raise OSError(5, "Input/output error")
        return real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match=r"No space left.*could not be put back are in") as raised:
        write(program, "shop", SECOND)
    place = Path(str(raised.value).rpartition(" in ")[2])
    assert (place / "README.md").read_text() == before.pop("README.md")
    assert {path: (program / path).read_text() for path in before} == before
