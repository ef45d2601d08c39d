"""Calculations for the arms: what is asked is right, and the calculator is called with what was read."""

from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

import cli
from lpm_model.baselines import ARMS, CALLING, Size
from lpm_model.baselines.calculations import Calculations, calculated
from lpm_model.baselines.calculator import Calculator, called
from lpm_model.baselines.data import ANSWER, FIRST_SYMBOL, VOCABULARY
from lpm_model.baselines.experiment import Experiment, ExperimentError, calculations, problems, train
from lpm_model.data.arithmetic import LARGEST, OPERATIONS, calculation, result

torch.set_num_threads(1)  # these are small: threads would wait for each other
SIZE = Size(layers=2, width=32, hidden=64, heads=2, kv_heads=2, slots=6, state=24)


@pytest.fixture(scope="module")
def items():
    rng = Random(3)
    return [calculation(rng) for _ in range(40)]


@pytest.fixture(scope="module")
def batch(items):
    return Calculations(items).batch(torch.arange(len(items)), torch.Generator())


@given(st.integers())
def test_a_calculation_keeps_to_its_numbers_and_changes_them(seed):
    item = calculation(Random(seed), (2, 5))
    assert 2 <= len(item.steps) <= 5
    before = item.start
    for (name, number), after in zip(item.steps, item.results, strict=True):
        assert eval(f"{before} {name} {number}") == after
        assert 0 <= after <= LARGEST
        assert (name, number) not in {("+", 0), ("-", 0), ("*", 1)}
        before = after


@pytest.mark.parametrize("steps", [[("/", 2)], [("+", LARGEST)], [("-", 9), ("-", 9)]])
def test_what_cannot_be_calculated_is_refused(steps):
    with pytest.raises(ValueError, match=r"operation|lie"):
        result(9, steps)


def test_positions_hold_the_steps_in_their_order(items, batch):
    zero = FIRST_SYMBOL + len(OPERATIONS)
    for row, item in enumerate(items):
        facts = batch.facts[row][batch.facts_mask[row].bool()].tolist()
        assert facts[0] == zero + item.start
        assert [fact % VOCABULARY - zero for fact in facts[1:]] == [number for _, number in item.steps]
        names = [list(OPERATIONS)[fact // VOCABULARY - FIRST_SYMBOL] for fact in facts[1:]]
        assert names == [name for name, _ in item.steps]
        assert batch.chain[row, : len(item.steps)].tolist() == [zero + n for n in item.results]
        assert int(batch.answer[row]) == zero + item.results[-1]


def test_the_right_call_gives_the_right_answer(batch):
    words, mask = called(batch)
    for row, answer in enumerate(batch.answer.tolist()):
        call = words[row][mask[row]].tolist()
        assert call[-1] == ANSWER
        assert calculated(call[:-1]) == answer


@given(st.lists(st.integers(0, VOCABULARY - 1), max_size=14))
def test_any_call_is_answered_or_refused(words):
    answer = calculated(words)
    assert answer == -1 or 0 <= answer < VOCABULARY


def test_wrong_calls_are_refused(batch):
    words, mask = called(batch)
    call = words[0][mask[0]].tolist()[:-1]
    assert calculated([]) == calculated(call[:1]) == calculated(call[:-1]) == calculated(call[::-1]) == -1


@pytest.mark.parametrize("name", [*ARMS, *CALLING])
def test_counted_operations_equal_those_that_run(name, items):
    torch.manual_seed(5)
    model = (ARMS | CALLING)[name](SIZE).eval().requires_grad_(False)
    one = Calculations(items[:1]).batch(torch.arange(1), torch.Generator())
    with FlopCounterMode(display=False) as counter:
        _, words = model.answer(one, 3)
    written = {"chain of thought": int(words) - 2, "memory, calculator": (int(words) - 2) / 2}
    facts, thoughts = one.facts.shape[1], 3 if model.thinks else 0
    counted = model.reading_flops(facts, thoughts)
    counted += model.question_flops(facts, thoughts, int(written.get(name, 0)))
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.03)


@pytest.fixture
def experiment(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        f"folder: {tmp_path / 'runs'}\nseeds: [1]\ntask: arithmetic\nproblems: 2000\nsteps: [2, 3]\n"
        'arms: ["memory, calculator", chain of thought]\n'
        "size: {layers: 1, width: 48, hidden: 48, heads: 2, kv_heads: 2, slots: 6, state: 40}\n"
        "schedule: {stages: [250], batch: 64, learning_rate: 0.005, warmup: 10, decay: 100}\n"
    )
    return file


def test_the_calculator_is_exact_once_its_call_can_be_read_from_the_state(experiment):
    """Trained for some seconds; whoever guesses is right in one of thirty-three."""
    wanted = Experiment.from_file(experiment)
    train(wanted, problems(wanted), "memory, calculator", 1)
    command = ["bench", "arithmetic", "--config", str(experiment), "--count", "200"]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("| memory, calculator | ")][:1]
    assert float(row.split("|")[2].split("%")[0]) > 50
    assert "chain of thought, seed 1" in result.stderr  # it is said which run is missing


def test_nothing_is_asked_that_was_trained_on(experiment):
    wanted = Experiment.from_file(experiment)
    trained = problems(wanted)
    assert isinstance(trained, Calculations)
    asked, learned = (
        {tuple(row) for row in task.context.tolist()}
        for task in (calculations(wanted, "ask/1", 300), trained)
    )
    assert len(asked) > 250 and not asked & learned
    few = wanted.model_copy(update={"steps": (1, 1), "problems": 20_000})
    with pytest.raises(ExperimentError, match="nearly all"):
        calculations(few, "ask/1", 50)


def test_graphs_are_not_asked_for_as_calculations(experiment, tmp_path):
    other = tmp_path / "graphs.yaml"
    other.write_text(experiment.read_text().replace("task: arithmetic\n", ""))
    command = ["bench", "arithmetic", "--config", str(other)]
    found = CliRunner().invoke(cli.app, command)
    assert found.exit_code == cli.USAGE_ERROR
    assert "memory, calculator" in found.stderr  # no graph is calculated
    other.write_text("folder: runs\nschedule: {stages: [1]}\n")
    found = CliRunner().invoke(cli.app, command)
    assert found.exit_code == cli.USAGE_ERROR
    assert "planner bench multihop" in found.stderr


def test_zeroing_the_state_leaves_the_calculator_nothing_to_be_called_with(batch):
    torch.manual_seed(5)
    model = Calculator(SIZE).eval()
    model.zeroed = True
    first, _ = model.answer(batch, 0)
    batch.facts[:] = batch.facts.flip(0)
    assert torch.equal(model.answer(batch, 0)[0], first)
