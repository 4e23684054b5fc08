"""What is recorded: by default, on request, and as the criterion; and that it is what pruned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.errors import ScoreError
from vilora_analysis.log import check_run, open_run
from vilora_analysis.posterior import Snapshot
from vilora_analysis.recording import available_scores
from vilora_analysis.training.config import RunConfig

PUBLISHED = {
    "mean_abs", "inverse_std", "snr", "snr_abs", "expected_abs", "sensitivity", "sensitivity_raw",
    "sensitivity_smoothed", "sensitivity_uncertainty",
}  # fmt: skip
NEED_POSTERIOR = {
    "bridge_snr_uncertainty",
    "snr_abs_float32",
    "inverse_std",
    "snr",
    "snr_abs",
    "expected_abs",
    "obd",
    "wald",
    "log_density_drop",
}


def trained(
    out: Path,
    *,
    steps: int = 30,
    wrap: Callable[..., Any] = adalora,
    make: Callable[..., Any] = ivon_for,
    **options: Any,
) -> va.Run:
    model = wrap(tiny_bert())
    optimizer = make(trainable(model))
    with va.instrument(model, optimizer, out, **options) as recording:
        for batch in batches(steps):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert recording.n_kept in (39, 26)
    assert check_run(out) == []
    return open_run(out)


def adam(parameters: object) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=5e-3)


def test_the_papers_scores_are_recorded_by_default_and_the_criterion(tmp_path: Path) -> None:
    assert set(trained(tmp_path / "a", criterion="snr").score_names) == PUBLISHED
    run = trained(tmp_path / "b", criterion="group_taylor")
    assert set(run.score_names) == {*PUBLISHED, "group_taylor"}
    assert [c for c in run.columns if "group_taylor" in c] == ["score.group_taylor"]
    run = trained(tmp_path / "c", criterion="SNR@sum-BA")
    assert run.manifest.criterion == "snr@sum-AB"
    assert [c for c in run.columns if "@" in c] == [
        "score.snr@sum-AB",
        "score.snr@sum-AB.A",
        "score.snr@sum-AB.B",
    ]


def test_all_is_all_that_can_be_had(tmp_path: Path) -> None:
    everything = {name for name in va.scores.names() if not va.get_score(name).group}
    assert set(trained(tmp_path / "ivon", scores="all", steps=2).score_names) == everything
    run = trained(tmp_path / "adam", scores="all", steps=2, make=adam)
    assert set(run.score_names) == everything - NEED_POSTERIOR
    run = trained(tmp_path / "lora", scores="all", steps=2, wrap=lora)
    assert set(run.score_names) == everything - {"value_abs", "group_fisher"}


def test_available_is_all_that_an_optimizer_can_feed() -> None:
    model = adalora(tiny_bert())
    assert set(available_scores(ivon_for(trainable(model)))) == set(va.scores.names())
    assert set(available_scores(adam(trainable(model)))) == set(va.scores.names()) - NEED_POSTERIOR


def test_families_are_recorded_together_with_the_criterion(tmp_path: Path) -> None:
    bridge = {name for name in va.scores.names() if va.get_score(name).group == "bridge"}
    assert len(bridge) == 15
    run = trained(tmp_path / "run", scores=["default", "bridge"], criterion="obd")
    assert set(run.score_names) == {*PUBLISHED, *bridge, "obd"}
    assert set(trained(tmp_path / "one", scores="bridge", steps=2).score_names) == bridge


def test_only_what_is_named_is_recorded(tmp_path: Path) -> None:
    run = trained(tmp_path / "one", scores="random", steps=2)
    assert run.score_names == ("random",)
    names = ("snr@sum", "triplet_norm", "mag")
    run = trained(tmp_path / "more", scores=names, criterion="snr")
    assert run.score_names == ("snr@sum", "triplet_norm", "mean_abs")


@pytest.mark.parametrize("criterion", ["random", "group_taylor", "triplet_norm", "fisher@max-A"])
def test_what_was_pruned_is_what_the_log_says(tmp_path: Path, criterion: str) -> None:
    run = trained(tmp_path / "run", criterion=criterion, scores=[criterion, "snr"])
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    for row in run.events().itertuples():
        frame = run.triplets([f"score.{criterion}", "kept"], int(row.step))
        score = frame[f"score.{criterion}"]
        if len(score[~frame["kept"]]):
            assert score[~frame["kept"]].max() == np.float32(row.threshold)
        best = score.sort_values(ascending=False, kind="stable").index[: row.budget]
        assert set(best) == set(frame.index[frame["kept"]])


def copied(snapshot: Snapshot | None) -> Snapshot | None:
    """What is staged is good until the next step only: its memory is used again."""
    if snapshot is None:
        return None
    return replace(snapshot, inputs={k: v.clone() for k, v in snapshot.inputs.items()})


def test_allocator_and_log_have_the_same_numbers(tmp_path: Path) -> None:
    snapshots: list[Snapshot] = []
    names = ["group_taylor", "triplet_norm", "value_abs", "group_fisher", "random", "obd@l2-EB"]
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(
        model, optimizer, tmp_path / "run", criterion="group_fisher", scores=names
    ) as recording:
        stage = recording.allocator.stage
        recording.allocator.stage = lambda snapshot, **options: (
            snapshots.append(copied(snapshot)),
            stage(snapshot, **options),
        )
        for batch in batches(30):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    run = open_run(tmp_path / "run")
    decided = [snapshot for snapshot in snapshots if snapshot is not None]
    assert len(decided) > 10
    for snapshot in decided:
        frame = run.triplets([f"score.{name}" for name in names], snapshot.step)
        for name in names:
            ours = va.allocation.triplet_score(name, snapshot).numpy()
            assert ours.tobytes() == frame[f"score.{name}"].to_numpy().tobytes()


def test_columns_say_what_they_are(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", scores=["snr@l2-EA", "group_taylor"], steps=2)
    said = {name: column["meaning"] for name, column in run.columns.items()}
    assert said["score.snr@l2-EA"] == "|μ|/σ; E + Euclidean norm over row k of A"
    assert said["score.snr@l2-EA.E"] == "|μ|/σ; value E_k"
    assert said["score.snr@l2-EA.A"] == "|μ|/σ; Euclidean norm over row k of A"
    assert said["score.group_taylor"] == "(Σ_triplet θ g)²; of the whole triplet"
    assert run.labels == {"snr@l2-EA": "|μ|/σ (l2-EA)", "group_taylor": "(Σθg)²"}
    frame = va.analysis.correlations(run, steps=-1)
    assert frame[["score_a", "score_b"]].to_numpy().tolist() == [["snr@l2-EA", "group_taylor"]]


def test_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    model = lora(tiny_bert())
    with pytest.raises(
        ScoreError, match=r"'value_abs' needs the factor E, .* has A, B; use AdaLoRA"
    ):
        va.instrument(model, adam(trainable(model)), tmp_path / "a", scores=["value_abs"])
    with pytest.raises(ScoreError, match="'snr@E' needs the factor E"):
        va.instrument(model, ivon_for(trainable(model)), tmp_path / "b", scores=["snr@E"])
    with pytest.raises(ScoreError, match=r"'obd@sum' needs a posterior, which Adam .* taylor"):
        va.instrument(model, adam(trainable(model)), tmp_path / "c", scores=["obd@sum"])
    assert list(tmp_path.iterdir()) == []


def test_settings_take_any_spelling() -> None:
    for criterion in (*va.scores.names(), "snr@sum", "ipt@l2-AB"):
        assert RunConfig(criterion=criterion).criterion == criterion
    with pytest.raises(ScoreError, match="'snr@median'"):
        RunConfig(criterion="snr@median")
