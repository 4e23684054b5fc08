"""The bridge from sensitivity to snr on written scores whose answer is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import vilora_analysis as va
from tests.log.synthetic import write_run
from vilora_analysis.analysis import (
    bridge,
    bridge_aggregation,
    bridge_swaps,
    bridge_verdict,
    has_bridge,
)
from vilora_analysis.analysis.bridge import SWAPS
from vilora_analysis.errors import ConfigError, LogError

N = 20


def name_of(state: frozenset[str]) -> str:
    """The naming rule, spelled out a second time."""
    if "curvature" in state:
        return "snr" if "uncertainty" in state else "bridge_snr_uncertainty"
    if state <= {"uncertainty"}:
        return "sensitivity_smoothed" if state else "sensitivity"
    return "bridge_" + "_".join(s for s in SWAPS if s in state)


def possible(state: frozenset[str]) -> bool:
    return "curvature" not in state or {"horizon", "norm", "weight"} <= state


STATES = [
    state
    for n in range(len(SWAPS) + 1)
    for state in map(frozenset, itertools.combinations(SWAPS, n))
    if possible(state)
]
ORDERS = [
    order
    for order in itertools.permutations(SWAPS)
    if all(possible(frozenset(order[:i])) for i in range(6))
]


def written(path: Path, columns: dict[str, np.ndarray], **options: object) -> va.Run:
    names = list(dict.fromkeys(c.split(".")[1] for c in columns))
    return va.open_run(write_run(path, scores=names, columns=columns, **options).path)


def drawn(path: Path, *, seed: int = 0) -> va.Run:
    generator = np.random.default_rng(seed)
    return written(path, {f"score.{name_of(s)}": generator.uniform(size=N) for s in STATES})


def test_there_are_18_scores_and_30_orders() -> None:
    assert (len(STATES), len(ORDERS)) == (18, 30)


def test_shares_are_means_over_all_orders_and_add_up(tmp_path: Path) -> None:
    run = drawn(tmp_path / "run")
    frame = bridge(run, steps=[2])
    whole = frame[frame["part"] == "all"].set_index("swap")
    rows = run.triplets(steps=2)

    def rho(a: frozenset[str], b: frozenset[str]) -> float:
        found = stats.spearmanr(rows[f"score.{name_of(a)}"], rows[f"score.{name_of(b)}"])
        return float(found.statistic)

    end = frozenset(SWAPS)
    for swap in SWAPS:
        nearer, moved = [], []
        for order in ORDERS:
            before = frozenset(order[: order.index(swap)])
            after = before | {swap}
            nearer.append(rho(after, end) - rho(before, end))
            moved.append(1 - rho(before, after))
        assert whole.loc[swap, "nearer"] == pytest.approx(np.mean(nearer))
        assert whole.loc[swap, "moved"] == pytest.approx(np.mean(moved))
        assert whole.loc[swap, "least"] == pytest.approx(min(nearer))
        assert whole.loc[swap, "most"] == pytest.approx(max(nearer))
    assert whole["nearer"].sum() == pytest.approx(1 - rho(frozenset(), end))
    assert whole["apart"].tolist() == pytest.approx([1 - rho(frozenset(), end)] * 5)


@pytest.mark.parametrize("swap", SWAPS)
def test_only_the_swap_that_changes_the_ranking_is_named(tmp_path: Path, swap: str) -> None:
    generator = np.random.default_rng(1)
    before, after = generator.uniform(size=(2, N))
    columns = {f"score.{name_of(s)}": after if swap in s else before for s in STATES}
    frame = bridge(written(tmp_path / "run", columns), steps=[1])
    whole = frame[frame["part"] == "all"].set_index("swap")["nearer"]
    apart = 1 - stats.spearmanr(before, after).statistic
    assert whole[swap] == pytest.approx(apart)
    assert whole.drop(swap).abs().max() == pytest.approx(0, abs=1e-12)
    assert f"{swap} {apart:+.3f}, " in bridge_verdict(frame)
    assert f"{swap} moves the ranking most ({apart:.3f})" in bridge_verdict(frame)


def test_parts_of_factors_are_bridged_too(tmp_path: Path) -> None:
    frame = bridge_swaps(drawn(tmp_path / "run"), steps=[1, 3])
    assert set(frame["part"]) == {"all", "E", "A", "B"}
    edges = sum(possible(s | {swap}) for s in STATES for swap in SWAPS if swap not in s)
    assert frame.groupby(["step", "part"]).size().eq(edges).all()


def test_by_default_what_no_pruning_had_touched_is_looked_at(tmp_path: Path) -> None:
    columns = {f"score.{name_of(s)}": np.arange(N) for s in STATES}
    event = {"step": 3, "budget": 10, "threshold": 0.1, "n_kept": 10, "pruned": [], "revived": []}
    run = written(tmp_path / "run", columns, events=[event])
    assert bridge(run)["step"].unique().tolist() == [3]
    assert "of the 0.000 between them" in bridge_verdict(bridge(run))


def test_constant_scores_bridge_nothing(tmp_path: Path) -> None:
    columns = {f"score.{name_of(s)}": np.ones(N) for s in STATES}
    frame = bridge(written(tmp_path / "run", columns), steps=[1])
    assert frame.loc[frame["part"] == "all", ["nearer", "apart"]].isna().all(axis=None)
    assert "cannot be bridged here" in bridge_verdict(frame)


def test_aggregations_recorded_of_both_ends_are_swapped(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    names = ("snr", "sensitivity", "snr@sum", "sensitivity@sum", "snr@E")
    columns = {f"score.{name}": generator.uniform(size=N) for name in names}
    frame = bridge_aggregation(written(tmp_path / "run", columns), steps=[4])
    assert frame["aggregation"].tolist() == ["", "@sum"]
    plain, summed = frame.to_dict("records")
    values = {name: columns[f"score.{name}"].astype(np.float32) for name in names}

    def rho(a: str, b: str) -> float:
        return pytest.approx(stats.spearmanr(values[a], values[b]).statistic)

    assert plain["agreement"] == rho("snr", "sensitivity")
    assert (plain["snr"], plain["sensitivity"]) == (pytest.approx(1), pytest.approx(1))
    assert summed["agreement"] == rho("snr@sum", "sensitivity@sum")
    assert summed["snr"] == rho("snr", "snr@sum")
    assert summed["sensitivity"] == rho("sensitivity", "sensitivity@sum")


def test_a_run_without_the_family_says_how_to_record_it(tmp_path: Path) -> None:
    run = va.open_run(write_run(tmp_path / "run").path)
    assert not has_bridge(run)
    with pytest.raises(LogError, match=r"has no bridge_horizon, .*--scores default bridge"):
        bridge(run)
    with pytest.raises(ConfigError, match="method 'tau' is none of"):
        bridge(run, method="tau")
    assert has_bridge(drawn(tmp_path / "bridged"))


def test_every_swap_goes_from_one_recorded_score_to_another(tmp_path: Path) -> None:
    frame = bridge_swaps(drawn(tmp_path / "run"), steps=[1])
    ends = pd.unique(frame[["before", "after"]].to_numpy().ravel())
    assert set(ends) == set(map(name_of, STATES)) <= set(va.scores.names())
