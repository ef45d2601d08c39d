"""The map page, drawn by a real browser (Debian's chromium) with the network watched."""

import base64
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import browser
from tools.places import Found, Gazetteer
from tools.roads.data import load_roads
from tools.roads.graph import RoadGraph
from tools.roads.map import STEP_DEG, render_map
from tools.roads.router import Router
from tools.roads.types import Check, Route, RouteRequest

HOSTILE = "</script><script>document.title='taken'</script><img src=http://example.com/x>&\"'"


@pytest.fixture(scope="module")
def graph() -> RoadGraph:
    return load_roads()


def plan(graph: RoadGraph, *names: str, **wishes: Any) -> Route:
    found = Gazetteer.load().resolve_trip(names)
    places = [outcome.place for outcome in found if isinstance(outcome, Found)]
    request = RouteRequest(origin=places[0], destination=places[-1], via=tuple(places[1:-1]), **wishes)
    route = Router(graph).plan(request).route
    assert route is not None
    return route


@pytest.fixture(scope="module")
def across(graph: RoadGraph) -> Route:
    return plan(graph, "New York", "Denver", "Los Angeles", max_hours_per_day=9)


@pytest.fixture(scope="module")
def page(graph: RoadGraph, across: Route, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("map") / "route.html"
    checks = [
        Check(constraint="stop in Denver, CO", satisfied=True, evidence="stop 2"),
        Check(constraint=HOSTILE, satisfied=False, evidence=HOSTILE),
    ]
    towns = Gazetteer.load().places()
    path.write_text(render_map(across, graph, title=HOSTILE, checks=checks, warnings=[HOSTILE], towns=towns))
    return path


@pytest.fixture(scope="module")
def window(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = browser(tmp_path_factory.mktemp("profile"))
    try:
        driver.get("about:blank")
        driver.get_log("performance")  # from here on, the log is the page's
        driver.get(page.as_uri())
        WebDriverWait(driver, 30).until(lambda d: d.find_element(By.CSS_SELECTOR, "#scale span").text)
        yield driver
    finally:
        driver.quit()


@pytest.fixture(autouse=True)
def whole_route(request: pytest.FixtureRequest) -> None:
    """Each test that looks at the page starts from the view of the whole route."""
    if "window" in request.fixturenames:
        driver = request.getfixturevalue("window")
        driver.find_element(By.CSS_SELECTOR, "#zoom [data-box]").click()
        drawn(driver)


def drawn(driver: webdriver.Chrome) -> None:
    """Wait until what was asked for is on the screen."""
    driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
    )
    WebDriverWait(driver, 30).until(
        lambda d: d.find_element(By.ID, "map").get_attribute("aria-busy") == "false"
    )


def pixels(driver: webdriver.Chrome, variable: str) -> list[list[int]]:
    """Where the canvas has exactly the colour of a CSS variable."""
    return driver.execute_script(
        """
        const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
        const hex = getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim();
        const wanted = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)), found = [];
        const { data, width } = pen.getImageData(0, 0, canvas.width, canvas.height);
        for (let at = 0; at < data.length; at += 4)
          if (wanted.every((value, band) => data[at + band] === value))
            found.push([(at / 4) % width, Math.floor(at / 4 / width)]);
        return found;
        """,
        variable,
    )


def stop_places(driver: webdriver.Chrome) -> dict[str, tuple[float, float]]:
    """Where each stop's marker is, in pixels of the map."""
    places = {}
    for mark in driver.find_elements(By.CSS_SELECTOR, ".stop"):
        x, y = re.findall(r"-?[\d.]+", mark.get_attribute("style") or "")[:2]
        name = mark.find_element(By.TAG_NAME, "b").get_attribute("textContent")
        places[str(name)] = (float(x), float(y))
    return places


def km_on_scale(driver: webdriver.Chrome) -> float:
    """Kilometres that one pixel stands for, by the scale bar."""
    number, unit = driver.find_element(By.CSS_SELECTOR, "#scale span").text.replace(",", "").split()
    bar = driver.find_element(By.CSS_SELECTOR, "#scale i")
    width = float(str(bar.get_attribute("style")).split("width:")[1].strip(" ;px"))
    return float(number) * (1 if unit == "km" else 0.001) / width


def test_no_error_and_no_request(window: webdriver.Chrome, page: Path) -> None:
    errors = [entry for entry in window.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert errors == []
    messages = [json.loads(entry["message"])["message"] for entry in window.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert page.as_uri() in sent
    assert [url for url in sent if url != page.as_uri() and not url.startswith("data:")] == []


def test_the_page_stays_small_and_self_contained(page: Path) -> None:
    assert page.stat().st_size < 4_000_000

    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(str(value) for key, value in attrs if key in ("src", "href", "srcset"))

    Links().feed(page.read_text())
    assert found == ["data:,"]


def test_text_is_never_markup(window: webdriver.Chrome) -> None:
    assert window.title == HOSTILE
    assert window.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert window.find_element(By.CSS_SELECTOR, ".warning").text == HOSTILE
    assert window.find_elements(By.TAG_NAME, "img") == []
    assert len(window.find_elements(By.TAG_NAME, "script")) == 2


def test_route_tolls_roads_and_stops_are_drawn(window: webdriver.Chrome) -> None:
    route = np.array(pixels(window, "--route"))
    assert len(route) > 1000
    stops = stop_places(window)
    assert list(stops) == ["New York, NY", "Denver, CO", "Los Angeles, CA"]
    # The route spans from the westernmost stop to the easternmost, and passes by every stop.
    assert route[:, 0].min() <= stops["Los Angeles, CA"][0] + 15
    assert route[:, 0].max() >= stops["New York, NY"][0] - 15
    for x, y in stops.values():
        assert np.hypot(route[:, 0] - x, route[:, 1] - y).min() < 15
    assert len(pixels(window, "--toll")) > 100
    # Roads are thinner than a pixel, so their colours are blended; freeways cross into full colour.
    assert len(pixels(window, "--freeway")) > 100
    assert len(pixels(window, "--land")) > 10_000


def test_the_panel_tells_the_itinerary(window: webdriver.Chrome, across: Route) -> None:
    panel = window.find_element(By.TAG_NAME, "aside").text
    assert f"{across.distance_km:,.0f} km" in panel
    legs = window.find_elements(By.CSS_SELECTOR, ".legs li")
    assert [f"{leg.distance_km:,.0f} km" in item.text for leg, item in zip(across.legs, legs, strict=True)]
    tolls = [item.text.splitlines()[0] for item in window.find_elements(By.CSS_SELECTOR, ".tolls li")]
    assert tolls == [toll.name for toll in across.tolls] and "Ohio Turnpike" in tolls
    assert len(window.find_elements(By.CSS_SELECTOR, ".days li")) == len(across.hours_by_day)
    assert len(window.find_elements(By.CSS_SELECTOR, ".checks .kept")) == 1
    assert len(window.find_elements(By.CSS_SELECTOR, ".checks .broken")) == 1
    assert "OpenStreetMap" in window.find_element(By.ID, "foot").text


def test_the_scale_bar_is_true(window: webdriver.Chrome) -> None:
    window.find_element(By.ID, "map").send_keys("+", "+", "+")
    drawn(window)
    places = stop_places(window)
    (x1, y1), (x2, y2) = places["Denver, CO"], places["Los Angeles, CA"]
    # Denver lies 1,338 km from Los Angeles as the crow flies, both close to the middle latitude.
    assert np.hypot(x1 - x2, y1 - y2) * km_on_scale(window) == pytest.approx(1338, rel=0.06)


def test_the_wheel_zooms_where_it_points(window: webdriver.Chrome) -> None:
    canvas = window.find_element(By.TAG_NAME, "canvas")
    before, km_before = stop_places(window), km_on_scale(window)
    x, y = before["Denver, CO"]
    window.execute_script(
        "document.querySelector('canvas').dispatchEvent(new WheelEvent('wheel',"
        " {deltaY: -250, clientX: arguments[0], clientY: arguments[1], bubbles: true, cancelable: true}))",
        canvas.rect["x"] + x,
        canvas.rect["y"] + y,
    )
    drawn(window)
    after = stop_places(window)
    assert after["Denver, CO"] == pytest.approx(before["Denver, CO"], abs=1.5)  # events have whole pixels
    assert after["New York, NY"][0] - x == pytest.approx(2 * (before["New York, NY"][0] - x), abs=2)
    assert km_on_scale(window) == pytest.approx(km_before / 2, rel=0.05)


def test_a_real_wheel_zooms_out(window: webdriver.Chrome) -> None:
    before = km_on_scale(window)
    canvas = window.find_element(By.TAG_NAME, "canvas")
    ActionChains(window).move_to_element(canvas).perform()
    ActionChains(window).scroll_by_amount(0, 200).perform()
    ActionChains(window).scroll_from_origin(
        webdriver.common.actions.wheel_input.ScrollOrigin.from_element(canvas), 0, 200
    ).perform()
    drawn(window)
    assert km_on_scale(window) > 1.4 * before


def test_dragging_moves_the_map(window: webdriver.Chrome) -> None:
    before, route_before = stop_places(window), np.array(pixels(window, "--route"))
    canvas = window.find_element(By.TAG_NAME, "canvas")
    ActionChains(window).move_to_element(canvas).click_and_hold().move_by_offset(60, 40).release().perform()
    drawn(window)
    for name, (x, y) in stop_places(window).items():
        assert (x, y) == pytest.approx((before[name][0] + 60, before[name][1] + 40), abs=0.5)
    moved = np.array(pixels(window, "--route"))
    assert moved[:, 1].min() == pytest.approx(route_before[:, 1].min() + 40, abs=2)


def test_two_fingers_zoom(window: webdriver.Chrome) -> None:
    before = stop_places(window)
    window.execute_script(
        """
        const canvas = document.querySelector("canvas"), frame = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};  // made-up pointers cannot be captured
        const send = (type, id, x) => canvas.dispatchEvent(new PointerEvent(type,
          {pointerId: id, clientX: frame.left + x, clientY: frame.top + 300, pointerType: "touch"}));
        send("pointerdown", 11, 400); send("pointerdown", 12, 500);
        send("pointermove", 11, 350); send("pointermove", 12, 550);
        send("pointerup", 11, 350); send("pointerup", 12, 550);
        delete canvas.setPointerCapture;
        """
    )
    drawn(window)
    after = stop_places(window)

    def spread(places: dict[str, tuple[float, float]]) -> float:
        return places["New York, NY"][0] - places["Los Angeles, CA"][0]

    assert spread(after) == pytest.approx(2 * spread(before), rel=0.01)


def test_keys_and_buttons_move_and_zoom(window: webdriver.Chrome) -> None:
    frame = window.find_element(By.ID, "map")
    before, km_before = stop_places(window), km_on_scale(window)
    frame.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    drawn(window)
    assert stop_places(window)["Denver, CO"] == pytest.approx(
        (before["Denver, CO"][0] + 80, before["Denver, CO"][1] + 80), abs=0.5
    )
    frame.send_keys("0")
    drawn(window)
    assert stop_places(window)["Denver, CO"] == pytest.approx(before["Denver, CO"], abs=0.5)
    window.find_element(By.CSS_SELECTOR, "#zoom [data-zoom='2']").click()
    drawn(window)
    assert km_on_scale(window) == pytest.approx(km_before / 2, rel=0.05)


def test_a_leg_in_the_panel_shows_that_leg(window: webdriver.Chrome) -> None:
    before = km_on_scale(window)
    window.find_elements(By.CSS_SELECTOR, ".legs button")[1].click()
    drawn(window)
    places, canvas = stop_places(window), window.find_element(By.TAG_NAME, "canvas")
    assert km_on_scale(window) < 0.8 * before
    for name in ("Denver, CO", "Los Angeles, CA"):
        assert 0 < places[name][0] < canvas.size["width"] and 0 < places[name][1] < canvas.size["height"]


def test_labels_do_not_lie_on_each_other(window: webdriver.Chrome) -> None:
    boxes = [mark.rect for mark in window.find_elements(By.CSS_SELECTOR, ".stop b")]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = (
                a["x"] + a["width"] <= b["x"]
                or b["x"] + b["width"] <= a["x"]
                or a["y"] + a["height"] <= b["y"]
                or b["y"] + b["height"] <= a["y"]
            )
            assert apart


def embedded(page_text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page_text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def unpacked(packed: dict[str, str]) -> list[np.ndarray]:
    """Lines in degrees, read as map.js reads them."""
    starts = np.frombuffer(base64.b64decode(packed["starts"]), "<i4").reshape(-1, 2)
    steps = np.frombuffer(base64.b64decode(packed["steps"]), "<i2").reshape(-1, 2).astype(int)
    lines, used = [], 0
    for start, size in zip(starts, np.frombuffer(base64.b64decode(packed["sizes"]), "<u4"), strict=True):
        lines.append(np.cumsum([start, *steps[used : used + size - 1]], axis=0) * STEP_DEG)
        used += int(size) - 1
    assert used == len(steps)
    return lines


def test_every_road_near_the_route_is_drawn_exactly_once(graph: RoadGraph) -> None:
    route = plan(graph, "Boston", "Providence", round_trip=True)
    data = embedded(render_map(route, graph, title="Round trip"))
    for layer, of_class in (("roads", ~graph.freeway), ("freeways", graph.freeway)):
        drawn_pieces = [
            frozenset((tuple(a), tuple(b)))
            for line in unpacked(data[layer])
            for a, b in zip(np.round(line, 3).tolist(), np.round(line[1:], 3).tolist(), strict=False)
        ]
        west, south, east, north = data["box"]
        inside = (graph.lon > west) & (graph.lon < east) & (graph.lat > south) & (graph.lat < north)
        wanted = {
            frozenset(
                (round(float(graph.lon[node]), 3), round(float(graph.lat[node]), 3))
                for node in (graph.tail[edge], graph.head[edge])
            )
            for edge in np.flatnonzero(of_class & (inside[graph.tail] | inside[graph.head]))
        }
        assert wanted <= set(drawn_pieces)
        pairs = {
            frozenset(map(int, pair)) for pair in zip(graph.tail[of_class], graph.head[of_class], strict=True)
        }
        assert len(drawn_pieces) <= len(pairs)
    assert [stop["numbers"] for stop in data["stops"]] == [[1, 3], [2]]


def test_a_route_without_legs_is_refused(graph: RoadGraph, across: Route) -> None:
    with pytest.raises(ValueError, match="without legs"):
        render_map(across.model_copy(update={"legs": ()}), graph, title="x")
