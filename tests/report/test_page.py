"""The page holds what the audits found, as text that is nobody's markup but ours."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from pathlib import Path

import pytest

from tests.report.pages import HOSTILE, NAME, Page, parsed
from vilora_analysis import analysis
from vilora_analysis.audits import AUDITS, ask_runs
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import read_provenance
from vilora_analysis.report.tables import cell

OURS = {
    *("html", "head", "meta", "title", "style", "body", "a", "div", "nav", "details", "summary"),
    *("ol", "ul", "li", "main", "p", "button", "h1", "h2", "h3", "section", "dl", "dt", "dd"),
    *("span", "b", "code", "pre", "figure", "figcaption", "table", "caption", "thead", "tbody"),
    *("tr", "th", "td", "dialog", "script"),
    *("svg", "g", "path", "use", "defs", "clippath", "rect", "image"),
}


@pytest.fixture(scope="module")
def one(page: Path) -> Page:
    return parsed(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bad(hostile: Path) -> Page:
    return parsed(hostile.read_text(encoding="utf-8"))


def shown(page: Page) -> str:
    return page.all("body")[0].text


def test_every_verdict_note_and_question_is_there(run: Run, one: Page) -> None:
    text = " ".join(shown(one).split())
    answered = 0
    for asked in ask_runs([run], without=("bridges", "equilibria")):
        answer = asked.answer
        answered += bool(answer.verdict)
        assert asked.question in text
        for sentence in answer.verdict.split(". "):
            assert sentence in text
        for note in answer.notes:
            assert note.removeprefix("not asked: ") in text
    assert answered >= 4
    assert len(one.all("h3")) >= 6


def test_tables_hold_the_numbers_of_the_frames(run: Run, one: Page) -> None:
    tables = {caption: (heads, rows) for caption, heads, rows in one.tables()}
    frame = analysis.ranks(run)
    heads, rows = tables["ranks"]
    assert heads == list(frame.columns)
    assert rows == [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    # few rows of many columns lie on their side
    health = analysis.health(run).set_index("factor")
    heads, rows = tables["health"]
    assert heads == ["factor", *health.index]
    assert rows == [[name, *map(cell, health[name])] for name in health]


def test_a_table_too_long_for_a_page_names_its_file(run: Run, one: Page) -> None:
    points = analysis.theory_points(run)
    assert len(points) > 250
    text = shown(one)
    assert f"{len(points)} rows of {', '.join(points.columns)}" in text
    assert "a-run/theory_points.parquet" in text


def test_what_was_set_and_with_which_versions(run: Run, one: Page) -> None:
    rows = [tuple(row) for _, _, rows in one.tables() for row in rows]
    assert ("groups.0.ess", "1e+06") in rows
    assert ("seed", "7") in rows
    assert any(row[:2] == ("python", "3.11") for row in rows)
    assert any(row[0] == run.manifest.modules[0].name for row in rows)


def test_the_page_says_where_it_came_from(run: Run, page: Path, one: Page) -> None:
    made = read_provenance(page)
    assert made is not None
    assert made.runs == references([run])
    assert made.command[:2] == ("vilora", "report")
    assert all(line in shown(one) for line in made.lines())


def test_it_needs_nothing_beside_it(page: Path, one: Page) -> None:
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    ids = [e.attributes["id"] for e in one.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in one.elements:
        for name in ("href", "src", "srcset", "data", "action", "xlink:href"):
            target = element.attributes.get(name, "#zoom")
            assert target.startswith("data:image/png;base64,") or target[1:] in ids, target
        for target in re.findall(r"url\(([^)]*)\)", " ".join(element.attributes.values())):
            assert target[0] == "#"
            assert target[1:] in ids


def test_no_script_runs_but_the_one_whose_digest_the_policy_has(one: Page) -> None:
    (script,) = one.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = [
        e.attributes["content"]
        for e in one.all("meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"


@pytest.mark.parametrize("which", ["one", "bad"])
def test_all_elements_and_attributes_are_ours(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    assert {element.tag for element in page.elements} <= OURS
    assert len(page.all("script")) == len(page.all("style")) == len(page.all("title")) == 1
    assert len(page.comments) == 1
    names = {name for element in page.elements for name in element.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert len(page.all("h1")) == 1


def test_what_is_hostile_is_shown_as_text(bad: Page) -> None:
    text = shown(bad)
    for hostile in (*HOSTILE, NAME):
        assert hostile in text
    assert bad.all("title")[0].text == "<b>x</b></title>{{7*7}}"
    assert bad.all("h1")[0].text == "<b>x</b></title>{{7*7}}"


def test_several_runs_are_told_together_then_one_by_one(bad: Page) -> None:
    heads = [element.text for element in bad.all("h2")]
    assert heads == ["Summary", "All runs together", "Run by run", "Environment", "Provenance"]
    overview = next(bad.tables())
    assert overview[0] == "runs"
    assert [row[0] for row in overview[2]] == [NAME, "tame"]
    assert "0.8125" in overview[2][1]
    parts = [e for e in bad.all("details") if e.attributes.get("class") == "run"]
    assert ["open" in part.attributes for part in parts] == [True, False]


def test_figures_are_named_and_headings_leave_out_no_level(one: Page) -> None:
    cards = [e for e in one.elements if e.attributes.get("class") == "card"]
    assert len(cards) == len(one.all("svg")) >= 5
    assert all(card.attributes["aria-label"] for card in cards)
    levels = [int(e.tag[1]) for e in one.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all("scope" in e.attributes for e in one.all("th"))
    named = {e.attributes["aria-labelledby"] for e in one.all("section")}
    assert named <= {e.attributes.get("id") for e in one.elements}


def test_every_audit_has_its_place(one: Page) -> None:
    text = shown(one)
    assert all(audit.question in text for audit in AUDITS)
