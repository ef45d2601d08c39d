"""The generator of project conversations: what it says is what it means."""

import itertools
import json
import re
from collections import Counter
from datetime import date, timedelta
from random import Random
from string import Formatter

import pytest

from lpm_model.data import dates
from lpm_model.data.noise import disturb
from lpm_model.data.phrases import phrases
from lpm_model.data.project import text as texts
from lpm_model.data.project.changes import Edit
from lpm_model.data.project.conversations import ProjectConversations, request
from lpm_model.data.project.edits import WEIGHTS, Editor
from lpm_model.data.project.names import TaskName, gerund, resources, task_names
from lpm_model.data.project.text import Phrase, fill, glued, plain
from lpm_model.data.render import in_words

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
UNITS = [in_words(n) for n in range(20)]
NUMBERS: dict[str, float] = {word: n for n, word in enumerate(UNITS)} | {
    "twenty": 20, "thirty": 30, "forty": 40, "half a": 0.5, "a": 1, "a couple of": 2,
}  # fmt: skip
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19,
    "twentieth": 20, "thirtieth": 30,
}  # fmt: skip


def drawn(seed, weights, count, wanted):
    """So many conversations whose first meaning is as wanted."""
    source = ProjectConversations(Random(seed), weights)
    found = (source.conversation() for _ in itertools.count())
    return list(itertools.islice((c for c in found if wanted(c.turns[0].means)), count))


def dated(means):
    """Every day in a meaning, as it is written there."""
    return re.findall(r"(?:\d{4}-)?\d\d-\d\d", json.dumps(dict(means)))


def with_tasks(means):
    """Whether there are tasks, and every day has its year."""
    return "tasks" in means and all(len(day) == 10 for day in dated(means))


@pytest.fixture(scope="module")
def conversations():
    return drawn(5, (2, 1, 1, 1, 1, 1), 700, with_tasks)


@pytest.fixture(scope="module")
def first_turns():
    return [conversation.turns[0] for conversation in drawn(6, (1,), 1000, with_tasks)]


@pytest.fixture(scope="module")
def goals():
    return drawn(7, (2, 1, 1, 1), 500, lambda means: "tasks" not in means)


@pytest.fixture(scope="module")
def yearless():
    return drawn(8, (2, 1, 1), 300, lambda means: any(len(day) == 5 for day in dated(means)))


def turns(conversations):
    return [turn for conversation in conversations for turn in conversation.turns]


# -- reading back, independently of the writer -----------------------------------------------


def read_day(text):
    """A date of any style, or None."""
    low = text.lower().replace(",", " ")
    if m := re.fullmatch(r"(\d{4})[-/](\d\d)[-/](\d\d)", low):
        return date(*map(int, m.groups()))
    if m := re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", low):
        a, b, year = map(int, m.groups())
        assert (a > 12) != (b > 12), text  # else it could be either
        return date(year, b, a) if a > 12 else date(year, a, b)
    if m := re.fullmatch(r"(\d\d)([a-z]{3})(\d\d)", low):
        return date(2000 + int(m[3]), MONTHS.index(m[2]) + 1, int(m[1]))
    month = day = year = 0
    words = low.replace("-", " ").split()
    while words:
        word = words.pop(0)
        if word[:3] in MONTHS and word not in ("second",):
            month = MONTHS.index(word[:3]) + 1
        elif word == "twenty" and words and words[0] in NUMBERS:
            year = 2000 + int(NUMBERS[words.pop(0)])
            year += int(NUMBERS[words.pop(0)]) if words and words[0] in NUMBERS else 0
        elif word in ("twenty", "thirty"):
            day = int(NUMBERS[word]) + ORDINALS[words.pop(0)]
        elif word in ORDINALS:
            day = ORDINALS[word]
        elif m := re.fullmatch(r"'(\d\d)", word):
            year = 2000 + int(m[1])
        elif m := re.fullmatch(r"(\d+)(st|nd|rd|th)?", word):
            year, day = (int(m[1]), day) if int(m[1]) > 31 else (year, int(m[1]))
    return date(year, month, day)


