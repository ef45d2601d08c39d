"""Learning from reward: what is drawn, what it is credited with, and that the reward alone teaches."""

from collections import Counter
from itertools import cycle
from random import Random

import pytest
import torch

from lpm_model.decoding import ConstrainedDecoder
from lpm_model.objective import Credited, Example, Objective, collate
from lpm_model.reinforcement import Improver
from lpm_model.text import answer_ids, prompt_ids, segment_ids
from lpm_model.training import Trainer, TrainingConfig
from planner.meaning import right
from tests.talking import TOKENIZER, talking_model
from tests.tiny import MEMORY
from tools.notation import grammar, read_call
from tools.roads.arguments import RouteArguments

CALLS = {"route": RouteArguments}
WORDS = 'start: "yes" | "no" | "maybe" | "maybe not"'
PAIRS = [("go east", "lima"), ("west!", "oslo"), ("to the north", "rome"), ("down south", "kiev")]
TOLD = [Example((said,), (meant,)) for said, meant in PAIRS]
TOWNS = 'start: "lima" | "oslo" | "rome" | "kiev"'


def states(count, scale=3.0):
    return scale * torch.randn(count, 3, 4, 32, generator=torch.Generator().manual_seed(count))


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    return talking_model().eval()


def test_what_is_drawn_is_valid_and_says_where_there_was_a_choice(model):
    decoder = ConstrainedDecoder(model, TOKENIZER)
    drawn = decoder.draw(grammar(CALLS), states(12), chance(), max_tokens=2000)
    assert len({answer.text for answer in drawn}) > 6
    for answer in drawn:
        name, _, _ = read_call(answer.text, CALLS)
        assert name == "route" and list(answer.ids) == answer_ids(TOKENIZER, answer.text)
        assert len(answer.chosen) == len(answer.allowed) < len(answer.ids)  # "route" is forced
        for place, packed in zip(answer.chosen, answer.allowed, strict=True):
            allowed = decoder.unpacked(packed)
            assert allowed[answer.ids[place]] and allowed.sum() > 1


def test_the_likeliest_is_what_is_written_alone(model):
    decoder = ConstrainedDecoder(model, TOKENIZER)
    held = states(5)
    together = decoder.draw(grammar(CALLS), held, None, max_tokens=2000)
    alone = [decoder.write(grammar(CALLS), state[None], max_tokens=2000).text for state in held]
    assert [answer.text for answer in together] == alone and len(set(alone)) > 1


def test_a_text_that_did_not_end_has_no_end(model):
    (answer,) = ConstrainedDecoder(model, TOKENIZER).draw(
        "start: /a{50}/", states(1), chance(), max_tokens=10
    )
    assert answer.text == "a" * 10 and len(answer.ids) == 10


def likelihoods(model, state):
    """Probabilities of the four words, each token among what may follow, by a full forward each."""
    found = {}
    words = ["yes", "no", "maybe", "maybe not"]
    for word in words:
        ids = torch.tensor([prompt_ids(TOKENIZER) + answer_ids(TOKENIZER, word)])
        with torch.no_grad():
            logits = model(ids[:, :-1], latent_state=state[None]).logits[0]
        product = 1.0
        for i, token in enumerate(ids[0, 1:].tolist()):
            may = {answer_ids(TOKENIZER, w)[i] for w in words if w[:i] == word[:i] and len(w) >= i}
            product *= torch.softmax(logits[i][sorted(may)], -1)[sorted(may).index(token)].item()
        found[word] = product
    return found


def test_words_are_drawn_as_often_as_they_are_likely(model):
    state, times = 0.3 * states(1)[0], 4000
    expected = likelihoods(model, state)
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-4)
    assert sum(p > 0.02 for p in expected.values()) >= 2  # else this shows nothing
    decoder = ConstrainedDecoder(model, TOKENIZER)
    drawn = decoder.draw(WORDS, state.expand(times, -1, -1, -1), chance(1))
    found = Counter(answer.text for answer in drawn)
    for word, probability in expected.items():
        tolerance = 4 * (probability * (1 - probability) / times) ** 0.5 + 1e-3
        assert found[word] / times == pytest.approx(probability, abs=tolerance)


def test_credit_weighs_log_probabilities_among_what_was_allowed():
    model = talking_model(adapter_rank=8)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    with torch.no_grad():
        _, state = model.model(torch.tensor([segment_ids(TOKENIZER, "go east")]), write=True)
    answer = decoder.draw(WORDS, state, chance(2))[0]
    logs = torch.tensor([likelihoods(model, state[0])[answer.text]]).log().item()
    batch = Credited(
        collate(TOKENIZER, [Example(("go east",), (answer.text,))]),
        torch.tensor(answer.chosen),
        torch.stack([decoder.unpacked(packed) for packed in answer.allowed]),
        torch.full((len(answer.chosen),), 0.5),
    )
    loss = Objective(model)(batch)
    assert loss.item() == pytest.approx(-0.5 * logs, rel=1e-3)
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def settings(**config):
    usual = {"steps": 40, "batch_size": 4, "warmup": 1, "learning_rate": 0.002, "validate_every": 40}
    return TrainingConfig(**usual | config)


