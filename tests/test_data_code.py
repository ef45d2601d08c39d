"""The generator of code conversations: what it says is what it means, whatever the wording and the noise."""

import copy
import re
from collections import Counter
from random import Random

import pytest

from lpm_model.data.code import requests, speaker
from lpm_model.data.code.conversations import CodeConversations
from lpm_model.data.code.requests import FEATURES, KINDS, CodeRequests
from lpm_model.data.code.speaker import Habits, Speaker, choices_of, holes, scheme_type
from lpm_model.data.code.words import TYPES, Vocabulary, _domains, camel, plural, snake, spaced
from lpm_model.data.phrases import phrases

ENTITY = {"e", "es", "a_e", "q_e", "E", "Es", "A_e"}
PARENT = {"p", "ps", "a_p", "P", "Ps", "A_p"}
NEW = {"n", "ns", "a_n"}
# Holes of a phrase: those it must have, each a set of which one is needed, and those it may have besides.
EDITS = {
    "add_entity": [ENTITY, {"bare", "art"}], "add_entity_tied": [ENTITY, PARENT, {"bare", "art"}],
    "drop_entity": [ENTITY], "rename_entity": [ENTITY, NEW], "add_field": [{"bare", "art"}],
    "drop_field": [{"f"}], "rename_field": [{"f"}, {"g"}], "retype_field": [{"f"}, {"is"}],
    "add_choice": [{"f"}, {"v"}], "drop_choice": [{"f"}, {"v"}], "add_relation": [{"r"}],
    "drop_relation": [ENTITY, PARENT], "loosen": [ENTITY, PARENT], "tighten": [ENTITY, PARENT],
    "add_feature": [{"noun", "sentence"}], "add_two_features": [{"noun"}, {"noun2"}],
    "drop_feature": [{"name", "without"}], "swap_feature": [{"name"}, {"noun"}],
    "change_kind": [{"kind", "bare_kind", "late"}], "undo_last": [], "back_to_first": [], "chatter": [],
    "joined": [{"one"}, {"two"}], "new_choices": [],
}  # fmt: skip
MAY_NAME = {"chatter": ENTITY | {"kind_now"}} | dict.fromkeys(
    ("add_field", "drop_field", "rename_field", "retype_field", "add_choice", "drop_choice"), ENTITY
)
RELATION = {
    "belongs_to": [{"c", "cs", "a_c", "C", "Cs", "A_c"}, PARENT],
    "many_to_many": [{"a", "as", "a_a", "A", "As", "A_a"}, {"b", "bs", "a_b", "B", "Bs", "A_b"}],
}


@pytest.fixture
def calm(monkeypatch):
    """The generator without noise."""
    monkeypatch.setattr(speaker, "disturb", lambda rng, text, fillers, keep: text)


def check_holes(template, wanted, allowed):
    found = holes(template)
    for one_of in wanted:
        assert found & one_of, template
    assert found <= set().union(*wanted, allowed), template


# -- phrases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", phrases("code/edits"))
def test_every_edit_says_all_it_should(key):
    for template in phrases("code/edits")[key]:
        check_holes(template, EDITS[key], MAY_NAME.get(key, set()))
    assert len(set(phrases("code/edits")[key])) > 4


@pytest.mark.parametrize("kind", RELATION)
def test_every_relation_names_both_sides_the_first_of_equals_first(kind):
    for form, templates in phrases("code/relations")[kind].items():
        for template in templates:
            check_holes(template, RELATION[kind], set())
            if kind == "many_to_many":
                first = re.findall(r"\{([^}]*)\}", template)[0]
                assert first in RELATION[kind][0], (form, template)


