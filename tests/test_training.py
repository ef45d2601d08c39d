"""Training the memory: it learns through the state, and an interrupted run is as good as a whole one."""

import json
import os
import signal
from itertools import cycle, islice
from random import Random

import pytest
import torch
from torch.nn import functional as F

from lpm_model.retrofit import load_adapter, read_adapter
from lpm_model.text import answer_ids, prompt_ids, segment_ids
from lpm_model.training import Example, Trainer, TrainingConfig
from tests.talking import TOKENIZER, talking_model

PAIRS = [("go east", "lima"), ("west!", "oslo"), ("to the north", "rome"), ("down south", "kiev")]
TOLD = [Example((said,), (meant,)) for said, meant in PAIRS]


def in_turn(rng):
    return cycle(TOLD)


def mixed(rng):
    """Conversations of one turn, of two, and of a turn between whose segments nothing is written."""
    while True:
        (said, meant), (more, then) = rng.choice(PAIRS), rng.choice(PAIRS)
        yield rng.choice(
            (
                Example((said,), (meant,)),
                Example((said, more), (meant, then)),
                Example((said, more), ("", then)),
            )
        )


def trainer(folder, examples=in_turn, held_out=TOLD, seed=0, model=None, **config):
    settings = {
        "steps": 4,
        "batch_size": 4,
        "warmup": 1,
        "learning_rate": 0.01,
        "sight": 0.0,
        "latent_steps": 0.0,
    }
    model = model or talking_model(seed=seed, adapter_rank=8)
    wanted = TrainingConfig(**settings | config)
    return Trainer(model, TOKENIZER, wanted, examples, held_out, folder, {"data_version": "1"})


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def overfit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overfit")
    made = trainer(folder, steps=80, validate_every=20, save_every=80)
    made.run()
    return made


@torch.no_grad()
def losses(model, *, zeroed=False, swapped=False):
    """Loss of each target from the state that its segment left, from none of it, or from another's."""
    found = []
    for i, (_, meant) in enumerate(PAIRS):
        said = PAIRS[(i + 1) % len(PAIRS)][0] if swapped else PAIRS[i][0]
        _, state = model.model(torch.tensor([segment_ids(TOKENIZER, said)]), write=True)
        ids = torch.tensor([prompt_ids(TOKENIZER) + answer_ids(TOKENIZER, meant)])
        logits = model(ids[:, :-1], latent_state=torch.zeros_like(state) if zeroed else state).logits
        found.append(F.cross_entropy(logits[0], ids[0, 1:]).item())
    return found


def test_a_handful_is_learned_through_the_state(overfit):
    model = overfit.model.eval()
    assert max(losses(model)) < 0.15
    # Four answers of five tokens, told apart by the first: without the state it is at best a guess.
    guess = torch.log(torch.tensor(4.0)).item() / 5
    assert sum(losses(model, zeroed=True)) / 4 > guess
    assert sum(losses(model, swapped=True)) / 4 > 2 * guess


def test_progress_is_written_down(overfit):
    rows = metrics(overfit.folder)
    assert [row["step"] for row in rows] == list(range(1, 81))
    assert all(row["loss"] == row["loss"] and row["grad_norm"] > 0 and row["tokens"] > 0 for row in rows)
    assert rows[-1]["loss"] < 0.1 * rows[0]["loss"]
    measured = [row for row in rows if "valid_loss" in row]
    assert [row["step"] for row in measured] == [20, 40, 60, 80]
    assert measured[-1]["valid_exact"] == 1.0 and measured[-1]["valid_loss"] < 0.15


def test_the_adapter_says_how_it_was_made_and_gives_the_model_back(overfit):
    tensors, memory, header = read_adapter(overfit.folder / "adapter.safetensors")
    assert header["data_version"] == "1" and header["steps"] == "80"
    assert json.loads(header["config"])["learning_rate"] == 0.01
    again = talking_model(**memory)
    load_adapter(again, tensors)
    assert max(losses(again)) < 0.2  # bfloat16 is enough


def test_validation_measures_from_the_state_alone(overfit):
    kept = overfit.held_out
    try:
        overfit.held_out = [
            Example((said,), ("kiev" if meant != "kiev" else "lima",)) for said, meant in PAIRS
        ]
        wrong = overfit.validate()
    finally:
        overfit.held_out = kept
    assert wrong["valid_exact"] == 0.0 and wrong["valid_loss"] > 1
    assert overfit.validate()["valid_exact"] == 1.0
    assert overfit.model.training  # measuring leaves the model as it was


def learned(made):
    return [p.detach().clone() for p in made.learned]


