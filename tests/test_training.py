"""Training the memory: it learns through the state, and an interrupted run is as good as a whole one."""

import json
import os
import signal
from itertools import cycle, islice
from random import Random

import pytest
import torch
from accelerate import Accelerator
from torch.nn import functional as F

from lpm_model.data.language import general_texts
from lpm_model.objective import Example, Language, Objective, collate, collate_text
from lpm_model.retrofit import load_adapter, read_adapter
from lpm_model.text import answer_ids, prompt_ids, segment_ids
from lpm_model.training import Trainer, TrainingConfig
from tests.talking import TOKENIZER, talking_base, talking_model

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


def trainer(folder, examples=in_turn, held_out=TOLD, seed=0, model=None, texts=((), ()), **config):
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
    return Trainer(
        model, TOKENIZER, wanted, examples, {"told": held_out}, folder, {"data_version": "1"}, texts
    )


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
    measured = [row for row in rows if "valid_loss/told" in row]
    assert [row["step"] for row in measured] == [20, 40, 60, 80]
    assert measured[-1]["valid_exact/told"] == 1.0 and measured[-1]["valid_loss/told"] < 0.15


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
        overfit.held_out = {
            "told": [Example((said,), ("kiev" if meant != "kiev" else "lima",)) for said, meant in PAIRS]
        }
        wrong = overfit.validate()
    finally:
        overfit.held_out = kept
    assert wrong["valid_exact/told"] == 0.0 and wrong["valid_loss/told"] > 1
    assert overfit.validate()["valid_exact/told"] == 1.0
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


def test_an_interrupt_in_the_midst_of_an_update_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    wanted = dict(examples=mixed, steps=6, save_every=2)
    whole, torn = trainer(tmp_path / "whole", **wanted), trainer(tmp_path / "torn", **wanted)
    whole.run()
    update = torn.optimizer.step

    def interrupted():
        update()
        if torn.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(torn.optimizer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        torn.run()
    again = trainer(tmp_path / "torn", **wanted, seed=3)
    again.model.load_state_dict(torn.model.state_dict())
    assert again.resume() and again.step == 2
    again.run()
    for one, two in zip(learned(whole), learned(again), strict=True):
        assert torch.equal(one, two)


def test_nothing_to_resume_is_a_fresh_start(tmp_path):
    assert trainer(tmp_path / "none").resume() is False


def test_nothing_is_written_where_there_is_no_target():
    """A segment without a target is read, and its state carries on to the next."""
    objective = Objective(talking_model(adapter_rank=8))
    silent = [Example((said, "so?"), ("", meant)) for said, meant in PAIRS]
    loss = objective(collate(TOKENIZER, silent), latent_steps=1)
    other = [Example(("now what", "so?"), e.targets) for e in silent]
    assert loss.item() != objective(collate(TOKENIZER, other), latent_steps=1).item()
    loss.backward()
    learned = [p for p in objective.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned)


def test_a_step_with_a_gradient_that_is_not_finite_changes_nothing(tmp_path):
    made = trainer(tmp_path)
    before = learned(made)
    made.learned[-1].register_hook(lambda grad: grad * float("nan"))
    made._train_step(iter([TOLD]))
    assert made.step == 1
    for one, two in zip(before, learned(made), strict=True):
        assert torch.equal(one, two)


def test_sight_and_latent_steps_change_the_loss_and_stay_finite():
    objective = Objective(talking_model(adapter_rank=8))
    batch = list(islice((e for e in mixed(Random(1)) if all(e.targets) and len(e.targets) == 2), 4))
    found = {
        objective(collate(TOKENIZER, batch), sight=sight, latent_steps=steps).item()
        for sight in (False, True)
        for steps in (0, 1)
    }
    assert len(found) == 4 and all(0 < value < 20 for value in found)


def test_only_the_memory_learns(tmp_path):
    made = trainer(tmp_path, steps=2, latent_steps=1.0)
    frozen = {n: p.detach().clone() for n, p in made.model.named_parameters() if not p.requires_grad}
    before = learned(made)
    made.run()
    for name, parameter in made.model.named_parameters():
        assert name not in frozen or torch.equal(frozen[name], parameter)
    assert all(not torch.equal(one, two) for one, two in zip(before, learned(made), strict=True))


@pytest.mark.parametrize(("answer", "weight"), [("", 3 / 25), ("to lima and back", 19 / 25), ("a" * 40, 1.0)])
def test_a_short_answer_moves_the_weights_less(tmp_path, answer, weight):
    made = trainer(tmp_path, clip=1e-3)
    example = Example(("go east",), ("go" + answer,))
    assert collate(TOKENIZER, [example]).written == len(answer) + 3
    made._train_step(iter([[example] * 2]))
    # The first moment of Adam is a tenth of the gradient after the first step.
    moments = torch.stack([state["exp_avg"].norm() for state in made.optimizer.state.values()])
    assert moments.norm().item() * 10 == pytest.approx(1e-3 * weight, rel=1e-3)


def test_conversations_of_two_shapes_are_no_batch():
    with pytest.raises(ValueError, match="2 shapes"):
        collate(TOKENIZER, [TOLD[0], Example(("so", "what"), ("", "lima"))])


def test_reading_is_the_same_alone_and_in_a_batch():
    objective = Objective(talking_model(adapter_rank=8)).eval()
    pairs = [Example((said, more), (meant, "lima")) for said, meant in PAIRS for more in ("no", "never mind")]
    together = objective(collate(TOKENIZER, pairs))
    alone = [collate(TOKENIZER, [pair]) for pair in pairs]
    weighed = sum(objective(batch) * batch.written for batch in alone) / sum(batch.written for batch in alone)
    torch.testing.assert_close(together, weighed)


def test_a_segment_that_is_not_kept_leaves_no_trace_for_the_next():
    objective = Objective(talking_model(adapter_rank=8)).eval()

    def answered(*examples):
        return objective.answers(collate(TOKENIZER, examples))[-1][0]

    passing = [
        Example((said, "so", "now"), (meant, "", "rome"), (False, True, True)) for said, meant in PAIRS
    ]
    without = [Example(("so", "now"), ("", "rome")) for _ in PAIRS]
    staying = [Example(e.segments, e.targets) for e in passing]
    torch.testing.assert_close(answered(*passing), answered(*without))
    assert not torch.allclose(answered(*staying), answered(*without), atol=1e-3)
    with pytest.raises(ValueError, match="2 shapes"):
        collate(TOKENIZER, [passing[0], staying[0]])


TEXTS = general_texts(held_out=False)[:40], general_texts(held_out=True)[:4]


def test_general_texts_are_many_and_those_to_measure_on_are_others():
    trained, measured = general_texts(held_out=False), general_texts(held_out=True)
    assert len(trained) > 200 and len(measured) > 16
    assert not set(trained) & set(measured)
    assert {len(text) for text in trained + measured} == {900}


def test_language_is_kept_by_the_divergence_from_the_base(tmp_path):
    made = trainer(tmp_path, steps=30, texts=TEXTS, language=1.0, language_tokens=32, validate_every=30)
    with torch.no_grad():
        for p in made.learned:  # a model that has lost some of its base's language
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    before = made.validate()
    made.run()
    after = metrics(tmp_path)[-1]
    assert after["perplexity/base"] == pytest.approx(before["perplexity/base"])
    assert before["perplexity"] != pytest.approx(before["perplexity/base"], rel=0.01)
    rows = [row["loss_language"] for row in metrics(tmp_path)]
    assert sum(rows[-5:]) < 0.7 * sum(rows[:5])


def test_without_its_updates_and_without_a_state_a_model_is_its_base():
    base, model = talking_base(), talking_model(adapter_rank=8)
    for p in model.parameters():
        if p.requires_grad:
            p.data.add_(0.1)
    ids = torch.tensor([TOKENIZER.encode("how far is it?")])
    with model.base_only():
        torch.testing.assert_close(model(ids).logits, base(ids).logits)
    assert not torch.allclose(model(ids).logits, base(ids).logits)
    assert Objective(model).perplexity(Language(ids), base=True) == pytest.approx(
        F.cross_entropy(base(ids).logits[0, :-1], ids[0, 1:]).exp().item()
    )


def test_a_text_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="fewer than 32"):
        collate_text(TOKENIZER, ["short"], 32)


