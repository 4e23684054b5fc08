"""Steps of several variants as arrays, and the average step over many resamples of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vilora_analysis.errors import ConfigError

__all__ = ["Rounds", "read_rounds", "records", "shares", "variants_of"]

_KEYS = ["variant", "optimizer", "criterion", "allocator", "record_every"]

_BASELINE = {
    "optimizer": "adamw",
    "criterion": "sensitivity",
    "allocator": "peft",
    "record_every": 0,
}


@dataclass(frozen=True)
class Rounds:
    """What was measured, by variant and round.

    Attributes
    ----------
    variants
        What each is, as :func:`variants_of` gives it.
    seconds
        Shape (variants, rounds).
    allocates
        Shape (rounds,): whether the round's steps prune.
    records
        Shape (variants, rounds): whether a variant recorded the step.
    baseline
        Number of the variant that the others are held against.
    """

    variants: list[dict[str, Any]]
    seconds: np.ndarray
    allocates: np.ndarray
    records: np.ndarray
    baseline: int

    def resample(self, repeats: int, seed: int) -> list[np.ndarray]:
        """Draw rounds with replacement, as many of each kind as there are.

        Returns
        -------
        list of array
            An array a kind of round, shape (1 + repeats, rounds of the kind), of round numbers; its
            first row is what was measured.
        """
        flags = np.vstack([self.allocates[None], self.records]).T
        kinds = np.unique(flags, axis=0, return_inverse=True)[1].reshape(-1)
        generator = np.random.default_rng(seed)
        drawn = []
        for kind in range(kinds.max() + 1):
            there = np.flatnonzero(kinds == kind)
            again = generator.choice(there, size=(repeats, len(there)))
            drawn.append(np.vstack([there[None], again]))
        return drawn

    def strata(
        self, number: int, drawn: list[np.ndarray], *, allocates: bool
    ) -> Iterator[tuple[float, np.ndarray]]:
        """Kinds of a variant's steps that prune, or do not: the share of each, and its rounds."""
        variant = self.variants[number]
        for recorded, share in shares(variant["record_every"]):
            chosen = [
                rounds
                for rounds in drawn
                if self.allocates[rounds[0, 0]] == allocates
                and self.records[number, rounds[0, 0]] == recorded
            ]
            if not chosen:
                raise ConfigError(
                    f"no step of {variant['variant']!r} {'prunes' if allocates else 'does not'} "
                    f"and {'is' if recorded else 'is not'} recorded; measure more steps"
                )
            yield share, np.concatenate(chosen, axis=1)


def shares(every: int) -> list[tuple[bool, float]]:
    """Kinds of step by what comes around every so many, and how often each occurs.

    Examples
    --------
    >>> shares(10), shares(1), shares(0)
    ([(True, 0.1), (False, 0.9)], [(True, 1.0)], [(False, 1.0)])
    """
    both = [(True, 1 / every), (False, 1 - 1 / every)] if every else [(False, 1.0)]
    return [(kind, share) for kind, share in both if share > 0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries by the names of the columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def variants_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What is said of each variant: name, optimizer, criterion, allocator, record_every."""
    return records(frame[_KEYS].drop_duplicates())


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose time is that of a real step: without seams, where there are such."""
    plain = frame[~frame["seams"].astype(bool)]
    return plain if len(plain) else frame


def read_rounds(frame: pd.DataFrame) -> Rounds:
    """Arrange steps by variant and round.

    Raises
    ------
    ConfigError
        If the published way is not among the variants, or one lacks a step that others took.
    """
    frame = _counted(frame)
    variants = variants_of(frame)
    published = [i for i, v in enumerate(variants) if _BASELINE.items() <= v.items()]
    if not published:
        raise ConfigError(
            "the steps lack those of AdamW with sensitivity and PEFT's allocator, which all others "
            "are held against"
        )
    steps = np.unique(frame["step"])
    if not (frame.groupby("variant")["step"].nunique() == len(steps)).all():
        raise ConfigError("every variant must have taken the same steps")
    by = frame.sort_values("step", kind="stable").groupby("variant")
    parts = [by.get_group(variant["variant"]) for variant in variants]
    return Rounds(
        variants,
        np.array([part["seconds"] for part in parts], dtype=float),
        parts[0]["allocates"].to_numpy(dtype=bool),
        np.array([part["records"] for part in parts], dtype=bool),
        published[0],
    )
