"""How sure the reader is: as often right as it says, for the weights that it was fitted to."""

import math
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import calibration as measured
from lpm_model.base import LoadedModel
from lpm_model.decoding import NOTICED, ConstrainedDecoder, Decoded
from planner import Planner, Status
from planner.calibrate import Observed, fitted, generated, observed
from planner.calibration import (
    CALIBRATION_NAME,
    LEFT_OUT,
    Calibration,
    CalibrationError,
    Scaling,
    binned,
    calibration_of,
    expected_calibration_error,
    field_kind,
)
from planner.evaluate import GoldConversation, Understood, read_all
from planner.reader import LPMReader, raw_confidence
from tests.fakes import FakeReader, Says
from tests.talking import TOKENIZER, talking_model
from tools.notation import lines_begun, read_call
from tools.registry import ARGUMENTS
from tools.tool import silent

probabilities = st.floats(0.0, 1.0)
scalings = st.builds(Scaling, stretch=st.floats(-3, 3), shift=st.floats(-5, 5))


@given(scalings, probabilities, probabilities)
def test_calibration_keeps_the_order(scaling, one, two):
    low, high = sorted((one, two))
    assert 0 < scaling.probability(low) <= scaling.probability(high) <= 1


@given(st.floats(1e-5, 1 - 1e-5))
def test_without_a_fit_nothing_changes(raw):
    assert Scaling().probability(raw) == pytest.approx(raw)


def drawn(count, truth, seed=1, kind="Plain"):
    """Fields whose raw probabilities are spread evenly, right as often as ``truth`` of them says."""
    rng = Random(seed)
    raws = [rng.random() for _ in range(count)]
    return [Observed(kind, raw, rng.random() < truth(raw)) for raw in raws]


def error(found, probability=lambda o: o.raw):
    return expected_calibration_error([probability(o) for o in found], [o.right for o in found])


