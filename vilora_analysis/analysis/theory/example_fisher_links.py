"""What the Fisher of single examples is held against: the links, and when each would hold."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FISHER_LINKS", "WINDOW", "FisherLink"]

WINDOW = 10
"""Steps before and after a measurement whose batch gradients are averaged."""


@dataclass(frozen=True)
class FisherLink:
    """One claim that two quantities are equal, or proportional by a known factor.

    Attributes
    ----------
    name
        Short name.
    x, y
        Columns; powers are applied to them.
    x_power, y_power
        Powers that make the claim one of proportionality.
    x_label, y_label
        Axis labels, in math type.
    ratio
        What y / x is if the link holds: ``one``, ``1/B`` (where the mean gradient is negligible),
        ``sqrt(ess)`` (if h is the Fisher and the weight decay small beside it), or ``unknown``
        where the quotient is the question.
    """

    name: str
    x: str
    y: str
    x_power: float
    y_power: float
    x_label: str
    y_label: str
    ratio: str


_EXAMPLE = "$\\hat F_1$\nexamples' mean $g^2$"
_LAW = "law of batches\n$\\bar g^2 + S^2(1/B - 1/M)$"
_RECENT = f"$g_B^2$, mean of ±{WINDOW} steps"

FISHER_LINKS: tuple[FisherLink, ...] = (
    FisherLink("hess~fisher_example", "fisher_example", "hess", 1, 1, _EXAMPLE, "$h$", "one"),
    FisherLink(
        "precision~fisher_example",
        "fisher_example",
        "sigma",
        0.5,
        -1,
        "RMS $g$ of examples\n$\\hat F_1^{1/2}$",
        r"$1/\sigma$",
        "sqrt(ess)",
    ),
    FisherLink(
        "hess~correction",
        "correction",
        "hess",
        1,
        1,
        "IVON's correction\n" r"$\frac{1}{2}(1-\beta_2)\,\lambda\,\mathrm{E}[g_B^2]$",
        "$h$",
        "one",
    ),
    FisherLink(
        "fisher_batch~fisher_example",
        "fisher_example",
        "fisher_batch",
        1,
        1,
        _EXAMPLE,
        "$\\hat F_B$, running mean of $g_B^2$",
        "1/B",
    ),
    FisherLink(
        "law~fisher_example",
        "fisher_example",
        "batch_square",
        1,
        1,
        _EXAMPLE,
        "law of batches, task loss",
        "1/B",
    ),
    FisherLink(
        "penalty~law",
        "predicted_fisher_batch",
        "penalty_squared",
        1,
        1,
        _LAW,
        "penalty$^2$",
        "unknown",
    ),
    FisherLink(
        "fisher_batch~law",
        "predicted_fisher_batch",
        "fisher_batch",
        1,
        1,
        _LAW,
        "$\\hat F_B$, running mean",
        "one",
    ),
    FisherLink(
        "recent_square~law", "predicted_fisher_batch", "recent_square", 1, 1, _LAW, _RECENT, "one"
    ),
)
"""``correction`` is what the last term of IVON's update alone drives h to, ½ (1 - beta2) ess
E[g_B²] by the law of batches: its estimate is noise times gradient, and that is squared.
``batch_square`` is what the law of batches says of the task loss alone, and
``predicted_fisher_batch`` with the orthogonality penalty, which the recorded gradients have too.
``recent_square`` is the mean of the squared batch gradient over the recorded steps within 10 of
the measurement: without the horizon of ``fisher_batch``."""
