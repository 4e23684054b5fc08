"""Where h comes from: logs of simulated updates with a known answer, and IVON itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from tests.log.synthetic import Written, decision, modules, write_posterior_run, write_run
from vilora_analysis.analysis.theory.equilibrium import (
    equilibrium,
    equilibrium_points,
    has_equilibrium,
)
from vilora_analysis.analysis.theory.equilibrium_verdict import equilibrium_verdict
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, open_run

ROWS = modules(12, rank=9)
N = 12 * 3 * 9 + 2
GROUP = {
    "beta2": 0.97,
    "ess": 1e8,
    "hess_init": 0.1,
    "weight_decay": 1e-8,
    "mc_samples": 1,
}
STEPS = (20, 60, 140)


def history(
    curvature: float, noise: np.ndarray, *, seed: int = 0, **changes: float
) -> dict[str, list[np.ndarray]]:
    """h and the running squared gradient of parameters whose update is simulated."""
    known = {**GROUP, **changes}
    beta2, ess, decay = known["beta2"], known["ess"], known["weight_decay"]
    generator = np.random.default_rng(seed)
    hess, total = np.full(N, known["hess_init"]), np.zeros(N)
    kept: dict[str, list[np.ndarray]] = {"hess": [], "fisher": []}
    for step in range(1, max(STEPS) + 1):
        eps = generator.normal(size=N) / np.sqrt(ess * (hess + decay))
        grad = curvature * eps + noise * generator.normal(size=N)
        f = grad * eps * ess * (hess + decay)
        last = 0.5 * (1 - beta2) ** 2 * (hess - f) ** 2 / (hess + decay)
        hess = beta2 * hess + (1 - beta2) * f + last
        total = beta2 * total + (1 - beta2) * grad**2
        if step in STEPS:
            kept["hess"].append(hess)
            kept["fisher"].append(total / (1 - beta2**step))
    return kept


def noises(level: float, spread: float = 1.0) -> np.ndarray:
    """Gradients whose correction term gives about this h."""
    scale = np.exp(spread * np.random.default_rng(9).normal(size=N))
    return np.sqrt(level * scale / (0.5 * (1 - GROUP["beta2"]) * GROUP["ess"]))


def written(path: Path, by_factor: dict[str, dict[str, list[np.ndarray]]], **changes: Any) -> Run:
    columns = {
        f"{name}_{factor}": np.stack(found[key])
        for factor, found in by_factor.items()
        for name, key in (("hess", "hess"), ("fisher_batch", "fisher"))
    }
    known: dict[str, Any] = {
        "rows": ROWS,
        "optimizer": {"name": "IVON", "groups": [GROUP]},
        "recorder": {"fisher_beta": GROUP["beta2"]},
    }
    written_run: Written = write_posterior_run(
        path, steps=STEPS, columns=columns, **{**known, **changes}
    )
    return open_run(written_run.path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """E ruled by the correction term, A by curvature, B still at its initial value."""
    return written(
        tmp_path_factory.mktemp("equilibrium") / "run",
        {
            "E": history(0.0, noises(0.1, 0.5)),
            "A": history(3.0, noises(0.1)),
            "B": history(0.0, noises(1e-4), seed=2),
        },
    )


@pytest.fixture(scope="module")
def last(run: Run) -> pd.DataFrame:
    return equilibrium(run).set_index("factor")


def test_each_regime_is_told(run: Run, last: pd.DataFrame) -> None:
    assert last["step"].unique().tolist() == [140]
    assert last["regime"].to_dict() == {"E": "correction", "A": "curvature", "B": "initial"}
    early = equilibrium(run, steps=20).set_index("factor")
    assert early["regime"].to_dict() == {"E": "mixed", "A": "curvature", "B": "initial"}


def test_without_curvature_the_bounds_hold_nothing(last: pd.DataFrame) -> None:
    assert last.loc["E", "remainder_low"] < 0
    assert last.loc["E", "remainder_high"] > 0
    assert last.loc["E", "ratio"] == pytest.approx(1, abs=0.2)
    assert last.loc["E", "spread"] == pytest.approx(last.loc["E", "spread_expected"], rel=0.25)
    assert last.loc["A", "remainder_low"] > 0.5
    assert np.isnan(last.loc["A", "spread_expected"])


def test_shares_add_up_and_are_what_a_loop_finds(run: Run, last: pd.DataFrame) -> None:
    rows = run.triplets(steps=140)
    means = run.triplets()
    decay = 0.97 + 0.5 * 0.03**2
    for factor in "EAB":
        parts = []
        by_step = [means.loc[means["step"] == s, f"fisher_batch_{factor}"] for s in STEPS]
        for h, *fisher in zip(rows[f"hess_{factor}"], *by_step, strict=True):
            initial = 0.1 * decay**140
            correction, total_then, then = 0.0, 0.0, 0
            for step, mean in zip(STEPS, fisher, strict=True):
                # the stretch's own mean, at each of its steps
                total_now = float(mean) * sum(0.97**i for i in range(step))
                stretch = total_now - 0.97 ** (step - then) * total_then
                square = stretch / sum(0.97**i for i in range(step - then))
                for _ in range(then, step):
                    correction = decay * correction + 0.5 * 0.03**2 * 1e8 * square
                total_then, then = total_now, step
            total = initial + correction
            parts.append([initial / total, correction / total, float(h) / total])
        initial, correction, ratio = np.mean(parts, axis=0)
        row = last.loc[factor]
        assert row["ratio"] == pytest.approx(ratio, rel=1e-9)
        assert row["share_initial"] == pytest.approx(initial / ratio, rel=1e-9)
        assert row["share_correction"] == pytest.approx(correction / ratio, rel=1e-9)
        assert row["share_remainder"] == pytest.approx((ratio - 1) / ratio, rel=1e-9)
        assert sum(row[f"share_{n}"] for n in ("initial", "correction", "remainder")) == (
            pytest.approx(1)
        )
        of = pd.DataFrame(parts)[2]
        half = 1.959964 * of.std(ddof=0) / np.sqrt(N)
        assert row["ratio_high"] - row["ratio"] == pytest.approx(half, rel=1e-6)
        assert row["ratio_median"] == pytest.approx(of.median())
        assert row["spread"] == pytest.approx(np.sqrt(((of - 1) ** 2).mean()))


def test_rank_and_slope_are_those_of_other_means(run: Run, last: pd.DataFrame) -> None:
    points = equilibrium_points(run)
    for factor, group in points.groupby("factor"):
        ranked = group[["hess", "predicted"]].rank()
        assert last.loc[str(factor), "spearman"] == pytest.approx(
            ranked["hess"].corr(ranked["predicted"])
        )
        slope = np.polyfit(np.log(group["predicted"]), np.log(group["hess"]), 1)[0]
        assert last.loc[str(factor), "slope"] == pytest.approx(slope)


def test_points_are_the_rows_of_the_log(run: Run) -> None:
    points = equilibrium_points(run, step=60)
    assert len(points) == 3 * N
    assert set(points["step"]) == {60}
    rows = run.triplets(steps=60)
    for factor in "EAB":
        own = points[points["factor"] == factor]
        assert own["hess"].tolist() == rows[f"hess_{factor}"].tolist()
        assert own["k"].tolist() == rows["k"].tolist()
    total = points["initial"] + points["correction"] + points["remainder"]
    np.testing.assert_allclose(total, points["hess"])
    np.testing.assert_allclose(points["initial"], 0.1 * 0.97045**60)


def test_all_steps_are_those_one_by_one(run: Run) -> None:
    whole = equilibrium(run, steps=slice(None))
    assert whole["step"].tolist() == [20] * 3 + [60] * 3 + [140] * 3
    for step in STEPS:
        own = whole[whole["step"] == step].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, equilibrium(run, steps=step))


def test_another_running_mean_needs_the_steps_before(tmp_path: Path) -> None:
    """Squares that are constant have every running mean alike, so nothing may change."""
    found = {f: {"hess": [np.ones(N)] * 3, "fisher": [np.full(N, 1e-7)] * 3} for f in "EAB"}
    same = written(tmp_path / "a", found)
    plain = written(tmp_path / "b", found, recorder={"fisher_beta": 1.0})
    a, b = (equilibrium(r, steps=[60]).drop(columns="run") for r in (same, plain))
    pd.testing.assert_frame_equal(a, b, rtol=1e-6)


def test_a_constant_h_has_neither_rank_nor_slope(tmp_path: Path) -> None:
    found = {f: {"hess": [np.ones(N)] * 3, "fisher": [np.full(N, 1e-20)] * 3} for f in "EAB"}
    frame = equilibrium(written(tmp_path / "run", found))
    assert frame[["spearman", "slope"]].isna().all(axis=None)


def test_the_verdict_says_where_and_what_it_means(run: Run, tmp_path: Path) -> None:
    said = equilibrium_verdict(equilibrium(run))
    assert said.startswith("At step 140, 1/sigma of E comes from the optimizer's own correction")
    assert "1/sigma of A comes from curvature" in said
    assert "1/sigma of B is h's initial value (" in said
    assert "what is left, curvature or a gradient that depends on its own noise, is" in said
    assert "not because the Hessian is the Fisher" in said
    early = equilibrium(run, steps=20)
    only = equilibrium_verdict(early[early["factor"] == "B"])
    assert "is h's initial value (" in only
    assert "nothing of it is told apart from zero curvature" in only
    assert "Fisher" not in only
    assert "has no single source (" in equilibrium_verdict(early[early["factor"] == "E"])
    both = pd.concat([equilibrium(run), equilibrium(run).assign(run="other")])
    assert equilibrium_verdict(both).startswith("Over 2 runs and the factors of each")
    with pytest.raises(ConfigError, match="expected one step of each run, got 20, 60, 140"):
        equilibrium_verdict(equilibrium(run, steps=slice(None)))


def test_the_last_decision_is_looked_at_by_default(tmp_path: Path) -> None:
    found = {f: history(0.0, noises(1.0)) for f in "EAB"}
    run = written(tmp_path / "run", found, events=[decision(60)])
    assert set(equilibrium(run)["step"]) == {60}
    assert set(equilibrium_points(run)["step"]) == {60}


def test_what_a_manifest_does_not_tell_is_said(tmp_path: Path) -> None:
    found = {f: history(0.0, noises(1.0)) for f in "EAB"}
    groups = [GROUP, {**GROUP, "ess": 1.0}]
    run = written(tmp_path / "run", found, optimizer={"name": "IVON", "groups": groups})
    assert not has_equilibrium(run)
    with pytest.raises(LogError, match="does not tell ess as one value"):
        equilibrium(run)
    bare = open_run(write_run(tmp_path / "bare", inputs=("mu", "grad")).path)
    assert not has_equilibrium(bare)
    with pytest.raises(LogError, match="records no sigma; where h comes from"):
        equilibrium(bare)


def test_recorded_training_obeys_the_law(tmp_path: Path) -> None:
    """A real model and IVON itself: E without gradients, A and B with hardly any curvature."""
    model = adalora(tiny_bert(layers=1))
    settings = {"ess": 1e10, "hess_init": 0.1, "beta2": 0.9, "lr": 0.05, "weight_decay": 1e-8}
    optimizer = ivon_for(trainable(model), **settings)
    with va.instrument(model, optimizer, tmp_path / "run", criterion=None, every=10):
        for batch in batches(40, size=8):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    run = va.open_run(tmp_path / "run")
    assert has_equilibrium(run)
    points = equilibrium_points(run)
    still = points[(points["factor"] == "E") & (points["correction"] < 1e-3 * points["initial"])]
    assert len(still) > 5
    np.testing.assert_allclose(still["hess"], still["predicted"], rtol=0.1)
    frame = equilibrium(run).set_index("factor")
    assert frame.loc["E", "regime"] == "initial"
    for factor in "AB":
        assert frame.loc[factor, "regime"] == "correction"
        assert frame.loc[factor, "ratio"] == pytest.approx(1, abs=0.2)