def test_resuming_equals_a_run_without_a_break(tmp_path):
    wanted = dict(examples=mixed, steps=40, sight=0.3, latent_steps=0.3, decay=5, save_every=1000)
    whole = trainer(tmp_path / "whole", **wanted)
    whole.run()

    broken = trainer(tmp_path / "broken", **wanted)

    def stop(row):
        if row["step"] == 35:  # beyond the first pool of batches
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.run(stop)
    again = trainer(tmp_path / "broken", **wanted, seed=3)  # whatever it starts from is replaced
    again.model.load_state_dict({k: v for k, v in broken.model.state_dict().items()})
    for p in again.learned:
        p.data.add_(1.0)
    assert again.resume() and again.step == 35
    again.run()
    assert again.step == 40
    for one, two in zip(learned(whole), learned(again), strict=True):
        assert torch.equal(one, two)
    without_time = [{k: v for k, v in row.items() if k != "seconds"} for row in metrics(tmp_path / "broken")]
    assert without_time == [
        {k: v for k, v in row.items() if k != "seconds"} for row in metrics(tmp_path / "whole")
    ]


def test_other_seeds_train_otherwise(tmp_path):
    one, two = (trainer(tmp_path / str(seed), examples=mixed, steps=64) for seed in (1, 2))
    two.config = TrainingConfig(**vars(two.config) | {"seed": 2})
    drawn = [list(islice(made._batches(), 64)) for made in (one, two)]
    assert drawn[0] != drawn[1]
    one.step = 40
    assert list(islice(one._batches(), 24)) == drawn[0][40:]


def test_batches_hold_conversations_of_one_shape_and_like_length(tmp_path, monkeypatch):
    monkeypatch.setattr("lpm_model.training._DISORDER", 2)  # these texts are a tenth as long as requests
    made = trainer(tmp_path, examples=mixed, batch_size=8)
    shapes, spread, overall = set(), [], []
    for batch in islice(made._batches(), 96):
        assert len(batch) == 8
        (shape,) = {tuple(map(bool, e.targets)) for e in batch}
        shapes.add(shape)
        sizes = [sum(map(len, e.segments + e.targets)) for e in batch]
        spread.append(max(sizes) - min(sizes))
        overall += sizes
    assert shapes == {(True,), (True, True), (False, True)}
    assert sum(spread) / len(spread) < (max(overall) - min(overall)) / 4


@pytest.mark.parametrize("cause", [KeyboardInterrupt, signal.SIGTERM])
def test_an_interrupt_keeps_the_progress(tmp_path, cause):
    made = trainer(tmp_path, save_every=1000)

    def stop(row):
        if row["step"] == 2:
            if cause is KeyboardInterrupt:
                raise KeyboardInterrupt
            os.kill(os.getpid(), cause)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            made.run(stop)
    finally:
        signal.signal(signal.SIGTERM, before)
    again = trainer(tmp_path, seed=5)
    assert again.resume() and again.step == 2
    for one, two in zip(learned(made), learned(again), strict=True):
        assert torch.equal(one, two)
    assert (tmp_path / "adapter.safetensors").is_file() and not list(tmp_path.glob("*.part"))


def test_nothing_to_resume_is_a_fresh_start(tmp_path):
    assert trainer(tmp_path / "none").resume() is False


def test_nothing_is_written_where_there_is_no_target(tmp_path):
    """A segment without a target is read, and its state carries on to the next."""
    made = trainer(tmp_path)
    silent = [Example((said, "so?"), ("", meant)) for said, meant in PAIRS]
    loss, _ = made.loss(silent, sight=False, latent_steps=0)
    other = [Example(("now what", "so?"), e.targets) for e in silent]
    assert loss.item() != made.loss(other, sight=False, latent_steps=0)[0].item()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.learned)


def test_a_step_with_a_gradient_that_is_not_finite_changes_nothing(tmp_path):
    made = trainer(tmp_path)
    before = learned(made)
    made.learned[0].register_hook(lambda grad: grad * float("nan"))
    made._train_step(TOLD)
    assert made.step == 1
    for one, two in zip(before, learned(made), strict=True):
        assert torch.equal(one, two)


def test_sight_and_latent_steps_change_the_loss_and_stay_finite(tmp_path):
    made = trainer(tmp_path)
    batch = list(islice((e for e in mixed(Random(1)) if all(e.targets) and len(e.targets) == 2), 4))
    found = {
        made.loss(batch, sight=sight, latent_steps=steps)[0].item()
        for sight in (False, True)
        for steps in (0, 1)
    }
    assert len(found) == 4 and all(0 < value < 20 for value in found)


def test_only_the_memory_learns(tmp_path):
    made = trainer(tmp_path, steps=2)
    frozen = {n: p.detach().clone() for n, p in made.model.named_parameters() if not p.requires_grad}
    before = learned(made)
    made.run()
    for name, parameter in made.model.named_parameters():
        assert name not in frozen or torch.equal(frozen[name], parameter)
    assert all(not torch.equal(one, two) for one, two in zip(before, learned(made), strict=True))
