"""How a score's elements become one number a triplet, and how a score's name says so.

``snr`` is reduced as published: E plus the mean over the row of A plus the mean over the column of
B. ``snr@sum`` sums instead, ``snr@AB`` leaves E out, ``snr@l2-A`` is the Euclidean norm over the
row of A alone. Such a name stands wherever a score's name does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vilora_analysis.errors import ScoreError

__all__ = ["REDUCE_NAMES", "Aggregation", "is_well_spelled", "split_name"]

REDUCE_NAMES: tuple[str, ...] = ("mean", "sum", "max", "l2", "rms")
"""Over the elements of a row of A or a column of B."""

_FACTORS = "EAB"


@dataclass(frozen=True)
class Aggregation:
    """Which factors count, and how the elements of each become one number; their sum is the score.

    Attributes
    ----------
    reduce
        One of :data:`REDUCE_NAMES`; E has a single element, so nothing is to be reduced there.
    factors
        Some of ``EAB``, in this order; all of them means those that the adapter has.

    Examples
    --------
    >>> Aggregation("sum", "EA").suffix, Aggregation().suffix
    ('@sum-EA', '')
    """

    reduce: str = "mean"
    factors: str = _FACTORS

    @property
    def suffix(self) -> str:
        """What follows the score's name; nothing for the published rule."""
        return f"@{self.words}" if self.words else ""

    @property
    def words(self) -> str:
        """What differs from the published rule."""
        reduce = self.reduce if self.reduce != "mean" else ""
        factors = self.factors if self.factors != _FACTORS else ""
        return "-".join(filter(None, (reduce, factors)))

    @property
    def needs(self) -> tuple[str, ...]:
        """Factors that were asked for by name, so that an adapter without them is refused."""
        return () if self.factors == _FACTORS else tuple(self.factors)

    def among(self, there: Iterable[str]) -> tuple[str, ...]:
        """Of the factors that are there those that count."""
        return tuple(factor for factor in there if factor in self.factors)


def split_name(name: str) -> tuple[str, Aggregation]:
    """Take a score's name apart; the one place where its spelling is read.

    Parameters
    ----------
    name
        ``NAME``, ``NAME@REDUCE``, ``NAME@FACTORS`` or ``NAME@REDUCE-FACTORS``.

    Raises
    ------
    ScoreError
        If what follows the ``@`` is not understood.

    Examples
    --------
    >>> split_name("snr@sum-AE")
    ('snr', Aggregation(reduce='sum', factors='EA'))
    >>> split_name("snr@median")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.ScoreError: 'snr@median': expected after the @ one of mean, sum, max, ...
    """
    base, at, how = name.partition("@")
    reduce, dash, factors = how.partition("-")
    if not dash and reduce not in REDUCE_NAMES:
        reduce, factors = "mean", how
    chosen = "".join(f for f in _FACTORS if f in factors) or _FACTORS
    unread = (at and not how) or (dash and not factors) or not base
    if unread or reduce not in REDUCE_NAMES or sorted(factors or chosen) != sorted(chosen):
        raise ScoreError(
            f"{name!r}: expected after the @ one of {', '.join(REDUCE_NAMES)}, factors out of "
            f"{_FACTORS}, or both, as in snr@sum, snr@E or snr@l2-AB; without it the published rule"
        )
    return base, Aggregation("mean" if chosen == "E" else reduce, chosen)


def is_well_spelled(name: object) -> bool:
    """Whether :func:`split_name` understands it."""
    try:
        split_name(name if isinstance(name, str) else "")
    except ScoreError:
        return False
    return True
