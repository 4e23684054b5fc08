"""Each claim of the paper against recorded runs: one row a test, with what it could have shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from vilora_analysis.analysis.claims.definition import Claim, Options, Question
from vilora_analysis.analysis.claims.judging import Outcome, Ruling, decide, examine
from vilora_analysis.analysis.claims.pairing import Bed, find_beds
from vilora_analysis.analysis.claims.paper import CLAIMS
from vilora_analysis.analysis.claims.statistics import holm, pairs_needed
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import Run

__all__ = ["COLUMNS", "claims"]

COLUMNS = (
    *("claim", "section", "text", "statement", "evidence", "task", "test", "n_pairs", "effect"),
    *("unit", "low", "high", "interval", "p", "p_holm", "smallest_p", "reference", "margin"),
    *("detectable", "verdict", "why", "remark", "remedy"),
)

_UNTESTED = Outcome("none", 0, np.nan, np.nan, np.nan, "", np.nan, np.nan, np.nan)


def claims(
    runs: Run | Iterable[Run],
    *,
    alpha: float = 0.05,
    margin: float = 0.5,
    metric: Literal["final", "best"] = "final",
) -> pd.DataFrame:
    """Judge the claims of the paper by recorded runs.

    Runs are paired by seed where they differ in nothing but what a claim compares. Differences are
    tested by flipping their signs, exactly; a verdict is

    - **supported** if the test shows the claim at the level alpha;
    - **not supported** if the data speak against it, or could have shown it four times out of five
      at the margin, and did not;
    - **underpowered** if they could not have: always so with five pairs or fewer at alpha 0.05,
      since 2/2^5 is 0.0625;
    - **not testable** if runs are missing, which ``remedy`` trains, or cannot speak to the claim.

    Parameters
    ----------
    runs
        Runs of several criteria and seeds, best those of ``vilora sweep claims``; one run alone
        answers for what its scores would have kept.
    alpha
        Two-sided level; one-sided tests are held against half of it, by doubling their p.
    margin
        Difference of the metric that does not matter, in percent points.
    metric
        Of the ``final`` model; or of the ``best`` evaluation, as in the paper, which may be from
        before the budget was reached and then says little about pruning.

    Returns
    -------
    DataFrame
        One row a test. ``claim``, ``section`` and ``text`` are the paper's, ``statement`` what is
        tested; ``evidence`` says whether runs were pruned by each criterion, or a score only tells
        what it would have kept; ``task``; ``test``; ``n_pairs``; ``effect`` in ``unit``, its
        ``low`` and ``high``, and what ``interval`` that is (``t`` where too few pairs leave the
        exact one unbounded; it decides nothing); ``p`` two-sided or doubled, ``p_holm`` after
        Holm's correction over all tests of the same task, ``smallest_p`` that so many pairs can
        give; ``reference`` and ``margin`` of the test; ``detectable``, the smallest effect or
        margin that this data would have shown; ``verdict``, each claim's own, before Holm; ``why``,
        ``remark``, ``remedy``. In ``attrs["notes"]`` is what was left out.

    Raises
    ------
    ConfigError
        If alpha is not between 0 and 1, the margin is not above 0, or the metric is unknown.
    LogError
        If no finished AdaLoRA run is among them, or a log is damaged.

    Notes
    -----
    Margins of what is no metric are fixed: 10% of the way from random sets to equal ones (overlap),
    2% of the rank (distance of rank distributions), what random sets lack of full evenness
    (entropy), 0.1 (Spearman), 5% around the claimed 10% (speed). Holm's correction is told, not
    judged by: each claim was stated beforehand, and has its verdict on its own.

    Where several tasks have runs, a row of all of them pools the pairs. It speaks of these tasks,
    not of tasks in general, and takes pairs of one seed on two tasks for independent.
    """
    options = _checked(Options(alpha, margin, metric))
    beds, notes = find_beds([runs] if isinstance(runs, Run) else runs)
    asked = [
        (claim, bed.label, bed.variant, question)
        for claim in CLAIMS
        for bed in beds
        for question in claim.ask(bed, options)
        # a bed of unpruned runs beside others is there for its oracle
        if bed.compares or not question.missing or not any(other.compares for other in beds)
    ]
    rows = [_row(claim, task, question, options) for claim, task, _, question in asked]
    rows += [_row(*pooled, options) for pooled in _pooled(asked)]
    frame = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    order = {claim.id: place for place, claim in enumerate(CLAIMS)}
    frame = frame.sort_values("claim", key=lambda ids: ids.map(order), kind="stable")
    frame = _corrected(frame.reset_index(drop=True), alpha)
    frame.attrs["notes"] = [*_metrics(beds, options), *notes]
    return frame


def _checked(options: Options) -> Options:
    if not 0 < options.alpha < 1:
        raise ConfigError(f"alpha is a level between 0 and 1, got {options.alpha:g}; 5% is 0.05")
    if not options.margin > 0:
        raise ConfigError(f"the margin is a difference above 0, got {options.margin:g} points")
    if options.metric not in ("final", "best"):
        raise ConfigError(
            f"the metric is that of the final or the best model, got {options.metric}"
        )
    return options


def _row(claim: Claim, task: str, question: Question, options: Options) -> dict[str, Any]:
    outcome, ruling = _judged(question, options)
    return {
        "claim": claim.id,
        "section": claim.section,
        "text": claim.text,
        "statement": question.statement,
        "evidence": question.evidence,
        "task": task,
        "test": outcome.test,
        "n_pairs": outcome.pairs,
        "effect": outcome.effect,
        "unit": question.unit,
        "low": outcome.low,
        "high": outcome.high,
        "interval": outcome.interval,
        "p": outcome.p,
        "smallest_p": outcome.smallest_p,
        "reference": question.reference,
        "margin": question.margin,
        "detectable": outcome.detectable,
        "verdict": ruling.verdict,
        "why": ruling.why,
        "remark": "" if question.missing else question.remark,
        "remedy": question.remedy,
    }


def _judged(question: Question, options: Options) -> tuple[Outcome, Ruling]:
    if question.missing or not (question.values or question.outcome):
        return _UNTESTED, Ruling("not testable", question.missing)
    rules: Any = {
        "kind": question.kind,
        "margin": question.margin,
        "reference": question.reference,
        "alpha": options.alpha,
    }
    values = [value for value in question.values if not math.isnan(value)]
    if not (values or question.outcome):
        return _UNTESTED, Ruling("not testable", "a constant score, or nothing was pruned")
    outcome = question.outcome or examine(values, **rules)
    if question.barred:
        # its effect is told, and no test of it: a p would be read
        return replace(outcome, p=np.nan), Ruling("not testable", question.barred)
    return outcome, decide(outcome, **rules)


def _pooled(
    asked: Sequence[tuple[Claim, str, str, Question]],
) -> Iterator[tuple[Claim, str, Question]]:
    """The pairs of all tasks together, where a test has pairs of several."""
    groups: dict[tuple[str, str, str], list[tuple[Claim, str, str, Question]]] = {}
    for claim, task, variant, question in asked:
        if question.values and not question.barred and not question.missing:
            key = (claim.id, question.statement, variant)
            groups.setdefault(key, []).append((claim, task, variant, question))
    for (_, _, variant), group in groups.items():
        if len(group) > 1:
            questions = [question for *_, question in group]
            values = tuple(value for question in questions for value in question.values)
            label = f"{len(group)} tasks" + (f" ({variant})" if variant else "")
            margin = float(np.mean([question.margin for question in questions]))
            yield (
                group[0][0],
                label,
                replace(questions[0], values=values, margin=margin, remark=""),
            )


def _corrected(frame: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Holm's correction over the tests of a task, and whether what is supported survives it."""
    frame["p_holm"] = frame.groupby("task", sort=False)["p"].transform(
        lambda p_values: pd.Series(holm(p_values.to_list()), index=p_values.index)
    )
    tests = frame.groupby("task", sort=False)["p"].transform("count")
    lost = (frame["verdict"] == "supported") & (frame["p_holm"] > alpha)
    columns = (frame["p_holm"], tests, frame["n_pairs"], lost, frame["why"])
    frame["why"] = [
        f"{why}; {_not_after_holm(p, count, pairs, alpha)}" if gone else why
        for p, count, pairs, gone, why in zip(*columns, strict=True)
    ]
    return frame[list(COLUMNS)]


def _not_after_holm(p: float, tests: int, pairs: int, alpha: float) -> str:
    needed = pairs_needed(alpha / tests)
    out_of_reach = f", for which it takes {needed} pairs" if pairs < needed else ""
    return f"not after Holm's correction over {tests} tests (p {p:.2g}){out_of_reach}"


def _metrics(beds: Sequence[Bed], options: Options) -> list[str]:
    names = {}
    for bed in beds:
        trial = next(iter(next(iter(bed.arms.values())).values()))
        names[bed.task] = f"{bed.task}: {options.metric} {trial.metric_name}, in percent points"
    return list(names.values())
