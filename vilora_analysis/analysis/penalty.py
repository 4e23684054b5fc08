"""What rank does a penalty end at, and what does it keep, beside an exact budget?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.analysis.ranks import ranks
from vilora_analysis.analysis.shadow.agreement import beyond_chance, jaccard, random_jaccard, tail
from vilora_analysis.analysis.shadow.sets import highest
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["penalty_overlap", "rank_by_penalty"]

_RANKS = (
    *("run", "allocation", "criterion", "seed", "penalty", "budget", "step", "rank", "n_triplets"),
    *("lowest", "revived", "effective", "empty", "entropy", "metric", "value"),
)
_OVERLAP = (
    *("run", "allocation", "seed", "penalty", "when", "step", "score", "n", "size"),
    *("value", "chance", "corrected", "p_value"),
)


def rank_by_penalty(runs: Run | Iterable[Run], *, metric: str | None = None) -> pd.DataFrame:
    r"""Final rank and result of every run that allocated, by penalty or by budget.

    Parameters
    ----------
    runs
        Runs with an L1 penalty, and runs with a budget to hold them against; others are left out.
    metric
        Result to report; by default the first that the run's task has.

    Returns
    -------
    DataFrame
        One row a run: ``run``, ``allocation`` (l1 or budget), ``criterion``, ``seed``; ``penalty``
        in loss per unit of E, or ``budget`` in triplets, the other missing; ``step``, the last
        recorded one; ``rank``, the triplets kept after it, of ``n_triplets``; ``lowest``, the
        lowest rank after any decision, and ``revived``, how often a triplet came back;
        ``effective``, the participation number :math:`(\sum |E|)^2 / \sum E^2` of the values kept:
        how many equal ones would carry as much; ``empty``, the matrices that keep none;
        ``entropy`` of the shares of the rank that matrices have, over the logarithm of their
        number, 1 if they all have the same, missing at rank 0; ``metric``, and its ``value`` at the
        end, missing if there is none. Ordered by allocation, penalty, budget.

    Raises
    ------
    LogError
        If no run was allocated, or none recorded a step.
    """
    chosen = [run for run in _listed(runs) if _kind(run) is not None and len(run.steps)]
    if not chosen:
        raise LogError(
            "no run was allocated by penalty or by budget; train some with --allocation l1 and "
            "--l1-penalty, and some with a --criterion"
        )
    frame = pd.DataFrame([_row(run, metric) for run in chosen], columns=list(_RANKS))
    frame = frame.astype({"budget": "Int64", "seed": "Int64"})
    by = ["allocation", "penalty", "budget", "seed"]
    return frame.sort_values(by, ascending=[False, True, True, True], ignore_index=True)


def penalty_overlap(runs: Run | Iterable[Run]) -> pd.DataFrame:
    r"""Compare what each run kept at its end with what every recorded score would have kept.

    Each score keeps as many triplets as the run did. A value that was set to 0, or shrunk, looks
    small to most scores, so that at the end they agree with what was kept for that reason alone:
    rows with ``when`` = "before" take the scores of the last recorded step that no allocation had
    touched, rows with "end" those of the last recorded step.

    Parameters
    ----------
    runs
        Runs with a penalty; runs with a budget, for what a score's own run gives.

    Returns
    -------
    DataFrame
        ``run``, ``allocation``, ``seed``, ``penalty``, ``when``, ``step`` of the scores, ``score``,
        ``n`` triplets, ``size`` that both kept; Jaccard's index ``value``, its expectation
        ``chance`` for random sets of this size, ``corrected`` = (value - chance) / (1 - chance),
        missing where nothing or everything is kept, and ``p_value`` of the hypergeometric test.
    """
    rows = [
        row
        for run in _listed(runs)
        if _kind(run) is not None and len(run.steps)
        for row in _compared(run)
    ]
    return pd.DataFrame(rows, columns=list(_OVERLAP))


def _listed(runs: Run | Iterable[Run]) -> list[Run]:
    return [runs] if isinstance(runs, Run) else list(runs)


def _l1(run: Run) -> Mapping[str, Any]:
    found = run.manifest.recorder.get("l1")
    return found if isinstance(found, Mapping) else {}


def _kind(run: Run) -> str | None:
    if _l1(run):
        return "l1"
    return None if run.manifest.criterion is None else "budget"


def _keys(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "allocation": _kind(run),
        "seed": run.manifest.config.get("seed"),
        "penalty": _l1(run).get("penalty", np.nan),
    }


def _row(run: Run, metric: str | None) -> dict[str, Any]:
    kept = ranks(run)
    results = run.manifest.results
    name = metric or next((n for n in results if n != "budget_kept"), None)
    schedule = run.manifest.recorder.get("schedule") or {}
    events, rank = run.events(), int(kept["rank"].sum())
    return {
        **_keys(run),
        "criterion": run.manifest.criterion or "none",
        "budget": schedule.get("target_budget"),
        "step": int(kept["step"].iloc[0]),
        "rank": rank,
        "lowest": int(min([rank, *events["n_kept"]])),
        "revived": sum(map(len, events["revived"])),
        "effective": _effective(run),
        "n_triplets": run.manifest.n_triplets,
        "empty": int((kept["rank"] == 0).sum()),
        "entropy": _entropy(kept["rank"].to_numpy(dtype=float)),
        "metric": name,
        "value": float(results.get(name, np.nan)) if name else np.nan,
    }


def _effective(run: Run) -> float:
    """Participation number of the values kept; missing where the values were not recorded."""
    if "mu_E" not in run.columns:
        return np.nan
    last = run.triplets(["mu_E", "kept"], -1)
    size = last.loc[last["kept"], "mu_E"].abs().to_numpy(dtype=float)
    return float(size.sum() ** 2 / (size**2).sum()) if size.any() else 0.0


def _entropy(counts: np.ndarray) -> float:
    """Shannon's entropy of shares, over its maximum."""
    total = counts.sum()
    if total == 0 or len(counts) < 2:
        return np.nan
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum() / math.log(len(counts))) + 0.0


def _compared(run: Run) -> Iterable[dict[str, Any]]:
    kept = run.triplets(["kept"], -1)["kept"].to_numpy(dtype=bool)
    n, size = len(kept), int(kept.sum())
    chance = float(random_jaccard(n, np.array([size]), np.array([size]))[0])
    steps = {"before": _untouched(run), "end": int(run.steps[-1])}
    for when, step in steps.items():
        if step is None:
            continue
        scores = run.triplets([f"score.{name}" for name in run.score_names], step)
        for name in run.score_names:
            would = highest(scores[f"score.{name}"].to_numpy(), np.array(size))
            shared = np.array([(would & kept).sum()])
            value = float(jaccard(shared, np.array([size]), np.array([size]))[0])
            yield {
                **_keys(run),
                "when": when,
                "step": step,
                "score": name,
                "n": n,
                "size": size,
                "value": value,
                "chance": chance,
                "corrected": float(beyond_chance(np.array(value), np.array(chance))),
                "p_value": float(tail(n, shared, np.array([size]), np.array([size]))[0]),
            }


def _untouched(run: Run) -> int | None:
    """Last recorded step whose scores no allocation had touched; they are taken before its own."""
    schedule = run.manifest.recorder.get("schedule") or {}
    began = _l1(run).get("start", schedule.get("tinit"))
    before = run.steps[run.steps <= began + 1] if began is not None else run.steps[:0]
    return int(before[-1]) if len(before) else None
