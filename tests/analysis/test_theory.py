"""Planted laws are found with their slopes, and what has no logarithm is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.log.synthetic import (
    Written,
    decision,
    modules,
    write_posterior_run,
    write_run,
)
from vilora_analysis.analysis import LINKS, theory, theory_points
from vilora_analysis.errors import LogError
from vilora_analysis.log import open_run

ROWS = modules(3, rank=5)
N_TRIPLETS = 3 * 3 * 5 + 2
NAMES = ("hess~fisher", "precision~gradient", "snr~sensitivity", "snr~importance")


def lawful() -> dict[str, np.ndarray]:
    """Every link holds: exactly where single precision can, else to its rounding."""
    generator = np.random.default_rng(0)
    columns = {}
    for factor in "EAB":
        fisher = np.exp(3 * generator.normal(size=N_TRIPLETS)).astype(np.float32)
        sensitivity = np.exp(2 * generator.normal(size=N_TRIPLETS)).astype(np.float32)
        columns |= {
            f"fisher_batch_{factor}": fisher,
            f"hess_{factor}": 4 * fisher,
            f"sigma_{factor}": 0.01 / np.sqrt(fisher.astype(np.float64)),
            f"score.sensitivity_smoothed.{factor}": sensitivity,
            f"score.snr.{factor}": 8 * sensitivity,
            f"score.sensitivity.{factor}": 2 * sensitivity.astype(np.float64) ** 2,
        }
    return columns


def written_with(path: Path, **columns: object) -> Written:
    return write_posterior_run(
        path, rows=ROWS, steps=(1, 2), columns={**lawful(), **columns}, events=[decision(2)]
    )


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return theory(open_run(written_with(tmp_path_factory.mktemp("theory") / "run").path))


def test_every_link_and_factor_has_a_row(fits: pd.DataFrame) -> None:
    assert [link.name for link in LINKS] == list(NAMES)
    rows = list(zip(fits["link"], fits["factor"], strict=True))
    assert rows == [(name, factor) for name in NAMES for factor in "EAB"]
    assert (fits["n"] == N_TRIPLETS).all()
    assert (fits["step"] == 2).all()
    assert (fits["excluded"] == 0).all()


def test_a_link_that_holds_exactly_has_its_slope_and_constant(fits: pd.DataFrame) -> None:
    exact = fits[fits["link"] == "hess~fisher"]
    np.testing.assert_allclose(exact["slope"], 1, rtol=1e-12)
    np.testing.assert_allclose(exact["intercept"], np.log10(4), rtol=1e-12)
    np.testing.assert_allclose(exact["r2"], 1, rtol=1e-12)
    np.testing.assert_allclose(exact["spearman"], 1, rtol=1e-12)
    np.testing.assert_allclose(exact["spread_x"], exact["spread_y"], rtol=1e-12)


@pytest.mark.parametrize(
    ("link", "slope", "intercept"),
    [
        ("precision~gradient", 1, 2),  # σ = 0.01/√F, so 1/σ = 100 √F
        ("snr~sensitivity", 1, np.log10(8)),
        ("snr~importance", 0.5, np.log10(8 / np.sqrt(2))),  # s = 8 Ī where ĪŪ = 2 Ī²
    ],
)
def test_planted_slopes_are_found(
    fits: pd.DataFrame, link: str, slope: float, intercept: float
) -> None:
    found = fits[fits["link"] == link]
    np.testing.assert_allclose(found["slope"], slope, rtol=1e-5)
    np.testing.assert_allclose(found["intercept"], intercept, atol=1e-5)
    np.testing.assert_allclose(found["r2"], 1, rtol=1e-6)
    np.testing.assert_allclose(found["spearman"], 1, atol=1e-3)  # rounding may tie neighbours
    assert (found["expected_slope"] == slope).all()


def test_noisy_links_are_measured_as_by_other_means(tmp_path: Path) -> None:
    written = write_posterior_run(tmp_path / "run", rows=ROWS, steps=(1, 2, 3), seed=4)
    found = theory(open_run(written.path), step=2).set_index(["link", "factor"])
    powers = {"precision~gradient": (0.5, -1.0)}
    for link in LINKS:
        for factor in "EAB":
            px, py = powers.get(link.name, (1.0, 1.0))
            x = written.values[link.x.format(factor)][1].astype(float) ** px
            y = written.values[link.y.format(factor)][1].astype(float) ** py
            row = found.loc[(link.name, factor)]
            slope, intercept = np.polyfit(np.log10(x), np.log10(y), 1)
            assert row["slope"] == pytest.approx(slope, abs=1e-9)
            assert row["intercept"] == pytest.approx(intercept, abs=1e-9)
            assert row["r2"] == pytest.approx(np.corrcoef(np.log10(x), np.log10(y))[0, 1] ** 2)
            ranked = pd.Series(x).rank(), pd.Series(y).rank()
            assert row["spearman"] == pytest.approx(ranked[0].corr(ranked[1]), abs=1e-9)
            assert row["spread_x"] == pytest.approx(pd.Series(x).std(ddof=0) / x.mean())
            assert row["spread_y"] == pytest.approx(pd.Series(y).std(ddof=0) / y.mean())
            assert row["n"] == N_TRIPLETS


def test_a_uniform_sigma_explains_nothing(tmp_path: Path) -> None:
    written = written_with(tmp_path / "run", sigma_A=0.1, sigma_B=0.7, sigma_E=0.3)
    found = theory(open_run(written.path)).set_index("link").loc["precision~gradient"]
    assert (found["slope"] == 0).all()
    assert found["spearman"].isna().all()
    assert found["r2"].isna().all()
    assert (found["spread_y"] == 0).all()
    assert (found["spread_x"] > 0).all()
    sigma = np.float32([0.3, 0.1, 0.7]).astype(float)
    np.testing.assert_allclose(found["intercept"], np.log10(1 / sigma), rtol=1e-9)


def test_where_the_x_side_is_constant_there_is_no_line(tmp_path: Path) -> None:
    written = written_with(tmp_path / "run", fisher_batch_A=0.1)
    found = theory(open_run(written.path)).set_index(["link", "factor"])
    for link in ("hess~fisher", "precision~gradient"):
        row = found.loc[(link, "A")]
        assert row[["slope", "intercept", "r2", "spearman"]].isna().all()
        assert row["spread_x"] == 0


def test_what_has_no_logarithm_is_left_out_and_counted(tmp_path: Path) -> None:
    fisher = lawful()["fisher_batch_A"].copy()
    fisher[[3, 5, 8]] = 0.0
    sigma = (0.01 / np.sqrt(lawful()["fisher_batch_A"].astype(float))).astype(np.float32)
    sigma[[5, 9]] = 0.0
    written = written_with(tmp_path / "run", fisher_batch_A=fisher, sigma_A=sigma)
    found = theory(open_run(written.path)).set_index(["link", "factor"])
    assert found.loc[("hess~fisher", "A"), "excluded"] == 3
    assert found.loc[("precision~gradient", "A"), "excluded"] == 4
    assert found.loc[("precision~gradient", "B"), "excluded"] == 0
    assert found.loc[("hess~fisher", "A"), "n"] == N_TRIPLETS
    # the rest of the points still lie on their lines
    assert found.loc[("hess~fisher", "A"), "slope"] == pytest.approx(1, rel=1e-12)
    assert found.loc[("precision~gradient", "A"), "slope"] == pytest.approx(1, rel=1e-5)
    assert found.loc[("hess~fisher", "A"), "spearman"] < 1  # over all, zeros included


def test_a_side_without_any_logarithm_has_no_line(tmp_path: Path) -> None:
    found = theory(open_run(written_with(tmp_path / "run", hess_E=0.0).path))
    row = found.set_index(["link", "factor"]).loc[("hess~fisher", "E")]
    assert row["excluded"] == row["n"] == N_TRIPLETS
    assert row[["slope", "intercept", "r2", "spearman"]].isna().all()
    assert row["spread_y"] == 0


def test_points_are_the_rows_of_the_log_with_their_powers(tmp_path: Path) -> None:
    written = write_posterior_run(tmp_path / "run", seed=9)
    points = theory_points(open_run(written.path), step=3)
    keys = ["link", "factor", "step", "module", "matrix", "layer", "k", "kept"]
    assert list(points) == [*keys, "x", "y"]
    assert len(points) == 4 * 3 * 20
    assert set(points["step"]) == {3}
    chosen = points[(points["link"] == "precision~gradient") & (points["factor"] == "B")]
    at = written.steps.index(3)
    fisher, sigma = (written.values[f"{c}_B"][at].astype(float) for c in ("fisher_batch", "sigma"))
    np.testing.assert_allclose(chosen["x"], np.sqrt(fisher), rtol=1e-12)
    np.testing.assert_allclose(chosen["y"], 1 / sigma, rtol=1e-12)
    assert chosen["kept"].tolist() == written.kept[at].tolist()
    expected = [(m.name, k) for m in written.manifest.modules for k in range(m.rank)]
    assert list(zip(chosen["module"], chosen["k"], strict=True)) == expected


def test_a_step_that_counts_from_the_last_keeps_its_number(tmp_path: Path) -> None:
    run = open_run(write_posterior_run(tmp_path / "run").path)
    assert set(theory(run, step=-2)["step"]) == {4}


def test_the_last_decision_is_looked_at_by_default(tmp_path: Path) -> None:
    path = write_posterior_run(tmp_path / "run", events=[decision(2), decision(4)]).path
    assert set(theory(open_run(path))["step"]) == {4}


def test_lora_has_two_factors(tmp_path: Path) -> None:
    path = write_posterior_run(tmp_path / "run", factors=("A", "B")).path
    assert set(theory(open_run(path))["factor"]) == {"A", "B"}


@pytest.mark.parametrize("ask", [theory, theory_points])
def test_a_run_without_a_posterior_is_refused(tmp_path: Path, ask: object) -> None:
    run = open_run(write_run(tmp_path / "run", inputs=("mu", "grad")).path)
    assert callable(ask)
    with pytest.raises(
        LogError, match="records no sigma; the theory needs a run trained with IVON"
    ):
        ask(run)


def test_a_run_without_the_scores_of_a_link_is_refused_by_their_names(tmp_path: Path) -> None:
    run = open_run(write_posterior_run(tmp_path / "run", scores=("snr", "mean_abs")).path)
    with pytest.raises(LogError, match=r"records no score\.sensitivity\.A, score\.sensitivity\.B"):
        theory(run)


def test_a_run_without_steps_is_refused_for_that(tmp_path: Path) -> None:
    run = open_run(write_posterior_run(tmp_path / "run", steps=()).path)
    with pytest.raises(LogError, match="has no recorded steps"):
        theory(run)


def test_a_step_that_was_not_recorded_is_said(tmp_path: Path) -> None:
    run = open_run(write_posterior_run(tmp_path / "run").path)
    with pytest.raises(LogError, match="has no step 77; it has steps between 1 and 5"):
        theory(run, step=77)
