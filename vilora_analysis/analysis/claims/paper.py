"""The claims of the paper in its own words, each with the tests that it comes down to here.

Source: Chen and Garner, A Bayesian Interpretation of Adaptive Low-Rank Adaptation.
"""

from __future__ import annotations

from collections.abc import Iterator

from vilora_analysis.analysis.claims import performance, placement, speed, within_runs
from vilora_analysis.analysis.claims.definition import Claim, Options, Question
from vilora_analysis.analysis.claims.pairing import Bed

__all__ = ["CLAIMS"]


def _magnitude(bed: Bed, options: Options) -> Iterator[Question]:
    yield from performance.magnitude(bed, options)
    yield from within_runs.shadow_magnitude(bed, options)


def _no_winner(bed: Bed, options: Options) -> Iterator[Question]:
    yield from performance.between_snrs(bed, options)
    yield from within_runs.shadow_snrs(bed, options)


def _resemblance(bed: Bed, options: Options) -> Iterator[Question]:
    yield from placement.resemblance(bed, options)
    yield from within_runs.shadow_ranks(bed, options)


def _evenly(bed: Bed, options: Options) -> Iterator[Question]:
    yield from placement.evenly(bed, options)
    yield from within_runs.shadow_evenness(bed, options)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "V.A",
        "Both SNR(θ) and SNR(|θ|) outperform the sensitivity when using IVON.",
        performance.snr_over_sensitivity,
    ),
    Claim(
        "C2",
        "V.A",
        "At least one of the SNR metrics outperforms or ties with the original AdaLoRA with Adam.",
        performance.against_adam,
    ),
    Claim(
        "C3",
        "Abstract, V.A",
        "The magnitude, rather than the variance, is the primary indicator of the importance of "
        "parameters. Using the variance alone performs the worst among all metrics.",
        _magnitude,
    ),
    Claim("C4", "V.A", "There is no clear winner between the two SNR metrics.", _no_winner),
    Claim(
        "C5",
        "V.B",
        "An obvious difference between Adam and IVON using the sensitivity can be observed. The "
        "distributions of the two SNR metrics and the magnitude resemble that of the sensitivity "
        "with IVON.",
        _resemblance,
    ),
    Claim(
        "C6",
        "V.B",
        "Unlike the magnitude, the variance shows an evenly-distributed pattern.",
        _evenly,
    ),
    Claim(
        "C7",
        "V.C",
        "Using the SNR with IVON brings a 10% speed up compared to using the sensitivity with "
        "Adam.",
        speed.faster,
    ),
    Claim(
        "C8",
        "V.D",
        "The sensitivity has the component |∇ℓ| acting as an uncertainty measure analogous to 1/σ "
        "in SNR.",
        within_runs.link,
    ),
)
"""In the order of the paper's section V."""
