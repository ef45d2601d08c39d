"""The Gantt page, looked at in a real browser with the network watched."""

import json
from datetime import date, timedelta

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from tests.browser import browser
from tools.scheduler.files.gantt import render_gantt
from tools.scheduler.load import load_of
from tools.scheduler.revise import answered, reported
from tools.scheduler.types import (
    Absence,
    Demand,
    Link,
    Person,
    Report,
    ScheduleRequest,
    Task,
)
from tools.scheduler.verify import verify
from tools.tool import silent

HOSTILE = "</script><script>document.title='taken'</script><img src=http://example.com/x>&\"'"


def monday_before(day):
    return day - timedelta(days=day.weekday() + 7)


START = monday_before(date.today())  # so that the line of today lies in the chart
DEADLINE = START + timedelta(days=30)
REQUEST = ScheduleRequest(
    title="Garden",
    start=START,
    deadline=DEADLINE,
    tasks=(
        Task(name="clear the beds", days=4, who=(Demand(name="Ola"),)),
        Task(name=HOSTILE, days=0.5, who=(Demand(name="Per"),)),
        Task(name="sow", days=6, who=(Demand(name="Ola"), Demand(name="Crew", units=2))),
        Task(name="open day", days=0),
    ),
    links=(
        Link(before="clear the beds", after="sow"),
        Link(before=HOSTILE, after="sow", lag=2),
        Link(before="sow", after="open day"),
    ),
    people=(Person(name="Ola"), Person(name="Per"), Person(name="Crew", capacity=3)),
    absences=(Absence(who="Ola", first=START + timedelta(days=8), last=START + timedelta(days=8)),),
)


@pytest.fixture(scope="module")
def plan():
    first = answered(REQUEST, silent, 10)
    request = reported(REQUEST, first, [Report("clear the beds", 0.5, START + timedelta(days=1))])
    request = request.model_copy(update={"baseline": first.tasks})
    return request, answered(request, silent, 10)


@pytest.fixture(scope="module")
def page(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("gantt") / "plan.html"
    request, answer = plan
    page = render_gantt(request, answer, HOSTILE, verify(request, answer), [HOSTILE])
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def window(page, tmp_path_factory):
    driver = browser(tmp_path_factory.mktemp("profile"))
    try:
        driver.get("about:blank")
        driver.get_log("performance")  # from here on, the log is the page's
        driver.get(page.as_uri())
        yield driver
    finally:
        driver.quit()


def box(element):
    """Left, right and middle height on the screen."""
    place = element.rect
    return place["x"], place["x"] + place["width"], place["y"] + place["height"] / 2


def test_the_page_needs_no_network_and_complains_of_nothing(window, page):
    assert window.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in window.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in sent if url != page.as_uri() and not url.startswith("data:")] == []
    assert window.title == HOSTILE and window.find_element(By.TAG_NAME, "h1").text == HOSTILE


def test_every_task_has_a_bar_at_its_days(window, plan):
    _, answer = plan
    chart = window.find_element(By.CSS_SELECTOR, "svg.bars")
    width = float(chart.get_attribute("data-day"))
    first = date.fromisoformat(chart.get_attribute("data-first"))
    names = [b.get_attribute("title") for b in window.find_elements(By.CSS_SELECTOR, ".names [data-task] b")]
    assert sorted(names) == sorted(task.task for task in answer.tasks)
    tasks = {task.task: task for task in answer.tasks}
    for number, name in enumerate(names):
        bar = window.find_element(By.CSS_SELECTOR, f"g.task[data-task='{number}'] .bar")
        left = box(chart)[0] + ((tasks[name].start - first).days + tasks[name].begins / 4) * width
        if name != "open day":
            days = (tasks[name].end - tasks[name].start).days + (tasks[name].ends - tasks[name].begins) / 4
            assert box(bar)[0] == pytest.approx(left, abs=1.5)
            assert box(bar)[1] - box(bar)[0] == pytest.approx(days * width, abs=1.5)
        label = window.find_element(By.CSS_SELECTOR, f".names [data-task='{number}']")
        assert abs(box(label)[2] - box(bar)[2]) < 6  # in its task's row
    critical = [
        g.get_attribute("data-task") for g in window.find_elements(By.CSS_SELECTOR, "g.task.critical")
    ]
    assert {names[int(number)] for number in critical} == {t.task for t in answer.tasks if t.critical}


def test_arrows_lie_between_the_bars_they_tie(window, plan):
    request, _ = plan
    arrows = window.find_elements(By.CSS_SELECTOR, ".arrow")
    assert len(arrows) == len(request.links)
    for arrow in arrows:
        before, after = (
            window.find_element(By.CSS_SELECTOR, f"g.task[data-task='{arrow.get_attribute(end)}'] .bar")
            for end in ("data-from", "data-to")
        )
        assert arrow.rect["y"] <= box(before)[2] + 2
        assert arrow.rect["y"] + arrow.rect["height"] >= box(after)[2] - 2
        assert arrow.rect["x"] - 2 <= box(before)[1]


def test_today_and_the_deadline_have_a_line(window):
    chart = window.find_element(By.CSS_SELECTOR, "svg.bars")
    width = float(chart.get_attribute("data-day"))
    first = date.fromisoformat(chart.get_attribute("data-first"))
    today = window.find_element(By.CSS_SELECTOR, "line.today")
    at = box(chart)[0] + (date.today() - first).days * width
    assert at - 1 <= box(today)[0] <= at + width + 1
    line = window.find_element(By.CSS_SELECTOR, "line.deadline")
    ends = box(chart)[0] + ((DEADLINE - first).days + 1) * width
    assert box(line)[0] == pytest.approx(ends, abs=1.5)


def test_the_load_is_that_of_the_plan(window, plan):
    load = load_of(*plan)
    people = window.find_elements(By.CSS_SELECTOR, ".names .person")
    assert [p.find_element(By.TAG_NAME, "b").text for p in people] == [*load]
    shown = [float(p.find_element(By.CSS_SELECTOR, ".slack").text.removesuffix(" d")) for p in people]
    assert shown == pytest.approx([sum(days.values()) for days in load.values()])
    assert load["Crew"] and sum(load["Crew"].values()) == pytest.approx(12)


def test_a_pointed_task_lights_what_it_waits_for(window):
    names = window.find_elements(By.CSS_SELECTOR, ".names [data-task] b")
    sow = next(name for name in names if name.text == "sow")
    ActionChains(window).move_to_element(sow).perform()
    lit = {b.text for b in window.find_elements(By.CSS_SELECTOR, ".names [data-task].lit b")}
    assert lit == {"clear the beds", HOSTILE, "sow", "open day"}
    assert len(window.find_elements(By.CSS_SELECTOR, ".arrow.lit")) == 3


def test_what_is_done_and_what_was_planned_is_drawn(window):
    assert window.find_elements(By.CSS_SELECTOR, "rect.done")
    assert len(window.find_elements(By.CSS_SELECTOR, "rect.planned, .planned:not(i)")) >= 3


@pytest.mark.parametrize(
    ("days", "buffer", "told"),
    [(2, 3, "<small>kept<"), (3, 3, "<small>2 of 3 days to spare<"), (6, 0, "<small>missed<")],
)
def test_the_page_says_whether_the_deadline_and_its_buffer_are_kept(days, buffer, told):
    deadline = START + timedelta(days=4)
    request = ScheduleRequest(
        start=START, deadline=deadline, buffer=buffer, tasks=(Task(name="dig", days=days),)
    )
    page = render_gantt(request, answered(request, silent, 10), "Garden")
    assert told in page
    assert ("no plan is shorter" in page) == (days == 2)