def test_every_entity_phrase_names_it_and_its_fields():
    entities = phrases("code/entities")
    for form in ("sentence", "fragment", "formal", "bullet"):
        for template in entities[form]:
            check_holes(template, [ENTITY, {"bare", "art"}], set())
    for template in entities["dictated"]:
        check_holes(template, [ENTITY, {"and"}], set())
    for template in entities["tied"]:
        check_holes(template, [ENTITY, PARENT, {"bare", "art"}], set())
    for template in entities["type_sentence"] + entities["type_corrected"]:
        check_holes(template, [{"f", "F"}, {"is"}], ENTITY | {"wrong"})


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_has_many_wordings(feature):
    forms = phrases("code/features")[feature]
    assert len(set(forms["sentence"])) >= 25 and len(set(forms["fragment"])) >= 10
    assert len(set(forms["without"])) >= 6 and len(set(forms["formal"])) >= 5
    for form, templates in forms.items():
        allowed = ENTITY | (set() if form in ("without", "name") else {"f", "v"})
        for template in templates:
            check_holes(template, [], allowed)
        assert any(not holes(t) & {"f", "v"} for t in templates)  # for entities without a fitting field


def test_every_phrase_is_text():
    # YAML reads a bare "yes", "no", "on" or "12:30" as something else.
    def texts(node):
        if isinstance(node, dict):
            for key, value in node.items():
                assert isinstance(key, str), key
                yield from texts(value)
        elif isinstance(node, list):
            for value in node:
                yield from texts(value)
        else:
            yield node

    names = "domains edits entities features fields kinds notations relations talk types words"
    found = [text for name in names.split() for text in texts(phrases(f"code/{name}"))]
    assert len(found) > 3000 and all(isinstance(text, str) and text for text in found)


# -- vocabulary ------------------------------------------------------------------------------


def test_domains_are_many_and_sound():
    domains = _domains()
    assert len(domains) >= 60
    for domain in domains:
        assert 3 <= len(domain.entities) <= 6, domain.place
        pairs = [frozenset((a, b)) for a, _, b in domain.links]
        assert len(set(pairs)) == len(pairs) and all(len(pair) == 2 for pair in pairs), domain.place
        for a, _, b in domain.links:
            assert {a, b} <= domain.entities.keys()
        for name, fields in domain.entities.items():
            assert camel(spaced(name)) == name and 2 <= len(fields) <= 6, name
            assert all(valid_type(kind) for kind in fields.values()), (name, fields)


def test_names_imply_one_type_each():
    implied = Vocabulary.implied
    told = {
        "title": "str", "unit_price": "float", "quantity": "int", "flock_count": "int", "age": "int",
        "born": "date", "due_date": "date", "starts_at": "datetime", "owner_email": "email",
        "notes": "text", "body": "text", "is_active": "bool", "done": "bool",
        "rating": None, "status": None, "years_active": "int",
    }  # fmt: skip
    assert {name: implied(name) for name in told} == told
    for part in ("first", "last", "exact"):
        words = [word for table in phrases("code/fields")[part].values() for word in table]
        assert [w for w, n in Counter(words).items() if n > 1] == []


def test_plurals():
    told = {"Box": "Boxes", "entry": "entries", "Bay": "Bays", "BookShelf": "BookShelves"}
    assert {one: plural(one) for one in told} == told


@pytest.mark.parametrize("entity", ["spaced", "title", "camel", "snake"])
@pytest.mark.parametrize("words", ["short", "plain"])
def test_a_type_that_its_name_does_not_imply_is_always_said(entity, words):
    rng = Random(1)
    speaker = Speaker(rng, Habits(entity, "snake", 0.0, words))
    said = 0
    for domain in _domains():
        for fields in domain.entities.values():
            for name, kind in fields.items():
                for text in (speaker.bare({name: kind}), speaker.art({name: kind})):
                    text = speaker.say_calmly(text)
                    bare = re.sub(rf"^(an? )?{name}$", "", text) == ""
                    assert bare or Vocabulary.implied(name) != kind or "how many" in text or "whether" in text
                    assert not bare or Vocabulary.implied(name) == kind, text
                    said += not bare
    assert said > 100


def test_enumerations_are_spelt_out():
    rng = Random(2)
    for register in ("short", "plain", "clause", "lead"):
        speaker = Speaker(rng, Habits("camel", "snake", 1.0, "short"))
        for _ in range(60):
            text = speaker.say_calmly(speaker.type_words("enum(low,mid,high)", register))
            assert re.findall(r"low|mid|high", text) == ["low", "mid", "high"], text
    assert scheme_type("sql", "enum(a,b)") == "ENUM('a', 'b')"
    assert choices_of("enum(a,b)") == ["a", "b"] and choices_of("str") == []


