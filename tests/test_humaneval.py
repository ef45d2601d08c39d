"""HumanEval: the estimator counts, continuations are the model's, and the sandbox's verdict is the test's."""

import gzip
import json
import math
from itertools import combinations

import numpy as np
import pytest
import torch

from benchmarks import humaneval
from benchmarks.humaneval import Problem, batches, pass_at, passes, read, score
from lpm_model.retrofit import save_adapter
from lpm_model.sampling import Sampled, Sampling, chosen, continuations
from planner.bench.bootstrap import mean_interval, ratio_interval
from tests.talking import TOKENIZER, save_base, talking_base, talking_model
from tools.code_writer.logic import body_end
from tools.sandbox import find_sandbox

DOUBLE = Problem(
    "own/0",
    'def double(x: int) -> int:\n    """Twice x.\n    >>> double(2)\n    4\n    """\n',
    "double",
    "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == -6\n",
    "    return 2 * x\n",
)
VOWELS = Problem(
    "own/1",
    'import re\n\n\ndef vowels(text: str) -> int:\n    """Count the vowels."""\n',
    "vowels",
    "def check(candidate):\n    assert candidate('') == 0\n    assert candidate('banana') == 3\n",
    "    return len(re.findall('[aeiou]', text))\n",
)
RIGHT = [DOUBLE.prompt + DOUBLE.canonical_solution, VOWELS.prompt + VOWELS.canonical_solution]


@pytest.fixture
def sandbox():
    found = find_sandbox()
    if found is None:
        pytest.skip("no sandbox works on this machine")
    return found


@pytest.mark.parametrize("samples", [1, 2, 5, 7])
def test_the_estimator_is_what_enumeration_gives(samples):
    for passed in range(samples + 1):
        drawn = [place < passed for place in range(samples)]
        for k in range(1, samples + 1):
            subsets = list(combinations(drawn, k))
            assert pass_at(k, samples, passed) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@pytest.mark.parametrize(("k", "samples"), [(0, 3), (4, 3)])
def test_no_estimate_from_too_few(k, samples):
    with pytest.raises(ValueError, match="cannot be told"):
        pass_at(k, samples, 1)


def test_the_interval_holds_the_mean_and_narrows():
    few, many = np.array([0.0, 1.0] * 10), np.array([0.0, 1.0] * 1000)
    for values in (few, many):
        mean, low, high = mean_interval(values)
        assert mean == 0.5 and low < 0.5 < high
    assert math.dist(mean_interval(many), (0.5,) * 3) < math.dist(mean_interval(few), (0.5,) * 3)


def test_a_ratio_is_of_pairs():
    ours, theirs = [1.0, 2.0, 3.0] * 8, [2.0, 4.0, 6.0] * 8
    assert ratio_interval(ours, theirs) == pytest.approx((0.5, 0.5, 0.5))
    ratio, low, high = ratio_interval(ours, theirs[::-1])
    assert low < ratio < high and ratio == pytest.approx(0.5)
    for wrong in ([1.0], [0.0] * 24):
        with pytest.raises(ValueError, match="same units"):
            ratio_interval(ours, wrong)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\n    return 1\n\n\ndef other():", "\n    return 1\n\n"),
        ("\n    return 1\nprint(1)", "\n    return 1"),
        ("\n    if x:\n        return 1\n    return 2", None),
        ("\n    return 1\n", None),
        (" -> int:\n    return 1\n# the end", " -> int:\n    return 1"),
        ("", None),
    ],
)
def test_where_a_body_ends(text, kept):
    end = body_end(text)
    assert (None if end is None else text[:end]) == kept


def test_right_functions_pass_and_others_fail(sandbox):
    wrong = [
        DOUBLE.prompt + "    return x\n",
        DOUBLE.prompt + "    return 2 *\n",
        DOUBLE.prompt + "    raise SystemExit(0)\n",
        DOUBLE.prompt + "    import os; os._exit(0)\n",
        DOUBLE.prompt + "    while True: pass\n",
        DOUBLE.prompt + "    return 2 * x if open('/etc/hostname') else 0\n",
    ]
    assert passes(sandbox, VOWELS, RIGHT[1])
    assert score(sandbox, DOUBLE, [RIGHT[0], *wrong, RIGHT[0]], workers=2) == [True, *[False] * 6, True]


def write(path, problems):
    text = "".join(json.dumps(vars(problem)) + "\n" for problem in problems)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.jsonl.gz"])
def test_problems_are_read(name, tmp_path):
    assert read(write(tmp_path / name, [DOUBLE, VOWELS])) == [DOUBLE, VOWELS]


