"""Finding a base: the embedded one from the cache, another from a folder; and what is said without one."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from lpm_model import base as bases
from lpm_model.base import ADAPTER_NAME, BaseError, embedded_gguf, load_for_training, load_model
from lpm_model.modeling import from_base
from lpm_model.retrofit import fingerprint, save_adapter
from lpm_model.text import segment_ids
from tests.talking import TOKENIZER, save_base, talking_base
from tests.tiny import MEMORY

IDS = torch.tensor([segment_ids(TOKENIZER, "Reno to Elko, no tolls")])


def trained(family, base_name="other"):
    """A retrofitted base whose memory has learned something."""
    model = from_base(talking_base(family), **MEMORY, base_name=base_name)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
                parameter.copy_(parameter.bfloat16())
    return model


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """A tiny base in the embedded one's place: the cache, an adapter, and what was converted."""
    made = []

    def convert(target):
        made.append(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_base(target)

    monkeypatch.setattr(bases, "convert_embedded", convert)
    save_adapter(trained("llama", "SmolLM2-135M-Instruct"), tmp_path / "a.safetensors")
    return tmp_path / "cache", tmp_path / "a.safetensors", made


def test_the_embedded_base_is_real_and_its_cache_is_used(embedded_base, tmp_path, monkeypatch):
    assert embedded_gguf().is_file()
    monkeypatch.setattr(bases, "convert_embedded", lambda target: pytest.fail("converted again"))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "SmolLM2-135M-Instruct").symlink_to(embedded_base)
    notes: list[str] = []
    with pytest.raises(BaseError, match="untrained and would read nothing"):
        load_model(None, tmp_path, adapter=tmp_path / "none.safetensors", note=notes.append)
    model, tokenizer = load_for_training(None, tmp_path, {"num_slots": 5})
    assert model.config.state_shape == (30, 5, 384) and not notes
    assert tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"]) == [1, 2]
    assert tokenizer.decode(tokenizer.encode("from Reno to Elko")) == "from Reno to Elko"


def test_the_base_is_converted_once(embedded):
    cache, adapter, made = embedded
    stages: list[str] = []
    notes: list[str] = []
    one = load_model(None, cache, adapter=adapter, progress=stages.append, note=notes.append)
    two = load_model(None, cache, adapter=adapter, progress=stages.append, note=notes.append)
    assert len(made) == len(stages) == 1 and not notes
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize("damage", ["weights", "no weights", "config", "tokenizer"])
def test_a_damaged_cache_is_made_again_and_told(embedded, damage):
    cache, adapter, made = embedded
    whole = load_model(None, cache, adapter=adapter)
    folder = made[0]
    weights = folder / "model.safetensors"
    if damage == "weights":
        start = weights.read_bytes()[:5000]
        weights.unlink()  # the model above still reads the file that it mapped
        weights.write_bytes(start)
    elif damage == "no weights":
        weights.unlink()
    else:
        (folder / {"config": "config.json", "tokenizer": "tokenizer.json"}[damage]).write_text('{"model_')
    notes: list[str] = []
    again = load_model(None, cache, adapter=adapter, note=notes.append)
    assert len(made) == 2 and len(notes) == 1 and "converted again" in notes[0]
    with torch.no_grad():
        assert_close(again.model(IDS).logits, whole.model(IDS).logits, atol=0, rtol=0)


def test_a_full_disk_costs_time_and_no_more(embedded, monkeypatch):
    cache, adapter, made = embedded
    convert = bases.convert_embedded

    def full(target):
        if target.is_relative_to(cache):
            raise OSError(28, "No space left on device")
        convert(target)

    monkeypatch.setattr(bases, "convert_embedded", full)
    notes: list[str] = []
    assert load_model(None, cache, adapter=adapter, note=notes.append).model
    assert len(notes) == 1 and "No space left" in notes[0] and not made[0].exists()

    def fuller(target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bases, "convert_embedded", fuller)
    with pytest.raises(BaseError, match="no room"):
        load_model(None, cache, adapter=adapter)


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BaseError, match="make setup"):
        load_model(None, tmp_path / "cache", adapter=tmp_path / "a")


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_another_base_with_an_adapter_trained_on_it(family, tmp_path):
    folder = save_base(tmp_path / "other", family)
    model = trained(family)
    save_adapter(model, folder / ADAPTER_NAME)
    loaded = load_model(folder, tmp_path / "cache")
    assert loaded.tokenizer.encode("to Elko") == TOKENIZER.encode("to Elko")
    assert not any(p.requires_grad for p in loaded.model.parameters()) and not loaded.model.training
    with torch.no_grad():
        one, two = model(IDS, write=True), loaded.model(IDS, write=True)
        assert_close(two.logits, one.logits, atol=1e-3, rtol=1e-3)
        assert_close(two.latent_state, one.latent_state, atol=1e-3, rtol=1e-3)
        plain = AutoModelForCausalLM.from_pretrained(folder)
        assert not torch.allclose(plain(IDS).logits, two.logits, atol=0.1)
    assert loaded.fingerprint == fingerprint(model)
    assert not (tmp_path / "cache").exists()


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    with pytest.raises(BaseError, match="no model at"):
        load_model(tmp_path / "nowhere", tmp_path)
    folder = save_base(tmp_path / "other")
    with pytest.raises(BaseError, match="untrained and would read nothing"):
        load_model(folder, tmp_path)
    save_adapter(trained("qwen3"), folder / ADAPTER_NAME)
    with pytest.raises(BaseError, match="does not fit this base"):
        load_model(folder, tmp_path)
    save_adapter(trained("llama", "another"), folder / ADAPTER_NAME)
    told: list[str] = []
    load_model(folder, tmp_path, note=told.append)
    assert len(told) == 1 and "was trained on another; is this base, other, the same?" in told[0]
    (folder / ADAPTER_NAME).write_bytes(b"x" * 99)
    with pytest.raises(BaseError, match="cannot read the adapter"):
        load_model(folder, tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BaseError, match="no safetensors weights"):
        load_model(folder, tmp_path)


def test_a_base_to_train_on(tmp_path):
    folder = save_base(tmp_path / "other")
    model, _ = load_for_training(folder, tmp_path, {"num_slots": 3, "adapter_rank": 2})
    assert model.config.num_slots == 3 and model.config.base_name == "other"
    assert model.learned_names and all(
        "lora_a" not in n or p.shape[0] in (1, 2) for n, p in model.named_parameters()
    )
    with pytest.raises(BaseError, match="state_dim"):
        load_for_training(folder, tmp_path, {"state_dim": 500})
    with pytest.raises(BaseError):
        load_for_training(Path(tmp_path / "nowhere"), tmp_path, {})