def improver(folder, reward, **config):
    """A model that was trained for a moment, about to learn from reward."""
    model = talking_model(**MEMORY | {"adapter_rank": 8})
    supervised = settings(steps=6, learning_rate=0.01, sight=0.0, latent_steps=0.0)
    Trainer(model, TOKENIZER, supervised, in_turn, {"told": TOLD}, folder / "supervised").run()
    given = (model, TOKENIZER, settings(**config), in_turn, {"told": TOLD}, folder)
    return Improver(*given, grammar=TOWNS, reward=reward, group=8)


def in_turn(rng):
    return cycle(TOLD)


def same(wanted, written):
    return float(wanted == written)


def test_reward_alone_teaches_what_is_right_and_through_the_state(tmp_path):
    made = improver(tmp_path, same)
    rows: list[dict[str, float]] = []
    made.run(rows.append)
    before = rows.pop(0)
    assert before["step"] == 0 and before["valid_reward/told"] <= 0.5 and rows[-1]["valid_reward/told"] == 1.0
    assert sum(row["reward"] for row in rows[-5:]) > 4.5 > 3.5 > sum(row["reward"] for row in rows[:5])
    assert all(row["answers"] == 32 for row in rows) and rows[0]["groups_mixed"] > 0.4
    _, state = made.model.model(torch.tensor([segment_ids(TOKENIZER, "go east")]), write=True)
    zeroed = made.decoder.draw(TOWNS, torch.zeros_like(state).repeat(4, 1, 1, 1), None)
    assert len({answer.text for answer in zeroed}) == 1


@pytest.mark.parametrize("earned", [0.0, 1.0])
def test_answers_that_all_earn_the_same_teach_nothing(tmp_path, earned):
    made = improver(tmp_path, lambda _, __: earned, steps=2)
    before = [p.detach().clone() for p in made.learned]
    made.run()
    for one, two in zip(before, made.learned, strict=True):
        assert torch.equal(one, two)


def test_nothing_moves_where_nothing_is_to_learn_whatever_was_learned_before(tmp_path):
    told = [same]
    made = improver(tmp_path, lambda wanted, written: told[0](wanted, written), steps=2)
    made.run()
    told[0] = lambda _, __: 1.0
    before = [p.detach().clone() for p in made.learned]
    made._train_step(in_turn_batches())
    for one, two in zip(before, made.learned, strict=True):
        assert torch.equal(one, two)


def in_turn_batches():
    return cycle([TOLD])


def test_learning_in_parts_is_learning_at_once(tmp_path, monkeypatch):
    gradients = []
    for rows in (100, 1):
        monkeypatch.setattr("lpm_model.reinforcement._ROWS", rows)
        made = improver(tmp_path / str(rows), same)
        loss, _, _ = made._loss(TOLD, Random(3))
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in made.learned if p.grad is not None]))
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


def test_an_answer_that_did_not_end_becomes_less_likely(tmp_path, monkeypatch):
    made = improver(tmp_path, lambda _, written: float(written in {meant for _, meant in PAIRS}))
    made.grammar = 'start: "lima" | /[a-b]{60}/'
    drawn = made.decoder.draw
    monkeypatch.setattr(made.decoder, "draw", lambda *given: drawn(*given, max_tokens=20))
    (answers,) = made.draw(TOLD[:1], chance())
    assert {len(answer.ids) for answer in answers} == {5, 20}, "else this shows nothing"
    long = next(answer for answer in answers if len(answer.ids) == 20)
    (batch,) = made._credited(TOLD[:1], [[long, long]], torch.tensor([[-1.0, -1.0]]))
    assert batch.credit.sum().item() == pytest.approx(-1.0) and len(batch.places) == len(long.chosen)

    def likely():
        logits, labels = made.objective.answers(batch.reading)[-1]
        return -torch.nn.functional.cross_entropy(logits, labels).item()

    before = likely()
    made.objective(batch).backward()
    with torch.no_grad():
        for parameter in made.learned:
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
    assert likely() < before


def test_an_improvement_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path):
    whole = improver(tmp_path / "whole", same, steps=6)
    whole.run()
    broken = improver(tmp_path / "broken", same, steps=3)
    broken.run()
    again = improver(tmp_path / "broken", same, steps=6)
    assert again.resume() and again.step == 3
    again.run()
    for one, two in zip(whole.learned, again.learned, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("written", "earned"),
    [
        ("route\nfrom Albany, NY\nto Utica, NY\nvia Troy, NY\navoid ferries, tolls", 1.0),
        ("route\nfrom Albany\nto Utica\nvia Troy, NY\navoid tolls, ferries", 1.0),
        ("route\nfrom Albany, NY\nto Utica, NY\nvia Troy, NY\navoid tolls", 0.0),
        ("route\nfrom Albany, NY\nto Utica, NY\navoid ferries, tolls", 0.0),
        ("route\nfrom Utica, NY\nto Albany, NY\nvia Troy, NY\navoid ferries, tolls", 0.0),
        ("route\nfrom Albany, NY\nto", 0.0),
        ("", 0.0),
    ],
)
def test_a_reading_is_right_if_every_constraint_is_in_force_and_no_other(written, earned):
    assert (
        right("route\nfrom Albany, NY\nto Utica, NY\nvia Troy, NY\navoid ferries, tolls", written) == earned
    )
