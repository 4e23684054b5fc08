r"""First and second moment of the gradients of single examples, and what they say of batches.

The empirical Fisher of examples is the mean of their squared gradients. The squared gradient of a
batch is another thing: averaging comes before squaring, and only what the examples share survives.
With g_1 .. g_M the gradients of M examples, ḡ their mean and S² their variance (divisor M − 1), the
mean gradient of B of them drawn without replacement has

.. math:: E[g_B^2] = \bar g^2 + S^2 (1/B - 1/M),

which is S²/B (1 − B/M) + ḡ², the variance of a sample mean with its finite-population factor
(Cochran 1977, Sampling Techniques, theorem 2.2). If the M are themselves drawn from more examples,
without replacement, the same expression is unbiased for batches of B from all of these, however
many there are: what ḡ² is too large by cancels the factor.

So where the mean gradient is small beside the spread, a squared batch gradient is the empirical
Fisher divided by B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vilora_analysis.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GradientMoments"]


@dataclass(frozen=True)
class GradientMoments:
    """Sums over the gradients of examples; adding two sets of examples adds the sums.

    Attributes
    ----------
    count
        Examples, M.
    total
        Sum of the gradients, float64, one value an element.
    squares
        Sum of their squares, alike.
    """

    count: int
    total: Tensor
    squares: Tensor

    @classmethod
    def of(cls, gradients: Tensor) -> GradientMoments:
        """Moments of gradients of shape (examples, elements)."""
        exact = gradients.double()
        return cls(len(exact), exact.sum(0), exact.square().sum(0))

    def __add__(self, other: GradientMoments) -> GradientMoments:
        return GradientMoments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> Tensor:
        """Mean gradient ḡ."""
        return self.total / self.count

    @property
    def fisher(self) -> Tensor:
        """Mean squared gradient: the empirical Fisher of examples, its diagonal."""
        return self.squares / self.count

    @property
    def variance(self) -> Tensor:
        """Variance S² over examples, with divisor M − 1.

        Raises
        ------
        ConfigError
            If there is a single example.
        """
        if self.count < 2:
            raise ConfigError("the variance over examples needs two of them; ask for more")
        spread = (self.fisher - self.mean.square()).clamp_min(0.0)
        return spread * (self.count / (self.count - 1))

    def shifted(self, common: Tensor) -> GradientMoments:
        """Moments after adding the same gradient to every example's, as a penalty does."""
        common = common.double()
        return GradientMoments(
            self.count,
            self.total + self.count * common,
            self.squares + 2 * common * self.total + self.count * common.square(),
        )

    def batch_square(self, size: int, *, replacement: bool = False) -> Tensor:
        """Expected square of the mean gradient of a batch, element by element.

        Parameters
        ----------
        size
            Examples in the batch, B.
        replacement
            Whether the batch is drawn from these very examples with replacement:
            ḡ² + S² (1 − 1/M)/B. Without, see the head of this file; with B above M it is an
            estimate for batches from more examples, and need not be positive.

        Raises
        ------
        ConfigError
            If the size is not positive, or there is a single example.
        """
        if size < 1:
            raise ConfigError(f"a batch has at least one example, got {size}")
        kept = 1 / self.count
        share = (1 - kept) / size if replacement else 1 / size - kept
        return self.mean.square() + self.variance * share