# -- requests --------------------------------------------------------------------------------


def valid_type(kind):
    choices = choices_of(kind)
    return kind in TYPES or (len(choices) > 1 and len(set(choices)) == len(choices) and all(choices))


def squeezed(text):
    return re.sub(r"[ _'\"`-]", "", text.lower())


def names_in(text, entity):
    low = squeezed(text)
    return squeezed(entity) in low or squeezed(plural(spaced(entity))) in low


def check_meaning(means):
    assert list(means) == [k for k in ("kind", "entities", "relations", "features") if k in means]
    assert means["kind"] in KINDS and means["entities"]
    names = [entity["name"] for entity in means["entities"]]
    assert len(set(names)) == len(names)
    for entity in means["entities"]:
        assert camel(spaced(entity["name"])) == entity["name"]
        assert entity["fields"], entity
        for field, kind in entity["fields"].items():
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", field) and valid_type(kind), (field, kind)
            # "Each book has one author" would be a field or a relation.
            assert all(spaced(field) not in (spaced(n), plural(spaced(n))) for n in names), field
    relations = means.get("relations", [])
    pairs = [frozenset((a, b)) for a, _, b in relations]
    assert all(len(pair) == 2 and pair <= set(names) for pair in pairs) and len(set(pairs)) == len(pairs)
    assert all(kind in ("belongs_to", "many_to_many") for _, kind, _ in relations)
    features = means.get("features", [])
    assert features == sorted(set(features)) and set(features) <= FEATURES.keys()
    assert means.get("relations") != [] and means.get("features") != []


@pytest.fixture(scope="module")
def drawn():
    source = CodeRequests(Random(1))
    return [source.request() for _ in range(1000)]


def test_every_request_is_sound_and_names_what_it_means(drawn):
    strange = choices = 0
    for (text, draft), (_, other) in zip(drawn, drawn[1:] + drawn[:1], strict=True):
        check_meaning(draft.means)
        assert not any("\ue000" <= c <= "\uf8ff" for c in text), text
        unfilled = {"e", "es", "a_e", "bare", "art", "fields", "list", "place", "features"}
        assert not set(re.findall(r"\{(\w+)\}", text)) & unfilled, text
        for name, fields in draft.entities.items():
            assert names_in(text, name), (name, text)
            for field, kind in fields.items():
                assert squeezed(field) in squeezed(text), (field, text)
                assert all(choice in text.lower() for choice in choices_of(kind)), (kind, text)
                choices += bool(choices_of(kind))
        strange += any(names_in(text, name) for name in other.entities)
    assert strange < 60  # the names of another request are not found: the check above is no formality
    assert choices > 100


def test_names_of_several_words_can_be_told_from_one_word(drawn):
    # "gymmember" could be Gymmember: noise keeps capitals, blanks or underscores between the words.
    seen = 0
    for text, draft in drawn:
        for name in draft.entities:
            if name not in (spaced(name).capitalize(), name.capitalize()):
                apart = [spaced(name), plural(spaced(name)), snake(name), plural(snake(name))]
                said = name in text or plural(name) in text or any(way in text.lower() for way in apart)
                assert said, (name, text)
                seen += 1
    assert seen > 300


def test_shares_are_as_intended(drawn):
    drafts = [draft for _, draft in drawn]
    for kind, share in KINDS.items():
        assert abs(sum(d.kind == kind for d in drafts) / len(drafts) - share) < 0.06
    for feature, share in FEATURES.items():
        assert 0.65 * share < sum(feature in d.features for d in drafts) / len(drafts) < 1.15 * share, feature
    assert 0.05 < sum(bool(d.denied) for d in drafts) / len(drafts) < 0.15
    assert not any(set(d.denied) & set(d.features) for d in drafts)
    counts = Counter(len(d.entities) for d in drafts)
    assert set(counts) == {1, 2, 3, 4, 5} and counts[1] + counts[2] + counts[3] > 0.85 * len(drafts)
    fields = Counter(len(f) for d in drafts for f in d.entities.values())
    assert set(fields) == {1, 2, 3, 4, 5, 6}
    types = Counter(kind.split("(")[0] for d in drafts for f in d.entities.values() for kind in f.values())
    assert set(types) == {*TYPES, "enum"} and min(types.values()) > 0.025 * types.total()
    relations = Counter(kind for d in drafts for _, kind, _ in d.relations)
    assert min(relations.values()) > 0.2 * relations.total() > 60


