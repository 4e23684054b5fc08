"""The oracle's agreement with scores on written losses whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import vilora_analysis as va
from tests.log.synthetic import write_run
from vilora_analysis.analysis import (
    has_oracle,
    oracle_agreement,
    oracle_effects,
    oracle_regret,
    oracle_reliability,
    oracle_verdict,
)
from vilora_analysis.errors import LogError
from vilora_analysis.log.oracle import TARGETS, OracleFiles

EXAMPLES = 40


def signed(run: va.Run) -> pd.DataFrame:
    agreement = oracle_agreement(run)
    return agreement[agreement["target"] == "signed"].set_index(["score", "measure"])


def asked(
    tmp_path: Path, *, noise: float = 0.0, sign: float = 1.0, signs: bool = False
) -> tuple[va.Run, np.ndarray]:
    """A run whose first score is the true effect of each triplet, up to sign, and an oracle.

    With ``signs`` the effects have signs at random, of which the score knows nothing.
    """
    run = va.open_run(write_run(tmp_path / "run").path)
    last = run.triplets(["module", "k", f"score.{run.score_names[0]}"], -1)
    score = last.iloc[:, 2].to_numpy().astype(float)
    generator = np.random.default_rng(0)
    base = generator.uniform(0.2, 1.0, EXAMPLES)
    effect = sign * score[:, None] * generator.uniform(0.5, 1.5, EXAMPLES)
    effect *= generator.choice([-1.0, 1.0], size=(len(score), 1)) if signs else 1.0
    change = effect + noise * generator.normal(size=(len(score), EXAMPLES))
    files = OracleFiles(run.path)
    files.begin({"batches": 2})
    half = EXAMPLES // 2
    for number, examples in enumerate((np.arange(half), np.arange(half, EXAMPLES))):
        rows = np.concatenate([base[None, examples], base[examples] + change[:, examples]])
        files.write_batch(
            number,
            {
                "example": np.tile(examples, len(rows)).astype(np.int32),
                "module": [m for m in (None, *last["module"].astype(str)) for _ in examples],
                "k": [k for k in (None, *last["k"].tolist()) for _ in examples],
                "loss": rows.ravel().astype(np.float32),
                "right": np.ones(rows.size, dtype=np.float32),
            },
        )
    return run, change


def test_effects_are_the_mean_changes_with_an_interval(tmp_path: Path) -> None:
    run, change = asked(tmp_path, noise=0.1)
    effects = oracle_effects(run)
    np.testing.assert_allclose(effects["effect"], change.mean(1), rtol=1e-5, atol=1e-6)
    assert effects[["module", "k"]].equals(run.modules[["module", "k"]])
    error = change.std(1, ddof=1) / np.sqrt(EXAMPLES)
    wide = (effects["high"] - effects["low"]) / (2 * 1.96 * error)
    assert wide.between(0.75, 1.25).all()  # the bootstrap against the normal interval
    assert (effects["right"] == 0).all()


def test_a_score_that_is_the_effect_agrees_perfectly_and_its_negative_not_at_all(
    tmp_path: Path,
) -> None:
    for sign, expected in ((1.0, 1.0), (-1.0, -1.0)):
        run, _ = asked(tmp_path / str(sign), sign=sign)
        agreement = signed(run)
        first = agreement.loc[run.score_names[0]]
        assert first.loc["spearman", "value"] == pytest.approx(expected)
        assert first.loc["kendall", "value"] == pytest.approx(expected)
        assert first.loc["recall", "value"] == (1.0 if sign > 0 else 0.0)


def test_agreement_is_scipys(tmp_path: Path) -> None:
    run, change = asked(tmp_path, noise=2.0)
    agreement = oracle_agreement(run).set_index(["target", "score", "measure"])["value"]
    change = change.astype(np.float32)
    for target, effects in (
        ("signed", change.mean(1)),
        ("absolute", abs(change.mean(1))),
        ("moved", abs(change).mean(1)),
    ):
        for name in run.score_names:
            score = run.triplets([f"score.{name}"], -1).iloc[:, 0].to_numpy()
            rho, tau = stats.spearmanr(score, effects), stats.kendalltau(score, effects)
            assert agreement[target, name, "spearman"] == pytest.approx(rho.statistic, abs=1e-6)
            assert agreement[target, name, "kendall"] == pytest.approx(tau.statistic, abs=1e-6)


def test_who_knows_only_how_much_is_told_from_who_knows_in_which_direction(tmp_path: Path) -> None:
    run, _ = asked(tmp_path, signs=True)
    agreement = oracle_agreement(run).set_index(["target", "score", "measure"])
    first = agreement.xs((run.score_names[0], "spearman"), level=("score", "measure"))
    assert first.loc["moved", "value"] == pytest.approx(1.0)
    assert first.loc["absolute", "value"] == pytest.approx(1.0)
    assert abs(first.loc["signed", "value"]) < 0.5
    reliability = {target: oracle_reliability(run, target) for target in TARGETS}
    signed, absolute, moved = oracle_verdict(oracle_agreement(run), reliability).split(". ", 2)
    assert "no score knows whether and how much" in signed
    assert "know how much the loss changes" in absolute
    assert f"best {run.score_names[0]}" in moved


def test_an_oracle_of_much_noise_is_not_reliable(tmp_path: Path) -> None:
    exact, _ = asked(tmp_path / "exact")
    noisy, _ = asked(tmp_path / "noisy", noise=50.0)
    assert oracle_reliability(exact) == pytest.approx(1.0, abs=0.02)
    assert oracle_reliability(noisy) < 0.6
    said = oracle_verdict(
        oracle_agreement(exact), {target: oracle_reliability(exact, target) for target in TARGETS}
    )
    assert f"best {exact.score_names[0]} (Spearman 1.00" in said


def test_the_value_lies_inside_its_interval_however_noisy_the_oracle(tmp_path: Path) -> None:
    """Resamples add noise, which attenuates: as they are, they may all lie below the value."""
    for noise in (0.3, 3.0, 10.0):
        run, _ = asked(tmp_path / str(noise), noise=noise)
        agreement = oracle_agreement(run)
        agreement = agreement[agreement["measure"] != "recall"]
        assert (agreement["low"] <= agreement["value"]).all()
        assert (agreement["value"] <= agreement["high"]).all()


def test_p_is_that_of_a_permutation_and_small_only_for_who_knows(tmp_path: Path) -> None:
    run, change = asked(tmp_path, noise=0.5)
    spearman = signed(run).xs("spearman", level="measure")
    assert spearman["p"].iloc[0] <= 0.01
    for name in run.score_names[1:]:
        score = run.triplets([f"score.{name}"], -1).iloc[:, 0].to_numpy()
        expected = stats.permutation_test(
            (score,),
            lambda x: stats.spearmanr(x, change.mean(1)).statistic,
            permutation_type="pairings",
            alternative="greater",
            n_resamples=2000,
            random_state=np.random.default_rng(1),
        ).pvalue
        assert spearman.loc[name, "p"] == pytest.approx(expected, abs=0.06)


def test_a_constant_score_ranks_nothing(tmp_path: Path) -> None:
    run, _ = asked(tmp_path)
    agreement = oracle_agreement(run)
    constant = agreement.assign(value=np.nan, p=np.nan)
    said = oracle_verdict(constant, dict.fromkeys(TARGETS, 1.0))
    assert said == "every score, or the oracle itself, is constant and ranks nothing"


def test_regret_is_beyond_the_oracles_own_order(tmp_path: Path) -> None:
    run, _ = asked(tmp_path)
    with pytest.raises(LogError, match="no losses of sets"):
        oracle_regret(run)
    rows = [("oracle", 2, 1.0), ("snr", 2, 1.5), ("random-0", 2, 2.0), ("random-1", 2, 4.0)]
    frame = pd.DataFrame(rows, columns=["order", "removed", "loss"])
    OracleFiles(run.path).write_sets(frame.assign(n_triplets=5, right=0.5))
    regret = oracle_regret(run).set_index("order")
    assert regret["regret"].to_dict() == {"oracle": 0.0, "snr": 0.5, "random": 2.0}
    assert regret.loc["random", "spread"] == pytest.approx(np.sqrt(2))


def test_a_run_that_was_not_asked_says_so(tmp_path: Path) -> None:
    run = va.open_run(write_run(tmp_path / "run").path)
    assert not has_oracle(run)
    with pytest.raises(LogError, match="there is no oracle of"):
        oracle_effects(run)
