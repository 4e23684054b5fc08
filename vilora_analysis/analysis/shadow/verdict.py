"""The overlap of shadow allocations in one sentence."""

from __future__ import annotations

import pandas as pd

from vilora_analysis.analysis.shadow.sets import ACTUAL
from vilora_analysis.errors import ConfigError

__all__ = ["shadow_verdict", "stability_verdict"]

_LEVEL = 0.05
_NAMED = 3


def shadow_verdict(frame: pd.DataFrame) -> str:
    """Say which scores keep the same triplets beyond chance, and which do not.

    A pair agrees beyond chance if the hypergeometric test says so at 5%, Bonferroni's correction
    over all pairs made. The set that was kept itself counts only where there is one score.

    Parameters
    ----------
    frame
        As :func:`overlap` gives it, of one group. Of two steps both are spoken of, of more the
        latest.

    Returns
    -------
    str
        One sentence; in brackets Jaccard's index of the kept sets, and how far it is from chance
        (0) to identity (1).

    Raises
    ------
    ConfigError
        If the frame is empty or holds several groups.
    """
    groups = frame["group"].unique()
    if len(groups) != 1:
        raise ConfigError(
            f"expected the overlap of one group, got {', '.join(map(str, groups)) or 'none'}; "
            "choose the rows of one, as in frame[frame['group'] == ...]"
        )
    steps = sorted(frame["step"].unique())
    spoken = steps if len(steps) == 2 else steps[-1:]
    said = "; ".join(_clause(frame[frame["step"] == step]) for step in spoken)
    return f"{said[0].upper()}{said[1:]}."


def stability_verdict(frame: pd.DataFrame) -> str:
    """Say which score gives its rank to the same modules whatever the seed, and which does not.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.stability` gives it; ``ranks`` is what is spoken of,
        since which triplet of a module is the first means nothing from one seed to another.
    """
    # the random control is a hash of step and triplet, the same whatever the seed
    own = ~frame["score"].isin([ACTUAL, "random"])
    ranks = frame[(frame["measure"] == "ranks") & own]
    ranks = ranks.dropna(subset="corrected").sort_values("corrected", ascending=False)
    if ranks.empty:
        return "nothing was pruned, so no seed could differ from another."
    first, last = ranks.iloc[0], ranks.iloc[-1]
    return (
        f"over {first['runs']} seeds {first['score']} gives its rank to the same modules most "
        f"({first['value']:.2f} shared, {first['corrected']:.2f} of the way from chance to "
        f"identity), {last['score']} least ({last['value']:.2f}, {last['corrected']:.2f})."
    )


def _clause(frame: pd.DataFrame) -> str:
    kept = frame[frame["measure"] == "kept"]
    scores = kept[(kept["score_a"] != ACTUAL) & (kept["score_b"] != ACTUAL)]
    kept = kept if scores.empty else scores
    step, n, size = (int(kept[column].max()) for column in ("step", "n", "size_a"))
    if kept["corrected"].isna().all():
        return f"at step {step} {size} of {n} triplets are kept, and no two scores could differ"
    agree = kept["p_value"] < _LEVEL / len(kept)
    near = kept[agree].sort_values("corrected", ascending=False, kind="stable")
    far = kept[~agree].sort_values("corrected", kind="stable")
    return (
        f"at step {step}, with {size} of {n} triplets kept and an overlap of "
        f"{kept['chance'].mean():.2f} expected of random sets, {len(near)} of {len(kept)} pairs "
        f"agree beyond chance{_between(near)}{_not(far)}"
    )


def _between(near: pd.DataFrame) -> str:
    """The pairs, or the ends of a longer list."""
    if len(near) <= _NAMED:
        return f": {_listed(near)}" if len(near) else ""
    return f", from {_pair(near.iloc[0])} to {_pair(near.iloc[-1])}"


def _not(far: pd.DataFrame) -> str:
    if far.empty:
        return ""
    more = f" and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
    return f", and no more than chance do {_listed(far.head(_NAMED))}{more}"


def _listed(pairs: pd.DataFrame) -> str:
    return ", ".join(_pair(row) for _, row in pairs.iterrows())


def _pair(row: pd.Series) -> str:
    beyond = f"{round(row['corrected'], 2) + 0.0:.2f}".replace("-", "−")
    return f"{row['score_a']} with {row['score_b']} ({row['value']:.2f}, {beyond})"
