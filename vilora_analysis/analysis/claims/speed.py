"""The claim about time, C7."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vilora_analysis.analysis.claims.definition import RUNS, Options, Question
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.providing import lacking, provide
from vilora_analysis.analysis.claims.trial import Trial

__all__ = ["faster"]

_CLAIMED, _MARGIN = 10.0, 5.0
_QUIET = "means nothing unless both ran alone on the same quiet machine"


def faster(bed: Bed, options: Options) -> Iterator[Question]:
    """C7: a step of snr under IVON takes 10% less time than one of sensitivity under Adam."""
    systems = ("ivon snr", "adam sensitivity")
    pairs = [pair for pair in bed.paired(*systems) if all(len(trial.seconds) for trial in pair)]
    unmeasured = "" if pairs else _why_none(bed, *systems)
    yield Question(
        f"snr under IVON is {_CLAIMED:g}% faster than sensitivity under Adam",
        RUNS,
        "non-inferiority",
        "% faster",
        _MARGIN,
        tuple(_percent_faster(*pair) for pair in pairs),
        _CLAIMED,
        f"{_seconds(pairs)}; {_QUIET}" if pairs else "",
        missing=unmeasured,
        remedy="" if pairs else _remedy(bed, *systems),
        barred=_barred(pairs),
    )


def _percent_faster(snr: Trial, sensitivity: Trial) -> float:
    r"""Steps more in the same time, :math:`100 (t_{sens} / t_{snr} - 1)`, of median steps."""
    return float(100 * (np.median(sensitivity.seconds) / np.median(snr.seconds) - 1))


def _seconds(pairs: list[tuple[Trial, ...]]) -> str:
    snr, sensitivity = (
        np.median([np.median(trial.seconds) for trial in side]) for side in zip(*pairs, strict=True)
    )
    return f"median step {snr:.3g} s and {sensitivity:.3g} s"


def _barred(pairs: list[tuple[Trial, ...]]) -> str:
    """The recorder follows the sensitivity in every step of a run that records it."""
    if any("sensitivity" in name for snr, _ in pairs for name in snr.run.score_names):
        return (
            "the snr runs record the sensitivity, and so compute what the claim says they need "
            "not; `vilora train --scores snr` leaves it out"
        )
    return ""


def _why_none(bed: Bed, *systems: str) -> str:
    return lacking(bed, *systems) or (
        "every step is recorded, and its time is that of all scores together"
    )


def _remedy(bed: Bed, *systems: str) -> str:
    if lacking(bed, *systems):
        return provide(bed, *systems)
    return "vilora train --scores snr --record-every 100, so that most steps record nothing"
