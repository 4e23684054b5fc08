"""What snr is made of: planted answers, covariances by hand, and Shapley by all orders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.log.synthetic import decision, manifest, modules, schema_of, write_posterior_run
from tests.log.synthetic import write_run as write
from vilora_analysis.analysis.theory.decomposition import (
    decomposition,
    element_decomposition,
    has_decomposition,
)
from vilora_analysis.analysis.theory.decomposition_verdict import decomposition_verdict
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log import LogWriter, Run, open_run
from vilora_analysis.log.schema import RECORDED_INPUTS, elements_schema

ROWS = modules(10, rank=9)
N = 10 * 3 * 9 + 2
SCORES = ("snr", "mean_abs", "inverse_std")


def sides(factor: str, spread_mu: float, spread_sigma: float, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    mu, inverse = (np.exp(s * generator.normal(size=N)) for s in (spread_mu, spread_sigma))
    return {
        f"mu_{factor}": mu * generator.choice([-1, 1], N),
        f"sigma_{factor}": 1 / inverse,
        f"score.snr.{factor}": mu * inverse,
        f"score.mean_abs.{factor}": mu,
        f"score.inverse_std.{factor}": inverse,
    }


def planted() -> dict[str, np.ndarray]:
    """E is magnitude alone, A width alone, B half and half; the triplet's scores are their sums."""
    columns = {**sides("E", 1, 0, 1), **sides("A", 0, 1, 2), **sides("B", 1, 1, 3)}
    for name in SCORES:
        columns[f"score.{name}"] = sum(columns[f"score.{name}.{f}"] for f in "EAB")
    return columns


def written(path: Path, columns: dict[str, np.ndarray], scores: tuple[str, ...] = SCORES) -> Run:
    found = write_posterior_run(path, rows=ROWS, steps=(1, 2), scores=scores, columns=columns)
    return open_run(found.path)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    run = written(tmp_path_factory.mktemp("decomposition") / "run", planted())
    assert has_decomposition(run)
    return decomposition(run).set_index("factor")


def test_one_ingredient_alone_explains_everything(frame: pd.DataFrame) -> None:
    for factor, alone, other in (("E", "mu", "sigma"), ("A", "sigma", "mu")):
        row = frame.loc[factor]
        for measure in ("share", "rank"):
            assert row[f"{measure}_{alone}"] == pytest.approx(1, abs=1e-6)
            assert row[f"{measure}_{other}"] == pytest.approx(0, abs=1e-6)
        assert np.isnan(row[f"rho_{other}"])
        assert row[f"rho_{alone}"] == pytest.approx(1)


def test_two_alike_share_it(frame: pd.DataFrame) -> None:
    row = frame.loc["B"]
    assert row["share_mu"] == pytest.approx(0.5, abs=0.08)
    assert row["rank_mu"] == pytest.approx(0.5, abs=0.08)
    assert row["share_rest"] == pytest.approx(0, abs=1e-6)


def by_all_orders(value: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """What each adds, averaged over the orders of adding."""
    orders = list(itertools.permutations(("mu", "sigma")))
    found = dict.fromkeys(("mu", "sigma"), 0.0)
    for order in orders:
        for at, name in enumerate(order):
            gain = value(frozenset(order[: at + 1])) - value(frozenset(order[:at]))
            found[name] += gain / len(orders)
    return found


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.6])
def test_shares_are_shapley_values(tmp_path: Path, correlation: float) -> None:
    generator = np.random.default_rng(4)
    log_mu = generator.normal(size=N)
    log_inverse = 0.7 * (correlation * log_mu + generator.normal(size=N))
    columns = {}
    for f in "EAB":
        for name, values in zip(SCORES, (log_mu + log_inverse, log_mu, log_inverse), strict=True):
            columns[f"score.{name}.{f}"] = np.exp(values).astype(np.float32)
    row = decomposition(written(tmp_path / "run", columns)).set_index("factor").loc["A"]
    logs = {n: np.log(columns[f"score.{n}.A"].astype(float)) for n in SCORES}
    parts = {"mu": logs["mean_abs"], "sigma": logs["inverse_std"]}
    both = np.cov(np.stack([logs["snr"], *parts.values()]), ddof=0)
    assert row["variance"] == pytest.approx(both[0, 0])
    assert row["share_mu"] == pytest.approx(both[0, 1] / both[0, 0])
    assert row["share_sigma"] == pytest.approx(both[0, 2] / both[0, 0])

    def variance(chosen: frozenset[str]) -> float:
        return float(np.var(sum((parts[n] for n in chosen), np.zeros(N)))) / both[0, 0]

    def ranking(chosen: frozenset[str]) -> float:
        if not chosen:
            return 0.0
        score = pd.Series(sum(parts[n] for n in chosen))
        whole = pd.Series(parts["mu"] + parts["sigma"])
        return float(score.rank().corr(whole.rank())) ** 2

    for measure, value in (("share", variance), ("rank", ranking)):
        for name, shapley in by_all_orders(value).items():
            assert row[f"{measure}_{name}"] == pytest.approx(shapley, abs=1e-5)


def test_without_the_other_scores_mu_and_sigma_stand_for_them(tmp_path: Path) -> None:
    columns = {k: v for k, v in planted().items() if k.split(".")[1:2] in ([], ["snr"])}
    found = decomposition(written(tmp_path / "run", columns, scores=("snr",)))
    assert found["factor"].tolist() == ["E", "A", "B"]
    assert found.loc[0, "share_mu"] == pytest.approx(1, abs=1e-6)
    assert found.loc[1, "share_sigma"] == pytest.approx(1, abs=1e-6)


