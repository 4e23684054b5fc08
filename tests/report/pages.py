"""Runs to report of, and pages taken apart by the standard library's parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.log.synthetic import decision, modules, write_posterior_run
from vilora_analysis.log import Run, open_run

GROUP = {
    "lr": 0.1,
    "beta1": 0.9,
    "beta2": 0.99,
    "ess": 1e6,
    "hess_init": 0.1,
    "weight_decay": 1e-4,
    "mc_samples": 1,
    "clip_radius": 0.1,
}
HOSTILE = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "</script><script>window.hit=1</script>",
    "--><svg onload=window.hit=1>",
    "{{7*7}}{% raw %}",
    "' onmouseover='window.hit=1",
    "</style></title></dialog><b>bold</b>&lt;&amp;",
    "]]><!--",
)
NAME = '"><img src=x onerror=window.hit=1>{{7*7}}'  # no slash: it is a folder's name
VOID = {"meta", "link", "img", "br", "hr", "input"}


def posterior_run(path: Path, **changes: Any) -> Run:
    """A small run of IVON that decided twice."""
    known: dict[str, Any] = {
        "events": [decision(step, n_kept=12) for step in (3, 5)],
        "optimizer": {"name": "IVON", "groups": [GROUP]},
        "recorder": {"fisher_beta": 0.99},
        "config": {"task": "toy", "seed": 7, "method": "adalora"},
        "results": {"accuracy": 0.8125, "budget_kept": 12},
    }
    return open_run(write_posterior_run(path, **{**known, **changes}).path)


def hostile_run(path: Path) -> Run:
    """A run whose every text is markup."""
    run = posterior_run(
        path,
        rows=tuple(
            replace(row, name=f"{row.name}{HOSTILE[i % len(HOSTILE)]}", matrix=HOSTILE[i % 3])
            for i, row in enumerate(modules())
        ),
        config={
            **dict(zip(("task", "seed", "method", "model", "preset"), HOSTILE, strict=False)),
            **{text: {text: [text, {text: text}]} for text in HOSTILE},
        },
        results={HOSTILE[1]: 0.5, HOSTILE[2]: HOSTILE[3]},
        versions={HOSTILE[0]: HOSTILE[1], "python": HOSTILE[2]},
        run_id=HOSTILE[5],
    )
    known = run.manifest
    scores = tuple(
        replace(row, label=HOSTILE[i], equation=HOSTILE[i + 1], source=HOSTILE[i + 2])
        for i, row in enumerate(known.scores)
    )
    replace(known, scores=scores).save(run.path)
    return open_run(run.path)


@dataclass
class Element:
    """What a parser saw of an element; ``text`` is all text within it."""

    tag: str
    attributes: dict[str, str]
    within: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements of a page in their order, and its comments."""

    elements: list[Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        within = tuple(element.tag for element in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, within)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open, f"nothing is open at </{tag}>"
            closed = self._open.pop()
            assert closed.tag == tag, f"</{tag}> closes {closed.tag}"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def tables(self) -> Iterator[tuple[str, list[str], list[list[str]]]]:
        """Caption, heads and rows of each."""
        at = -1
        found: list[tuple[str, list[str], list[list[str]]]] = []
        for element in self.elements:
            if element.tag == "table":
                found.append(("", [], []))
                at += 1
            elif element.tag == "caption":
                found[at] = (element.text, *found[at][1:])
            elif element.tag == "th":
                found[at][1].append(element.text)
            elif element.tag == "tr" and "tbody" in element.within:
                found[at][2].append([])
            elif element.tag == "td":
                found[at][2][-1].append(element.text)
        return iter(found)


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page
