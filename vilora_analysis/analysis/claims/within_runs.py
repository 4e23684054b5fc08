"""The same claims by the scores of single runs: C3 to C6, and the theoretical link, C8.

A run prunes by one criterion, but records every score. Before its first pruning they all look at
the same weights, so what each would have kept at the final budget can be compared; what the run
would have become under each cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vilora_analysis.analysis.claims.by_oracle import by_oracle
from vilora_analysis.analysis.claims.definition import SHADOW, Options, Question
from vilora_analysis.analysis.claims.distances import distance, evenness, random_ranks
from vilora_analysis.analysis.claims.pairing import Bed
from vilora_analysis.analysis.claims.placement import RANK, random_evenness
from vilora_analysis.analysis.claims.shadows import Shadow
from vilora_analysis.analysis.claims.trial import Trial
from vilora_analysis.analysis.variation import spearman

__all__ = ["link", "shadow_evenness", "shadow_magnitude", "shadow_ranks", "shadow_snrs"]

_BEYOND = "% overlap"
_OVERLAP_MARGIN = 10.0
_RHO = "Spearman"
_ALIKE, _RHO_MARGIN = 0.5, 0.1
_RECORD = "vilora train --optimizer ivon --record-every 1"
_OTHERS = ("snr", "snr_abs", "mean_abs", "sensitivity")
_UNIFORM = "sigma is uniform there: snr is the magnitude, and 1/sigma carries nothing"


def shadow_magnitude(bed: Bed, options: Options) -> Iterator[Question]:
    """C3: |mu| would keep what snr keeps, rather than 1/sigma; and ranks more like the oracle."""
    names = ("snr", "mean_abs", "inverse_std")
    trials = _with(bed, *names)
    live = [trial for trial in trials if trial.posterior != "uniform"]
    by_mu, by_sigma = (
        np.array([100 * _shadow(t).overlap(name, "snr") for t in live]) for name in names[1:]
    )
    said = f"with snr: |mu| {by_mu.mean():.0f}%, 1/sigma {by_sigma.mean():.0f}%" if live else ""
    yield Question(
        "|mu| would keep more of what snr keeps than 1/sigma would",
        SHADOW,
        "superiority",
        _BEYOND,
        _OVERLAP_MARGIN,
        tuple(by_mu - by_sigma),
        remark="; ".join(filter(None, [said, _left_out(trials, live)])),
        missing="" if live else _why_none(trials, names),
        remedy="" if trials else _RECORD,
    )
    yield from by_oracle(bed)


def shadow_snrs(bed: Bed, options: Options) -> Iterator[Question]:
    """C4: the two SNRs would keep the same sets."""
    names = ("snr", "snr_abs")
    trials = _with(bed, *names)
    yield Question(
        "snr and snr_abs would keep the same sets",
        SHADOW,
        "non-inferiority",
        _BEYOND,
        _OVERLAP_MARGIN,
        tuple(100 * _shadow(trial).overlap(*names) for trial in trials),
        reference=100.0,
        missing="" if trials else _why_none(trials, names),
        remedy="" if trials else _RECORD,
    )


def shadow_ranks(bed: Bed, options: Options) -> Iterator[Question]:
    """C5: snr would place the rank as the sensitivity would, beyond what random sets do."""
    names = ("sensitivity", "snr")
    trials = _with(bed, *names)
    yield Question(
        "snr would place the rank as sensitivity would, nearer than random sets",
        SHADOW,
        "superiority",
        RANK,
        2.0,
        tuple(100 * (_random_distance(s) - _apart(s)) for s in map(_shadow, trials)),
        remark=_mean("apart {:.1f}% of rank", [100 * _apart(_shadow(t)) for t in trials]),
        missing="" if trials else _why_none(trials, names),
        remedy="" if trials else _RECORD,
    )


def shadow_evenness(bed: Bed, options: Options) -> Iterator[Question]:
    """C6: 1/sigma would spread the rank more evenly than the other scores would."""
    trials = _with(bed, "inverse_std", "mean_abs")
    rows = [_evenness_of(_shadow(trial)) for trial in trials]
    chance = [_chance(_shadow(trial)) for trial in trials[:1]]
    said = [_mean("1/sigma {:.3f}", [own for own, _ in rows])]
    said += [
        _mean("the others {:.3f}", [rest for _, rest in rows]),
        *map("random {:.3f}".format, chance),
    ]
    yield Question(
        "1/sigma would spread the rank more evenly over matrices than the other scores",
        SHADOW,
        "superiority",
        "entropy",
        1 - chance[0] if chance else np.nan,
        tuple(own - rest for own, rest in rows),
        remark=f"evenness {', '.join(said)}" if trials else "",
        missing="" if trials else _why_none(trials, ("inverse_std", "mean_abs")),
        remedy="" if trials else _RECORD,
    )


def link(bed: Bed, options: Options) -> Iterator[Question]:
    """C8: sensitivity ranks as snr does, and more so than the magnitude that both contain."""
    names = ("sensitivity", "snr", "mean_abs")
    trials = _with(bed, *names)
    uniform = [trial.posterior for trial in trials].count("uniform")
    barred = f"posterior uniform in {uniform} of {len(trials)} seeds; {_UNIFORM}" if uniform else ""
    levels = sorted({trial.posterior or "unknown" for trial in trials})
    alike = [_rho(_shadow(trial), "snr") for trial in trials]
    size = [_rho(_shadow(trial), "mean_abs") for trial in trials]
    tests: list[tuple[str, list[float], float]] = [
        (f"sensitivity ranks as snr does, Spearman above {_ALIKE}", alike, _ALIKE),
        (
            "sensitivity ranks more like snr than like |mu|: 1/sigma and the gradient agree",
            [a - b for a, b in zip(alike, size, strict=True)],
            0.0,
        ),
    ]
    for statement, values, reference in tests:
        yield Question(
            statement,
            SHADOW,
            "superiority",
            _RHO,
            _RHO_MARGIN,
            tuple(values),
            reference,
            f"posterior {', '.join(levels)}; with |mu| {np.mean(size):.2f}" if trials else "",
            missing="" if trials else _why_none(trials, names),
            remedy="" if trials else _RECORD,
            barred=barred,
        )


def _with(bed: Bed, *names: str) -> list[Trial]:
    return bed.singles("ivon", *names)


def _shadow(trial: Trial) -> Shadow:
    assert trial.shadow is not None  # singles have one
    return trial.shadow


def _why_none(trials: Sequence[Trial], names: Sequence[str]) -> str:
    if trials:
        return f"posterior uniform in all seeds; {_UNIFORM}"
    return f"no run under IVON pruned, and recorded {', '.join(names)} before it first did"


def _left_out(trials: Sequence[Trial], live: Sequence[Trial]) -> str:
    lost = len(trials) - len(live)
    return f"{lost} seeds with a uniform posterior are left out" if lost and live else ""


def _mean(words: str, values: Sequence[float]) -> str:
    return words.format(np.mean(values)) if values else ""


def _apart(shadow: Shadow) -> float:
    return distance(shadow.ranks["sensitivity"], shadow.ranks["snr"])


def _random_distance(shadow: Shadow) -> float:
    drawn = random_ranks(shadow.sizes, int(shadow.kept["snr"].sum()))
    half = len(drawn) // 2
    return float(np.mean([distance(a, b) for a, b in zip(drawn[:half], drawn[half:], strict=True)]))


def _evenness_of(shadow: Shadow) -> tuple[float, float]:
    others = [evenness(shadow.ranks[name]) for name in _OTHERS if name in shadow.ranks]
    return evenness(shadow.ranks["inverse_std"]), float(np.mean(others))


def _chance(shadow: Shadow) -> float:
    return random_evenness(shadow.sizes, int(shadow.kept["inverse_std"].sum()))


def _rho(shadow: Shadow, name: str) -> float:
    sensitivity, other = shadow.scores["sensitivity"], shadow.scores[name]
    return float(spearman(sensitivity[None], other[None])[0])
