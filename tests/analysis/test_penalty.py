"""Rank by penalty, its overlap with scores, and the verdict, against plain counts and sets."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.log.synthetic import decision, modules, write_run
from vilora_analysis import analysis
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, open_run

ROWS = modules(1, ("W_o", "W_q"), rank=3)  # ranks 3, 3 and the pooler's 2
N = 8


def l1_run(path: Path, penalty: float, kept: int, **changes: Any) -> Run:
    recorder = {"schedule": None, "l1": {"penalty": penalty, "start": 3, "metric": "optimizer"}}
    return run(path, kept, {"criterion": None, "recorder": recorder, **changes})


def budget_run(path: Path, kept: int, **changes: Any) -> Run:
    schedule = {"target_budget": kept, "tinit": 3}
    return run(path, kept, {"recorder": {"schedule": schedule, "l1": None}, **changes})


def run(path: Path, kept: int, described: dict[str, Any]) -> Run:
    """Ten steps in twos; the first are kept at the end."""
    marks = np.ones((5, N), dtype=bool)
    marks[2:] = np.arange(N) < kept
    accuracy = described.pop("accuracy", 0.8)
    size = np.array([3.0, -1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0])
    write_run(
        path,
        inputs=("mu",),
        columns={"mu_E": np.where(np.arange(N) < kept, size, 0)},
        events=[decision(4, n_kept=min(kept, 2)), decision(8, n_kept=kept, revived=["a", "b"])],
        steps=range(2, 11, 2),
        kept=marks,
        rows=ROWS,
        every=2,
        results={"accuracy": accuracy, "budget_kept": kept},
        **{"config": {"seed": 0}, **described},
    )
    return open_run(path)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return [
        budget_run(tmp_path / "b", 4, accuracy=0.75),
        l1_run(tmp_path / "strong", 1e-1, 0, accuracy=0.5),
        l1_run(tmp_path / "weak", 1e-3, 7),
        l1_run(tmp_path / "middle", 1e-2, 4, accuracy=0.7),
        run(tmp_path / "observed", 8, {"criterion": None}),
    ]


def test_each_run_is_a_row_of_plain_counts(runs: list[Run]) -> None:
    frame = analysis.rank_by_penalty(runs).set_index("run")
    assert list(frame.index) == ["weak", "middle", "strong", "b"]
    assert frame["rank"].tolist() == [7, 4, 0, 4]
    assert frame["penalty"].tolist()[:3] == [1e-3, 1e-2, 1e-1]
    assert frame["budget"].isna().tolist() == [True, True, True, False]
    assert frame.loc["b", "budget"] == 4
    assert frame["empty"].tolist() == [0, 1, 3, 1]
    assert (frame["step"] == 10).all()
    assert frame["value"].tolist() == [0.8, 0.7, 0.5, 0.75]
    assert set(frame["metric"]) == {"accuracy"}
    assert frame["lowest"].tolist() == [2, 2, 0, 2]
    assert (frame["revived"] == 2).all()
    assert frame.loc["middle", "effective"] == pytest.approx(6**2 / (9 + 1 + 1 + 1))
    assert frame.loc["strong", "effective"] == 0
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(3)
    assert frame.loc["middle", "entropy"] == pytest.approx(expected)
    assert math.isnan(frame.loc["strong", "entropy"])


def test_a_metric_can_be_chosen_and_may_be_missing(runs: list[Run]) -> None:
    assert analysis.rank_by_penalty(runs, metric="f1")["value"].isna().all()


def test_nothing_allocated_is_said(runs: list[Run]) -> None:
    with pytest.raises(LogError, match="--allocation l1"):
        analysis.rank_by_penalty(runs[-1])


def test_overlap_is_that_of_plain_sets(runs: list[Run]) -> None:
    frame = analysis.penalty_overlap(runs)
    assert set(frame["run"]) == {"b", "strong", "weak", "middle"}
    middle = runs[3]
    for when, step in (
        ("before", 4),
        ("end", 10),
    ):  # scores of step 4 precede its own proximal step
        for score in middle.score_names:
            values = middle.triplets([f"score.{score}"], step)[f"score.{score}"].to_numpy()
            would = set(sorted(range(N), key=lambda i: -values[i])[:4])
            row = frame[
                (frame["run"] == "middle") & (frame["when"] == when) & (frame["score"] == score)
            ].iloc[0]
            shared = len(would & {0, 1, 2, 3})
            assert (row["step"], row["size"], row["n"]) == (step, 4, N)
            assert row["value"] == pytest.approx(shared / (8 - shared))
            chances = [math.comb(4, i) * math.comb(4, 4 - i) / math.comb(8, 4) for i in range(5)]
            expected = sum(p * i / (8 - i) for i, p in enumerate(chances))
            assert row["chance"] == pytest.approx(expected)
            assert row["corrected"] == pytest.approx((row["value"] - expected) / (1 - expected))
            assert row["p_value"] == pytest.approx(sum(chances[shared:]))
    assert frame.loc[frame["run"] == "strong", "corrected"].isna().all()


def test_the_verdict_of_one_seed_cannot_tell(runs: list[Run]) -> None:
    said = analysis.penalty_verdict(analysis.rank_by_penalty(runs))
    assert said == (
        "Over penalties from 0.001 to 0.1 the rank goes from 7 to 0 of 8, falling all the way; a "
        "budget of 4 is met by a penalty of 0.01; the kept set does not settle: at 0.001 the rank "
        "fell to 2 and came back to 7, by 2 revivals, with values that weigh as 5.1 equal ones; at "
        "about the same rank (4 and 4) accuracy is 0.700 with the penalty and 0.750 with the "
        "budget, and from one seed which is better cannot be told."
    )


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    common = {"n_triplets": 100, "metric": "accuracy", "penalty": np.nan, "budget": pd.NA}
    common |= {"lowest": 0, "revived": 0, "effective": 1.0}
    return pd.DataFrame([{**common, **row} for row in rows]).astype({"budget": "Int64"})


def test_the_verdict_between_penalties_and_over_seeds() -> None:
    rows = [
        {"allocation": "l1", "penalty": p, "rank": r, "seed": seed, "value": 0.8 + 0.01 * seed}
        for p, r in ((1e-3, 90), (8e-3, 60), (1.6e-2, 70))
        for seed in (0, 1)
    ]
    rows += [
        {"allocation": "budget", "budget": 66, "rank": 66, "seed": seed, "value": 0.7 + 0.03 * seed}
        for seed in (0, 1)
    ]
    said = analysis.penalty_verdict(frame_of(rows))
    assert "not steadily (it rises 1 times)" in said
    assert "a budget of 66 lies between 0.001 and 0.008, where doubling the penalty costs" in said
    assert "costs about 10 triplets" in said
    assert "(70 and 66)" in said
    assert said.endswith("over 2 seeds apart by +0.090 ± 0.010.")


def test_the_verdict_without_a_neighbour_or_a_penalty() -> None:
    l1 = {"allocation": "l1", "penalty": 1e-3, "rank": 90, "seed": 0, "value": 0.8}
    budget = {"allocation": "budget", "budget": 20, "rank": 20, "seed": 0, "value": 0.7}
    said = analysis.penalty_verdict(frame_of([l1, budget]))
    assert "A penalty of 0.001 ends at rank 90 of 100" in said
    assert "no penalty tried comes down to, or stays above, a budget of 20" in said
    assert "results do not compare" in said
    with pytest.raises(ConfigError, match="no run with a penalty"):
        analysis.penalty_verdict(frame_of([budget]))
