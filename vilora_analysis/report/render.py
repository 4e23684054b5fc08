"""From what was found to one HTML file; templates, style and script lie in ``page/``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from vilora_analysis.provenance import comment, current
from vilora_analysis.report.findings import Finding
from vilora_analysis.report.tables import Table

__all__ = ["RunPart", "render"]

_MARKS = {"good": "✓", "mixed": "◐", "bad": "✕", "plain": "•"}


@dataclass(frozen=True)
class RunPart:
    """What the page says of one run.

    Attributes
    ----------
    name, anchor
        Its name, and the id of its part.
    line
        What came out, in a line.
    facts
        What to know of it first.
    findings
        In the order of the page.
    configuration
        All that was set.
    """

    name: str
    anchor: str
    line: str
    facts: Mapping[str, str]
    findings: Sequence[Finding]
    configuration: Sequence[Table]


def render(
    title: str,
    runs: Sequence[RunPart],
    together: Sequence[Finding],
    overview: Table,
    environment: Table,
    shared: Mapping[str, str],
) -> str:
    """Put the page together.

    All that is not markup of this package is escaped where it stands; the policy in the page's head
    lets no script run but the page's own, which it knows by its digest, and loads nothing.

    Parameters
    ----------
    title
        Of the page.
    runs
        A part for each; one alone has no part but the page.
    together
        What was asked of all.
    overview
        A row a run.
    environment
        Versions.
    shared
        What is the same in all runs.
    """
    script, style = _asset("report.js"), _asset("report.css")
    return (
        _environment()
        .get_template("report.jinja")
        .render(
            title=title,
            runs=runs,
            alone=runs[0] if len(runs) == 1 else None,
            together=list(together),
            overview=overview,
            environment=environment,
            shared=shared,
            made=current(),
            comment=Markup(comment()),
            marks=_MARKS,
            policy=_policy(script),
            script=Markup(script),
            style=Markup(style),
        )
    )


def _policy(script: str) -> str:
    """Nothing is loaded, and nothing runs but the script of this very text.

    Styles are inline in every figure. CSP level 3, https://www.w3.org/TR/CSP3/.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    return files("vilora_analysis.report").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("vilora_analysis.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