def read_span(text):
    """Days ("d") or weeks ("w") and how many."""
    low = text.lower().removesuffix("'s work").replace("working ", "").replace("business ", "")
    low = low.replace("full ", "").replace("single ", "")
    if low in ("half a day", "a half day"):
        return 0.5, "d"
    if low == "a fortnight":
        return 2, "w"
    if m := re.fullmatch(r"(one|a) (day|week) and a half|(one) and a half (day)s", low):
        return 1.5, (m[2] or m[4])[0]
    m = re.fullmatch(r"(.+?) ?(d|w|wks?|days?|weeks?)", low)
    assert m, text
    number, unit = m.groups()
    extra = 0.0
    for tail in (" and a half", " 1/2"):
        if number.endswith(tail):
            number, extra = number.removesuffix(tail), 0.5
    return (float(number) if number[0].isdigit() else NUMBERS[number]) + extra, unit[0]


def test_every_date_reads_back():
    rng = Random(1)
    for style in dates.DATE_STYLES:
        for _ in range(300):
            when = date(2025, 1, 1) + timedelta(rng.randrange(2190))
            said = dates.day(style, when, True)
            assert read_day(said) == when, (style, said)
            assert str(when.year) in said or style in ("military", "apostrophe", "spoken", "spoken_us")


def test_a_period_names_both_of_its_ends():
    rng = Random(2)
    for style in dates.DATE_STYLES:
        for _ in range(200):
            first = date(2026, 1, 5) + timedelta(rng.randrange(600))
            last = first + timedelta(rng.choice((0, 1, 3, 9, 30)))
            said = dates.period(rng, style, first, last, True, prepositional=rng.random() < 0.5)
            if re.search(r"\ball\b|whole", said):
                assert first.day == 1 and (last + timedelta(1)).day == 1
                continue
            said = re.sub(r"^(from|on) | inclusive$| incl\.$", "", said)
            parts = re.split(r" (?:to|until|through|till|-) ", said)
            if len(parts) == 2:
                tail = "" if str(first.year) in parts[0] or first.year != last.year else f" {first.year}"
                try:
                    assert read_day(parts[1]) == last
                    assert first.year != last.year or read_day(parts[0] + tail) == first
                except (AttributeError, ValueError):  # "3 to 7 May 2027": the month stands once
                    assert [int(n) for n in re.findall(r"\d+", said)[:2]] == [first.day, last.day], said
            elif first == last:
                assert read_day(said) == first
            else:
                assert re.findall(r"\d+", said)[:2] == [str(first.day), str(last.day)], said


def test_every_length_reads_back():
    rng, forms = Random(3), set()
    for style in dates.SPAN_STYLES:
        for n, unit in [(n, "d") for n in (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 7, 10, 12, 20)] + [
            (n, "w") for n in (1, 1.5, 2, 3, 4, 6)
        ]:
            for _ in range(30):
                said = dates.span(rng, style, n, unit)
                assert read_span(said) == (n, unit), (style, said)
                forms.add(said)
    assert len(forms) > 90


# -- phrases ---------------------------------------------------------------------------------


def leaves(value):
    if isinstance(value, str):
        return [value]
    return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]


TASK_HOLES = {
    "d": "t d", "da": "t d a", "dp": "t d p", "dap": "t d a p", "next_d": "t d", "next_dp": "t d p",
    "both_d": "t d", "both_dp": "t d p", "all_d": "t d", "all_dp": "t d p", "again_d": "t d", "free": "",
    "again_da": "t d a", "again_next": "t d", "do_d": "t d", "do_da": "t d a", "do_dp": "t d p",
    "do_dap": "t d a p", "do_next": "t d", "do_nextp": "t d p", "pair": "a x y",
}  # fmt: skip
AS_GOOD_AS = {"dj": "d", "ps": "p", "She": "p", "she": "p", "her": "p"}


def holes(template):
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("key", [key for key in phrases("project/tasks") if key != "notes"])
def test_every_task_phrase_says_all_it_should(key):
    wanted = set(TASK_HOLES[key].split())
    for template in phrases("project/tasks")[key]:
        got = {AS_GOOD_AS.get(hole, hole) for hole in holes(template)}
        if key.startswith("again"):
            assert wanted <= got <= wanted | {"p"}, template
        else:
            assert got == wanted, template


