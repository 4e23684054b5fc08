"""Final kept sets of several seeds, against plain sets and a simulation."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.test_shadow import SCORES, all_sets, shadow_run
from tests.analysis.test_shadow_overlap import THREE, random_run
from tests.log.synthetic import modules
from vilora_analysis.analysis import stability
from vilora_analysis.errors import ConfigError
from vilora_analysis.log import ModuleRow, Run, open_run


def seeds(folder: Path, count: int = 3) -> list[Run]:
    return [
        random_run(folder / str(seed), seed=seed, config={"seed": seed, "out": seed})
        for seed in range(count)
    ]


def test_stability_is_the_mean_over_pairs_of_seeds(tmp_path: Path) -> None:
    runs = seeds(tmp_path)
    frame = stability(runs).set_index(["score", "measure"])
    assert (frame["runs"] == 3).all()
    assert (frame["pairs"] == 3).all()
    ranks = [module.rank for module in runs[0].manifest.modules]
    module = np.repeat(np.arange(len(ranks)), ranks)
    for name in (*THREE, "kept"):
        sets = [set(all_sets(run, -1)[name][0]) for run in runs]
        pairs = list(itertools.combinations(sets, 2))
        expected = np.mean([len(a & b) / len(a | b) for a, b in pairs])
        assert frame.loc[(name, "kept"), "value"] == pytest.approx(expected)
        by_module = [np.bincount(module[list(s)], minlength=len(ranks)) for s in sets]
        shared = [np.minimum(a, b).sum() / 8 for a, b in itertools.combinations(by_module, 2)]
        assert frame.loc[(name, "ranks"), "value"] == pytest.approx(np.mean(shared))
    assert frame.loc[("snr", "kept"), "chance"] == pytest.approx(0.26, abs=0.01)


def test_shared_rank_expected_by_chance_is_that_of_a_simulation(tmp_path: Path) -> None:
    chance = stability(seeds(tmp_path, 2)).query("measure == 'ranks'")["chance"].iloc[0]
    generator, module = np.random.default_rng(0), np.repeat(range(7), [3] * 6 + [2])
    drawn = [
        [np.bincount(module[generator.permutation(20)[:8]], minlength=7) for _ in range(2)]
        for _ in range(3000)
    ]
    assert chance == pytest.approx(
        np.mean([np.minimum(*pair).sum() / 8 for pair in drawn]), abs=0.01
    )


def test_the_same_sets_are_stable(tmp_path: Path) -> None:
    runs = [random_run(tmp_path / str(s), config={"seed": s}) for s in (1, 2)]
    frame = stability(runs)
    assert (frame[["value", "corrected"]] == 1).all(axis=None)


def test_a_module_without_rank_does_not_matter(tmp_path: Path) -> None:
    rows = (ModuleRow("a", "W_v", 0, 0), *modules(), ModuleRow("z", "W_v", 1, 0))
    runs = []
    for seed in (1, 2):
        values = {name: np.random.default_rng(seed).random((1, 20)) for name in SCORES}
        described = {"rows": rows, "config": {"seed": seed}}
        written = shadow_run(tmp_path / str(seed), values, {1: 8}, **described)
        runs.append(open_run(written.path))
    frame = stability(runs)
    ranks = frame[(frame["measure"] == "ranks") & (frame["score"] == "snr")]
    assert 0 < ranks["value"].iloc[0] <= 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"rows": modules(rank=4)},
            "different modules .7 with 26 triplets and 7 with 20",
        ),
        ({"config": {"seed": 2, "lr": 2}}, "they differ in lr"),
        ({"criterion": "mean_abs"}, "they differ in criterion"),
        ({"config": {"seed": 1, "lr": 1}}, "seed 1 is there twice"),
    ],
)
def test_runs_that_are_no_seeds_of_one_system_are_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    plain = {"rows": modules(), "config": {"seed": 1, "lr": 1}}
    other = {**plain, "config": {"seed": 2, "lr": 1}, **changed}
    runs = [
        open_run(shadow_run(tmp_path / str(i), {"snr": 1.0, "mean_abs": 1.0}, {1: 8}, **given).path)
        for i, given in enumerate((plain, other))
    ]
    with pytest.raises(ConfigError, match=said):
        stability(runs)


def test_stability_takes_two_runs_that_came_as_far(tmp_path: Path) -> None:
    runs = [random_run(tmp_path / str(n), steps=n, config={"seed": n}) for n in (3, 4)]
    with pytest.raises(ConfigError, match="at least two runs, got 1"):
        stability(runs[:1])
    with pytest.raises(ConfigError, match="different steps: 3 3, 4 4; compare finished runs"):
        stability(runs)