def test_texts_are_diverse_and_of_human_length(drawn):
    texts = [text for text, _ in drawn]
    assert len(set(texts)) == len(texts)
    assert len({" ".join(text.lower().split()[:4]) for text in texts}) > 700
    names = Counter(name for _, draft in drawn for name in draft.entities)
    assert len(names) > 0.4 * names.total()  # names must be copied
    lengths = sorted(map(len, texts))
    assert 220 < lengths[500] < 310 and lengths[900] < 430 and lengths[50] < 140


def test_the_same_seed_makes_the_same_data():
    def some(seed):
        source = CodeConversations(Random(seed), (1, 1, 1))
        return [source.conversation() for _ in range(40)]

    assert some(7) == some(7) != some(8)


def test_every_layout_says_everything(calm):
    source = CodeRequests(Random(6))
    for _ in range(60):
        draft = source.draft()
        for layout in source.layouts:
            text = layout(draft)
            for name, fields in draft.entities.items():
                assert names_in(text, name), (layout.__name__, text)
                assert all(squeezed(field) in squeezed(text) for field in fields), (layout.__name__, text)


# -- later turns -----------------------------------------------------------------------------


def entities(means):
    return {entity["name"]: entity["fields"] for entity in means["entities"]}


def test_turns_are_sound_and_name_what_is_new():
    source = CodeConversations(Random(2), (0, 1, 1, 1, 1))
    lengths = set()
    for _ in range(250):
        conversation = source.conversation()
        assert conversation.domain == "code"
        lengths.add(len(conversation.turns))
        known: set[str] = set()
        for turn in conversation.turns:
            check_meaning(turn.means)
            now = {name for name in entities(turn.means)}
            now |= {field for fields in entities(turn.means).values() for field in fields}
            for name in now - known:
                assert names_in(turn.user, name), (name, turn.user)
            known |= now
    assert lengths == {2, 3, 4, 5}


def test_undo_goes_back_and_chatter_changes_nothing(calm):
    source, edits = CodeConversations(Random(3), (0, 0, 0, 1, 1, 1)), phrases("code/edits")
    seen: Counter[str] = Counter()
    for _ in range(250):
        turns = source.conversation().turns
        for i, turn in enumerate(turns[1:], start=1):
            if turn.user in edits["undo_last"]:
                assert turn.means == turns[i - 2].means != turns[i - 1].means
                seen["undo"] += 1
            elif turn.user in edits["back_to_first"]:
                assert turn.means == turns[0].means != turns[i - 1].means
                seen["first"] += 1
            elif turn.user in edits["chatter"]:
                assert turn.means == turns[i - 1].means
                seen["chatter"] += 1
            elif turn.means != turns[i - 1].means:
                seen["edit"] += 1
    assert seen["undo"] > 20 and seen["first"] > 15 and seen["chatter"] > 40 and seen["edit"] > 400, seen


