"""Do a run's recorded elements obey the identities that theory says are exact?

``docs/theory.md`` derives them. What is recorded is single precision, so "exact" means within a
stated bound on rounding; computed here in double precision, from the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from vilora_analysis.analysis.theory.folded_normal import snr_abs
from vilora_analysis.analysis.theory.ivon_settings import ivon_settings, unsettled
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["has_identities", "identities"]

_UNIT = 2.0**-24  # largest relative rounding of single precision
_SIGMA = 8 * _UNIT
"""Rounding of ess and δ, of their sum with h and its product: 4 units, halved by the root, 2; the
reciprocal root itself within 3 ulp, 6."""

_NEEDED = ("mu", "sigma", "hess")
_SETTINGS = ("ess", "weight_decay")


@dataclass(frozen=True)
class _Elements:
    """All elements of a factor at a step, in double precision; shape (elements,)."""

    mu: np.ndarray
    sigma: np.ndarray
    hess: np.ndarray
    ess: float
    decay: float

    @property
    def squared(self) -> np.ndarray:
        """snr², from mu and sigma."""
        return np.asarray((self.mu / self.sigma) ** 2)

    @property
    def obd(self) -> np.ndarray:
        return np.asarray(0.5 * self.hess * self.mu**2)


def has_identities(run: Run) -> bool:
    """Whether a run has element snapshots of a posterior, and tells the settings of its sigma."""
    return not unsettled(run, _SETTINGS) and len(run.elements(["step"])) > 0


def identities(run: Run, *, steps: Steps = None) -> pd.DataFrame:
    """Check each identity on every element of the recorded snapshots.

    Parameters
    ----------
    run
        A run of IVON recorded with ``elements_every``.
    steps
        Steps of snapshots; all if None.

    Returns
    -------
    DataFrame
        A row an identity, step and factor: identity, kind, step, factor, n (elements, or triplets
        of ``log``), ``error``, ``bound``, ``holds`` (error no larger than bound), ``kendall`` and
        ``ties``. By kind:

        - ``equality``: error is the largest relative difference of both sides, bound what single
          precision explains;
        - ``order``: error is the deepest inversion, how far a value lies, relatively, below an
          earlier one when sorted by snr; bound is what the weight decay explains: δ/h differs
          between elements, so snr and ½hθ² may disagree on pairs that are closer than it is (h can
          be negative where δ is large; such elements are left out).
          ``kendall`` is tau-b, ``ties`` counts elements tied with another in just one of the two;
        - ``log``: error is the largest relative difference between a column of the triplets table
          and the same reduced from the elements; bound grows with the length of the row, as that
          of a sum in single precision does. Without it a mu that is wrong in one place would go
          unseen, since it stands on both sides of every identity.

    Raises
    ------
    LogError
        If the run has no snapshots of mu, sigma and hess, or not of that step, or does not tell
        ess and weight_decay.
    """
    known = ivon_settings(run, _SETTINGS)
    there = run.elements(None, steps)
    missing = [name for name in _NEEDED if name not in there]
    if there.empty or missing:
        raise LogError(
            f"{run.path} has no element snapshots of {', '.join(missing or _NEEDED)}; record it "
            "with elements_every (vilora train --elements-every N)"
        )
    rows = []
    for (step, factor), group in there.groupby(["step", "factor"], sort=False, observed=True):
        at, which = int(str(step)), str(factor)
        mu, sigma, hess = (np.concatenate(list(group[n])).astype(float) for n in _NEEDED)
        elements = _Elements(mu, sigma, hess, known["ess"], known["weight_decay"])
        for found in (*_checked(elements), *_against_log(run, group, at, which)):
            rows.append({**found, "step": at, "factor": which})
    frame = pd.DataFrame(rows)
    frame["holds"] = frame["error"] <= frame["bound"]  # a NaN does not
    columns = ["identity", "kind", "step", "factor", "n", "error", "bound", "holds"]
    return frame[[*columns, "kendall", "ties"]]


def _checked(elements: _Elements) -> Iterator[dict[str, object]]:
    for name, sides in _EQUALITIES.items():
        left, right, bound = sides(elements)
        yield {
            "identity": name,
            "kind": "equality",
            "n": len(left),
            "error": _largest_difference(left, right),
            "bound": bound,
            "kendall": np.nan,
            "ties": np.nan,
        }
    for name, order in _ORDERS.items():
        by, values, bound = order(elements)
        yield {
            "identity": name,
            "kind": "order",
            "n": len(by),
            "bound": bound,
            **_order(by, values),
        }


_EQUALITIES: dict[str, Callable[[_Elements], tuple[np.ndarray, np.ndarray, float]]] = {
    "sigma = 1/sqrt(ess (h + δ))": lambda e: (
        e.sigma,
        1 / np.sqrt(e.ess * (e.hess + e.decay)),
        _SIGMA,
    ),
    "snr² = ess (h + δ) μ²": lambda e: (
        e.squared,
        e.ess * (e.hess + e.decay) * e.mu**2,
        2.01 * _SIGMA,
    ),
    "snr² = 2 ess·OBD + ess δ μ²": lambda e: (
        e.squared,
        2 * e.ess * e.obd + e.ess * e.decay * e.mu**2,
        2.01 * _SIGMA,
    ),
    "ln q(μ)/q(0) = ess·OBD + ½ ess δ μ²": lambda e: (
        0.5 * e.squared,
        e.ess * (e.obd + 0.5 * e.decay * e.mu**2),
        2.01 * _SIGMA,
    ),
}

_ORDERS: dict[str, Callable[[_Elements], tuple[np.ndarray, np.ndarray, float]]] = {
    "SNR(|θ|) ranks as snr": lambda e: (e.squared, snr_abs(np.sqrt(e.squared)), 1e-14),
    "½hθ² ranks as snr": lambda e: _where_curved(e),
}


def _where_curved(elements: _Elements) -> tuple[np.ndarray, np.ndarray, float]:
    """Where h > 0, snr² and ½hθ², and how far below an earlier one of these a later one may lie.

    As ½hθ² is snr²/(2 ess (1 + δ/h)), the later is at least (1 + least δ/h)/(1 + most δ/h) of it.
    """
    there = elements.hess > 0
    ratio = elements.decay / elements.hess[there]
    most, least = (float(ratio.max()), float(ratio.min())) if there.any() else (0.0, 0.0)
    bound = (most - least) / (1 + most) + 4.02 * _SIGMA
    return elements.squared[there], elements.obd[there], bound


def _largest_difference(left: np.ndarray, right: np.ndarray) -> float:
    same = left == right  # zeros on both sides too
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(same, 0.0, np.abs(left - right) / np.abs(right))
    return float(relative.max())


def _order(by: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Deepest inversion, tau-b, and elements that only one of the two ties."""
    sorted_values = values[np.lexsort((values, by))]
    highest = np.maximum.accumulate(sorted_values)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(highest == sorted_values, 0.0, 1 - sorted_values / highest)
    varied = len(by) > 1 and np.ptp(by) > 0 and np.ptp(values) > 0
    return {
        "error": float(depth.max(initial=0.0)),
        "kendall": float(stats.kendalltau(by, values).statistic) if varied else np.nan,
        "ties": float((_tied(by) != _tied(values)).sum()),
    }


