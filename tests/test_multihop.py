"""The arms of the multi-hop comparison: equal data, equal size, counted operations are those that run."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

import benchmarks.multihop
import cli
from lpm_model.baselines import ARMS, Size
from lpm_model.baselines.adaptive import halting
from lpm_model.baselines.arm import Arm
from lpm_model.baselines.calculations import Calculations
from lpm_model.baselines.data import ANSWER, VOCABULARY, Problems
from lpm_model.baselines.experiment import Experiment, load, train
from lpm_model.baselines.experiment import problems as training_problems
from lpm_model.baselines.measure import Cost, questions_until, wilson
from lpm_model.baselines.memory import PersistentMemory
from lpm_model.baselines.reinforce import Improvement, improve
from lpm_model.data.arithmetic import calculation
from lpm_model.data.multihop import DataError, Shape, as_prosqa, path, prontoqa, prosqa, read_prosqa
from lpm_model.state import LatentState

torch.set_num_threads(1)  # these are small: threads would wait for each other
SIZE = Size(layers=2, width=32, hidden=64, heads=4, kv_heads=2, slots=24, state=24)
SMALL = Shape(nodes=(10, 13), hops=(2, 4))


@pytest.fixture(scope="module")
def problems():
    rng = Random(3)
    return [prosqa(rng, SMALL, more=3) for _ in range(12)]


@pytest.fixture
def batch(problems):
    return Problems(problems).batch(torch.arange(4), torch.Generator().manual_seed(1))


def arm(name):
    torch.manual_seed(5)
    return ARMS[name](SIZE).eval()


@pytest.mark.parametrize("make", [lambda rng: prosqa(rng, SMALL, more=5), prontoqa])
def test_exactly_one_candidate_is_reached_by_a_shortest_chain(make):
    rng = Random(7)
    for _ in range(50):
        problem = make(rng)
        for question in problem.questions:
            reached = path(problem.edges, question.root)
            assert question.other not in reached
            assert question.chain[-1] == question.target
            assert len(reached[question.target]) == len(question.chain)
            steps = zip((question.root, *question.chain), question.chain, strict=False)
            assert set(steps) <= set(problem.edges)


@pytest.mark.parametrize("hops", [(7, 7), (8, 8)])
def test_longer_chains_can_be_asked_for(hops):
    problem = prosqa(Random(1), Shape(nodes=(28, 34), hops=hops, deepest=1.0))
    assert len(problem.questions[0].chain) == hops[0]


def test_a_file_in_prosqas_format_is_read_as_it_was_written(tmp_path, problems):
    file = tmp_path / "problems.json"
    file.write_text(as_prosqa(problems))
    for read, written in zip(read_prosqa(file), problems, strict=True):
        assert (read.nodes, read.edges, read.questions) == (
            written.nodes,
            written.edges,
            written.questions[:1],
        )


def test_a_file_whose_target_is_not_reached_is_refused(tmp_path, problems):
    items = json.loads(as_prosqa(problems))
    items[1]["target"], items[1]["neg_target"] = items[1]["neg_target"], items[1]["target"]
    file = tmp_path / "problems.json"
    file.write_text(json.dumps(items))
    with pytest.raises(DataError, match="problem 1"):
        read_prosqa(file)
    file.write_text("{}")
    with pytest.raises(DataError, match="format"):
        read_prosqa(file)


def test_symbols_are_drawn_anew_and_the_graph_stays(problems):
    data, chance = Problems(problems), torch.Generator().manual_seed(1)
    first, second = (data.batch(torch.arange(4), chance) for _ in range(2))
    assert not torch.equal(first.facts, second.facts)
    for drawn in (first, second):
        for row in range(16):
            facts = drawn.facts[row // 4][drawn.facts_mask[row // 4].bool()].tolist()
            edges = [divmod(fact, VOCABULARY) for fact in facts]
            assert len(edges) == len(problems[row // 4].edges)
            root, answer = int(drawn.asked[row, 0]) // VOCABULARY, int(drawn.answer[row])
            candidates = set(drawn.asked[row, 1:].tolist())
            reached = path(edges, root)
            assert [answer] == [symbol for symbol in candidates if symbol in reached]
            chain = drawn.chain[row, : int(drawn.hops[row])].tolist()
            assert set(zip([root, *chain], chain, strict=False)) <= set(edges)


@pytest.mark.parametrize("removed", [0, 1, 2, 9])
def test_what_is_left_to_write(batch, removed):
    words, mask = batch.tail(removed)
    for row, hops in enumerate(batch.hops.tolist()):
        chain = batch.chain[row, :hops].tolist()
        assert words[row][mask[row]].tolist() == [*chain[removed:], ANSWER, int(batch.answer[row])]


@pytest.mark.parametrize("size", [SIZE, Size(), Size(layers=3, width=192, state=64, slots=32)])
def test_all_arms_hold_as_many_parameters(size):
    counts = {name: sum(p.numel() for p in make(size).parameters()) for name, make in ARMS.items()}
    assert max(counts.values()) / min(counts.values()) < 1.02, counts


def test_cached_coconut_is_the_uncached_definition(batch):
    model = arm("coconut")
    mark = torch.full((len(batch.answer), 1), ANSWER)
    for thoughts in (0, 1, 4):
        cached = model.logits(batch, thoughts, mark)[:, -1]
        torch.testing.assert_close(cached, model.uncached(batch, thoughts), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ARMS)
def test_answers_do_not_depend_on_padding_or_on_the_other_questions(name, problems):
    model, chance = arm(name), torch.Generator().manual_seed(1)
    one = Problems(problems).batch(torch.arange(6), chance)
    mark = torch.full((len(one.answer), 1), ANSWER)
    together = model.logits(one, 2, mark)
    for row in range(6):
        real = one.facts_mask[row].bool()
        kept = slice(4 * row, 4 * row + 4)
        alone = type(one)(
            one.facts[row : row + 1, real],
            one.facts_mask[row : row + 1, real],
            one.asked[kept],
            one.chain[kept],
            one.hops[kept],
            one.answer[kept],
        )
        torch.testing.assert_close(model.logits(alone, 2, mark[kept]), together[kept], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("thoughts", [0, 3])
def test_counted_operations_equal_those_that_run(name, thoughts, problems):
    model = arm(name).requires_grad_(False)  # torch's counter stumbles over parameters without a graph
    data = Problems(problems[:1])
    one = data.batch(torch.arange(1), torch.Generator().manual_seed(1))
    one = type(one)(one.facts, one.facts_mask, one.asked[:1], one.chain[:1], one.hops[:1], one.answer[:1])
    with FlopCounterMode(display=False) as counter:
        _, words = model.answer(one, thoughts)
    hops = int(words) - 2 if name == "chain of thought" else 0
    facts, thoughts = one.facts.shape[1], thoughts if model.thinks else 0
    counted = model.reading_flops(facts, thoughts) + model.question_flops(facts, thoughts, hops)
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.01)


@pytest.mark.parametrize("name", ARMS)
def test_what_is_kept_is_counted_as_it_is_held(name, batch):
    """In tensors of single precision a window takes twice what is counted; a state is the planner's own."""
    model, facts = arm(name), batch.facts.shape[1]
    known = model.know(batch, 0)
    if model.memory and name != "memory, state zeroed":
        state = model.state(batch, 0)[0]
        assert model.kept_bytes(facts) == model.kept_bytes(99) == LatentState.of(state, 1, "").nbytes
        assert not known.mask.shape[1]
    else:
        layers = [(layer.keys, layer.values) for layer in known.cache.layers]
        held = sum(part[:1].numel() * part.element_size() for pair in layers for part in pair)
        assert model.kept_bytes(facts) == held // 2


