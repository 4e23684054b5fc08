"""C3 by the oracle: does |mu| or 1/sigma know more of what the model loses without each triplet?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vilora_analysis.analysis.claims.definition import ORACLE, Question
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.oracle import has_oracle, oracle_effects
from vilora_analysis.analysis.variation import spearman
from vilora_analysis.log import Run

__all__ = ["by_oracle"]

_SCORES = ("mean_abs", "inverse_std")
_MARGIN = 0.1
_TARGETS = {
    "effect": "the signed change of the loss without each triplet",
    "moved": "how far single examples move without each triplet",
}


def by_oracle(bed: Bed) -> Iterator[Question]:
    """One run a seed, best one that was never pruned, so that the oracle answers for all triplets.

    Parameters
    ----------
    bed
        Runs that can be compared.

    Yields
    ------
    Question
        For the signed change of the loss, and for how far single examples move; nothing if the
        oracle was asked about no run.
    """
    runs = _asked(bed)
    for target, words in _TARGETS.items() if runs else ():
        found = [_agreements(run, target) for run in runs]
        by_mu, by_sigma = np.mean(found, axis=0)
        partly = sum(run.manifest.criterion is not None for run in runs)
        of_kept = f"; of {partly} runs only the triplets they kept" if partly else ""
        yield Question(
            f"|mu| ranks more like {words} than 1/sigma does",
            ORACLE,
            "superiority",
            "Spearman",
            _MARGIN,
            tuple(a - b for a, b in found),
            remark=f"|mu| {by_mu:.2f}, 1/sigma {by_sigma:.2f}{of_kept}",
        )


def _asked(bed: Bed) -> list[Run]:
    chosen: dict[object, Run] = {}
    for system in sorted(bed.arms, key=lambda name: name != "ivon none"):
        for seed, trial in bed.arms[system].items():
            known = has_oracle(trial.run) and {*_SCORES} <= {*trial.run.score_names}
            if known and system.startswith("ivon"):
                chosen.setdefault(seed, trial.run)
    return [chosen[seed] for seed in sorted(chosen, key=str)]


def _agreements(run: Run, target: str) -> tuple[float, ...]:
    """Rank correlation of each score, at the last step, with what the oracle found."""
    keys = ["module", "k"]
    scores = run.triplets([*keys, *(f"score.{name}" for name in _SCORES)], -1)
    effects = oracle_effects(run)[[*keys, target]]
    both = scores.astype({"module": str}).merge(effects.astype({"module": str}), on=keys)
    effect = both[target].to_numpy(dtype=float)[None]
    return tuple(
        float(spearman(both[f"score.{name}"].to_numpy(dtype=float)[None], effect)[0])
        for name in _SCORES
    )
