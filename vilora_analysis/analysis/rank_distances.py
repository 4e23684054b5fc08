"""How far apart do two methods put their rank, and is that farther than two seeds of one are?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from vilora_analysis.analysis.claims.distances import distance, excess, random_ranks
from vilora_analysis.analysis.claims.statistics import holm, pairs_needed, smallest_p
from vilora_analysis.errors import ConfigError

__all__ = ["rank_distances", "rank_panels_verdict"]

_LEVEL = 0.05
_BLANK = dict.fromkeys(("excess", "p", "smallest_p"), math.nan)


def rank_distances(ranks: pd.DataFrame) -> pd.DataFrame:
    r"""Hold every two panels against each other, and against the seeds of one panel.

    The distance is the share of the rank that lies in other matrices (total variation,
    :math:`\frac12 \sum_m |p_m - p'_m|`), over all adapted matrices, the pooler's included.

    Parameters
    ----------
    ranks
        As :func:`vilora_analysis.analysis.panel_ranks` gives it, of one step.

    Returns
    -------
    DataFrame
        A row a pair of panels, each with itself too: order_a, order_b, panel_a, panel_b; in percent
        of the rank equal_seeds (mean over runs of the same seed), other_seeds (mean over runs of
        different seeds; of a panel with itself that is how far its seeds are apart), between_seeds
        (the yardstick: mean of both panels with themselves), chance (of random sets of triplets);
        moved (triplets that equal_seeds, or of a panel with itself other_seeds, amounts to); seeds
        (that both have); excess (other_seeds less between_seeds, of the seeds that both have), its
        exact p by exchanging the methods, p_holm over all pairs, and the smallest p that so many
        seeds allow. NaN where there are too few seeds.

    Raises
    ------
    ConfigError
        If the frame holds several steps.
    """
    steps = ranks["step"].unique()
    if len(steps) != 1:
        raise ConfigError(f"distances are of one step, got {len(steps)}; choose rows of one")
    panels = {
        (int(rows["order"].iloc[0]), str(rows["panel"].iloc[0])): _by_seed(rows)
        for _, rows in ranks.groupby("order")
    }
    chance = _chance(ranks)
    budget = ranks.groupby(["order", "seed"], dropna=False)["rank"].sum().mean()
    names = [(a, b) for a in panels for b in panels if a[0] <= b[0]]
    rows = [_pair(a, b, panels[a], panels[b]) for a, b in names]
    frame = pd.DataFrame(rows).assign(chance=100 * chance)
    shown = frame["equal_seeds"].where(frame["order_a"] < frame["order_b"], frame["other_seeds"])
    frame["moved"] = shown * budget / 100
    frame["p_holm"] = holm(frame["p"].tolist())
    return frame


def rank_panels_verdict(distances: pd.DataFrame) -> str:
    """Say which panels are nearer to each other than seeds of one, and what cannot be told.

    Parameters
    ----------
    distances
        As :func:`rank_distances` gives it.

    Returns
    -------
    str
        One paragraph.
    """
    pairs = distances[distances["order_a"] < distances["order_b"]]
    if pairs.empty:
        return "One method only: there is nothing to compare its ranks with."
    told = pairs.dropna(subset=["equal_seeds"])
    if told.empty:
        return (
            "Cannot tell which methods put their rank alike: no two of them have a seed in common."
        )
    measured = told.dropna(subset=["between_seeds"])
    if measured.empty:
        return _one_seed(told)
    return f"{_nearer(measured)} {_beyond(measured)}"


def _one_seed(pairs: pd.DataFrame) -> str:
    ordered = pairs.sort_values("equal_seeds", kind="stable")
    least, most = _named(ordered.head(1)), _named(ordered.tail(1))
    return (
        "Cannot tell whether methods put their rank elsewhere than another seed would: there is "
        f"one seed of each. On that seed the nearest are {least}, the farthest {most}; random sets "
        f"are {pairs['chance'].mean():.1f}% apart."
    )


def _nearer(pairs: pd.DataFrame) -> str:
    """What changing the method does at one seed, beside what changing the seed does."""
    near = pairs[pairs["equal_seeds"] < pairs["between_seeds"]]
    ordered = near.sort_values("equal_seeds", kind="stable")
    seeds = (
        f"Seeds of one method put {pairs['between_seeds'].mean():.1f}% of the rank elsewhere "
        f"(random sets {pairs['chance'].mean():.1f}%)"
    )
    if ordered.empty:
        far = _named(pairs.sort_values("equal_seeds", kind="stable").head(1))
        return f"{seeds}; two methods on one seed always more, the least {far}."
    count = f"{len(near)} of {len(pairs)} pairs of methods on one seed less"
    if len(near) == len(pairs):
        count = f"any two of {_count(pairs)} methods on one seed less"
    return f"{seeds}; {count}: {_listed(ordered)}."


def _beyond(pairs: pd.DataFrame) -> str:
    """What the exact test can say of more than these seeds."""
    seeds, level = int(pairs["seeds"].max()), _LEVEL / len(pairs)
    least = smallest_p(seeds)
    if least > level:
        return (
            f"Whether any two differ beyond seeds cannot be told: {seeds} seeds allow no p below "
            f"{least:.2g}; {pairs_needed(level)} seeds are the fewest that could, for "
            f"{_plural(len(pairs), 'pair')} at {_LEVEL:g}."
        )
    apart = pairs[pairs["p_holm"] <= _LEVEL].sort_values("excess", ascending=False, kind="stable")
    if apart.empty:
        return (
            f"Of none can it be shown that they differ beyond seeds ({seeds} seeds, least p "
            f"{pairs['p'].min():.2g}, {pairs['p_holm'].min():.2g} after Holm)."
        )
    return f"Beyond seeds (exact test, Holm, {seeds} seeds) differ {_listed(apart)}."


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _count(pairs: pd.DataFrame) -> int:
    return len({*pairs["panel_a"], *pairs["panel_b"]})


def _listed(pairs: pd.DataFrame) -> str:
    more = f" and {len(pairs) - 4} more" if len(pairs) > 4 else ""
    return f"{'; '.join(_named(pairs[at : at + 1]) for at in range(min(4, len(pairs))))}{more}"


def _named(pair: pd.DataFrame) -> str:
    row = pair.iloc[0]
    return f"[{row['panel_a']}] and [{row['panel_b']}] ({row['equal_seeds']:.1f}%)"


def _by_seed(rows: pd.DataFrame) -> dict[object, np.ndarray]:
    """Ranks by matrix of each seed, in one order of the matrices; whose seed is not said is one."""
    seeds = rows["seed"].astype(object).where(rows["seed"].notna(), "unsaid")
    table = rows.assign(seed=seeds).pivot_table("rank", "module", "seed", aggfunc="first")
    return {seed: table[seed].to_numpy() for seed in table}


def _pair(
    a: tuple[int, str],
    b: tuple[int, str],
    of_a: Mapping[object, np.ndarray],
    of_b: Mapping[object, np.ndarray],
) -> dict[str, object]:
    shared = [seed for seed in of_a if seed in of_b]
    row: dict[str, object] = {"order_a": a[0], "order_b": b[0], "panel_a": a[1], "panel_b": b[1]}
    row["equal_seeds"] = _mean(distance(of_a[seed], of_b[seed]) for seed in shared)
    row["other_seeds"] = _apart(of_a, of_b)
    row["between_seeds"] = (_apart(of_a, of_a) + _apart(of_b, of_b)) / 2
    row["seeds"] = len(shared)
    if a == b or len(shared) < 2:
        return {**row, **_BLANK}
    outcome = excess([of_a[seed] for seed in shared], [of_b[seed] for seed in shared])
    return {**row, "excess": outcome.effect, "p": outcome.p, "smallest_p": outcome.smallest_p}


def _apart(of_a: Mapping[object, np.ndarray], of_b: Mapping[object, np.ndarray]) -> float:
    """Mean distance between runs of different seeds."""
    others = itertools.product(of_a.items(), of_b.items())
    return _mean(distance(x, y) for (i, x), (j, y) in others if i != j)


def _mean(values: Iterable[float]) -> float:
    found = [100 * value for value in values]
    return float(np.mean(found)) if found else math.nan


def _chance(ranks: pd.DataFrame) -> float:
    """Mean distance of two random sets of as many triplets."""
    first = ranks.drop_duplicates("module")  # the rows of one run
    drawn = random_ranks(first["init_rank"].to_numpy(), int(first["rank"].sum()))
    return float(np.mean([distance(x, y) for x, y in zip(drawn[::2], drawn[1::2], strict=True)]))