def test_the_error_of_what_is_calibrated_is_near_none_and_grows_with_the_distance():
    assert error(drawn(20_000, lambda raw: raw)) < 0.015
    assert error(drawn(20_000, lambda raw: raw**3)) == pytest.approx(0.25, abs=0.02)  # mean of raw - raw^3
    assert expected_calibration_error([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="no fields"):
        expected_calibration_error([], [])


def test_bins_hold_as_many_fields_each_and_all_of_them():
    groups = binned([0.9, 0.1, 0.5, 0.3, 0.7], [True, False, True, False, True], bins=2)
    assert [(round(said, 9), was, count) for said, was, count in groups] == [(0.2, 0.0, 2), (0.7, 1.0, 3)]
    assert binned([0.5] * 3 + [0.8], [True, False, True, True], bins=10) == [
        (0.5, pytest.approx(2 / 3), 3),
        (0.8, 1.0, 1),
    ]


def test_too_sure_a_reader_is_taken_down_by_the_kind_of_field():
    sure, humble = Scaling(stretch=-1.0, shift=-0.5), Scaling(stretch=0.3, shift=1.0)
    shown = drawn(3000, sure.probability) + drawn(3000, humble.probability, 2, kind="Kinds")
    fit = fitted(shown, "f" * 64, "made up")
    fresh = drawn(6000, sure.probability, 3) + drawn(6000, humble.probability, 4, kind="Kinds")
    before, after = error(fresh), error(fresh, lambda o: fit.probability(o.kind, o.raw))
    assert before > 0.05 and after < 0.02
    assert fit.kinds["Plain"].stretch == pytest.approx(-1.0, abs=0.15)
    assert fit.kinds["Kinds"].shift == pytest.approx(1.0, abs=0.15)


def test_little_evidence_moves_a_kind_little_and_an_unseen_kind_is_as_all_are():
    shown = drawn(3000, Scaling(shift=-1.0).probability) + [Observed("Clock", 0.9, True)] * 2
    fit = fitted(shown, "f" * 64, "made up")
    assert fit.kinds["Clock"].shift == pytest.approx(fit.all_kinds.shift, abs=0.4)
    assert fit.probability("Date", 0.7) == fit.all_kinds.probability(0.7) < 0.6


def test_all_right_or_all_wrong_is_no_certainty():
    for right in (True, False):
        fit = fitted([Observed("Plain", 0.999, right)] * 50, "f", "made up")
        assert 0.0 < fit.probability("Plain", 0.999) < 1.0 and math.isfinite(fit.all_kinds.shift)


def test_the_file_is_read_back_and_refused_for_other_weights(tmp_path):
    path = tmp_path / CALIBRATION_NAME
    made = fitted(drawn(50, lambda raw: raw), "a" * 64, "made up")
    made.save(path)
    assert Calibration.load(path, "a" * 64) == made
    with pytest.raises(CalibrationError, match="other weights: aaaaaaaaaaaa, these are bbbbbbbbbbbb"):
        Calibration.load(path, "b" * 64)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(CalibrationError, match="version 2"):
        Calibration.load(path, "a" * 64)
    for damage in ("{", '{"version": 1}', made.model_dump_json().replace('"shift":', '"shift":"x","y":')):
        path.write_text(damage)
        with pytest.raises(CalibrationError, match="cannot read"):
            Calibration.load(path, "a" * 64)


def test_what_does_not_fit_the_weights_is_told_and_not_used(tmp_path):
    adapter, notes = tmp_path / "adapter.safetensors", list[str]()
    assert calibration_of(adapter, "b" * 64, notes.append) is None and not notes
    Calibration(fingerprint="a" * 64, fitted_on="").save(tmp_path / CALIBRATION_NAME)
    assert calibration_of(adapter, "b" * 64, notes.append) is None
    assert "planner calibrate" in notes[0] and "other weights" in notes[0]
    assert calibration_of(adapter, "a" * 64, notes.append) is not None and len(notes) == 1


def written(*tokens, rivals=()):
    """A call of tokens with probabilities, and texts that nearly stood at places given by what is before."""
    text, spans = "", []
    for token, probability in tokens:
        text += token
        if probability is not None:
            spans.append((len(text), probability))
    places = tuple((text.index(before) + len(before), other, p) for before, other, p in rivals)
    return Decoded(text, True, tuple(spans), places, len(tokens), len(spans))


def test_a_field_is_as_sure_as_what_was_chosen_in_its_lines():
    said = written(("route\nfrom", None), (" Reno\n", 0.8), ("to", 0.9), (" Elko\n", 0.5))
    _, _, places = read_call(said.text, ARGUMENTS)
    assert raw_confidence(said, ARGUMENTS["route"], places) == pytest.approx(
        {"origin": 0.8, "destination": 0.45}
    )


def test_a_field_that_was_nearly_begun_is_left_out_with_the_rest_of_the_probability():
    said = written(
        ("route\nfrom Reno\nto Elko\n", None),
        rivals=[("Reno\n", "via", 0.3), ("Elko\n", "via", 0.2), ("Elko\n", "any", 0.1), ("to ", "via", 0.4)],
    )
    _, _, places = read_call(said.text, ARGUMENTS)
    found = raw_confidence(said, ARGUMENTS["route"], places)
    assert found == pytest.approx({"origin": 1, "destination": 1, "via": 0.7 * 0.8, "via_order": 0.9})


def test_of_several_lines_one_may_be_missing_of_one_line_none():
    said = written(
        ("project\ntask paint; 2 d\n", None), rivals=[("2 d\n", "task", 0.25), ("project\n", "start", 0.1)]
    )
    _, _, places = read_call(said.text, ARGUMENTS)
    assert raw_confidence(said, ARGUMENTS["project"], places) == pytest.approx({"tasks": 0.75, "start": 0.9})
    said = written(("project\nstart 2027-01-11\n", None), rivals=[("11\n", "start", 0.25)])
    _, _, places = read_call(said.text, ARGUMENTS)
    assert raw_confidence(said, ARGUMENTS["project"], places) == {"start": 1.0}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("via", ["via"]),
        ("a", ["via_order", "avoid"]),
        ("avoid tolls", ["avoid"]),
        ("round trip\n", ["round_trip"]),
        ("to", ["destination"]),
        ("tolls", []),
        ("", []),
    ],
)
def test_fields_whose_line_a_text_begins(text, fields):
    assert lines_begun(ARGUMENTS["route"], text) == fields


def test_what_the_decoder_nearly_wrote_is_what_it_weighed():
    model = talking_model().fold().eval()
    said = ConstrainedDecoder(model, TOKENIZER).write('start: ("yes" | "no" | "maybe")', None)
    (first, *_) = said.spans
    others = [(place, text, p) for place, text, p in said.rivals if place == 0]
    assert {text for _, text, _ in others} <= set("ynm") - {said.text[0]}
    assert all(p >= NOTICED for *_, p in others)
    assert first[1] + sum(p for *_, p in others) == pytest.approx(1.0, abs=2 * NOTICED)