def test_what_averaging_leaves_is_the_rest(tmp_path: Path) -> None:
    columns = planted()
    extra = np.exp(np.random.default_rng(7).normal(size=N))
    columns["score.snr.B"] = columns["score.snr.B"] * extra
    row = decomposition(written(tmp_path / "run", columns)).set_index("factor").loc["B"]
    log = np.log(columns["score.snr.B"])
    expected = np.cov(log, np.log(extra), ddof=0)[0, 1] / log.var()
    assert row["share_rest"] == pytest.approx(expected, abs=1e-5)


def test_a_constant_snr_and_zeros_cannot_be_told(tmp_path: Path) -> None:
    columns = planted()
    columns |= {f"score.{n}.A": np.full(N, 2.0) for n in SCORES}
    for name in ("snr", "mean_abs"):
        columns[f"score.{name}.E"] = np.where(np.arange(N) < 5, 0, columns[f"score.{name}.E"])
    frame = decomposition(written(tmp_path / "run", columns)).set_index("factor")
    unknown = ["share_mu", "share_sigma", "share_rest", "rho_mu", "rank_mu", "rank_sigma"]
    assert frame.loc["A", unknown].isna().all()
    assert frame.loc["A", "variance"] == 0
    assert frame.loc["E", "excluded"] == 5
    assert frame.loc["E", "share_mu"] == pytest.approx(1, abs=1e-6)
    assert "snr does not vary in A: cannot tell" in decomposition_verdict(frame.reset_index())


def test_pruned_triplets_are_left_out_of_the_question(tmp_path: Path) -> None:
    path = tmp_path / "run"
    changes = {"rows": ROWS, "scores": SCORES, "events": [decision(2), decision(4)]}
    run = open_run(write_posterior_run(path, steps=(1, 2, 3, 4), **changes).path)
    assert decomposition(run)["step"].unique().tolist() == [2]
    assert decomposition(run, steps=[4])["step"].unique().tolist() == [4]
    every = decomposition(run, steps=slice(None))
    assert every["step"].unique().tolist() == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(
        every[every["step"] == 4].reset_index(drop=True), decomposition(run, steps=4)
    )
    late = write_posterior_run(tmp_path / "late", steps=(5,), events=[decision(2)], scores=SCORES)
    with pytest.raises(LogError, match="had pruned by its first recorded step"):
        decomposition(open_run(late.path))


def test_the_verdict_names_shares_and_judges(frame: pd.DataFrame, tmp_path: Path) -> None:
    rows = frame.reset_index()
    said = decomposition_verdict(rows)
    assert said.startswith(
        "At step 2 magnitude explains 100% of the variance of log snr and 100% of its ranking in "
        "E, 0% and 0% in A"
    )
    only_e = decomposition_verdict(rows[rows["factor"] == "E"])
    assert only_e.endswith("1/sigma the rest. So in every factor snr is mostly magnitude.")
    only_a = decomposition_verdict(rows[rows["factor"] == "A"])
    assert only_a.endswith("mostly the width of the posterior.")
    only_b = decomposition_verdict(rows[rows["factor"] == "B"])
    assert "neither mostly magnitude nor mostly width" in only_b
    with pytest.raises(ConfigError, match="expected the decomposition of one step"):
        decomposition_verdict(pd.concat([rows, rows]))


def test_elements_are_pooled_exactly(tmp_path: Path) -> None:
    known = manifest(rows=modules(1, rank=2), scores=("snr",))
    writer = LogWriter(
        tmp_path / "run",
        known,
        triplets=schema_of(known, RECORDED_INPUTS),
        elements=elements_schema(("mu", "sigma")),
    )
    generator, rows = np.random.default_rng(0), []
    for module in known.modules:
        for k, factor in itertools.product(range(module.rank), "EAB"):
            size = 1 if factor == "E" else 7
            mu, sigma = generator.normal(size=size), np.exp(generator.normal(size=size))
            rows.append(
                {"step": 3, "module": module.name, "layer": module.layer, "k": k}
                | {"matrix": module.matrix, "factor": factor}
                | {"mu": mu.astype(np.float32), "sigma": sigma.astype(np.float32)}
            )
    writer.elements(rows)
    writer.close("finished", None)
    frame = element_decomposition(open_run(tmp_path / "run")).set_index("factor")
    assert frame["of"].unique().tolist() == ["elements"]
    for factor in "EAB":
        own = [row for row in rows if row["factor"] == factor]
        mu, sigma = (
            np.log(np.abs(np.concatenate([r[n] for r in own]).astype(float)))
            for n in ("mu", "sigma")
        )
        row = frame.loc[factor]
        assert row["n"] == len(mu)
        assert row["share_mu"] == pytest.approx(
            np.cov(mu - sigma, mu, ddof=0)[0, 1] / np.var(mu - sigma)
        )
        assert row["share_rest"] == pytest.approx(0, abs=1e-12)


def test_runs_that_cannot_tell_say_so(tmp_path: Path) -> None:
    bare = open_run(write(tmp_path / "bare", inputs=("mu", "grad")).path)
    assert not has_decomposition(bare)
    with pytest.raises(LogError, match="records no sigma; what snr is made of"):
        decomposition(bare)
    run = open_run(write_posterior_run(tmp_path / "run", scores=("mean_abs",)).path)
    with pytest.raises(LogError, match=r"records no score\.snr\.A, score\.snr\.B, score\.snr\.E"):
        decomposition(run)
    with pytest.raises(LogError, match="has no element snapshots"):
        element_decomposition(open_run(write_posterior_run(tmp_path / "other").path))