def test_batches_drawn_by_workers_are_those_drawn_at_home(tmp_path):
    home, away = trainer(tmp_path, examples=mixed), trainer(tmp_path, examples=mixed, workers=2)
    for made in (home, away):
        made.step = 40
    assert list(islice(home._batches(), 60)) == list(islice(away._batches(), 60))


def test_processes_weigh_their_steps_alike_and_learn_from_texts_of_their_own(tmp_path, monkeypatch):
    made = trainer(tmp_path, clip=1e-3, texts=TEXTS, language_tokens=32)
    first = made._texts(Random(1)).ids

    def reduced(weight, how):
        assert how == "mean"
        return (weight + 1.0) / 2  # the other process has a full batch

    monkeypatch.setattr(made.accelerator, "reduce", reduced)
    monkeypatch.setattr(Accelerator, "process_index", 1)
    made._train_step(iter([[Example(("go east",), ("go",))] * 2]))
    moments = torch.stack([state["exp_avg"].norm() for state in made.optimizer.state.values()])
    assert moments.norm().item() * 10 == pytest.approx(1e-3 * (3 / 25 + 1) / 2, rel=1e-3)
    assert not set(map(tuple, made._texts(Random(1)).ids.tolist())) & set(map(tuple, first.tolist()))


def test_bfloat16_learns_too(tmp_path):
    trainer(tmp_path, steps=40, bf16=True).run()
    rows = metrics(tmp_path)
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_tensorboard_shows_the_metrics(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer(tmp_path, steps=3).run()
    shown = EventAccumulator(str(tmp_path)).Reload()
    losses = [event.value for event in shown.Scalars("loss")]
    assert losses == pytest.approx([row["loss"] for row in metrics(tmp_path)])


def test_the_rival_reads_the_whole_conversation_without_a_state():
    model = talking_model(adapter_rank=8)
    said = [Example(("go east", "so?"), ("", "lima")), Example(("west!", "and then where to"), ("", "oslo"))]
    ((logits, labels),) = Objective(model, memory=False).answers(collate(TOKENIZER, said))
    expected = []
    for example in said:
        read = [token for text in example.segments for token in segment_ids(TOKENIZER, text)]
        ids = torch.tensor([read + prompt_ids(TOKENIZER) + answer_ids(TOKENIZER, example.targets[-1])])
        expected.append(model(ids[:, :-1]).logits[0, -len(labels) // 2 :])
    torch.testing.assert_close(logits, torch.cat(expected))


def test_the_rival_learns(tmp_path):
    trainer(tmp_path, steps=60, memory=False).run()
    rows = metrics(tmp_path)
    assert rows[-1]["loss"] < 0.2 * rows[0]["loss"]