@pytest.mark.parametrize("name", ARMS)
def test_what_is_kept_is_opened_at_the_cost_that_is_counted(name, batch):
    model, facts = arm(name), batch.facts.shape[1]
    if not model.memory or name == "memory, state zeroed":
        assert name == "memory, state zeroed" or model.opening_flops() == 0
        return
    state = model.state(batch, 0)[:1]
    with FlopCounterMode(display=False) as counter:
        model.backbone.decompress(state)
    assert model.opening_flops() == counter.get_total_flops() > 0
    assert model.reading_flops(facts, 0) > model.opening_flops()


def test_slots_start_as_the_values_of_the_tokens_that_they_hold(problems):
    """As far as its directions and four bits go; a slot that is begun at random is like nothing."""
    torch.manual_seed(5)
    model = PersistentMemory(replace(SIZE, state=28)).eval()
    data = Problems(problems[:1])
    one = data.batch(torch.arange(1), torch.Generator().manual_seed(1))
    known, held = model.know(one, 0), Arm.know(model, one, 0)
    facts = one.facts.shape[1]
    assert known.slots is not None
    for layer, (_, values) in enumerate(known.slots):
        kept, meant = values[0, :, -facts:].flatten(), held.cache.layers[layer].values[0].flatten()
        assert torch.cosine_similarity(kept, meant, dim=0) > 0.8


