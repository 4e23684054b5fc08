"""Can anything about uncertainty be read into this run? The health of its posterior, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from vilora_analysis.analysis.health import has_health, health
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run

__all__ = ["Verdict", "posterior_facts", "verdict"]

_UNIFORM_PAIRS, _UNIFORM_CV = 0.01, 0.1
_INFORMATIVE_PAIRS, _FOLLOWS, _MOSTLY_INITIAL = 0.1, 0.5, 0.5
_AS_MAGNITUDE = 0.99


@dataclass(frozen=True)
class Verdict:
    """What may be said of uncertainty in a run.

    Attributes
    ----------
    level
        ``uniform``: sigma is the same everywhere; ``informative``: it differs, and with the data;
        ``partly``: neither holds of every factor.
    sentences
        The same to quote, with the numbers it rests on.
    """

    level: Literal["uniform", "partly", "informative"]
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict(frame: pd.DataFrame) -> Verdict:
    """Judge one step of a run.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.health` gives it.

    Raises
    ------
    ConfigError
        If the frame is not of one step.

    Notes
    -----
    A factor is **uniform** if sigma outweighs abs(mu) in fewer than 1 pair in 100, so that dividing
    by it turns at most those, and its coefficient of variation is below 0.1 (it might vary much and
    yet follow abs(mu), which turns no pair either). It is **informative** if

    - sigma outweighs abs(mu) in 1 pair in 10 or more: with logarithms normal and independent, log
      sigma then varies 0.16 times as much as log abs(mu), and half of these pairs change order;
    - the initial value makes up no more than half of h;
    - h ranks as the squared gradient does, Spearman 0.5 or more. What varies without that may be
      the noise of the estimate of h: each step adds noise times gradient, of one sample. With a
      Hessian that had hardly moved it was -0.1 to 0.24 in a recorded run, with one that had, 0.87.

    A run is what all its factors are, else **partly** informative. The rate of clip hits is said,
    not judged: it concerns how mu moved.
    """
    factors = frame[frame["factor"] != "all"]
    totals = frame[frame["factor"] == "all"]
    if len(totals) != 1 or factors.empty:
        raise ConfigError(
            f"expected the health of one step, with a row a factor and one of all; got steps "
            f"{', '.join(map(str, frame['step'].unique())) or 'none'}; choose the rows of one"
        )
    factors, whole = factors.set_index("factor"), totals.iloc[0]
    clipped = _clipped(whole)
    if _uniform(factors).all():
        said = (
            f"sigma is uniform (coefficient of variation {_range(factors['sigma_cv'], '.2g')}"
            f"{_initial(factors)}): {_ranking(whole)}{_between(whole)}; nothing in this run speaks "
            "for or against uncertainty."
        )
        return Verdict("uniform", (said, clipped))
    doubts = "; ".join(_doubts(factors))
    if doubts:
        said = f"sigma carries information in part only: {doubts}; {_ranking(whole)}."
        return Verdict("partly", (said, clipped))
    said = (
        f"sigma carries information (coefficient of variation {_range(factors['sigma_cv'], '.2g')}"
        f"{_initial(factors)}; Spearman of h and squared gradient "
        f"{_range(factors['hess_fisher'], '.2f')}): {_ranking(whole)}."
    )
    return Verdict("informative", (said, clipped))


def posterior_facts(run: Run) -> dict[str, str]:
    """What a run's summary says of its posterior; nothing if it has none."""
    try:
        return {"posterior": str(verdict(health(run)))} if has_health(run) else {}
    except LogError as error:
        return {"posterior": f"cannot be judged: {error}"}


def _uniform(factors: pd.DataFrame) -> pd.Series:
    outweighs = factors["sigma_outweighs"] >= _UNIFORM_PAIRS  # not if no two |mu| differ
    return ~outweighs & (factors["sigma_cv"] < _UNIFORM_CV)


def _doubts(factors: pd.DataFrame) -> Iterator[str]:
    """Why sigma is not informative, and in which factors."""
    uniform = _uniform(factors)
    varied, pairs, follows = (
        factors[~uniform],
        factors["sigma_outweighs"][~uniform],
        factors["hess_fisher"][~uniform],
    )
    reasons: list[tuple[str, pd.Series, str]] = [
        ("it is uniform (coefficient of variation {})", factors["sigma_cv"][uniform], ".2g"),
        ("no two |mu| differ", pairs[pairs.isna()], "g"),
        (
            "it differs more than |mu| in only {} of the pairs",
            pairs[pairs < _INFORMATIVE_PAIRS],
            "%",
        ),
        (
            "{} of h is still its initial value",
            varied["initial_share"][varied["initial_share"] > _MOSTLY_INITIAL],
            "%",
        ),
        ("h or the squared gradient is constant", follows[follows.isna()], "g"),
        (
            "h does not follow the squared gradient (Spearman {})",
            follows[follows < _FOLLOWS],
            ".2f",
        ),
    ]
    for words, values, how in reasons:
        if len(values):
            yield f"in {', '.join(values.index)} {words.format(_range(values, how))}"


def _ranking(whole: pd.Series) -> str:
    value = whole["snr_mean_abs"]
    if np.isnan(value):
        return "how snr ranks beside the magnitude is not known, a score is constant or not there"
    if value >= _AS_MAGNITUDE:
        return f"snr ranks the triplets as the magnitude does (Spearman {value:.3f})"
    return f"snr ranks the triplets otherwise than the magnitude does (Spearman {value:.3f})"


def _between(whole: pd.Series) -> str:
    """Sigma may be the same within each factor, and still weigh one against the other."""
    otherwise = whole["snr_mean_abs"] < _AS_MAGNITUDE
    return ", only because sigma differs from factor to factor" if otherwise else ""


def _clipped(whole: pd.Series) -> str:
    rate = whole["clip_rate"]
    if np.isnan(rate):
        return "How many elements hit the clip radius was not recorded."
    said = f"{_percent(rate)} of the elements hit the clip radius in this step."
    return said[0].upper() + said[1:]


def _initial(factors: pd.DataFrame) -> str:
    shares = factors["initial_share"].dropna()
    return f"; {_percent(shares.median())} of h is still its initial value" if len(shares) else ""


def _percent(share: float) -> str:
    """Whole percents, and all there is at most: h may have shrunk below its initial value.

    Examples
    --------
    >>> _percent(0.503), _percent(1.004), _percent(0.0002), _percent(0)
    ('50%', '100%', 'under 1%', '0%')
    """
    return "under 1%" if 0 < share < 0.005 else f"{100 * min(share, 1):.0f}%"


def _range(values: pd.Series, how: str) -> str:
    low, high = (
        _percent(v) if how == "%" else format(v, how) for v in (values.min(), values.max())
    )
    return low if low == high else f"{low} to {high}"
