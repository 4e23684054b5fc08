"""The Fisher of a saved adapter: numbered as the log is, beside the posterior that was saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vilora_analysis as va
from tests.probes.test_oracle import trained
from vilora_analysis.analysis import example_fisher, fisher_verdict, has_example_fisher
from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError
from vilora_analysis.log.fisher import FisherFiles
from vilora_analysis.probes.fisher import FisherQuestion, take_fisher

QUESTION = FisherQuestion(examples=20, batch_size=7)


@pytest.fixture(scope="module")
def pruned(encoder_path: Path, glue: Path, tmp_path_factory: pytest.TempPathFactory) -> va.Run:
    """Pruned, measured at the end of the training and once more of the saved adapter."""
    run = trained(
        encoder_path,
        glue,
        tmp_path_factory.mktemp("fisher") / "run",
        target_rank=1,
        fisher_every=20,
        fisher_examples=20,
    )
    assert has_example_fisher(run)
    take_fisher(run, QUESTION, glue, progress=False)
    return run


def of(run: va.Run, source: str) -> pd.DataFrame:
    frame = FisherFiles(run.path).read()
    return frame[frame["source"] == source].set_index(["module", "k", "factor"])


def test_it_answers_for_what_was_kept_by_the_logs_numbers(pruned: va.Run) -> None:
    saved = of(pruned, "adapter")
    last = pruned.triplets(["module", "k", "kept"], -1)
    kept = last[last["kept"]].astype({"module": str, "k": "int64"})
    for factor in "EAB":
        keys = saved.xs(factor, level="factor").index.tolist()
        assert keys == [tuple(row) for row in kept[["module", "k"]].to_numpy()]
    assert kept["k"].max() > 0


def test_sigma_and_hess_are_those_of_the_log(pruned: va.Run) -> None:
    saved = of(pruned, "adapter")
    logged = pruned.triplets(steps=-1).astype({"module": str, "k": "int64"})
    logged = logged.set_index(["module", "k"])
    for factor in "EAB":
        rows = saved.xs(factor, level="factor")
        for name in ("sigma", "hess"):
            expected = logged.loc[rows.index, f"{name}_{factor}"].to_numpy()
            np.testing.assert_allclose(rows[name].to_numpy(), expected, rtol=1e-4)


def test_the_saved_adapter_measures_as_the_last_step_did(pruned: va.Run) -> None:
    """Same weights (pruned triplets do nothing) and the same examples, in other batches."""
    saved, along = of(pruned, "adapter"), of(pruned, "training")
    for name in ("fisher_example", "mean_gradient_squared", "gradient_variance"):
        before = along.loc[saved.index, name].to_numpy()
        np.testing.assert_allclose(saved[name], before, rtol=2e-3, atol=1e-6 * before.max())


def test_lora_without_a_posterior_has_gradients_only(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    run = trained(encoder_path, glue, tmp_path / "run", method="lora", optimizer="adamw", lr=0.05)
    take_fisher(run, QUESTION, glue, progress=False)
    saved = of(run, "adapter")
    assert saved["sigma"].isna().all()
    assert (saved["penalty_squared"] < 1e-15).all()
    frame = example_fisher(run)
    assert "law~fisher_example" in set(frame["link"])
    assert not frame["link"].str.startswith(("hess", "precision")).any()
    assert "there is no h to hold against" in fisher_verdict(frame)


def test_the_command_says_and_draws_what_came_out(
    pruned: va.Run, glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"fisher {pruned.path} --data-dir {glue} --examples 20 --batch-size 7"
    assert main([*words.split(), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "the Fisher of single examples" in " ".join(said.split())
    names = {path.name for path in tmp_path.iterdir()}
    stems = ("example_fisher.png", "example_fisher.pdf", "example_fisher.csv")
    assert {*stems, "example_fisher_points.parquet"} <= names


def test_mistakes_are_said(pruned: va.Run, glue: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs four of them, got 2"):
        take_fisher(pruned, FisherQuestion(examples=2), glue, progress=False)
    with pytest.raises(ConfigError, match="no folder"):
        take_fisher(pruned, QUESTION, tmp_path, progress=False)
