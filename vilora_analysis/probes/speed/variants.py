"""Ways to train an AdaLoRA adapter whose steps are timed; torch-free, for the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CORE", "Variant"]

_OPTIMIZERS = {"adamw": "AdamW", "ivon": "IVON"}


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes
    ----------
    optimizer
        AdamW or IVON.
    criterion
        Score to prune by.
    allocator
        ``"vilora"`` for this package's, ``"peft"`` for PEFT's ``RankAllocator``, called as its
        documentation says; with snr in place of its sensitivity, its loop is kept.
    record_every
        Steps between two recorded ones; 0 records none.
    """

    optimizer: Literal["adamw", "ivon"]
    criterion: str
    allocator: Literal["peft", "vilora"] = "vilora"
    record_every: int = 0

    @property
    def name(self) -> str:
        """What tables and figures call it.

        Examples
        --------
        >>> Variant("adamw", "sensitivity", "peft").name, Variant("ivon", "snr").name
        ('AdamW sensitivity, PEFT', 'IVON snr')
        >>> Variant("ivon", "snr", record_every=10).name
        'IVON snr, recorded 1 in 10'
        """
        recorded = {0: "", 1: ", recorded"}
        rest = recorded.get(self.record_every, f", recorded 1 in {self.record_every}")
        loop = ", PEFT" if self.allocator == "peft" else ""
        return f"{_OPTIMIZERS[self.optimizer]} {self.criterion}{loop}{rest}"


CORE = (
    Variant("adamw", "sensitivity", "peft"),
    Variant("ivon", "sensitivity", "peft"),
    Variant("ivon", "snr", "peft"),
    Variant("adamw", "sensitivity"),
    Variant("ivon", "sensitivity"),
    Variant("ivon", "snr"),
)
"""The published way first; then one thing changed at a time: optimizer, criterion, allocator."""
