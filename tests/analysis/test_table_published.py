"""The paper's cells: those of the paper, each where it belongs."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.table_runs import BASELINE, FULL, OURS, finished
from vilora_analysis.analysis import published_table, results_table
from vilora_analysis.analysis.table.published import ALL, GLUE

# folder with the paper's tables, where one has them; the facts are in the package
PAPER = Path(os.environ.get("VILORA_PAPER_TABLES", "nowhere")) / "table1.csv"
KEYS = ["target_rank", "method", "optimizer", "criterion"]


def test_every_cell_is_what_the_paper_says() -> None:
    if not PAPER.exists():
        pytest.skip("VILORA_PAPER_TABLES names no folder with table1.csv")
    theirs = {
        tuple(row[key] for key in (*KEYS, "column")): float(row["value"])
        for row in csv.DictReader(PAPER.read_text().splitlines())
    }
    cells = published_table()
    ours = {
        ("-" if pd.isna(rank) else str(rank), *rest): value
        for rank, *rest, value in cells[[*KEYS, "task", "value"]].itertuples(index=False)
    }
    assert ours == theirs
    assert len(cells) == 15 * 11
    assert set(cells["source"]) == {"Chen & Garner, Table I"}


def test_the_printed_averages_are_those_of_the_cells() -> None:
    """Within rounding: a slip of a digit in any cell would show."""
    wide = published_table().pivot_table("value", KEYS, "task", dropna=False).dropna(how="all")
    assert len(wide) == 15
    for name, members in ALL.items():
        assert (wide[name] - wide[[*members]].mean(axis=1)).abs().max() < 0.0151


def test_a_caller_cannot_change_the_facts() -> None:
    mine = published_table()
    mine.loc[:, "value"] = 0.0
    assert published_table()["value"].gt(0).all()


def test_cells_stand_beside_the_runs_of_the_same_system_and_rank(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 50.0), finished(tmp_path, FULL, 40.0)]
    frame = results_table(runs, published=True)
    assert frame["published"].notna().sum() == len(frame) == 15 * 11
    ours = frame[frame["seeds"] > 0].set_index("method")
    assert ours["published"].to_dict() == {"full_ft": 84.84, "adalora": 88.38}
    assert ours["mean"].to_dict() == pytest.approx({"full_ft": 40.0, "adalora": 50.0})
    rest = frame[frame["seeds"] == 0]
    assert rest[["mean", "sd", "difference", "p", "p_holm"]].isna().all(axis=None)
    assert not rest[["supported", "worse"]].any(axis=None)
    assert frame.loc[frame["average"], "task"].value_counts().to_dict() == dict.fromkeys(ALL, 15)


def test_without_runs_it_is_the_papers_table_in_the_papers_order() -> None:
    frame = results_table(published=True)
    cells = published_table()
    assert frame["published"].tolist() == cells["value"].tolist()
    assert frame["task"].tolist() == cells["task"].tolist()
    assert frame.dtypes["p"] == frame.dtypes["mean"] == "float64"


def test_a_system_or_rank_that_the_paper_has_not_has_no_cell(tmp_path: Path) -> None:
    runs = [
        finished(tmp_path, OURS, 50.0, target_rank=8),
        finished(tmp_path, ("lora", "ivon", "none"), 50.0),
        finished(tmp_path, BASELINE, 50.0, task="mine"),
    ]
    frame = results_table(runs, published=True)
    assert frame.loc[frame["seeds"] > 0, "published"].isna().all()


def test_of_the_tasks_there_are_runs_of_the_papers_average_is_told(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 50.0 + at, task=task) for at, task in enumerate(GLUE[3:5])]
    frame = results_table(runs, published=True)
    means = frame[frame["task"] == "mean"].set_index(KEYS)
    assert len(means) == 15
    row = means.loc[(2, "adalora", "ivon", "snr")]
    assert (row["mean"], row["published"]) == (
        pytest.approx(50.5),
        pytest.approx((95.62 + 70.63) / 2),
    )