def test_every_verb_agrees_with_something_that_is_said():
    for name in ("tasks", "orders", "people", "frames", "edits"):
        for template in leaves(phrases(f"project/{name}")):
            for subject in re.findall(r"<(?:(\w+)\.)?[\w']+>", template):
                known = holes(template) | ({"t"} if "ts" in holes(template) else set())
                assert (subject or "t") in known | ({"p"} if {"ps", "She", "she"} & known else set()), (
                    template
                )


def test_there_is_much_to_say():
    counts = {
        name: len(leaves(phrases(f"project/{name}"))) for name in ("tasks", "orders", "people", "frames")
    }
    assert all(count > 80 for count in counts.values()), counts
    edits = phrases("project/edits")
    assert sum(len(edits[key]) for key in WEIGHTS) > 300 and all(len(edits[key]) >= 5 for key in WEIGHTS)
    kinds = phrases("project/kinds")
    assert len(kinds) >= 40 and all(len(kind["tasks"].split(";")) >= 12 for kind in kinds.values())
    names = phrases("project/names")
    people = [*names["women"].split(), *names["men"].split(), *names["anyone"].split()]
    assert len(set(people)) == len(people) > 400 and len(names["teams"].split(";")) >= 60


def test_verbs_agree():
    values: dict[str, Phrase | str] = {"t": Phrase("tiles", True), "a": Phrase("tiling"), "p": "Tess"}
    assert fill("{t} <takes> 2, {a} <a.is>, {p} <p.does>", values) == "tiles take 2, tiling is, Tess does"


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("order tiles", "ordering tiles"), ("strip wallpaper", "stripping wallpaper"), ("weld", "welding"),
     ("store the mast", "storing the mast"), ("dye", "dyeing"), ("dig the pond", "digging the pond")],
)  # fmt: skip
def test_gerunds(phrase, expected):
    assert gerund(phrase) == expected


# -- names -----------------------------------------------------------------------------------


def test_names_can_be_told_apart_and_most_are_composed_or_many():
    rng, seen = Random(4), Counter[str]()
    for _ in range(400):
        names = task_names(rng, 6)[1]
        for i, one in enumerate(names):
            assert not any(one.clashes(other) for other in names[:i])
        people = resources(rng, 4, 0.4, names)
        taken = {word for name in names for word in name.text.lower().split()} - {"the", "of", "a", "crew"}
        assert not any(set(who.name.lower().split()) & taken - {"team"} for who in people)
        seen.update(name.text for name in names)
    assert len(seen) > 1000 and seen.most_common(1)[0][1] < 40
    assert TaskName("tiling", "bare", False).clashes(TaskName("floor tiling", "bare", False))


def test_noise_spares_names_and_marks():
    text = f"Then {glued('sand the deck')}, {glued('2 days')}, and {glued('Ana Maria')} paints, again."
    seen = set()
    for seed in range(300):
        rough = plain(disturb(Random(seed), text, ["um"], {"then"}, marks=False))
        seen.add(rough)
        assert all(part in rough.lower() for part in ("sand the deck", "2 days", "ana maria")), rough
    assert len(seen) > 30


# -- first turns -----------------------------------------------------------------------------


def test_shares_and_lengths_are_as_intended(first_turns):
    means = [turn.means for turn in first_turns]
    share = {
        "start": (0.6, 0.85), "deadline": (0.5, 0.75), "days_off": (0.18, 0.38),
        "one_at_a_time": (0.06, 0.15),
    }  # fmt: skip
    for field, (low, high) in share.items():
        assert low < sum(field in m for m in means) / len(means) < high, field
    tasks = [task for m in means for task in m["tasks"]]
    assert 0.45 < sum("after" in task for task in tasks) / len(tasks) < 0.8
    assert 0.6 < sum("who" in task for task in tasks) / len(tasks) < 0.9
    assert 0.04 < sum(len(task.get("who", ())) > 1 for task in tasks) / len(tasks) < 0.2
    assert 0.08 < sum(len(task.get("after", ())) > 1 for task in tasks) / len(tasks) < 0.35
    assert {len(m["tasks"]) for m in means} == set(range(3, 13))
    lengths = sorted(len(turn.user) for turn in first_turns)
    assert 330 < lengths[500] < 430 and lengths[900] < 640 and 15 < sum(n < 150 for n in lengths) < 120


