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


@pytest.mark.parametrize("calls_before", range(8))
@pytest.mark.parametrize("fresh", [True, False])
def test_a_full_disk_leaves_everything_as_it_was(program, tmp_path, monkeypatch, calls_before, fresh):
    """Whatever step fails: making the files, or putting them in place."""
    target = tmp_path / "other" if fresh else program
    before, count = texts(tmp_path), [0]

    def failing(real):
        def step(*args, **options):
            count[0] += 1
            if count[0] == calls_before + 1:
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        return step

    monkeypatch.setattr(os, "rename", failing(os.rename))
    monkeypatch.setattr(Path, "write_text", failing(Path.write_text))
    try:
        write(target, "shop", SECOND)
    except OSError as error:
        assert "No space left" in str(error)
        assert texts(tmp_path) == before
    else:
        assert count[0] <= calls_before, "the failure was swallowed"
