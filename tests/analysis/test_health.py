"""What is planted in sigma and h is measured, and said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.analysis.health_runs import IVON, MAGNITUDE, SCORES, N, opened, planted, written
from tests.log.synthetic import write_posterior_run, write_run
from vilora_analysis.analysis import has_health, health, health_over_time, health_points, verdict
from vilora_analysis.analysis.health import MEASURES
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import open_run


def by_factor(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("factor")


def test_a_row_a_factor_and_one_of_all_at_the_last_decision(tmp_path: Path) -> None:
    frame = health(opened(tmp_path, planted(0.1)))
    assert list(frame) == ["step", "factor", "n", *MEASURES]
    assert frame["factor"].tolist() == ["E", "A", "B", "all"]
    assert (frame["step"] == 2).all()
    assert (frame["n"] == N).all()


class TestUniform:
    def test_nothing_varies_and_all_of_h_is_what_its_update_left(self, tmp_path: Path) -> None:
        # after two steps 0.81 of 0.5 is left, and h is that and no more
        frame = by_factor(health(opened(tmp_path, planted(0.1, hess=0.5 * 0.81))))
        parts = frame.loc[["E", "A", "B"]]
        np.testing.assert_allclose(frame["initial_left"], 0.81)
        np.testing.assert_allclose(frame["initial_share"], 1, rtol=1e-6)
        assert (parts["sigma_cv"] == 0).all()
        assert (parts["sigma_outweighs"] == 0).all()
        assert parts["hess_fisher"].isna().all()  # h is constant
        np.testing.assert_allclose(frame["snr_mean_abs"], 1)
        assert frame["snr_inverse_std"].isna().all()  # sigma is constant
        assert frame["clip_rate"].isna().all()  # not recorded

    def test_is_said(self, tmp_path: Path) -> None:
        said = verdict(health(opened(tmp_path, planted(0.1, hess=0.5 * 0.81))))
        assert said.level == "uniform"
        assert str(said) == (
            "sigma is uniform (coefficient of variation 0; 100% of h is still its initial value): "
            "snr ranks the triplets as the magnitude does (Spearman 1.000); nothing in this run "
            "speaks for or against uncertainty. How many elements hit the clip radius was not "
            "recorded."
        )

    def test_noise_of_a_thousandth_is_uniform_too(self, tmp_path: Path) -> None:
        noise = 1 + 1e-3 * np.random.default_rng(1).normal(size=N)
        said = verdict(health(opened(tmp_path, planted(0.1 * noise, hess=0.5 * noise**-2))))
        assert said.level == "uniform"
        assert "variation 0.00" in str(said)

    def test_factors_may_still_weigh_against_each_other(self, tmp_path: Path) -> None:
        columns = planted(0.1) | {"score.snr": MAGNITUDE**-1}
        said = verdict(health(opened(tmp_path, columns)))
        assert said.level == "uniform"
        assert (
            "otherwise than the magnitude does (Spearman -1.000), only because sigma differs from "
            "factor to factor;"
        ) in str(said)


class TestInformative:
    def columns(self) -> dict[str, Any]:
        sigma = np.exp(np.random.default_rng(2).normal(size=N))
        return planted(sigma, hess=9 * sigma**-2.0, fisher=3 * sigma**-2.0)

    def test_is_measured(self, tmp_path: Path) -> None:
        log = written(tmp_path, self.columns(), metrics=[(2, {"clip_rate": 0.25})])
        frame = by_factor(health(open_run(log.path)))
        values = {name: column[1].astype(float) for name, column in log.values.items()}
        for factor in "EAB":
            row, sigma = frame.loc[factor], values[f"sigma_{factor}"]
            assert row["sigma_cv"] == pytest.approx(sigma.std() / sigma.mean(), rel=1e-9)
            share = np.median(0.405 / values[f"hess_{factor}"])
            assert row["initial_share"] == pytest.approx(share, rel=1e-9)
            assert row["hess_fisher"] == pytest.approx(1)
            assert row["sigma_outweighs"] == pytest.approx(naive_pairs(MAGNITUDE, sigma))
            ratio = np.sqrt((sigma**2).mean() / (MAGNITUDE**2).mean())
            assert row["sigma_to_weights"] == pytest.approx(ratio, rel=1e-6)
            for other in SCORES[1:]:
                a, b = (values[f"score.{n}.{factor}"] for n in ("snr", other))
                expected = pd.Series(a).rank().corr(pd.Series(b).rank())
                assert row[f"snr_{other}"] == pytest.approx(expected)
        assert frame.loc["all", "clip_rate"] == 0.25
        only_parts = ["sigma_cv", "sigma_outweighs", "hess_fisher", "sigma_to_weights"]
        assert frame.loc["all", only_parts].isna().all()

    def test_is_said(self, tmp_path: Path) -> None:
        run = opened(tmp_path, self.columns(), metrics=[(2, {"clip_rate": 0.25})])
        said = verdict(health(run))
        assert said.level == "informative"
        assert str(said).startswith("sigma carries information (coefficient of variation ")
        assert "Spearman of h and squared gradient 1.00" in str(said)
        assert "snr ranks the triplets otherwise than the magnitude does" in str(said)
        assert said.sentences[1] == "25% of the elements hit the clip radius in this step."

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"sigma_A": 0.1}, "in A it is uniform (coefficient of variation 0)"),
            ({"sigma_B": 1 / np.sqrt(MAGNITUDE)}, "in B it differs more than |mu| in only 0% of"),
            ({"hess_E": 0.3}, "in E 100% of h is still its initial value"),
            ({"hess_E": 0.3}, "in E h or the squared gradient is constant"),
            (
                {"fisher_batch_A": np.linspace(1, 2, N), "fisher_batch_B": np.linspace(1, 2, N)},
                "in A, B h does not follow the squared gradient (Spearman ",
            ),
            ({"mu_E": 0.0}, "in E no two |mu| differ"),
        ],
    )
    def test_what_one_factor_lacks_makes_it_partly(
        self, tmp_path: Path, change: dict[str, Any], reason: str
    ) -> None:
        said = verdict(health(opened(tmp_path, self.columns() | change)))
        assert said.level == "partly"
        assert reason in str(said)


def naive_pairs(size: np.ndarray, width: np.ndarray) -> float:
    pairs = [(i, j) for i in range(len(size)) for j in range(i)]
    logs = np.log(size), np.log(width)
    return float(
        np.mean([abs(logs[1][i] - logs[1][j]) > abs(logs[0][i] - logs[0][j]) for i, j in pairs])
    )


def test_inverse_to_the_magnitude_sigma_varies_and_changes_no_order(tmp_path: Path) -> None:
    frame = health(opened(tmp_path, planted(1 / MAGNITUDE, hess=MAGNITUDE, fisher=MAGNITUDE)))
    parts = by_factor(frame).loc[["E", "A", "B"]]
    assert (parts["sigma_cv"] > 0.5).all()
    assert (parts["sigma_outweighs"] == 0).all()
    np.testing.assert_allclose(parts[["snr_mean_abs", "snr_inverse_std"]], 1)
    said = verdict(frame)
    assert said.level == "partly"
    assert "in E, A, B it differs more than |mu| in only 0% of the pairs" in str(said)


@pytest.mark.parametrize(
    "optimizer",
    [
        {
            "name": "IVON",
            "groups": [{"hess_init": 0.5, "beta2": 0.9}, {"hess_init": 1, "beta2": 0.8}],
        },
        {"name": "IVON", "groups": [{"lr": 1.0}]},
        {"name": "IVON"},
    ],
)
def test_param_groups_that_differ_or_do_not_tell_leave_it_open(
    tmp_path: Path, optimizer: dict[str, Any]
) -> None:
    run = opened(tmp_path, planted(0.1), optimizer=optimizer)
    frame = health(run)
    assert frame[["initial_left", "initial_share"]].isna().all(axis=None)
    assert "(coefficient of variation 0):" in str(verdict(frame))
    assert health_points(run)["hess_init"].isna().all()


def test_param_groups_that_agree_are_one(tmp_path: Path) -> None:
    groups = {"name": "IVON", "groups": [{**IVON["groups"][0], "lr": lr} for lr in (1, 2)]}
    assert (health(opened(tmp_path, planted(0.1), optimizer=groups))["initial_left"] == 0.81).all()


def test_over_time_is_step_by_step_the_same(tmp_path: Path) -> None:
    run = opened(tmp_path, {}, flush_after=(1,), metrics=[(3, {"clip_rate": 0.5})])
    frame = health_over_time(run)
    assert frame["step"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    for step in (1, 2, 3):
        alone = health(run, step)
        pd.testing.assert_frame_equal(frame[frame["step"] == step].reset_index(drop=True), alone)
    assert set(health_over_time(run, steps=[1, 3])["step"]) == {1, 3}
    assert health(run, step=-1)["clip_rate"].tolist()[-1] == 0.5
    np.testing.assert_allclose(frame["initial_left"], np.repeat([0.9, 0.81, 0.729], 4))
    with pytest.raises(ConfigError, match="got steps 1, 2, 3; choose the rows of one"):
        verdict(frame)


def test_weights_are_those_of_the_first_recorded_step(tmp_path: Path) -> None:
    grown = np.array([[2.0], [4.0], [8.0]]) * np.ones(N)
    run = opened(tmp_path, planted(0.5) | {"mu_A": grown, "mu_B": 0.0 * grown})
    frame = by_factor(health(run))
    assert frame.loc["A", "sigma_to_weights"] == 0.25
    assert np.isnan(frame.loc["B", "sigma_to_weights"])  # it started at zero


def test_points_are_the_rows_of_the_log(tmp_path: Path) -> None:
    log = written(tmp_path, {})
    points = health_points(open_run(log.path))
    assert len(points) == 3 * N
    assert (points["hess_init"] == 0.5).all()
    chosen = points[points["factor"] == "A"]
    for name in ("sigma", "hess"):
        assert chosen[name].tolist() == log.values[f"{name}_A"][1].tolist()
    assert chosen["kept"].tolist() == log.kept[1].tolist()


def test_lora_has_two_factors(tmp_path: Path) -> None:
    run = opened(tmp_path, {}, factors=("A", "B"))
    assert has_health(run)
    assert health(run)["factor"].tolist() == ["A", "B", "all"]


def test_scores_that_are_not_recorded_have_no_ranks(tmp_path: Path) -> None:
    frame = health(opened(tmp_path, {"sigma_E": 0.1, "sigma_A": 0.1, "sigma_B": 0.1}, scores=()))
    assert frame[["snr_mean_abs", "snr_inverse_std"]].isna().all(axis=None)
    assert "is not known, a score is constant or not there" in str(verdict(frame))


@pytest.mark.parametrize("ask", [health, health_over_time, health_points])
def test_what_cannot_be_judged_is_said(tmp_path: Path, ask: Any) -> None:
    plain = open_run(write_run(tmp_path / "plain", inputs=("mu", "grad")).path)
    assert not has_health(plain)
    with pytest.raises(LogError, match="records no sigma; the health of a posterior needs a run"):
        ask(plain)
    empty = open_run(write_posterior_run(tmp_path / "empty", steps=()).path)
    assert not has_health(empty)
    with pytest.raises(LogError, match="has no recorded steps"):
        ask(empty)
