"""Which scores and inputs are recorded, and what no optimizer or adapter can feed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vilora_analysis import scores as registry
from vilora_analysis.errors import ScoreError
from vilora_analysis.inputs import INPUTS
from vilora_analysis.log.schema import RECORDED_INPUTS
from vilora_analysis.posterior import has_posterior
from vilora_analysis.scores.evaluate import refuse_missing_factors

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["available_scores", "recorded_inputs", "recorded_scores", "refuse_what_cannot_be_had"]


def available_scores(optimizer: Optimizer, factors: Sequence[str] = ("E", "A", "B")) -> list[str]:
    """Names of the registered scores that this optimizer and an adapter of these factors can feed.

    All of them, whether they are recorded by default or only where asked for.
    """
    posterior = has_posterior(optimizer)
    return [
        item.name
        for item in map(registry.get, registry.names())
        if (posterior or not item.needs_posterior) and set(item.needs_factors) <= set(factors)
    ]


def recorded_scores(
    optimizer: Optimizer,
    factors: Sequence[str],
    asked: str | Sequence[str] | None,
    criterion: str | None,
) -> tuple[str, ...]:
    """Names of the scores to record.

    Parameters
    ----------
    optimizer, factors
        What is there to score.
    asked
        None for those that are recorded by default; else one name or several, of scores or of
        families: ``"default"``, ``"all"`` for all that are proposed to prune by, ``"bridge"`` for
        what lies between sensitivity and snr. Families hold what is available, and bring the
        criterion with them.
    criterion
        Score that prunes.
    """
    words = ["default"] if asked is None else [asked] if isinstance(asked, str) else [*asked]
    there = available_scores(optimizer, factors)
    families = {word: registry.family(word) for word in words}
    chosen = [
        name
        for word in words
        for name in ([n for n in families[word] if n in there] if families[word] else [word])
    ]
    chosen += [criterion] if criterion and any(families.values()) else []
    return tuple(dict.fromkeys(registry.get(name).name for name in chosen))


def recorded_inputs(optimizer: Optimizer) -> tuple[str, ...]:
    """Inputs that get columns of their own."""
    posterior = has_posterior(optimizer)
    return tuple(n for n in RECORDED_INPUTS if posterior or INPUTS[n].origin != "posterior")


def refuse_what_cannot_be_had(
    optimizer: Optimizer, factors: Sequence[str], names: Sequence[str]
) -> None:
    """Refuse scores of a posterior or of factors that are not there.

    Raises
    ------
    ScoreError
        Naming the score, what it lacks, and what can be had.
    """
    items = [*map(registry.get, names)]
    for item in items:
        if item.needs_posterior and not has_posterior(optimizer):
            there = ", ".join(available_scores(optimizer, factors))
            raise ScoreError(
                f"score {item.name!r} needs a posterior, which {type(optimizer).__name__} does not "
                f"keep; train with IVON, or choose from {there}"
            )
    refuse_missing_factors(items, factors)
