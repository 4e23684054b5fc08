"""The paper's cells beside those of runs, and all of them in the paper's order."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from vilora_analysis.analysis.table.order import AVERAGES, MEAN, order, tasks
from vilora_analysis.analysis.table.published import published_table
from vilora_analysis.analysis.table.systems import Row

__all__ = ["add_published", "in_order"]

_KEYS = ["target_rank", "method", "optimizer", "criterion"]
_ROW = ["setup", "variant", *_KEYS]


def add_published(frame: pd.DataFrame, mean_of: Iterable[str]) -> pd.DataFrame:
    """The frame with ``published``, also of systems and tasks that there are no runs of.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.results_table` gives it without.
    mean_of
        Tasks over which its ``mean`` is taken; the paper's cells are averaged over the same.
    """
    cells = published_table().rename(columns={"value": "published"}).drop(columns="source")
    cells = pd.concat([cells, _means(cells, [*mean_of])])
    told = cells.merge(frame[_ROW].drop_duplicates(), on=_KEYS, how="left")
    told = told.fillna({"setup": "", "variant": ""})
    both = frame.merge(told, on=[*_ROW, "task"], how="outer")
    both = both.fillna({"metric": "", "interval": "", "why": "", "seeds": 0, "pairs": 0})
    flags = {name: both[name].eq(True) for name in ("supported", "worse")}
    both = both.assign(**flags, average=both["task"].isin([*AVERAGES]))
    return both.astype({"seeds": int, "pairs": int})


def _means(cells: pd.DataFrame, mean_of: list[str]) -> pd.DataFrame:
    """An average that the paper does not have."""
    chosen = cells[cells["task"].isin(mean_of)]
    mean = chosen.groupby(_KEYS, dropna=False, sort=False)["published"].mean().reset_index()
    return mean.assign(task=MEAN)[[*cells]]


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows and tasks in the paper's order, averages last."""
    columns = [*tasks(frame.loc[~frame["average"], "task"]), *AVERAGES]
    keys = [(*order(_row(row)), columns.index(str(row["task"]))) for _, row in frame.iterrows()]
    places = sorted(range(len(frame)), key=keys.__getitem__)
    return frame.iloc[places].reset_index(drop=True)


def _row(row: pd.Series) -> Row:
    rank = None if pd.isna(row["target_rank"]) else int(row["target_rank"])
    return Row(
        row["setup"], rank, row["method"], row["optimizer"], row["criterion"], row["variant"]
    )
