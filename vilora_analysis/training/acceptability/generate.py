"""Assembling the data set: drawing the pairs, balancing and shuffling them."""

from collections.abc import Sequence
from itertools import count
from random import Random

import pandas as pd

from vilora_analysis.errors import ConfigError
from vilora_analysis.training.acceptability.draw import Draw, Pair
from vilora_analysis.training.acceptability.lexicon import Split
from vilora_analysis.training.acceptability.phenomena import PHENOMENA

#: Draws in a row without a new pair after which a phenomenon counts as exhausted.
_PATIENCE = 300


def generate(
    *,
    train_rows: int = 4000,
    dev_rows: int = 1000,
    seed: int = 0,
    only: Sequence[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Generate the acceptability task.

    Parameters
    ----------
    train_rows, dev_rows
        Rows of the two splits: even, since the sentences come in pairs.
    seed
        What decides the draws; equal seeds give equal data everywhere.
    only
        Phenomena to draw from; all of them if None.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``train`` and ``validation``, each with the columns ``sentence``, ``label`` (1 if
        acceptable), ``phenomenon``, ``pair`` (the same for both members of a minimal pair,
        numbered within the split) and ``idx`` (the row). The rows are shuffled.

    Raises
    ------
    ConfigError
        If a number of rows is odd, not positive, or more than the grammar has sentences for, or a
        phenomenon is not there.

    Examples
    --------
    >>> data = generate(train_rows=40, dev_rows=20)
    >>> {split: len(frame) for split, frame in data.items()}
    {'train': 40, 'validation': 20}
    """
    _check_rows("train_rows", train_rows)
    _check_rows("dev_rows", dev_rows)
    names = _chosen(only)
    # The smaller lexicon first, so that a request beyond it fails early.
    validation = _split("validation", "dev_rows", dev_rows, seed, names)
    train = _split("train", "train_rows", train_rows, seed, names)
    return {"train": train, "validation": validation}


def _chosen(only: Sequence[str] | None) -> tuple[str, ...]:
    """Names in the order of the grammar, so that the data do not depend on the order asked for."""
    unknown = [name for name in only or () if name not in PHENOMENA]
    if unknown or (only is not None and not only):
        raise ConfigError(
            f"expected phenomena of {', '.join(PHENOMENA)}; got {', '.join(unknown) or 'none'}"
        )
    return tuple(name for name in PHENOMENA if only is None or name in only)


def _check_rows(name: str, rows: int) -> None:
    if rows <= 0 or rows % 2:
        raise ConfigError(
            f"expected {name} to be a positive even number, got {rows}; "
            "the sentences come in pairs, so ask for twice the number of pairs you want"
        )


def _split(
    split: Split, argument: str, rows: int, seed: int, names: tuple[str, ...]
) -> pd.DataFrame:
    """Draw one split, shuffle its rows and number them."""
    pairs = _pairs(split, argument, rows, seed, names)
    table = [
        (text, label, phenomenon, number)
        for number, (phenomenon, pair) in enumerate(pairs)
        for text, label in ((pair.acceptable, 1), (pair.unacceptable, 0))
    ]
    random = Random(f"{split}/{seed}/order")
    table.sort(key=lambda _: random.random())
    frame = pd.DataFrame(table, columns=["sentence", "label", "phenomenon", "pair"])
    frame["idx"] = range(rows)
    return frame.astype({"label": "int64", "pair": "int64", "idx": "int64"})


def _pairs(
    split: Split, argument: str, rows: int, seed: int, names: tuple[str, ...]
) -> list[tuple[str, Pair]]:
    """Draw pairs from the phenomena in turn, none with a sentence that was there before."""
    seen: set[str] = set()
    pairs: list[tuple[str, Pair]] = []
    attempts = {name: count() for name in names}
    for number in range(rows // 2):
        name = names[number % len(names)]
        for _ in range(_PATIENCE):
            pair = PHENOMENA[name](Draw(split, f"{seed}/{name}/{next(attempts[name])}"))
            if seen.isdisjoint(pair):
                break
        else:
            raise ConfigError(
                f"expected {argument} to be at most {2 * number}, since {name} has no more "
                f"distinct sentences, got {rows}; ask for fewer rows"
            )
        seen.update(pair)
        pairs.append((name, pair))
    return pairs
