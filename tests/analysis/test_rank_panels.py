"""Panels, their means over seeds, their entropy, and how far they are apart, counted by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy as scipy_entropy

from tests.analysis.claims_world import HOLDS, ROWS, SYSTEMS, build
from tests.log.synthetic import decision, write_run
from vilora_analysis import analysis
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, open_run

SEEDS = (0, 1, 2)
LABELS = [  # the paper's (a) to (f); the runs' labels of scores are "label of NAME"
    *("Adam, sensitivity", "IVON, sensitivity", "IVON, label of snr_abs"),
    *("IVON, label of snr", "IVON, label of mean_abs", "IVON, label of inverse_std"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return build(tmp_path_factory.mktemp("panels"), HOLDS, SEEDS)


@pytest.fixture(scope="module")
def counted(runs: list[Run]) -> pd.DataFrame:
    return analysis.panel_ranks(reversed(runs))


def kept_by_module(run: Run) -> list[int]:
    """Count one by one."""
    marks = iter(run.triplets(["kept"], -1)["kept"].tolist())
    return [sum(next(marks) for _ in range(module.rank)) for module in run.manifest.modules]


def of_system(runs: list[Run], system: str) -> dict[int, list[int]]:
    """Ranks by matrix of each seed."""
    mine = [
        run
        for run in runs
        if f"-{system.replace(' ', '-').replace('adam-', 'adamw-')}-2" in run.name
    ]
    return {run.manifest.config["seed"]: kept_by_module(run) for run in mine}


def apart(a: list[int], b: list[int]) -> float:
    """Percent of the rank that lies elsewhere."""
    shares = [(x / sum(a), y / sum(b)) for x, y in zip(a, b, strict=True)]
    return 100 * sum(max(x - y, 0) for x, y in shares)


def test_panels_stand_in_the_papers_order(counted: pd.DataFrame) -> None:
    order = counted.drop_duplicates("order").sort_values("order")
    assert order["order"].tolist() == [0, 1, 2, 3, 4, 5]
    assert order["panel"].tolist() == LABELS
    assert order["system"].tolist() == list(analysis.PANELS)
    assert len(counted) == len(SYSTEMS) * len(SEEDS) * len(ROWS)


def test_means_and_spreads_are_those_over_seeds(runs: list[Run], counted: pd.DataFrame) -> None:
    panels = analysis.rank_panels(counted)
    assert len(panels) == len(SYSTEMS) * len(ROWS)
    for system, rows in panels.groupby("system"):
        by_seed = np.array([*of_system(runs, system).values()])
        assert by_seed.shape == (3, len(ROWS))
        mean = dict(zip([row.name for row in ROWS], by_seed.mean(axis=0), strict=True))
        sd = dict(zip([row.name for row in ROWS], by_seed.std(axis=0, ddof=1), strict=True))
        for row in rows.itertuples():
            assert (row.rank, row.sd) == (
                pytest.approx(mean[row.module]),
                pytest.approx(sd[row.module]),
            )
            assert (row.seeds, row.init_rank, row.task, row.step) == (
                3,
                next(module.rank for module in ROWS if module.name == row.module),
                "sst2",
                10,
            )


def test_the_pooler_has_its_row_without_a_layer(counted: pd.DataFrame) -> None:
    panels = analysis.rank_panels(counted)
    assert panels.loc[panels["layer"].isna(), "matrix"].tolist() == ["pooler.dense"] * 6


def test_one_seed_has_no_spread(runs: list[Run]) -> None:
    panels = analysis.rank_panels(analysis.panel_ranks(runs[0]))
    assert panels["sd"].isna().all()
    assert panels["rank"].tolist() == kept_by_module(runs[0])


def test_entropy_is_that_of_each_run(runs: list[Run], counted: pd.DataFrame) -> None:
    frame = analysis.rank_entropy(counted).set_index("system")
    for system in analysis.PANELS:
        found = [scipy_entropy(ranks, base=len(ROWS)) for ranks in of_system(runs, system).values()]
        assert frame.loc[system, "entropy"] == pytest.approx(np.mean(found))
        assert frame.loc[system, "sd"] == pytest.approx(np.std(found, ddof=1))
    assert frame["entropy"].idxmax() == "ivon inverse_std"  # as that world has it
    assert (frame["chance"] < 1).all()
    assert (frame["chance"] > frame.loc["ivon snr", "entropy"]).all()


def test_distances_are_those_of_all_pairs_of_runs(runs: list[Run], counted: pd.DataFrame) -> None:
    frame = analysis.rank_distances(counted)
    assert len(frame) == 6 * 7 / 2
    budget = np.mean([sum(kept_by_module(run)) for run in runs])
    for row in frame.itertuples():
        a, b = (of_system(runs, analysis.PANELS[at]) for at in (row.order_a, row.order_b))
        equal = [apart(a[seed], b[seed]) for seed in SEEDS]
        assert row.equal_seeds == pytest.approx(np.mean(equal))
        unequal = [(i, j) for i, j in itertools.product(SEEDS, SEEDS) if i != j]
        other = np.mean([apart(a[i], b[j]) for i, j in unequal])
        assert row.other_seeds == pytest.approx(other)
        within = np.mean([apart(of[i], of[j]) for of in (a, b) for i, j in unequal])
        assert row.between_seeds == pytest.approx(within)
        shown = other if row.order_a == row.order_b else np.mean(equal)
        assert row.moved == pytest.approx(shown * budget / 100)
        if row.order_a == row.order_b:
            assert math.isnan(row.p)
        else:
            assert row.excess == pytest.approx(other - within)
            assert row.smallest_p == 0.25 <= row.p <= row.p_holm <= 1


def test_random_sets_are_drawn_from_the_matrices_of_a_run(counted: pd.DataFrame) -> None:
    """Of two hypergeometric draws the mean absolute difference, by drawing triplets one by one."""
    (chance,) = analysis.rank_distances(counted)["chance"].unique()
    generator, sizes = np.random.default_rng(3), [row.rank for row in ROWS]
    budget = counted.iloc[: len(ROWS)]["rank"].sum()
    owner = np.repeat(np.arange(len(sizes)), sizes)
    drawn = [
        np.bincount(generator.permutation(owner)[:budget], minlength=len(sizes))
        for _ in range(2000)
    ]
    found = [apart(a.tolist(), b.tolist()) for a, b in itertools.pairwise(drawn)]
    assert chance == pytest.approx(np.mean(found), rel=0.06)


def test_the_sentence_names_what_is_nearer_than_seeds(counted: pd.DataFrame) -> None:
    frame = analysis.rank_distances(counted)
    said = analysis.rank_panels_verdict(frame)
    near = frame[
        (frame["order_a"] < frame["order_b"]) & (frame["equal_seeds"] < frame["between_seeds"])
    ]
    assert 0 < len(near) < 15
    assert f"{len(near)} of 15 pairs of methods on one seed less" in said
    assert "[IVON, label of snr_abs] and [IVON, label of snr] (0.0%)" in said
    assert "3 seeds allow no p below 0.25; 10 seeds are the fewest that could" in said
    assert "Adam" not in said.split("Whether")[0]


def test_with_seeds_enough_the_sentence_says_what_differs(tmp_path: Path) -> None:
    systems = (("ivon", "sensitivity"), ("adamw", "sensitivity"))
    distances = analysis.rank_distances(
        analysis.panel_ranks(build(tmp_path / "apart", HOLDS, range(6), systems))
    )
    said = analysis.rank_panels_verdict(distances)
    assert "two methods on one seed always more, the least [Adam" in said
    assert "Beyond seeds (exact test, Holm, 6 seeds) differ [Adam, sensitivity] and [IVON" in said
    alike = (("ivon", "sensitivity"), ("ivon", "mean_abs"))
    same = analysis.panel_ranks(build(tmp_path / "alike", HOLDS, range(6), alike))
    said = analysis.rank_panels_verdict(analysis.rank_distances(same))
    assert "Of none can it be shown that they differ beyond seeds (6 seeds" in said


def test_one_seed_cannot_tell(runs: list[Run]) -> None:
    frame = analysis.rank_distances(
        analysis.panel_ranks(run for run in runs if run.manifest.config["seed"] == 1)
    )
    assert frame[["between_seeds", "other_seeds", "p"]].isna().all(axis=None)
    said = analysis.rank_panels_verdict(frame)
    assert said.startswith("Cannot tell whether methods put their rank elsewhere than another seed")


def test_methods_without_a_seed_in_common_cannot_be_told(tmp_path: Path) -> None:
    first = build(tmp_path, HOLDS, [0], (("ivon", "snr"),))
    second = build(tmp_path, HOLDS, [1], (("ivon", "mean_abs"),))
    frame = analysis.rank_distances(analysis.panel_ranks([*first, *second]))
    assert "no two of them have a seed in common" in analysis.rank_panels_verdict(frame)
    alone = analysis.rank_distances(analysis.panel_ranks(first))
    assert "One method only" in analysis.rank_panels_verdict(alone)


def test_runs_that_do_not_say_their_seed_are_one_seed(tmp_path: Path) -> None:
    systems = (("ivon", "snr"), ("adamw", "sensitivity"))
    frame = analysis.panel_ranks(
        write_like(tmp_path, optimizer, criterion) for optimizer, criterion in systems
    )
    (pair,) = analysis.rank_distances(frame).query("order_a < order_b").itertuples()
    assert pair.seeds == 1
    assert pair.equal_seeds >= 0
    assert analysis.rank_entropy(frame)["seeds"].tolist() == [1, 1]


def write_like(folder: Path, optimizer: str, criterion: str) -> Run:
    """A run of a loop that tells nothing."""
    path = folder / optimizer / "run"  # names that do not tell them apart
    return open_run(
        write_run(
            path, config={}, criterion=criterion, optimizer={"name": optimizer}, kept=[True] * 20
        ).path
    )


def test_what_is_left_out_is_said(tmp_path: Path, runs: list[Run]) -> None:
    unpruned = open_run(write_run(tmp_path / "plain", criterion=None).path)
    frame = analysis.panel_ranks([unpruned, *runs[:2]])
    assert frame.attrs["notes"] == ["plain is left out: nothing was pruned in it"]
    with pytest.raises(LogError, match="no finished run that was pruned"):
        analysis.panel_ranks(unpruned)


@pytest.mark.parametrize("change", [{"task": "rte"}, {"model": "large"}, {"target_rank": 2}])
def test_runs_without_a_common_scale_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    given = {"task": "sst2", "model": "small", "target_rank": 4}
    one = build(tmp_path / "a", HOLDS, [0], (("ivon", "snr"),), **given)
    other = build(tmp_path / "b", HOLDS, [0], (("ivon", "snr_abs"),), **given | change)
    with pytest.raises(ConfigError, match="of one task, model and budget, got runs of") as refused:
        analysis.panel_ranks([*one, *other])
    (value,) = change.values()
    assert str(value) in str(refused.value)


def test_distances_are_of_one_step(runs: list[Run]) -> None:
    with pytest.raises(ConfigError, match="of one step, got 2"):
        analysis.rank_distances(analysis.panel_ranks(runs, steps=None))


def test_last_steps_that_differ_are_said(tmp_path: Path) -> None:
    given = [("snr", (1, 5)), ("mean_abs", (1, 4))]
    runs = [
        open_run(write_run(tmp_path / name, criterion=name, steps=steps).path)
        for name, steps in given
    ]
    with pytest.raises(ConfigError, match=r"the runs' steps differ \(4, 5\)"):
        analysis.panel_ranks(runs)
    assert set(analysis.panel_ranks(runs, steps=1)["step"]) == {1}


def test_steps_on_the_way_lie_evenly_along_the_budget(tmp_path: Path) -> None:
    steps = range(1, 21)
    budgets = {step: 20 if step < 5 else max(12, 24 - step) for step in steps}  # falls from 5 to 12
    events = [decision(step, budget=budget) for step, budget in budgets.items()]
    run = open_run(write_run(tmp_path / "run", steps=steps, events=events).path)
    chosen = analysis.panel_steps([run], 6)
    assert chosen == [1, 6, 8, 10, 12, 20]
    assert [budgets[step] for step in chosen] == [20, 18, 16, 14, 12, 12]


def test_steps_without_a_falling_budget_lie_evenly(tmp_path: Path) -> None:
    long = open_run(write_run(tmp_path / "a", steps=range(1, 21)).path)
    short = open_run(write_run(tmp_path / "b", steps=range(2, 23, 2)).path)
    assert analysis.panel_steps([long], 3) == [1, 11, 20]
    assert analysis.panel_steps([long, short], 3) == [2, 10, 20]
    with pytest.raises(LogError, match="no recorded step in common"):
        analysis.panel_steps([])
