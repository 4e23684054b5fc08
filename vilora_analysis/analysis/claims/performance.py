"""Claims about the task's metric: C1 to C3, and C4, by runs that each criterion pruned."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from vilora_analysis.analysis.claims.definition import RUNS, Options, Question
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.power import Kind
from vilora_analysis.analysis.claims.providing import lacking, provide
from vilora_analysis.analysis.claims.shadows import overlap_beyond_chance

__all__ = ["against_adam", "between_snrs", "magnitude", "snr_over_sensitivity"]

_PRUNED = "final kept sets of equal seeds overlap {:.2f} (0 as random ones, 1 the same)"


def snr_over_sensitivity(bed: Bed, options: Options) -> Iterator[Question]:
    """C1: both SNRs at least as good as the sensitivity under IVON, and better."""
    for name in ("snr", "snr_abs"):
        pair = (f"ivon {name}", "ivon sensitivity")
        yield _metric(bed, pair, "non-inferiority", options, f"{name} no worse than sensitivity")
        yield _metric(bed, pair, "superiority", options, f"{name} better than sensitivity")


def against_adam(bed: Bed, options: Options) -> Iterator[Question]:
    """C2: at least one SNR under IVON matches or surpasses the sensitivity under Adam."""
    either = "the paper claims it of at least one of the two SNRs"
    for name in ("snr", "snr_abs"):
        pair = (f"ivon {name}", "adam sensitivity")
        said = f"{name} under IVON no worse than sensitivity under Adam"
        yield _metric(bed, pair, "non-inferiority", options, said, either)
        said = f"{name} under IVON better than sensitivity under Adam"
        yield _metric(bed, pair, "superiority", options, said, either)


def magnitude(bed: Bed, options: Options) -> Iterator[Question]:
    """C3: pruning by the magnitude is as good as by snr, by the variance it is worse."""
    uniform = _uniform(bed) if bed.arms.get("ivon mean_abs") or bed.arms.get("ivon snr") else ""
    equal = ("ivon mean_abs", "ivon snr")
    yield _metric(bed, equal, "equivalence", options, "|mu| as good as snr", uniform)
    for name, label in (("mean_abs", "|mu|"), ("snr", "snr")):
        pair = (f"ivon {name}", "ivon inverse_std")
        yield _metric(bed, pair, "superiority", options, f"{label} better than 1/sigma", uniform)


def between_snrs(bed: Bed, options: Options) -> Iterator[Question]:
    """C4: neither SNR wins."""
    pair = ("ivon snr", "ivon snr_abs")
    overlaps = [overlap_beyond_chance(a.kept, b.kept) for a, b in bed.paired(*pair)]
    remark = _PRUNED.format(np.mean(overlaps)) if overlaps else ""
    yield _metric(bed, pair, "equivalence", options, "snr as good as snr_abs", remark)


def _metric(
    bed: Bed,
    systems: tuple[str, str],
    kind: Kind,
    options: Options,
    statement: str,
    remark: str = "",
) -> Question:
    pairs = bed.paired(*systems)
    values = [a.metric(options.metric) - b.metric(options.metric) for a, b in pairs]
    finite = tuple(value for value in values if not math.isnan(value))
    lost = len(values) - len(finite)
    said = [remark, f"{lost} pairs without the metric are left out" if lost else ""]
    return Question(
        statement,
        RUNS,
        kind,
        "points",
        options.margin,
        finite,
        remark="; ".join(filter(None, said)),
        missing="" if finite else lacking(bed, *systems) or f"no run has a {options.metric} metric",
        remedy="" if finite else _remedy(bed, systems, options),
    )


def _remedy(bed: Bed, systems: tuple[str, str], options: Options) -> str:
    if not lacking(bed, *systems) and options.metric == "best":
        return "vilora train --eval-every N, which keeps the best of a run's evaluations"
    return provide(bed, *systems)


def _uniform(bed: Bed) -> str:
    levels = [trial.posterior for trial in bed.singles("ivon", "snr", "mean_abs", "inverse_std")]
    uniform = levels.count("uniform")
    if not uniform:
        return ""
    return f"sigma is uniform in {uniform} of {len(levels)} seeds, where snr is the magnitude"
