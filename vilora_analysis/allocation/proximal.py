"""Regularised allocation: an L1 penalty on the singular values, in the place of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from vilora_analysis.allocation.base import Allocation, Allocator
from vilora_analysis.allocation.metric import Metric, find_metric
from vilora_analysis.errors import ConfigError, LayoutError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vilora_analysis.posterior import Snapshot
    from vilora_analysis.triplets import Binding

__all__ = ["ProximalAllocator", "soft_threshold"]


def soft_threshold(value: Tensor, threshold: Tensor) -> Tensor:
    r"""Proximal operator of the L1 norm, elementwise.

    .. math:: \arg\min_x \tfrac{1}{2} (x - v)^2 + \tau |x| = \mathrm{sign}(v) \max(|v| - \tau, 0)

    In a diagonal metric D, as a preconditioned step has it, the problem is separable too: with
    :math:`\tfrac{1}{2\eta} d_i (x - v)^2 + \lambda |x|` the threshold is
    :math:`\tau_i = \eta \lambda / d_i`.
    Source: Parikh and Boyd 2014, Proximal algorithms, section 6.5.2; for the metric Becker and
    Fadili 2012, A quasi-Newton proximal splitting method, and Yun, Lozano and Yang 2021, Adaptive
    proximal gradient methods for structured neural networks.

    Parameters
    ----------
    value, threshold
        Of shapes that broadcast; thresholds are not negative.

    Examples
    --------
    >>> soft_threshold(torch.tensor([-2.0, 0.5, 3.0]), torch.tensor(1.0))
    tensor([-1., 0., 2.])
    """
    # not sign * max(...), which would leave negative zeros
    return value - value.clamp(-threshold, threshold)


class ProximalAllocator(Allocator):
    r"""Shrinks every E by a proximal step after each optimizer step, and keeps what is not 0.

    The alternative that the paper sets a budget against (its section II.A): SoRA's proximal
    gradient on a gate (Ding et al. 2023, Sparse low-rank adaptation of pre-trained language models,
    section 3.2), here on AdaLoRA's E, which stands where the gate does. The rank it ends at is an
    outcome; nobody sets it.

    Parameters
    ----------
    binding
        Layout tied to the optimizer.
    penalty
        Weight :math:`\lambda` of the L1 norm of E beside the loss, in loss per unit of E: what a
        gradient is measured in.
    start
        Steps before the first proximal step.
    metric
        ``"optimizer"`` takes the proximal step in the metric in which the optimizer stepped, see
        :mod:`vilora_analysis.allocation.metric`; ``"euclidean"`` subtracts lr times the penalty
        from every value, as SoRA's equation has it.

    Raises
    ------
    ConfigError
        If the penalty is not positive and finite, or the optimizer's metric is not known.
    LayoutError
        If the layout has no E.

    Notes
    -----
    *Why the optimizer's metric is the default.* In it a value that is 0 stays 0 exactly while its
    (running) gradient does not exceed the penalty, whatever the optimizer and its learning rate: a
    fixed point is a stationary point of loss + penalty. With the Euclidean threshold the rule is
    about the preconditioned gradient, so that a penalty of one optimizer means something else under
    another, whose learning rate may be a thousandfold.

    *When.* From ``start`` on, to the end. PEFT starts E at 0, where A and B have no gradient: a
    penalty from the first step on would ask whether a triplet may come in before A and B have
    learnt anything. So it waits as long as the budget's schedule does (``tinit``), and the two
    differ in nothing else. It has no schedule of its own: the threshold follows the learning rate,
    and falls to 0 with it.

    *What is left alone.* The optimizer's momentum. A value at 0 is, as a masked one is, still given
    noise around 0 by IVON, has a gradient, and comes back once its momentum exceeds the penalty.
    """

    criterion = None
    schedule = None
    needs: frozenset[str] = frozenset()

    def __init__(
        self, binding: Binding, penalty: float, *, start: int = 0, metric: Metric = "optimizer"
    ) -> None:
        if not 0 < penalty < float("inf"):
            raise ConfigError(f"l1_penalty = {penalty}: must be greater than 0 and finite")
        super().__init__(binding)
        self.penalty = penalty
        self.start = start
        self.metric: Metric = metric
        self._step_sizes = find_metric(metric, binding, self.values)
        self._thresholds: Tensor | None = None
        self._step = 0

    @property
    def waiting(self) -> bool:
        """Whether a step was staged and nobody has called for its decision yet."""
        return self._thresholds is not None

    def decides(self, step: int) -> bool:
        """Whether values are shrunk at a step."""
        return step > self.start

    def describe(self) -> Mapping[str, Any]:
        """What the manifest says of it."""
        return {"l1": {"penalty": self.penalty, "start": self.start, "metric": self.metric}}

    def stage(self, snapshot: Snapshot | None, *, step: int = 0, driven: bool = False) -> None:
        """Take what the optimizer says of its step; no snapshot is needed.

        Now, because a loop may change the learning rate before it calls.
        """
        self.last, self._step, self._driven = None, step, driven
        self._thresholds = self.penalty * self._step_sizes()

    @torch.no_grad()
    def update_and_allocate(
        self, model: nn.Module, step: int, force_mask: bool = False
    ) -> tuple[int, None]:
        """Shrink all values, unless it is too early; called by PEFT.

        Returns
        -------
        n_kept : int
            Values that are not 0 after this step.
        rank_pattern : None
            None while training goes on.

        Raises
        ------
        LayoutError
            If it is called without a step since the last call, or beside the recording that drives.
        """
        self._refuse_others()
        thresholds, self._thresholds = self._thresholds, None
        if thresholds is None:
            raise LayoutError(
                f"update_and_allocate({step}) was called without an optimizer step before it, or "
                "twice for one; let either instrument() or your loop call it (drive=False)"
            )
        if self.decides(step):
            self._shrink(step, thresholds)
        return int(self.kept.sum()), None

    def mask_using_rank_pattern(
        self, model: nn.Module, rank_pattern: Mapping[str, list[bool]] | None
    ) -> None:
        """Go on shrinking where PEFT only masks: after the end of its own schedule."""
        self.update_and_allocate(model, self._step)

    def _shrink(self, step: int, thresholds: Tensor) -> None:
        before = self.values.read()
        after = soft_threshold(before, thresholds.to(before.dtype))
        self.values.write(after)
        kept = after != 0
        # a set that stays as it was is no event
        if not self.decided or not torch.equal(kept, self.kept):
            zeroed = before[~kept].abs()
            threshold = float(zeroed.max()) if zeroed.numel() else None
            self.last = Allocation(step, budget=int(kept.sum()), threshold=threshold)
        self.kept, self.decided = kept, True
