"""``report``: ask every audit of some runs, and show the answers in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from vilora_analysis.audits import Asked, ask_runs
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run, references
from vilora_analysis.log.parts import replace_bytes
from vilora_analysis.provenance import recorded
from vilora_analysis.report.findings import TOGETHER, Finding, finding, in_order
from vilora_analysis.report.overview import (
    configuration,
    environment,
    facts,
    results,
    runs_table,
    shared,
)
from vilora_analysis.report.render import RunPart, render
from vilora_analysis.report.tables import cell

__all__ = ["report_page", "write_report"]

_MOST_ROWS, _MOST_ROWS_OF_MANY, _MANY = 250, 60, 4

Watch = Callable[[Iterable[Asked]], Iterable[Asked]]


def report_page(
    runs: Sequence[Run],
    title: str = "",
    *,
    executor: Executor | None = None,
    watch: Watch = iter,
) -> str:
    """Audit runs, and give the page of what was found.

    Parameters
    ----------
    runs
        Recorded runs of different names.
    title
        Of the page; by default it names the run, or how many.
    executor
        Who draws the figures while further audits are asked; if None, they are drawn afterwards.
    watch
        Passes the answers on as they come, to show how far it is.

    Returns
    -------
    str
        HTML that needs nothing beside it. The same for the same runs, as long as
        ``SOURCE_DATE_EPOCH`` says what time it is.

    Raises
    ------
    ConfigError
        If two runs have the same name.
    LogError
        If there are no runs, or one cannot be read.
    """
    if not runs:
        raise LogError("a report needs at least one run")
    with recorded(references(runs)):
        found = _findings(runs, executor, watch)
        anchors = [_anchor(place) for place in range(1, len(runs) + 1)]
        parts = [_part(run, at, found[run.name]) for run, at in zip(runs, anchors, strict=True)]
        return render(
            title or _title(runs),
            parts,
            found[""],
            runs_table(runs, anchors, {run.name: _posterior(found[run.name]) for run in runs}),
            environment(runs),
            shared(runs),
        )


def write_report(
    runs: Sequence[Run],
    out: Path,
    title: str = "",
    *,
    executor: Executor | None = None,
    watch: Watch = iter,
) -> Path:
    """Write the page of :func:`report_page`; a file that is there is replaced once it is whole.

    Raises
    ------
    ConfigError
        If two runs have the same name.
    LogError
        If there are no runs, or one cannot be read, or the file cannot be written.
    """
    _refuse_unwritable(out)
    page = report_page(runs, title, executor=executor, watch=watch)
    # a name of a directory may hold what is no text
    replace_bytes(out, page.encode("utf-8", "backslashreplace"))
    return out


def _refuse_unwritable(out: Path) -> None:
    """Before anything is asked rather than after."""
    if out.is_dir():
        raise LogError(f"cannot write {out}: it is a folder; name a file, as in -o report.html")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(f"cannot write {out}: {error.strerror or error}") from None


def _findings(
    runs: Sequence[Run], executor: Executor | None, watch: Watch
) -> dict[str, list[Finding]]:
    """By run, empty for all together; each in the order of the page."""
    without = TOGETHER if len(runs) == 1 else ()
    most = _MOST_ROWS if len(runs) < _MANY else _MOST_ROWS_OF_MANY
    anchors = {run.name: _anchor(place) for place, run in enumerate(runs, start=1)}
    found: dict[str, list[Finding]] = {name: [] for name in ("", *anchors)}
    for asked in watch(ask_runs(runs, without=without)):
        where = anchors.get(asked.run, "all")
        anchor = f"{where}-{asked.audit.replace('_', '-')}"
        found[asked.run].append(finding(asked, anchor, most=most, executor=executor))
    # who draws begins with the first; from the last on, this process has nothing else to do now
    for one in reversed([one for own in found.values() for one in own]):
        for picture in reversed(one.pictures):
            picture.lend_a_hand()
    return {name: in_order(own) for name, own in found.items()}


def _anchor(place: int) -> str:
    return f"run-{place}"


def _part(run: Run, anchor: str, found: Sequence[Finding]) -> RunPart:
    line = ", ".join(f"{name} {cell(value)}" for name, value in results(run).items())
    return RunPart(run.name, anchor, line, facts(run), found, configuration(run))


def _posterior(found: Sequence[Finding]) -> str:
    signs = [one.sign for one in found if one.audit == "health" and one.sign]
    return signs[0].words if signs else "none"


def _title(runs: Sequence[Run]) -> str:
    return f"Audit of {runs[0].name}" if len(runs) == 1 else f"Audit of {len(runs)} runs"
