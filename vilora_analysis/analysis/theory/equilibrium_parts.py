"""Each h of a run beside what it is expected to be, part by part of that expectation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vilora_analysis.analysis.steps import posterior_factors
from vilora_analysis.analysis.theory.hessian_law import (
    accumulated_correction,
    correction_rate,
    decay_of_h,
)
from vilora_analysis.analysis.theory.ivon_settings import ivon_settings
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps
from vilora_analysis.log.selection import select

__all__ = ["NEEDED", "SETTINGS", "Parts", "missing_columns", "walk"]

SETTINGS = ("beta2", "ess", "hess_init", "weight_decay")
NEEDED = (*SETTINGS, "mc_samples", "fisher_beta")
"""Settings of IVON and the recorder that the expectation depends on."""
_HESS, _FISHER = "hess", "fisher_batch"


@dataclass(frozen=True)
class Parts:
    """h of one factor at some steps, and what it is expected to be; shape (steps, triplets)."""

    steps: np.ndarray
    factor: str
    hess: np.ndarray
    initial: np.ndarray
    correction: np.ndarray

    def only(self, step: int) -> Parts:
        """The same at one step."""
        at = self.steps == step
        arrays = (self.hess, self.initial, self.correction)
        return Parts(self.steps[at], self.factor, *(array[at] for array in arrays))


def missing_columns(run: Run, factors: tuple[str, ...]) -> list[str]:
    """Columns that would be needed and are not recorded."""
    needed = {f"{name}_{factor}" for name in (_HESS, _FISHER) for factor in factors}
    return sorted(needed - set(run.columns))


def walk(run: Run, steps: Steps) -> Iterator[Parts]:
    """Read all steps up to those asked for, and give these; a factor at a time.

    Parameters
    ----------
    run
        A run of IVON.
    steps
        Steps to give.

    Raises
    ------
    LogError
        If the run recorded no h or squared gradients, not that step, or does not tell the settings.
    """
    factors = posterior_factors(run)
    missing = missing_columns(run, factors)
    if missing or not factors:
        raise LogError(
            f"{run.path} records no {', '.join(missing) or 'sigma'}; where h comes from can be "
            "told of a run trained with IVON"
        )
    chosen = _numbers(run, f"{_HESS}_{factors[0]}", steps)
    hess = _hess(run, factors, chosen)
    at = run.steps[run.steps <= chosen.max()]  # what came before is needed too
    known = ivon_settings(run, NEEDED)
    correction = accumulated_correction(
        at,
        _fisher(run, factors, int(chosen.max())),
        rate=correction_rate(known["ess"], known["beta2"], int(known["mc_samples"])),
        beta2=known["beta2"],
        fisher_beta=known["fisher_beta"],
        wanted=np.isin(at, chosen),
    )
    left = known["hess_init"] * decay_of_h(known["beta2"]) ** chosen[:, None].astype(float)
    for place, factor in enumerate(factors):
        own = hess[:, place]
        initial = np.broadcast_to(left, own.shape)
        yield Parts(chosen, factor, own, initial, correction[:, place])


def _hess(run: Run, factors: tuple[str, ...], chosen: np.ndarray) -> np.ndarray:
    """Give h at some steps, shape (steps, factors, triplets)."""
    columns = [f"{_HESS}_{factor}" for factor in factors]
    blocks = run.blocks(columns, [int(step) for step in chosen])
    found = [np.stack([block.values[c] for c in columns], axis=1) for block in blocks]
    return np.concatenate(found).astype(float)


def _fisher(run: Run, factors: tuple[str, ...], last: int) -> Iterator[np.ndarray]:
    """Give the squared gradients of each step until the last, shape (factors, triplets)."""
    # here, wherever blocks are computed: each step's expectation takes up that of the step before,
    # so what workers could send is all that they had read
    columns = [f"{_FISHER}_{factor}" for factor in factors]
    for block in run.blocks(columns, slice(0, last + 1)):
        yield from np.stack([block.values[c] for c in columns], axis=1)


def _numbers(run: Run, column: str, steps: Steps) -> np.ndarray:
    """Numbers of the steps asked for, ascending."""
    there = run.steps
    asked = select(steps, lambda: there)
    if not asked.named <= set(there.tolist()) or not len(there):
        list(run.blocks([column], steps))  # says which is not there
    found: np.ndarray = there[asked.mask(there)]
    return found
