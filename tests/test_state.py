"""The latent state as a value and as a file: fixed size, immutable, refused when it does not fit."""

import hashlib
import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from lpm_model.state import FORMAT_VERSION, LatentState, StateFileError, rounded
from tests.tiny import tiny_model

SHAPE = (3, 4, 32)


def state(seed=0, **changes):
    slots = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))
    values: dict[str, Any] = {"slots": slots, "segments": 2, "fingerprint": "ab" * 32}
    return LatentState.of(**(values | changes))


def test_it_comes_back_as_it_was(tmp_path):
    state().save(tmp_path / "memory")
    assert LatentState.load(tmp_path / "memory", fingerprint="ab" * 32, shape=SHAPE) == state()
    assert list(tmp_path.iterdir()) == [tmp_path / "memory"]
    assert state() != state(seed=1) and hash(state()) == hash(state())


def test_it_cannot_be_changed_from_outside():
    slots = torch.ones(SHAPE)
    held = state(slots=slots)
    slots.zero_()
    assert held.slots.min() == pytest.approx(1, rel=1e-3)
    with pytest.raises(AttributeError):
        held.segments = 5
    assert held.zeroed().slots.abs().max() == 0 and held.slots.min() > 0


def test_a_state_that_does_not_fit_is_refused():
    data = state().to_bytes()
    with pytest.raises(StateFileError, match="another model"):
        LatentState.from_bytes(data, fingerprint="cd" * 32)
    with pytest.raises(StateFileError, match="shape"):
        LatentState.from_bytes(data, shape=(3, 4, 16))
    with pytest.raises(StateFileError, match="cannot read"):
        LatentState.load("no/such/file")
    with pytest.raises(StateFileError, match="not finite"):
        LatentState.from_bytes(state(slots=torch.full(SHAPE, torch.inf)).to_bytes())
    with pytest.raises(StateFileError, match="negative"):
        LatentState.from_bytes(state(segments=-1).to_bytes())
    with pytest.raises(StateFileError, match="numbers of a slot"):
        LatentState.from_bytes(state(slots=torch.ones(4)).to_bytes())


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ({"version": FORMAT_VERSION + 1}, "version"),
        ({"sha256": "0" * 64}, "checksum"),
        ({"segments": 2}, "checksum"),
        ({"fingerprint": "cd"}, "checksum"),
    ],
)
def test_a_header_that_lies_is_refused(header, complaint):
    tensors = {"packed": state().packed, "scales": state().scales}
    raw = b"".join(t.view(torch.uint8).numpy().tobytes() for t in tensors.values())
    digest = hashlib.sha256(b'["ab", 1, 32]' + raw).hexdigest()
    honest = {
        "version": FORMAT_VERSION,
        "fingerprint": "ab",
        "segments": 1,
        "state_dim": 32,
        "sha256": digest,
    }
    assert LatentState.from_bytes(save(tensors, {"lpm_state": json.dumps(honest)})).segments == 1
    with pytest.raises(StateFileError, match=complaint):
        LatentState.from_bytes(save(tensors, {"lpm_state": json.dumps(honest | header)}))
    with pytest.raises(StateFileError, match="no text"):
        LatentState.from_bytes(
            save(tensors, {"lpm_state": json.dumps(honest | {"fingerprint": 7})}), fingerprint="ab"
        )
    with pytest.raises(StateFileError, match="packed numbers and scales"):
        LatentState.from_bytes(save({"packed": state().packed}, {"lpm_state": json.dumps(honest)}))


@given(width=st.integers(1, 200), size=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_four_bits_keep_numbers_to_a_fourteenth_of_the_largest(width, size, seed):
    slots = size * torch.randn(2, 3, width, generator=torch.Generator().manual_seed(seed))
    held = LatentState.of(slots, 1, "f")
    assert held.slots.shape == slots.shape
    assert (held.slots - slots).abs().max() <= slots.abs().max() / 13.9
    assert LatentState.from_bytes(held.to_bytes()) == held == LatentState.of(held.slots, 1, "f")
    assert torch.equal(rounded(slots), held.slots), "what the model computes is what a file holds"
    with_gradient = slots.clone().requires_grad_()
    rounded(with_gradient).sum().backward()
    assert torch.equal(with_gradient.grad, torch.ones_like(slots))


@given(data=st.data())
@settings(max_examples=200)
def test_damaged_bytes_are_refused_or_equal(data):
    """No damage gets through: the state read is the state written, or an error says so."""
    good = state().to_bytes()
    kind = data.draw(st.sampled_from(["flip", "cut", "noise"]))
    if kind == "flip":
        at = data.draw(st.integers(0, len(good) - 1))
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    elif kind == "cut":
        bad = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        bad = data.draw(st.binary(max_size=300))
    try:
        read = LatentState.from_bytes(bad, fingerprint="ab" * 32, shape=SHAPE)
    except StateFileError:
        return
    assert read == state()


def read_all(model, ids, held=None):
    """Read ids in segments; the state passes through a value after each, as it does between turns."""
    with torch.no_grad():
        for start in range(0, ids.shape[1], 16):
            before = None if held is None else held.slots[None]
            slots = model(ids[:, start : start + 16], latent_state=before, write=True).latent_state
            held = LatentState.of(slots[0], (held.segments if held else 0) + 1, "f")
    return held


def test_its_size_does_not_depend_on_what_was_read():
    model = tiny_model()
    few = read_all(model, torch.randint(3, 200, (1, 10)))
    many = read_all(model, torch.randint(3, 200, (1, 10_000)))
    assert (few.segments, many.segments) == (1, 625)
    assert few.slots.shape == many.slots.shape == SHAPE
    assert few.nbytes == many.nbytes == 3 * 4 * 32 + 3 * 4 * 2  # half of 64 bytes, and a scale for each slot
    assert abs(len(few.to_bytes()) - len(many.to_bytes())) <= 8  # the count in the header has more digits
    assert many.slots.isfinite().all() and many.slots.abs().max() < 1e3


def test_saved_loaded_and_continued_equals_uninterrupted(tmp_path):
    model, ids = tiny_model(), torch.randint(3, 200, (1, 64))
    read_all(model, ids[:, :32]).save(tmp_path / "memory")
    resumed = read_all(model, ids[:, 32:], LatentState.load(tmp_path / "memory"))
    assert resumed == read_all(model, ids)