@pytest.mark.parametrize("name", ["memory", "memory, thoughts in the window"])
def test_a_zeroed_state_answers_without_the_context(name, batch):
    model = arm(name)
    model.zeroed = True
    mark = torch.full((len(batch.answer), 1), ANSWER)
    first = model.logits(batch, 2, mark)
    batch.facts[:] = batch.facts.flip(0)
    torch.testing.assert_close(model.logits(batch, 2, mark), first)


@pytest.fixture
def experiment(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        f"folder: {tmp_path / 'runs'}\nseeds: [1, 2]\narms: [coconut, memory]\nproblems: 20\nmore: 1\n"
        "size: {layers: 2, width: 32, hidden: 32, heads: 2, kv_heads: 2, slots: 24, state: 24}\n"
        "shape: {nodes: [10, 13], hops: [2, 4]}\n"
        "schedule: {stages: [2, 2, 2], batch: 4, warmup: 2, decay: 2}\n"
    )
    return file


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(experiment, monkeypatch):
    wanted = Experiment.from_file(experiment)
    data = training_problems(wanted)
    train(wanted, data, "memory", 1)
    whole = load(wanted, "memory", 1).state_dict()

    class Stopped(Exception):
        pass

    def stop(*_):
        raise Stopped

    (wanted.run("memory", 1) / "weights.pt").unlink()
    monkeypatch.setattr("lpm_model.baselines.experiment._CHECKPOINT_SECONDS", -1)
    loss, steps = PersistentMemory.loss, []

    def failing(self, *rest):
        steps.append(rest)
        return stop() if len(steps) == 4 else loss(self, *rest)

    monkeypatch.setattr(PersistentMemory, "loss", failing)
    with pytest.raises(Stopped):
        train(wanted, data, "memory", 1)
    train(wanted, data, "memory", 1)
    assert len(steps) == 4 + 3
    for name, tensor in load(wanted, "memory", 1).state_dict().items():
        assert torch.equal(tensor, whole[name]), name


def test_the_command_prints_every_finished_arm(experiment, tmp_path, problems):
    file = tmp_path / "problems.json"
    file.write_text(as_prosqa(problems))
    command = ["bench", "multihop", "--data", str(file), "--config", str(experiment)]
    assert CliRunner().invoke(cli.app, command).exit_code == cli.USAGE_ERROR
    wanted = Experiment.from_file(experiment)
    data = training_problems(wanted)
    train(wanted, data, "coconut", 1)
    for seed in wanted.seeds:
        train(wanted, data, "memory", seed)
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    for name in ("coconut", "memory", "memory, no latent step", "memory, its state zeroed"):
        assert f"| {name} |" in result.stdout
    assert "coconut, seed 2" in result.stderr  # it is said which runs are missing


@given(
    st.tuples(*[st.integers(1, 400)] * 4),
    st.integers(0, 400),
    st.sampled_from((0.3, 0.6, 1.0)),
    st.booleans(),
)
def test_the_first_number_of_questions_that_pays_is_the_first(sizes, opening, share, anew):
    """Against trying every number of questions, in whole numbers of operations."""
    opening = min(opening, sizes[0])
    ours, theirs = Cost(sizes[0], sizes[1], opening, 1, 0), Cost(sizes[2], sizes[3], 0, 1, 0)
    tenths = round(10 * share)

    def pays(count):
        other = theirs.reading * (count if anew else 1) + theirs.question * count
        opened = opening * (count - 1) if anew else 0
        return 10 * (ours.reading + opened + ours.question * count) <= tenths * other

    found = questions_until(ours, theirs, share, anew=anew)
    if found is None:
        assert not pays(10_000_000)
    else:
        assert pays(found) and pays(found + 1000)
        assert found == 1 or not pays(found - 1)