def test_texts_are_distinct_and_finished(first_turns, conversations):
    assert len({turn.user for turn in first_turns}) == len(first_turns)
    # No two begin alike beyond the opening words: the wording is not one frame with other names.
    heads = Counter(" ".join(turn.user.split()[:3]) for turn in first_turns)
    assert heads.most_common(1)[0][1] < 30
    for turn in [*first_turns, *turns(conversations)]:
        assert turn.user.strip() and not set("{}") & set(turn.user), turn.user
        assert not re.search(r"<[\w.']+>", turn.user), turn.user
        assert not re.search("[\ue000-\uf8ff\u00a0]", turn.user), turn.user


FIELDS = ("start", "deadline", "tasks", "days_off", "one_at_a_time")


def test_a_meaning_is_whole_and_sound(first_turns, conversations):
    for turn in [*first_turns, *turns(conversations)]:
        means = turn.means
        names = [task["name"] for task in means["tasks"]]
        assert len({name.lower() for name in names}) == len(names) >= 2
        assert all(means[key] not in ([], None, True) for key in means)
        assert list(means) == [
            k for k in ("start", "deadline", "tasks", "days_off", "one_at_a_time") if k in means
        ]
        after = {task["name"]: task.get("after", []) for task in means["tasks"]}
        for task in means["tasks"]:
            assert re.fullmatch(r"(0\.5|[1-9]\d?(\.5)?) [dw]", task["days"]), task
            assert task.get("who") != [] and task.get("after") != []
            assert task.keys() <= {"name", "days", "after", "who"}
            assert after[task["name"]] == sorted(set(after[task["name"]]), key=names.index)
            assert not task["name"].lower().startswith(("the ", "a "))
        done: list[str] = []
        while len(done) < len(names):  # every order can be worked off
            ready = [name for name in names if name not in done and set(after[name]) <= set(done)]
            assert ready, after
            done += ready
        for gap in means.get("days_off", ()):
            assert date.fromisoformat(gap["from"]) <= date.fromisoformat(gap["to"])
        for day in all_days(means):
            assert 2024 < day.year < 2031
        if turn in first_turns and {"start", "deadline"} <= means.keys():
            assert means["start"] < means["deadline"]


def all_days(means):
    gaps = [gap[key] for gap in means.get("days_off", ()) for key in ("from", "to")]
    return [date.fromisoformat(d) for d in (*(means[k] for k in ("start", "deadline") if k in means), *gaps)]


def people(means):
    return {who for task in means["tasks"] for who in task.get("who", ())}


def test_a_request_names_what_it_means(first_turns):
    for turn in first_turns:
        low = turn.user.lower()
        for task in turn.means["tasks"]:
            assert task["name"].lower() in low, (task, turn.user)
        for who in people(turn.means) | {gap["who"] for gap in turn.means.get("days_off", ())}:
            assert who.lower() in low, (who, turn.user)
        # The tasks stand in the order in which they are first named.
        places = [low.index(task["name"].lower()) for task in turn.means["tasks"]]
        assert len(set(places)) == len(places)


