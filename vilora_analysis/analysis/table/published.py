"""Table I as the paper prints it: a row for each of its cells."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import pandas as pd

__all__ = ["ALL", "GLUE", "GROUP_1", "GROUP_2", "published_table"]

GROUP_1 = ("mnli", "qqp", "qnli", "sst2")
GROUP_2 = ("cola", "stsb", "mrpc", "rte")
GLUE = (*GROUP_1, *GROUP_2)
"""Tasks in the paper's order: by the size of the training set, the large group first."""
ALL = {"group1": GROUP_1, "group2": GROUP_2, "all": GLUE}
"""The averages that the paper prints, and of what."""


def published_table() -> pd.DataFrame:
    """Cells of the paper's Table I.

    Returns
    -------
    DataFrame
        ``target_rank``, missing for full fine-tuning; ``method``, ``optimizer`` and ``criterion``
        by their names here; ``task``, or ``group1``, ``group2``, ``all`` for the averages as they
        are printed; ``value`` in percent, of DeBERTaV3-base, the best evaluation of each of five
        runs, averaged; ``source``.

    Examples
    --------
    >>> cells = published_table().set_index(["target_rank", "optimizer", "criterion", "task"])
    >>> float(cells.loc[(2, "ivon", "snr", "rte"), "value"])
    88.38
    """
    return _read().copy()


@lru_cache
def _read() -> pd.DataFrame:
    with resources.files(__package__).joinpath("table1.csv").open(encoding="utf-8") as file:
        return pd.read_csv(
            file, dtype={"target_rank": "Int64"}, keep_default_na=False, na_values=[""]
        )
