"""The house rules that a reviewer should not have to check by eye."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("planner", "lpm_model", "tools")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("run", "data", "dev")
MAX_FILE_BYTES = 24_000_000

# Data flows one way: cli -> planner -> lpm_model and tools. For each part, what it may not import.
FORBIDDEN = {
    "planner": {"cli", "tests", "benchmarks"},
    "lpm_model": {"cli", "planner", "tools", "tests", "benchmarks"},
    "tools": {"cli", "planner", "lpm_model", "tests", "benchmarks"},
    "benchmarks": {"cli", "tests"},
    "cli.py": {"tests", "benchmarks"},
}
# Nothing but the model reads the person's text: these would be the beginning of another reader.
TEXT_MATCHERS = {"re", "regex", "difflib", "fnmatch", "rapidfuzz"}


def imported(source: str, module: str) -> set[str]:
    """Full names of all modules that the source imports, anywhere in it; `module` resolves dots."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            names.add(".".join([*base, *([node.module] if node.module else [])]))
    return names


def modules(part: str) -> list[Path]:
    """The Python files of a package, or the one file that a part is."""
    path = ROOT / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def top_level_imports(path: Path) -> set[str]:
    """The first names of all that a file imports."""
    # A package is named with its `__init__`, so that one dot means its own folder, as in any other module.
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return {name.split(".")[0] for name in imported(path.read_text(), module)}


@pytest.mark.parametrize("part", FORBIDDEN)
def test_layers(part):
    files = modules(part)
    assert files, f"{part} has no Python files"
    for path in files:
        wrong = top_level_imports(path) & FORBIDDEN[part]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_no_other_reader_of_the_request():
    for path in [*modules("planner"), ROOT / "cli.py"]:
        wrong = top_level_imports(path) & TEXT_MATCHERS
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}: only the model reads the text"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import cli", {"cli"}),
        ("def f():\n    import planner.loop as p", {"planner.loop"}),
        ("from tools.roads import types", {"tools.roads"}),
        ("if True:\n    from .. import state", {"lpm_model"}),
        ("from .text import phrases", {"lpm_model.data.text"}),
        ("x = 'import cli'", set()),
    ],
)
def test_imports_are_found(source, expected):
    assert imported(source, "lpm_model.data.make") == expected


def test_distribution():
    dist = metadata.distribution("lpm-planner")
    assert dist.version == PROJECT["version"]
    assert dist.metadata["License-Expression"] == "Apache-2.0"
    assert dist.metadata["Requires-Python"] == ">=3.11"
    (script,) = [entry for entry in dist.entry_points if entry.group == "console_scripts"]
    assert (script.name, script.value) == ("planner", "cli:main")
    assert callable(script.load())


def test_wheel_holds_code_and_data_and_nothing_else(tmp_path):
    # Built from a copy, so that no build folder is left in the checkout.
    source = tmp_path / "source"
    listed = [path for part in PACKAGES for path in (ROOT / part).rglob("*") if path.is_file()]
    code = {path.relative_to(ROOT) for path in listed if "__pycache__" not in path.parts} | {Path("cli.py")}
    for relative in code | {Path(name) for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE")}:
        (source / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / relative, source / relative)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {path.as_posix() for path in code}


def locked(kind: str) -> dict[NormalizedName, Version]:
    """The exact versions in one lock file, by canonical name."""
    versions = {}
    for line in (ROOT / "requirements" / f"{kind}.lock").read_text().splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            versions[canonicalize_name(name)] = Version(version)
    return versions


@pytest.mark.parametrize("kind", LOCKS)
def test_lock_is_exact_and_names_no_place(kind):
    # Version() refuses whatever is not a plain version: an address, a path, a marker, a range.
    versions = locked(kind)
    assert versions
    assert not any(version.local for version in versions.values())


def test_locks_agree_with_project():
    everything = {name: version for kind in LOCKS for name, version in locked(kind).items()}
    assert len(everything) == sum(len(locked(kind)) for kind in LOCKS), "a package stands in two lock files"
    for line in [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]:
        requirement = Requirement(line)
        assert everything[canonicalize_name(requirement.name)] in requirement.specifier, line


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_are_declared(part):
    """What a part imports is named in pyproject.toml, for benchmarks in an extra at least."""
    extras = chain(*PROJECT["optional-dependencies"].values()) if part == "benchmarks" else ()
    declared = {canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *extras]}
    known = {"cli", *PACKAGES, "benchmarks", *sys.stdlib_module_names}
    providers = metadata.packages_distributions()
    for path in modules(part):
        for name in top_level_imports(path) - known:
            found = {canonicalize_name(provider) for provider in providers.get(name, [])}
            assert found & declared, f"{path.relative_to(ROOT)} imports {name}: not in pyproject.toml"


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        ".gitignore",
        ".pre-commit-config.yaml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "NOTICE",
        "README.md",
        "cli.py",
    ],
)
def test_repository_file(name):
    assert (ROOT / name).stat().st_size > 0


def test_ci_runs_what_a_person_types():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec make test")
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme


@pytest.mark.parametrize("owner", ["OpenStreetMap", "GeoNames", "SmolLM2", "us-atlas"])
def test_notice_names_whose_work_is_used(owner):
    assert owner in (ROOT / "NOTICE").read_text()


def test_no_large_file():
    ignored = {".git", ".venv", "build", "dist", "runs", ".mypy_cache", ".hypothesis"}
    seen = 0
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ignored]
        for name in files:
            path = Path(folder, name)
            seen += 1
            assert path.stat().st_size <= MAX_FILE_BYTES, f"{path.relative_to(ROOT)} is too large"
    assert seen > len(list(ROOT.iterdir()))


def test_planning_imports_none_of_what_only_training_conversion_and_building_need():
    """Transformers' model classes and what they import take seconds, at every start of the program."""
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, planner; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"transformers.modeling_utils", "torch._dynamo", "torch.distributed.tensor", "accelerate"}
    heavy |= {"scipy", "tools.roads.build"}  # only roads that are built need all of it
    heavy |= {"ortools", "pandas"}  # which only a project needs
    assert not heavy & set(seen)
