"""What the published float32 SNR(|θ|) prunes, on scores whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from vilora_analysis.allocation import select
from vilora_analysis.analysis import breakdown, breakdown_verdict
from vilora_analysis.errors import ConfigError

LARGEST = float(np.finfo(np.float32).max)


def frame(stable: list[float], published: list[float], step: int = 1) -> pd.DataFrame:
    columns = {"score.snr_abs": stable, "score.snr_abs_float32": published}
    return pd.DataFrame(columns).astype(np.float32).assign(step=step)


def test_where_nothing_breaks_both_prune_alike() -> None:
    found = breakdown(frame([5, 3, 4, 1], [5.01, 3, 4, 1]), 2).iloc[0]
    assert found[["off", "infinite", "swapped", "kept_published"]].tolist() == [0, 0, 0, 2]
    assert found["median"] == 3.5
    assert breakdown_verdict(breakdown(frame([5, 3], [5, 3]), 1)).endswith("stable form does.")


def test_ties_at_the_top_are_broken_by_position_or_all_pruned() -> None:
    """Three of four are infinite: the best stands last among them, and the rule prunes them all."""
    found = breakdown(frame([2e4, 3e4, 4e4, 1], [LARGEST, LARGEST, LARGEST, 1]), 2)
    row = found.iloc[0]
    assert row["infinite"] == row["off"] == 0.75
    assert row["swapped"] == 1
    assert row["kept_published"] == 0
    said = breakdown_verdict(found)
    assert "infinite for 75% of the 4 triplets" in said
    assert "of 2 to keep it would have pruned 1 that the stable form keeps" in said
    assert said.endswith("keeps 0 in all.")


@pytest.mark.parametrize("budget", [1, 7, 19, 20])
def test_kept_sets_are_those_of_the_allocator(budget: int) -> None:
    generator = np.random.default_rng(budget)
    stable = 10 ** generator.uniform(0, 6, 20)
    published = np.where(stable > 1e4, LARGEST, stable)
    found = breakdown(frame(stable.tolist(), published.tolist()), budget).iloc[0]
    scores = [torch.from_numpy(x.astype(np.float32)) for x in (stable, published)]
    kept = [select(x, budget) for x in scores]
    assert found["swapped"] == int((kept[0] & ~kept[1]).sum())
    assert found["kept_published"] == int(select(scores[1], budget, rule="published").sum())


def test_every_step_has_its_row() -> None:
    both = pd.concat([frame([2, 1], [2, 1], step=3), frame([1, 2], [LARGEST, 2], step=9)])
    found = breakdown(both, 1)
    assert found["step"].tolist() == [3, 9]
    assert found["swapped"].tolist() == [0, 1]


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no column score.snr_abs_float32; record with"):
        breakdown(frame([1], [1]).drop(columns="score.snr_abs_float32"), 1)
    with pytest.raises(ConfigError, match=r"budget 3 lies outside 1 \.\. 2"):
        breakdown(frame([1, 2], [1, 2]), 3)