def loaded():
    return LoadedModel(talking_model().fold().requires_grad_(False).eval(), TOKENIZER, "f" * 64)


def test_the_reader_says_what_the_calibration_makes_of_its_kind(monkeypatch):
    said = written(
        ("route\nfrom", None), (" Reno\n", 0.8), ("to Elko\n", None), rivals=[("Elko\n", "via", 0.2)]
    )
    reader = LPMReader(
        loaded(),
        calibration=Calibration(
            fingerprint="f" * 64,
            fitted_on="",
            kinds={"Plain": Scaling(shift=-1.0), LEFT_OUT: Scaling(shift=1.0)},
        ),
    )
    state, _ = reader.perceive("hello", None)
    monkeypatch.setattr(reader, "_decoder", SimpleNamespace(write=lambda *_, **__: said))
    reading, _ = reader.read(state, {"route": ARGUMENTS["route"]})
    odds = {name: math.log(p / (1 - p)) for name, p in reading.confidence.items()}
    assert odds["origin"] == pytest.approx(math.log(4) - 1)
    assert odds["via"] == pytest.approx(math.log(4) + 1)


def test_a_wish_that_was_probably_missed_is_asked_about():
    reader = FakeReader(Says("route | from Albany, NY | to Utica, NY", unsure={"via": 0.1}))
    answer = Planner(reader=reader).route("anything")
    assert answer.status is Status.NOT_UNDERSTOOD
    (question,) = answer.questions
    assert (question.field, question.said) == ("via", None) and "left out" in question.reason


def test_generated_conversations_are_the_same_each_time_of_all_domains_and_resolved():
    one, two = generated(6), generated(6)
    assert one == two
    assert [c.domain for c in one] == ["route", "route", "project", "route", "code", "route"]
    for conversation in one:
        for turn in conversation.turns:
            assert turn.means.keys() <= set(ARGUMENTS[conversation.domain].model_json_schema()["properties"])


def test_what_was_read_is_right_field_by_field():
    simple = {"origin": "Albany, NY", "destination": "Utica, NY"}
    turn = {"user": "x", "means": simple | {"via": ["Rome, NY"]}}
    gold = [GoldConversation.model_validate({"id": "a", "domain": "route", "turns": [turn]})]
    reader = FakeReader(Says("route | from Albany, NY | to Buffalo, NY", unsure={"origin": 0.7}))
    (read,) = list(read_all(reader, gold, silent))
    assert sorted(observed(gold, [read]), key=lambda o: o.raw) == [
        Observed("Plain", 0.7, True),
        Observed("Plain", 0.95, False),
    ]
    missed = Understood(means=simple, written=frozenset(simple), confidence={"via": 0.6, "avoid": 0.9})
    assert observed(gold, [[missed]]) == [Observed(LEFT_OUT, 0.6, False), Observed(LEFT_OUT, 0.9, True)]


def test_kinds_are_the_forms_of_lines():
    assert field_kind(ARGUMENTS["route"], "origin") == "Plain"
    assert {field_kind(ARGUMENTS["project"], name) for name in ("tasks", "days_off")} == {"Record"}


def test_the_benchmark_measures_before_and_after_and_draws(tmp_path):
    truth = Scaling(stretch=-1.0, shift=-0.5)
    shown, fresh = drawn(2000, truth.probability), drawn(2000, truth.probability, 5)
    after = measured.calibrated(fresh, fitted(shown, "f" * 64, "made up"))
    columns = [list(column.cells) for column in measured.errors(fresh, after).columns]
    assert columns[0] == ["all", "Plain"]
    assert float(str(columns[5][0])) > 0.1 > 0.04 > float(str(columns[6][0]))
    rows = list(zip(*(column.cells for column in measured.asking(fresh, after).columns), strict=True))
    asked = [int(str(count).split()[0]) for _, count, *_ in rows]
    missed = [int(str(left).split()[0]) for *_, left in rows]
    assert asked == sorted(asked) and missed == sorted(missed, reverse=True) and asked[0] < asked[-1]
    file = tmp_path / "reliability.svg"
    measured.diagram(fresh, after).savefig(file)
    assert "<svg" in file.read_text()
