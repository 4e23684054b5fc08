"""Does a formula look at each element alone? Only then may it be evaluated piece by piece."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from vilora_analysis.scores.definition import Formula, Score

__all__ = ["is_elementwise"]

_SIZE = 64


def is_elementwise(score: Score) -> bool:
    """Whether a score of elements gives each the same whatever stands beside it.

    It is tried out, on numbers made up for it: a formula that divides by the mean or the largest of
    all elements, or that draws at random, does not give its halves what it gives the whole.

    Examples
    --------
    >>> from vilora_analysis.scores import get
    >>> is_elementwise(get("snr"))
    True
    """
    return _tried(score.function, score.inputs)


@functools.lru_cache(maxsize=256)
def _tried(formula: Formula, names: tuple[str, ...]) -> bool:
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.rand(_SIZE, generator=generator) + 0.5 for name in names}
    halves = [
        {name: value[part] for name, value in inputs.items()}
        for part in (slice(0, _SIZE // 2), slice(_SIZE // 2, _SIZE))
    ]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            whole = formula(**inputs)
            return bool(torch.equal(whole, torch.cat([formula(**half) for half in halves])))
        except Exception:
            return False  # whatever is wrong with it is said when it is used