def _tied(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _against_log(
    run: Run, group: pd.DataFrame, step: int, factor: str
) -> Iterator[dict[str, object]]:
    """The columns of the same instant in the triplets table, if they are there."""
    columns = {f"{name}_{factor}": name for name in _NEEDED} | {f"score.snr.{factor}": "snr"}
    columns = {column: name for column, name in columns.items() if column in run.columns}
    if step not in run.steps or not columns:
        return
    rows = run.triplets(["module", "k", *columns], step).set_index(["module", "k"])
    own = rows.loc[pd.MultiIndex.from_frame(group[["module", "k"]])]
    vectors = [_row(*values) for values in zip(*(group[name] for name in _NEEDED), strict=True)]
    longest = max(map(len, group["mu"]))
    for column, name in columns.items():
        reduced = np.array([_REDUCED[name](row) for row in vectors])
        logged = own[column].to_numpy(dtype=float)
        yield {
            "identity": f"logged {name} is that of the elements",
            "kind": "log",
            "n": len(own),
            "error": _largest_difference(logged if name != "mu" else np.abs(logged), reduced),
            "bound": (longest + 4) * _UNIT,
            "kendall": np.nan,
            "ties": np.nan,
        }


def _row(*values: np.ndarray) -> Mapping[str, np.ndarray]:
    return {n: np.asarray(v, dtype=float) for n, v in zip(_NEEDED, values, strict=True)}


_REDUCED: dict[str, Callable[[Mapping[str, np.ndarray]], float]] = {
    "mu": lambda row: float(np.sqrt((row["mu"] ** 2).mean())),
    "sigma": lambda row: float(np.sqrt((row["sigma"] ** 2).mean())),
    "hess": lambda row: float(row["hess"].mean()),
    "snr": lambda row: float((np.abs(row["mu"]) / row["sigma"]).mean()),
}