def test_wilson_intervals_are_those_of_the_literature():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=2e-4)  # Newcombe 1998, table I
    assert wilson(0, 20)[0] == pytest.approx(0, abs=1e-9)


def test_halting_early_costs_less_and_never_halting_is_the_last_thought(problems):
    data = Problems([replace(problem, questions=problem.questions[:1]) for problem in problems])
    for name in ("coconut", "memory", "memory, thoughts in the window"):
        early, sure, late = halting(arm(name), data, 3, (0.0, 1.0, 2.0))
        assert (early.thoughts, sure.thoughts, late.thoughts) == (0, 3, 3)
        assert early.operations < late.operations < sure.operations  # tries that fail are paid for
        assert sure.share == late.share


@pytest.mark.parametrize("name", ["memory", "chain of thought"])
def test_only_what_was_drawn_is_marked_as_drawn(name, batch):
    """The mark before an answer without a chain is given; after an answer nothing is drawn."""
    model, chance = arm(name), torch.Generator().manual_seed(2)
    words, drawn = model.draw(batch, 2, chance)
    assert words.shape == drawn.shape
    for row, kept in zip(words, drawn, strict=True):
        last = int(kept.nonzero()[-1])
        written = row[: last + 1].tolist()
        if name == "memory":
            assert written[0] == ANSWER
            assert kept.tolist() == [False, True]
        elif ANSWER in written[:-1]:
            assert written[:-1].index(ANSWER) == last - 1  # nothing is drawn after the answer
        else:
            assert len(written) == words.shape[1]


def test_a_chain_that_is_broken_off_earns_nothing(monkeypatch):
    """Its last word may be the right answer by chance."""
    data, rewards = Calculations([calculation(Random(1))]), []
    model = arm("chain of thought")

    def draw(batch, thoughts, chance):
        words = batch.answer[:, None].expand(-1, 12)
        return words, torch.ones_like(words, dtype=torch.bool)

    monkeypatch.setattr(model, "draw", draw)
    wanted = Improvement(experiment=Path("none"), arms=(), shape=SMALL, steps=1, batch=2, group=2)
    improve(model, data, wanted, 1, lambda _, reward: rewards.append(reward))
    assert rewards == [0.0]


@pytest.mark.parametrize("name", ["memory", "chain of thought"])
def test_reward_alone_makes_right_answers_likelier(name):
    """One calculation, which can be learned by heart: the reward must rise from that of guessing."""
    wanted = Improvement(
        experiment=Path("none"),
        arms=("memory",),
        shape=SMALL,
        steps=60,
        batch=8,
        group=16,
        learning_rate=3e-3,
    )
    data, rewards = Calculations([calculation(Random(1))]), []
    spent = improve(arm(name), data, wanted, 1, lambda _, reward: rewards.append(reward))
    assert rewards[0] < 0.2
    assert sum(rewards[-5:]) / 5 > 0.8
    assert spent.answers == 60 * 8 * 16
    assert spent.operations > 0


def test_the_command_improves_trained_arms(experiment, tmp_path, capsys, monkeypatch):
    wanted = Experiment.from_file(experiment)
    train(wanted, training_problems(wanted), "coconut", 1)
    config = tmp_path / "improve.yaml"
    config.write_text(
        f"experiment: {experiment}\narms: [coconut]\nshape: {{nodes: [13, 16], hops: [3, 6]}}\n"
        "problems: 10\nsteps: 2\nbatch: 2\nasked: 20\n"
    )
    monkeypatch.setattr("sys.argv", ["multihop", "improve", str(config)])
    assert benchmarks.multihop.main() == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| coconut | 1 |")]
    assert row.split("|")[7].strip() == str(2 * 2 * 4 * 8)
    config.write_text(config.read_text().replace("[coconut]", "[memory, pauses]"))
    assert benchmarks.multihop.main() == 1
    assert "pauses" in capsys.readouterr().out