@pytest.mark.parametrize("text", ["{", '{"task_id": "x"}', "[]", "\N{SNOWMAN}"])
def test_other_files_are_refused(text, tmp_path):
    (tmp_path / "file.jsonl").write_text(text)
    with pytest.raises(ValueError, match="format"):
        read(tmp_path / "file.jsonl")


@pytest.mark.parametrize(("samples", "batch"), [(1, 4), (3, 4), (4, 4), (10, 4), (2, 100)])
def test_batches_hold_every_sample_once_and_are_not_too_large(samples, batch):
    problems = [DOUBLE, VOWELS, *(Problem(f"own/{n}", "def f():", "f", "") for n in range(2, 7))]
    count = dict.fromkeys((problem.task_id for problem in problems), 0)
    for some, each in batches(problems, samples, batch):
        assert len(some) * each <= batch
        for problem in some:
            count[problem.task_id] += each
    assert set(count.values()) == {samples}


def alone(model, text, end, count):
    """One text continued token by token, each time from the beginning."""
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    start, written = len(ids), ""
    with torch.no_grad():
        while len(ids) < start + count:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in TOKENIZER.all_special_ids:
                break
            written = TOKENIZER.decode(ids[start:])
            if (cut := end(written)) is not None:
                written = written[:cut]
                break
    return Sampled(written, len(ids) - start)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_a_batch_is_continued_as_each_alone(family):
    model = talking_model(family).fold()
    prompts = ["def f(x):", "y", "a much longer prompt than the others", "zebra", "0123"]

    def end(text):
        return len(text) // 2 if sum(map(ord, text)) % 7 == 0 else None

    expected = [alone(model, prompt, end, 12) for prompt in prompts]
    assert len({sampled.tokens for sampled in expected}) > 1  # rows leave the batch one after the other
    greedy = Sampling(temperature=0, max_tokens=12)
    found = continuations(model, TOKENIZER, prompts, 2, end, greedy, torch.Generator())
    assert found.every == [[sampled, sampled] for sampled in expected]
    # One call reads all prompts and draws the first tokens; every further one draws a token of each row.
    assert found.forwards == max(sampled.tokens for sampled in expected)


def test_tokens_are_drawn_by_their_probability():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).expand(20_000, -1)
    generator = torch.Generator().manual_seed(0)
    share = chosen(logits, Sampling(1.0, top_p=1.0), generator).bincount(minlength=4) / len(logits)
    assert torch.allclose(share, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.02)
    share = chosen(logits, Sampling(1.0, top_p=0.6), generator).bincount(minlength=4) / len(logits)
    assert torch.allclose(share, torch.tensor([0.625, 0.375, 0, 0]), atol=0.02)
    assert (chosen(logits, Sampling(0), generator) == 0).all()


def test_both_arms_of_any_base_in_a_table(tmp_path, monkeypatch, capsys, sandbox):
    base = save_base(tmp_path / "base")
    save_adapter(talking_model(base_name="base"), base / "adapter.safetensors")
    file, out = write(tmp_path / "problems.jsonl.gz", [DOUBLE, VOWELS]), tmp_path / "written.jsonl"
    command = ["humaneval", str(file), "--base", str(base), "--n", "10", "--max-tokens", "4"]
    monkeypatch.setattr("sys.argv", [*command, "--batch", "8", "--out", str(out)])
    assert humaneval.main() == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("pass@1", "pass@10", "base", "retrofitted", "difference"))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["arm"], row["task_id"]) for row in rows] == [
        (arm, problem.task_id) for arm in ("base", "retrofitted") for problem in (DOUBLE, VOWELS)
    ]
    assert all(len(row["solutions"]) == len(row["passed"]) == 10 for row in rows)
    # An untrained memory changes nothing, so both arms draw the same.
    assert [row["solutions"] for row in rows[:2]] == [row["solutions"] for row in rows[2:]]


def test_the_base_arm_is_the_base(tmp_path):
    base = save_base(tmp_path / "base")
    model, _ = humaneval.load("base", base, None, "cpu")
    ids = torch.arange(20)[None] % 100
    with torch.no_grad():
        assert torch.allclose(model.run(ids).logits, talking_base()(ids).logits, atol=1e-3)


def test_without_a_sandbox_nothing_is_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(humaneval, "find_sandbox", lambda: None)
    monkeypatch.setattr("sys.argv", ["humaneval", str(write(tmp_path / "p.jsonl", [DOUBLE]))])
    assert humaneval.main() == 1
    assert "no sandbox" in capsys.readouterr().err


def test_own_solutions_of_a_file(tmp_path, monkeypatch, capsys, sandbox):
    file = write(tmp_path / "p.jsonl", [DOUBLE, VOWELS])
    monkeypatch.setattr("sys.argv", ["humaneval", str(file), "--canonical"])
    assert humaneval.main() == 0
    assert "2 of 2" in capsys.readouterr().out