def check_edit(key, before, after, words):
    """An independent account of each edit; returns the keys of the meaning that it may touch."""
    one, two = entities(before), entities(after)
    ties, now_ties = before.get("relations", []), after.get("relations", [])
    had, has = set(before.get("features", [])), set(after.get("features", []))
    if key in ("add_entity", "add_entity_tied"):
        assert list(two)[:-1] == list(one) and two[list(two)[-1]]
        new = [] if key == "add_entity" else [[list(two)[-1], "belongs_to", words["p"]]]
        assert now_ties == ties + new
        return {"entities", "relations"} if new else {"entities"}
    if key == "drop_entity":
        assert two == {name: fields for name, fields in one.items() if name != words["e"]} != one
        assert now_ties == [r for r in ties if words["e"] not in r]
        return {"entities", "relations"}
    if key == "rename_entity":
        old, new = words["e"], words["n"]
        assert list(two) == [new if name == old else name for name in one] and two[new] == one[old]
        assert now_ties == [[new if word == old else word for word in r] for r in ties]
        return {"entities", "relations"}
    if key.endswith(("_field", "_fields", "_choice")):
        name = words["e"]
        assert list(one) == list(two)
        assert {n: f for n, f in one.items() if n != name} == {n: f for n, f in two.items() if n != name}
        fields, changed = list(one[name].items()), list(two[name].items())
        if key.startswith("add_field"):
            assert changed[: len(fields)] == fields and len(changed) - len(fields) == (
                1 if key == "add_field" else 2
            )
        elif key == "drop_field":
            assert changed == [(f, kind) for f, kind in fields if f != words["f"]] != fields
        elif key == "rename_field":
            assert changed == [(words["g"] if f == words["f"] else f, k) for f, k in fields] != fields
        else:
            (field,) = [f for f, kind in fields if two[name].get(f) != kind]
            assert field == words["f"] and list(two[name]) == list(one[name])
            if key != "retype_field":
                were, are = choices_of(one[name][field]), choices_of(two[name][field])
                longer, shorter = (are, were) if key == "add_choice" else (were, are)
                assert [c for c in longer if c != words["v"]] == shorter != longer
        return {"entities"}
    if key == "add_relation":
        assert now_ties[:-1] == ties
        return {"relations"}
    if key in ("drop_relation", "loosen", "tighten"):
        pair = [words["e"], words["p"]]
        if key == "drop_relation":
            assert now_ties == [r for r in ties if [r[0], r[2]] != pair] != ties
        else:
            kinds = ["belongs_to", "many_to_many"] if key == "loosen" else ["many_to_many", "belongs_to"]
            assert [pair[0], kinds[0], pair[1]] in ties and [pair[0], kinds[1], pair[1]] in now_ties
            assert [[r[0], r[2]] for r in ties] == [[r[0], r[2]] for r in now_ties]
        return {"relations"}
    if key == "change_kind":
        assert before["kind"] != after["kind"]
        return {"kind"}
    changes = {
        "add_feature": (1, 0),
        "add_two_features": (2, 0),
        "drop_feature": (0, 1),
        "swap_feature": (1, 1),
    }
    assert (len(has - had), len(had - has)) == changes[key]
    return {"features"}


def test_every_edit_changes_what_it_says_and_nothing_else():
    source = CodeConversations(Random(6))
    times = dict.fromkeys(source.edits, 0)
    for _ in range(120):
        draft = source.requests.draft()
        before = draft.means
        for key, edit in source.edits.items():
            speaker = Speaker(source.rng, Habits("camel", "snake", 0.5, "short"))
            copied = copy.deepcopy(draft)
            done = edit(copied, speaker)
            if done is None or done[0].means == before:
                continue
            times[key] += 1
            words = {hole: speaker.say_calmly(text) for hole, text in done[1].items()}
            after = done[0].means
            check_meaning(after)
            touched = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
            assert touched <= check_edit(key, before, after, words), key
            assert draft.means == before  # the turn before keeps its meaning
    assert min(times.values()) > 5, times


def test_a_field_of_several_entities_is_changed_only_where_it_is_named(calm):
    source, seen = CodeConversations(Random(8)), 0
    draft = requests.CodeDraft(
        "cli", {"Pump": {"name": "str", "cost": "float"}, "Valve": {"name": "str", "size": "int"}}
    )
    for _ in range(300):
        speaker = Speaker(source.rng, Habits("camel", "snake", 0.0, "short"))
        done = source._said("drop_field", draft, speaker)
        assert done is not None
        text = speaker.say_calmly(done[0])
        if "name" in text:
            seen += 1
            gone = "Pump" if "name" not in done[1].entities["Pump"] else "Valve"
            assert gone in text, text
    assert seen > 60