def said_year(year):
    tens = ("twenty", "thirty")[year // 10 % 10 - 2]
    word = f"{tens}-{UNITS[year % 10]}" if year % 10 else tens
    return {str(year), f"'{year % 100}", f"twenty {word}", f"{year % 100}"}


def test_a_request_tells_the_year_and_the_month_of_its_dates(first_turns):
    seen = 0
    for turn in first_turns:
        low = turn.user.lower()
        days = all_days(turn.means)
        years = {day.year for day in days}
        for day in days:
            seen += 1
            assert any(way in low for way in said_year(day.year)), (day, turn.user)
            month = MONTHS[day.month - 1]
            assert month in low or f"{day:%m}" in low, (day, turn.user)
        if len(years) > 1 and not any(f" {word}" in low for word in ("from", "until", "through")):
            assert all(any(way in low for way in said_year(year)) for year in years), turn.user
    assert seen > 1000


# -- later turns -----------------------------------------------------------------------------


def edits_of(conversations):
    for conversation in conversations:
        for before, after in zip(conversation.turns, conversation.turns[1:], strict=False):
            yield conversation, before, after


def test_what_is_new_in_a_turn_is_named_in_it(conversations):
    seen = Counter[str]()
    for conversation in conversations:
        known: set[str] = set()
        for turn in conversation.turns:
            names = {task["name"] for task in turn.means["tasks"]} | people(turn.means)
            for name in names - known:
                assert name.lower() in turn.user.lower(), (name, turn.user)
                seen["later" if known else "first"] += 1
            known |= names
    assert seen["later"] > 200


def test_turns_are_as_many_as_asked_and_the_same_seed_makes_the_same():
    def drawn(seed):
        source = ProjectConversations(Random(seed), (0, 1, 0, 1))
        return [source.conversation() for _ in range(60)]

    assert {len(c.turns) for c in drawn(3)} == {2, 4}
    assert drawn(3) == drawn(3) and drawn(3) != drawn(4)
    assert all(c.domain == "project" for c in drawn(3))


def changed(before, after):
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


MAY_CHANGE = {
    "off": {"days_off"}, "start": {"start"}, "deadline": {"deadline"}, "several": {"one_at_a_time"},
    "chatter": set(), "confirm": set(),
}  # fmt: skip
ONLY = {"days": {"days"}, "who": {"who"}, "after": {"after"}}


def check_tasks(key, before, after):
    """What an edit of the tasks may change in them, told without the generator's code."""
    old = {task["name"]: task for task in before["tasks"]}
    new = {task["name"]: task for task in after["tasks"]}
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    family = key.split("_")[0]
    if family in ONLY:
        assert not gone and not come
        fields = set().union(*(changed(old[name], new[name]) for name in old))
        assert fields == ONLY[family], key
        count = sum(old[name] != new[name] for name in old)
        wide = ("days_two", "who_hand", "who_swap", "who_all")
        assert count <= (len(old) if key in wide else 1)
    elif family == "add":
        (name,) = come
        assert not gone and list(new)[-1] == name
        others = [n for n in old if old[n] != new[n]]
        assert len(others) == (key in ("add_before", "add_between"))
        assert len(new[name].get("after", ())) == (key in ("add_after", "add_between"))
        for n in others:
            assert name in new[n]["after"]
            lost = set(old[n].get("after", ())) - set(new[n]["after"])
            assert lost == (set(new[name]["after"]) if key == "add_between" else set())
    elif family == "drop":
        (name,) = gone
        assert not come
        for n in new:
            inherited = set(old[name].get("after", ())) if key == "drop_bridge" else set()
            was = set(old[n].get("after", ()))
            assert set(new[n].get("after", ())) == ((was - {name}) | inherited if name in was else was)
    elif family == "rename":
        (was,), (now,) = gone, come
        assert list(old).index(was) == list(new).index(now)
        for n in old:
            expected = [now if a == was else a for a in old[n].get("after", ())]
            assert sorted(new[now if n == was else n].get("after", ())) == sorted(expected)
    else:
        raise AssertionError(f"no account of {key}")


def test_every_edit_changes_what_it_says_and_nothing_else():
    rng, times = Random(8), Counter[str]()
    for _ in range(250):
        first = request(rng)
        before = first.means
        frozen = repr(before)
        for key in WEIGHTS:
            if key in ("undo", "first"):
                continue
            edit = Editor(rng, first.plan).apply(key, before, [before])
            if edit is None:
                continue
            times[key] += 1
            assert repr(before) == frozen  # the turn before keeps its meaning
            fields = changed(before, edit.means)
            allowed = MAY_CHANGE.get(key.split("_")[0], {"tasks"})
            assert fields == allowed, (key, fields)
            if allowed == {"tasks"}:
                check_tasks(key, before, edit.means)
    assert all(times[key] > 3 for key in WEIGHTS if key not in ("undo", "first")), times


def test_undo_goes_one_turn_back_and_first_to_the_beginning():
    first = request(Random(9))
    editor = Editor(Random(9), first.plan)
    one = first.means
    two, three = ({**one, "deadline": day} for day in ("2031-01-02", "2031-02-03"))
    assert editor.apply("undo", three, [one, two, three]) == Edit(two, {})
    assert editor.apply("first", three, [one, two, three]) == Edit(one, {})
    assert editor.apply("undo", one, [one]) is None
    assert editor.apply("undo", two, [one, two, two]) is None  # after chatter: what would be undone?
    assert editor.apply("undo", one, [one, two, one]) is None  # after an undo it could mean either way
    assert editor.apply("first", one, [one, two, one]) is None


def test_undos_in_conversations_restore_the_meaning(conversations):
    words = set(map(str.lower, phrases("project/edits")["undo"]))
    times = 0
    for conversation in conversations:
        said = conversation.turns
        for i in range(2, len(said)):
            if said[i].user.lower() in words:
                times += 1
                assert said[i].means == said[i - 2].means != said[i - 1].means
    assert times > 20


def test_chatter_changes_nothing(conversations):
    words = set(map(str.lower, phrases("project/edits")["chatter"]))
    same = [b.means == a.means for _, b, a in edits_of(conversations) if a.user.lower() in words]
    assert len(same) > 60 and all(same)


# -- single rules ----------------------------------------------------------------------------


def test_the_year_may_be_said_once_only_where_it_is_known():
    style = request(Random(1)).plan.style
    text = texts.Text(Random(1), type(style)("day_month", "digits", "first"), prose=True)
    a, b = text.day(date(2027, 5, 3)), text.day(date(2027, 6, 4))
    said = f"{a} and {b}"
    assert plain(text.finish(said, year_everywhere=False)) == "3 May 2027 and 4 June"
    assert plain(text.finish(said, year_everywhere=True)) == "3 May 2027 and 4 June 2027"
    assert plain(text.finish(said, year_everywhere=False, known_year=True)) == "3 May and 4 June"


def test_articles_capitals_and_order_of_mention():
    style = request(Random(1)).plan.style
    text = texts.Text(Random(1), style, prose=True)
    plan_, order = TaskName("floor plan", "the", False), TaskName("order tiles", "do", False)
    said = f"no {text.task(order)} before {text.task(plan_)}. {text.task(plan_)} and {text.task(order)}"
    assert text.order(said) == [order, plan_]
    text.nouns, text.shortened = True, 0.0
    finished = plain(text.finish(said, year_everywhere=True))
    assert finished == "No order tiles before the floor plan. The floor plan and ordering tiles"


# -- goals, and days without a year ----------------------------------------------------------


def test_a_goal_is_said_as_it_is_meant_and_stays(goals):
    said = set()
    for conversation in goals:
        first = conversation.turns[0]
        title = first.means["title"]
        # Word for word, with nothing but a filler between.
        assert re.search(r"(\W+\w+)?\W+".join(map(re.escape, title.lower().split())), first.user.lower())
        assert len(title) < 40
        assert first.means.keys() <= {"title", "start", "deadline", "days_off"}
        assert all(turn.means["title"] == title and "tasks" not in turn.means for turn in conversation.turns)
        said.add(first.user)
    assert len(said) == len(goals) and len({c.turns[0].means["title"] for c in goals}) > 300
    assert sum("deadline" in c.turns[0].means for c in goals) > 200
    assert sum("days_off" in c.turns[0].means for c in goals) > 50
    changed = [c for c in goals if len({json.dumps(dict(turn.means)) for turn in c.turns}) > 1]
    assert len(changed) > 150


def test_goals_are_a_part_of_all():
    source = ProjectConversations(Random(9))
    share = sum("title" in source.conversation().turns[0].means for _ in range(500)) / 500
    assert 0.2 < share < 0.4


def test_days_without_a_year_are_those_of_texts_without_one(yearless):
    for turn in turns(yearless):
        assert all(len(day) == 5 for day in dated(turn.means)), turn
        assert not re.search(r"20[23]\d|twenty (twenty|thirty)|'\d\d", turn.user.lower()), turn
    later = [turn.means for c in yearless for turn in c.turns[1:] if turn.means != c.turns[0].means]
    assert len(later) > 50 and any("tasks" not in means for means in later)
