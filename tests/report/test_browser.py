"""The page in a real browser: Debian's chromium without a head, driven by Selenium."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
webdriver = pytest.importorskip("selenium.webdriver")

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
DESK = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        if os.environ.get("VILORA_BROWSER") == "required":
            pytest.fail("chromium and chromedriver are required and not there")
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)  # named, so that none is looked for or loaded
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def opened(browser: Any, page: Path, device: dict[str, Any] = DESK) -> Any:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(page.as_uri())
    return browser


def script(browser: Any, text: str, *arguments: Any) -> Any:
    return browser.execute_script(f"return {text}", *arguments)


def complaints(browser: Any) -> list[dict[str, Any]]:
    logged: list[dict[str, Any]] = browser.get_log("browser")
    return logged


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_it_loads_from_a_file_without_a_word(
    which: str, browser: Any, request: pytest.FixtureRequest
) -> None:
    opened(browser, request.getfixturevalue(which))
    for details in browser.find_elements("css selector", "details:not([open])"):
        script(browser, "arguments[0].open = true", details)
    assert complaints(browser) == []
    assert script(browser, "window.hit ?? null") is None
    assert script(browser, "performance.getEntriesByType('resource').length") == 0
    assert script(browser, "document.documentElement.classList.contains('js')")


def test_what_is_hostile_makes_no_elements(browser: Any, hostile: Path) -> None:
    opened(browser, hostile)
    foreign = "img, iframe, object, embed, link, base, form, foreignObject"
    assert script(browser, f"document.querySelectorAll('{foreign}').length") == 0
    assert script(browser, "document.scripts.length") == 1
    marked = "[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some("
    assert script(browser, f"{marked}(a) => a.name.startsWith('on'))).length") == 0
    assert script(browser, "document.title") == "<b>x</b></title>{{7*7}}"


def test_the_policy_stops_a_script_that_gets_in_all_the_same(browser: Any, page: Path) -> None:
    opened(browser, page)
    browser.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<p id=\"in\" onclick=\"window.hit=1\">x');"
        "document.getElementById('in').click();"
        "const s = document.createElement('script'); s.textContent = 'window.hit=2';"
        "document.body.append(s);"
    )
    assert script(browser, "window.hit ?? null") is None
    assert any("Content Security Policy" in entry["message"] for entry in complaints(browser))


ROWS = "[...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1]].textContent)"


def test_a_header_sorts_numbers_as_numbers_and_turns_round(browser: Any, page: Path) -> None:
    opened(browser, page)
    table = unfolded(browser, "ranks")
    heads = table.find_elements("css selector", "thead th")
    for name in ("rank", "layer", "module"):
        at = [head.text for head in heads].index(name)
        before = script(browser, ROWS, table, at)
        states = []
        for expected in (ordered(before), ordered(before, down=True), before):
            heads[at].find_element("css selector", "button").click()
            assert script(browser, ROWS, table, at) == expected
            states.append(heads[at].get_attribute("aria-sort"))
        assert states == ["ascending", "descending", None]
    assert not table.find_elements("css selector", "th[aria-sort]")


def unfolded(browser: Any, caption: str) -> Any:
    """A table, once it can be seen."""
    named = f"(t) => t.caption.textContent === '{caption}'"
    table = script(browser, f"[...document.querySelectorAll('table')].find({named})")
    browser.execute_script("arguments[0].closest('details').open = true", table)
    return table


def ordered(texts: list[str], *, down: bool = False) -> list[str]:
    """By value, what is missing last either way."""
    there = [text for text in texts if text != "–"]
    numeric = all(text.replace("−", "-").lstrip("-").isdigit() for text in there)
    key = (lambda text: int(text.replace("−", "-"))) if numeric else str
    missing = [text for text in texts if text == "–"]
    return [*sorted(there, key=key, reverse=down), *missing]  # type: ignore[arg-type]


VALUES = ["10", "−2", "–", "9", "1e−12", "∞", "", "0.5", "−∞"]


def test_every_way_to_write_a_number_has_its_place(browser: Any, page: Path) -> None:
    opened(browser, page)
    table = unfolded(browser, "ranks")
    browser.execute_script(
        "arguments[0].tBodies[0].replaceChildren(...arguments[1].map((text) => {"
        "const row = document.createElement('tr'); row.insertCell().textContent = text;"
        "return row; }))",
        table,
        VALUES,
    )
    head = table.find_element("css selector", "th")
    head.find_element("css selector", "button").send_keys("\ue007")  # Enter
    expected = ["−∞", "−2", "1e−12", "0.5", "9", "10", "∞"]
    assert script(browser, ROWS, table, 0) == [*expected, "–", ""]
    head.find_element("css selector", "button").click()
    assert script(browser, ROWS, table, 0) == [*reversed(expected), "–", ""]


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_a_phone_need_not_scroll_sideways(
    which: str, browser: Any, request: pytest.FixtureRequest
) -> None:
    opened(browser, request.getfixturevalue(which), PHONE)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert script(browser, "innerWidth") == 390
    assert script(browser, "document.documentElement.scrollWidth") <= 390
    boxes = "[...document.querySelectorAll('.scroll')].filter((b) => b.scrollWidth > b.clientWidth)"
    assert script(browser, f"{boxes}.length") > 0  # wide tables move within their boxes
    assert script(browser, f"{boxes}.every((b) => b.tabIndex === 0)")


def test_a_figure_fills_the_screen_and_escape_puts_it_back(browser: Any, page: Path) -> None:
    opened(browser, page)
    card = browser.find_element("css selector", ".card")
    button = browser.find_element("css selector", ".card + .enlarge")
    button.send_keys("\ue007")
    assert script(browser, "document.getElementById('zoom').open")
    wide = "document.querySelector('#zoom svg').getBoundingClientRect().width"
    first = script(browser, wide)
    assert first > 700
    stage = browser.find_element("css selector", ".stage")
    stage.send_keys("+")
    assert script(browser, wide) == pytest.approx(1.4 * first, rel=1e-3)
    stage.send_keys("0")
    assert script(browser, wide) <= 1280
    stage.send_keys("\ue00c")  # Escape
    assert not script(browser, "document.getElementById('zoom').open")
    assert script(browser, "document.querySelectorAll('#zoom svg').length") == 0
    assert len(card.find_elements("css selector", "svg")) == 1
    assert script(browser, "document.activeElement === arguments[0]", button)
    card.click()
    assert script(browser, "document.getElementById('zoom').open")
    browser.find_element("css selector", "[data-act=close]").click()
    assert not script(browser, "document.getElementById('zoom').open")
    assert complaints(browser) == []


def test_dark_and_light_by_the_system_and_by_hand(browser: Any, page: Path) -> None:
    opened(browser, page)
    ground = "getComputedStyle(document.body).backgroundColor"
    toggle = browser.find_element("id", "theme")
    seen = []
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        seen.append(script(browser, ground))
    assert seen[0] != seen[1]
    toggle.click()
    assert script(browser, ground) == seen[0]
    toggle.click()
    assert script(browser, ground) == seen[1]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_link_to_a_closed_part_opens_it(browser: Any, hostile: Path) -> None:
    opened(browser, hostile)
    part = browser.find_element("id", "run-2")
    assert part.get_attribute("open") is None
    browser.find_element("css selector", ".contents a[href='#run-2']").click()
    assert part.get_attribute("open") is not None


def test_it_prints_with_what_is_folded_away(browser: Any, hostile: Path) -> None:
    opened(browser, hostile)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert script(browser, "[...document.querySelectorAll('details.run')].every((d) => d.open)")
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.find_element("id", "run-2").get_attribute("open") is None
