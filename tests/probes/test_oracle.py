"""From a trained run to the oracle's answer: resumable, numbered as the log is, told plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vilora_analysis as va
from vilora_analysis.analysis import oracle_effects, oracle_regret
from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.log.oracle import OracleFiles
from vilora_analysis.probes import oracle as asking
from vilora_analysis.probes.oracle import Question, ask_oracle
from vilora_analysis.training import configure
from vilora_analysis.training.run import train

QUESTION = Question(examples=20, batch_size=8, random_sets=3)


def trained(encoder: Path, glue: Path, out: Path, **settings: Any) -> va.Run:
    small = {"steps": 20, "batch_size": 6, "init_rank": 3, "target_rank": 2, "max_length": 24}
    chosen = {"task": "sst2", "model": str(encoder), "data_dir": glue, "out": out, "lr": 20.0}
    return train(configure(**{**chosen, **small, **settings}), progress=False)


@pytest.fixture(scope="module")
def whole(encoder_path: Path, glue: Path, tmp_path_factory: pytest.TempPathFactory) -> va.Run:
    """Trained without pruning, and asked."""
    run = trained(encoder_path, glue, tmp_path_factory.mktemp("oracle") / "run", criterion="none")
    ask_oracle(run, QUESTION, glue, progress=False)
    return run


def test_every_triplet_of_an_unpruned_run_has_an_effect(whole: va.Run) -> None:
    effects = oracle_effects(whole)
    assert effects[["module", "k"]].equals(whole.modules[["module", "k"]])
    assert (effects["examples"] == 20).all()
    assert (effects["low"] <= effects["effect"]).all()
    assert (effects["effect"] <= effects["high"]).all()
    assert effects["effect"].abs().max() > 0


def test_removing_nothing_or_everything_frames_the_sets(whole: va.Run) -> None:
    regret = oracle_regret(whole)
    own = {"oracle", "oracle-absolute", "oracle-moved", "random"}
    assert set(regret["order"]) == {*own, *whole.score_names}
    assert set(regret["removed"]) == {6, 13, 20, 26}
    assert (regret[regret["order"] == "oracle"]["regret"] == 0).all()
    assert regret[regret["order"] == "random"]["spread"].notna().all()


def test_an_interrupted_oracle_goes_on(
    encoder_path: Path,
    glue: Path,
    whole: va.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = trained(encoder_path, glue, tmp_path / "run", criterion="none")
    ablate, calls = asking.ablate_each, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return ablate(*args, **kwargs)

    monkeypatch.setattr(asking, "ablate_each", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask_oracle(run, QUESTION, glue, progress=False)
    with pytest.raises(LogError, match="not finished: 1 of 3 batches; the same command goes on"):
        oracle_effects(run)
    ask_oracle(run, QUESTION, glue, progress=False)
    assert len(calls) == 4
    assert oracle_effects(run).equals(oracle_effects(whole))
    assert oracle_regret(run).equals(oracle_regret(whole))


def test_a_pruned_run_answers_for_what_it_kept_by_the_logs_numbers(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    run = trained(encoder_path, glue, tmp_path / "run", target_rank=1)
    ask_oracle(run, QUESTION, glue, progress=False)
    effects = oracle_effects(run)
    last = run.triplets(["module", "k", "kept"], -1)
    kept = last[last["kept"]].astype({"module": str, "k": "int64"})
    assert effects[["module", "k"]].values.tolist() == kept[["module", "k"]].values.tolist()
    assert (effects["k"] > 0).any()


def test_lora_pairs_are_removed_too(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    run = trained(encoder_path, glue, tmp_path / "run", method="lora", optimizer="adamw", lr=0.05)
    ask_oracle(run, QUESTION, glue, progress=False)
    assert len(oracle_effects(run)) == 2 * 13


def test_after_a_few_steps_of_training(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    run = trained(encoder_path, glue, tmp_path / "run", criterion="none")
    question = Question(examples=20, batch_size=8, random_sets=1, recovery_steps=2)
    ask_oracle(run, question, glue, progress=False)
    regret = oracle_regret(run).set_index("removed").loc[13]
    assert regret["recovered_loss"].notna().all()
    assert (regret["recovered_loss"] != regret["loss"]).all()


def test_the_command_says_and_draws_what_came_out(
    whole: va.Run, glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"oracle {whole.path} --data-dir {glue} --examples 20 --batch-size 8 --random-sets 3"
    assert main([*words.split(), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Spearman" in said
    assert "8 files in" in said
    names = {path.name for path in tmp_path.iterdir()}
    assert {"oracle.png", "oracle.pdf", "oracle_effects.csv", "oracle_regret.parquet"} <= names


def test_other_rows_of_the_same_number_are_not_mixed_in(
    whole: va.Run, glue: Path, tmp_path: Path
) -> None:
    import shutil

    import pandas as pd

    shutil.copytree(glue, tmp_path / "glue")
    path = tmp_path / "glue" / "sst2" / "validation.parquet"
    frame = pd.read_parquet(path)
    frame.assign(label=1 - frame["label"]).to_parquet(path)
    with pytest.raises(LogError, match="an oracle of other settings"):
        ask_oracle(whole, QUESTION, tmp_path / "glue", progress=False)


def test_a_run_that_is_not_finished_is_not_asked(whole: va.Run, glue: Path, tmp_path: Path) -> None:
    import json
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(whole.path, copy)
    manifest = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**manifest, "status": "running"}))
    with pytest.raises(LogError, match="is not finished; resume it first"):
        ask_oracle(va.open_run(copy), QUESTION, glue, progress=False)


def test_mistakes_are_said(whole: va.Run, glue: Path, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="an oracle of other settings"):
        ask_oracle(whole, Question(examples=10), glue, progress=False)
    with pytest.raises(ConfigError, match="no folder"):
        ask_oracle(whole, QUESTION, tmp_path, progress=False)
    with pytest.raises(LogError, match=r"there is no oracle of .*; ask it with: vilora oracle"):
        OracleFiles(tmp_path).settings()


def test_the_losses_are_those_of_the_saved_adapter(
    whole: va.Run, encoder_path: Path, glue: Path
) -> None:
    """The base loss, example by example, against a plain pass over the same rows."""
    from vilora_analysis.probes.subject import with_adapter
    from vilora_analysis.training import TASKS
    from vilora_analysis.training.data import load_splits
    from vilora_analysis.training.evaluation import predict
    from vilora_analysis.training.models import load_pretrained

    task = TASKS["sst2"]
    encoder = load_pretrained(str(encoder_path), task, 24)
    encoder.model = with_adapter(encoder.model, whole.path / "adapter")
    frame = load_splits(task, glue).validation["validation"]
    probabilities = predict(encoder, task, frame)
    losses = OracleFiles(whole.path).losses()
    base = losses[losses["module"].isna()].set_index("example")["loss"]
    labels = frame["label"].to_numpy()
    expected = -np.log(probabilities[np.arange(len(frame)), labels])
    np.testing.assert_allclose(base.to_numpy(), expected[base.index], rtol=1e-4)
    assert torch.is_grad_enabled()
