"""Planted laws between the Fisher of examples and the log are found, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.log.synthetic import modules, write_posterior_run, write_run
from vilora_analysis.analysis import (
    FISHER_LINKS,
    example_fisher,
    example_fisher_points,
    fisher_verdict,
    has_example_fisher,
)
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import Run, open_run
from vilora_analysis.log.fisher import FisherFiles

ROWS = modules(3, rank=5)
N = 3 * 3 * 5 + 2
ESS, BETA2, B, M = 1e6, 0.99, 8, 32
CORRECTION = 0.5 * (1 - BETA2) * ESS
FISHER = np.exp(2 * np.random.default_rng(0).normal(size=N))
ALTERNATING = np.arange(N) % 2 == 0


def logged(**changes: Any) -> dict[str, Any]:
    """h is 3 times the Fisher, sigma as IVON has it; squared gradients twice what the law says."""
    columns: dict[str, Any] = {}
    for factor in "EAB":
        columns |= {
            f"hess_{factor}": 3 * FISHER,
            f"sigma_{factor}": 1 / np.sqrt(ESS * 3 * FISHER),
            f"fisher_batch_{factor}": 0.5 * FISHER / B,
            f"grad_{factor}": np.sqrt(2 * FISHER / B),
        }
    return {**columns, **changes}


def measured(run: Run, *, kept: Any = slice(None), **changes: Any) -> dict[str, Any]:
    """Examples that cancel: there is no mean gradient."""
    variance = FISHER * M / (M - 1)
    values = {
        "fisher_example": FISHER,
        "fisher_half_1": FISHER * 1.1,
        "fisher_half_2": FISHER * 0.9,
        "mean_gradient_squared": np.zeros(N),
        "gradient_variance": variance,
        "penalty_squared": FISHER / B / 10,
        "predicted_fisher_batch": FISHER / B,
    }
    frames = []
    for factor in "EAB":
        frame = run.modules.assign(factor=factor, examples=M, batch_size=B, **values)
        frames.append(frame.assign(**changes).iloc[kept])
    whole = pd.concat(frames)
    columns = {name: whole[name].tolist() for name in whole}
    return columns | {"layer": [None if pd.isna(v) else int(v) for v in whole["layer"]]}


def written(path: Path, steps: tuple[int, ...] = (10,), **changes: Any) -> Run:
    optimizer = {"name": "IVON", "groups": [{"ess": ESS, "beta2": BETA2}]}
    settings = {"columns": logged(), "kept": True, **changes}
    write_posterior_run(path, rows=ROWS, steps=range(1, 21), optimizer=optimizer, **settings)
    run = open_run(path)
    for step in steps:
        FisherFiles(path).write(measured(run), step=step, source="training")
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return written(tmp_path_factory.mktemp("fisher") / "run", (10, 20))


def test_every_link_factor_and_step_has_a_row(run: Run) -> None:
    frame = example_fisher(run)
    rows = list(zip(frame["link"], frame["step"], frame["factor"], strict=True))
    assert sorted(rows) == sorted(
        (link.name, step, factor) for link in FISHER_LINKS for step in (10, 20) for factor in "EAB"
    )
    assert (frame["n"] == N).all()
    assert (frame["excluded"] == 0).all()
    assert has_example_fisher(run)


@pytest.mark.parametrize(
    ("link", "ratio", "expected", "slope"),
    [
        ("hess~fisher_example", 3.0, 1.0, 1.0),
        ("precision~fisher_example", np.sqrt(ESS * 3), np.sqrt(ESS), 1.0),
        ("hess~correction", 3 * B / CORRECTION, 1.0, 1.0),
        ("fisher_batch~fisher_example", 0.5 / B, 1 / B, 1.0),
        ("law~fisher_example", M / (M - 1) * (1 / B - 1 / M), 1 / B, 1.0),
        ("penalty~law", 0.1, np.nan, 1.0),
        ("fisher_batch~law", 0.5, 1.0, 1.0),
        ("recent_square~law", 2.0, 1.0, 1.0),
    ],
)
def test_planted_ratios_are_found(
    run: Run, link: str, ratio: float, expected: float, slope: float
) -> None:
    frame = example_fisher(run)
    rows = frame[frame["link"] == link]
    for name in ("ratio", "ratio_low", "ratio_high"):
        np.testing.assert_allclose(rows[name], ratio, rtol=1e-5)
    np.testing.assert_allclose(rows["expected_ratio"], expected, rtol=1e-6)
    np.testing.assert_allclose(rows["slope"], slope, rtol=1e-4)
    np.testing.assert_allclose(rows["spearman"], 1.0)
    np.testing.assert_allclose(rows["ceiling"], 1.0)


def test_points_are_both_sides_of_kept_triplets(tmp_path: Path) -> None:
    run = written(tmp_path / "run", kept=ALTERNATING)
    points = example_fisher_points(run)
    rows = points[(points["link"] == "hess~fisher_example") & (points["factor"] == "A")]
    np.testing.assert_allclose(rows["x"], FISHER[ALTERNATING], rtol=1e-6)
    np.testing.assert_allclose(rows["y"], 3 * FISHER[ALTERNATING], rtol=1e-6)
    assert rows["k"].tolist() == run.modules["k"][ALTERNATING].tolist()


def test_the_adapters_own_posterior_goes_before_the_logs(tmp_path: Path) -> None:
    run = written(tmp_path / "run", steps=())
    columns = measured(run, kept=ALTERNATING) | {"hess": np.tile(7 * FISHER[ALTERNATING], 3)}
    FisherFiles(run.path).write(columns, step=20, source="adapter")
    frame = example_fisher(run)
    row = frame[(frame["link"] == "hess~fisher_example") & (frame["factor"] == "B")].iloc[0]
    assert (row["source"], row["step"], row["n"]) == ("adapter", 20, ALTERNATING.sum())
    assert row["ratio"] == pytest.approx(7)
    precision = frame[frame["link"] == "precision~fisher_example"]["ratio"]
    np.testing.assert_allclose(precision, np.sqrt(ESS * 3), rtol=1e-5)  # sigma of the log


def test_the_recent_square_is_of_the_steps_around_only(tmp_path: Path) -> None:
    steps = np.arange(1, 41)[:, None]
    grads = {f"grad_{f}": np.sqrt(FISHER / B) * np.where(steps > 20, 3.0, 1.0) for f in "EAB"}
    path = tmp_path / "run"
    write_posterior_run(path, rows=ROWS, steps=range(1, 41), columns=logged(**grads), kept=True)
    run = open_run(path)
    for step in (10, 40):
        FisherFiles(path).write(measured(run), step=step, source="training")
    frame = example_fisher(run)
    recent = frame[frame["link"] == "recent_square~law"].set_index(["step", "factor"])["ratio"]
    np.testing.assert_allclose(recent.loc[10], 1.0, rtol=1e-5)
    np.testing.assert_allclose(recent.loc[40], 9.0, rtol=1e-5)
    assert "hess~correction" not in set(frame["link"])  # IVON's settings are not in the manifest


def test_what_has_no_logarithm_is_counted_and_constants_have_no_rank(tmp_path: Path) -> None:
    run = written(tmp_path / "run", columns=logged(hess_A=0.1))
    zero = np.where(np.arange(N) < 3, 0.0, FISHER)
    FisherFiles(run.path).write(measured(run, fisher_example=zero), step=10, source="training")
    frame = example_fisher(run)
    rows = frame[frame["link"] == "hess~fisher_example"].set_index("factor")
    assert (rows["excluded"] == 3).all()
    assert np.isnan(rows.loc["A", "spearman"])
    assert "whether it ranks alike, it cannot tell" in fisher_verdict(frame)


def verdict_of(**changes: Any) -> str:
    """Verdict of a frame whose numbers are given by link."""
    given: dict[str, dict[str, float]] = {
        "hess~fisher_example": {"ratio": 1.0, "spearman": 0.9, "ceiling": 0.95},
        "law~fisher_example": {"ratio": 1 / 8},
        "penalty~law": {"ratio": 0.01},
        "fisher_batch~law": {"ratio": 0.7},
    }
    for link, numbers in changes.items():
        name = {"hess": "hess~fisher_example", "law": "law~fisher_example"}[link]
        given[name] = {**given[name], **numbers}
    rows = [
        {"link": link, "factor": f, "step": step, "source": "training", **numbers}
        for step in (5, 9)
        for link, numbers in given.items()
        for f in "AB"
    ]
    return fisher_verdict(pd.DataFrame(rows).assign(examples=64, batch_size=8))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "h is of the size of the Fisher of single examples, and ranks as it does"),
        ({"hess": {"ratio": 3e4}}, "h is not of the size of the Fisher of single examples, but"),
        ({"hess": {"spearman": 0.5}}, "h is of the size of .* but does not rank as it does"),
        ({"hess": {"ratio": 0.1, "spearman": 0.1}}, "h is not of .* and does not rank as it does"),
        ({"hess": {"ceiling": 0.6}}, "whether it ranks alike, it cannot tell"),
        ({"hess": {"spearman": np.nan}}, "whether it ranks alike, it cannot tell"),
        ({}, r"At step 9, on 64 training examples"),
        ({}, r"8 averaged leave A 0.12, B 0.12 .* 1/8 is 0.12: the mean gradient is negligible"),
        ({"law": {"ratio": 0.3}}, "the mean gradient is not negligible"),
        ({}, r"penalty makes up A 1.0%, B 1.0%"),
        ({}, r"running mean of squared batch gradients is A 0.7, B 0.7 times as much\.$"),
    ],
)
def test_the_verdict_says_what_the_numbers_do(changes: dict[str, Any], said: str) -> None:
    assert pd.Series([verdict_of(**changes)]).str.contains(said).item(), verdict_of(**changes)


def test_nothing_measured_and_nothing_recorded_are_said(tmp_path: Path) -> None:
    write_run(tmp_path / "run", inputs=("mu",), steps=(1, 2))
    run = open_run(tmp_path / "run")
    assert not has_example_fisher(run)
    with pytest.raises(LogError, match="no Fisher of single examples was taken"):
        example_fisher(run)
    with pytest.raises(ConfigError, match="no measurement"):
        fisher_verdict(pd.DataFrame())
