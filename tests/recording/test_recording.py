"""What lands in the log is what was true at that instant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, lora, tiny_bert, trainable
from tests.recording.loops import loop
from vilora_analysis.log import check_run
from vilora_analysis.posterior import Snapshot, take_snapshot
from vilora_analysis.triplets import Binding, TripletLayout, published_sum


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[va.Run, list[Snapshot]]:
    """A run that prunes by snr, and the snapshots that a second hook takes beside it."""
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    binding = Binding.create(TripletLayout.from_model(model), model, optimizer)
    taken: list[Snapshot] = []
    # registered first, so it sees the values before the allocator masks them
    optimizer.register_step_post_hook(
        lambda *_: taken.append(
            take_snapshot(binding, len(taken) + 1, needs={"sigma", "hess", "grad"})
        )
    )
    with va.instrument(model, optimizer, tmp_path / "run", criterion="snr", elements_every=10) as r:
        loop(model, optimizer, 30, each=lambda step: r.log(loss=float(step)))
        r.results["accuracy"] = 0.5
    return va.open_run(tmp_path / "run"), taken


def test_inputs_and_scores_are_those_of_the_step(recorded: tuple) -> None:
    run, snapshots = recorded
    assert run.steps.tolist() == list(range(1, 31))
    for snapshot in (snapshots[0], snapshots[17], snapshots[29]):
        row = run.triplets(steps=snapshot.step)
        snr = (snapshot.inputs["mu"] / snapshot.inputs["sigma"]).abs()
        expected = published_sum(snapshot.layout.reduce(snr))
        np.testing.assert_allclose(row["score.snr"], expected, rtol=1e-5)
        for name, how in (("mu", "rms"), ("sigma", "rms"), ("hess", "mean"), ("grad", "rms")):
            parts = snapshot.layout.reduce(snapshot.inputs[name], how)
            for factor in "EAB":
                np.testing.assert_allclose(row[f"{name}_{factor}"], parts[factor], rtol=2e-5)
    parts = run.triplets()
    for name in run.score_names:
        total = parts[[f"score.{name}.{factor}" for factor in "EAB"]].sum(axis=1)
        np.testing.assert_allclose(parts[f"score.{name}"], total, rtol=1e-5)


def test_the_decision_follows_from_the_logged_score(recorded: tuple) -> None:
    """The log cannot disagree with the decision: kept is the top of the logged criterion."""
    run, _ = recorded
    events = run.events().set_index("step")
    assert list(events.index) == list(range(6, 26))
    for step, event in events.iterrows():
        row = run.triplets(["score.snr", "kept"], int(step))
        assert row["kept"].sum() == event["n_kept"] == event["budget"]
        assert row.loc[row["kept"], "score.snr"].min() >= event["threshold"]
        assert row.loc[~row["kept"], "score.snr"].max() == pytest.approx(event["threshold"])
    assert events["budget"].iloc[-1] == 26


def test_pruned_and_revived_lead_from_one_kept_set_to_the_next(recorded: tuple) -> None:
    run, _ = recorded
    names = [f"{m}[{k}]" for m, k in zip(run.modules["module"], run.modules["k"], strict=True)]
    kept = set(names)
    for step, pruned, revived in run.events()[["step", "pruned", "revived"]].itertuples(
        index=False
    ):
        assert set(pruned) <= kept
        assert not set(revived) & kept
        kept = (kept - set(pruned)) | set(revived)
        row = run.triplets(["kept"], int(step))["kept"]
        assert kept == {name for name, stays in zip(names, row, strict=True) if stays}


def test_element_snapshots_hold_every_input_of_every_score(recorded: tuple) -> None:
    run, snapshots = recorded
    elements = run.elements()
    assert sorted(elements["step"].unique()) == [10, 20, 30]
    assert {"mu", "sigma", "grad", "hess", "fisher_batch", "sens_ema", "unc_ema"} <= set(elements)
    snapshot = snapshots[19]
    at = elements[elements["step"] == 20]
    assert sum(map(len, at["mu"])) == snapshot.layout.n_elements
    rescored = {
        (row.module, row.k): np.abs(row.mu / row.sigma)
        for row in at[at["factor"] == "B"].itertuples()
    }
    logged = run.triplets(["module", "k", "score.snr.B"], 20)
    for module, k, value in logged.itertuples(index=False):
        assert rescored[module, k].mean() == pytest.approx(value, rel=1e-5)


def test_metrics_and_results_are_kept(recorded: tuple) -> None:
    run, _ = recorded
    metrics = run.metrics()
    assert metrics["loss"].tolist() == [float(step) for step in range(1, 31)]
    assert (metrics["lr"] == 0.5).all()
    assert (metrics["seconds"] > 0).all()
    assert run.manifest.results == {"accuracy": 0.5}
    assert "1 at first, 30 at last" in run._repr_html_()
    assert run.manifest.status == "finished"
    assert check_run(run.path) == []


def test_the_manifest_says_what_was_run(recorded: tuple) -> None:
    manifest = recorded[0].manifest
    assert manifest.criterion == "snr"
    assert manifest.optimizer["name"] == "IVON"
    assert manifest.optimizer["groups"][0]["ess"] == 500.0
    assert manifest.recorder["schedule"]["target_budget"] == 26
    assert manifest.recorder["fisher_beta"] == 0.99  # IVON's beta2: the same horizon as hess
    assert {"python", "torch", "peft", "ivon-opt"} <= manifest.versions.keys()


def test_every_tenth_step(tmp_path: Path) -> None:
    """Smoothing still sees every step, so what is recorded is what every=1 records there."""
    frames = []
    for every in (1, 10):
        model = adalora(tiny_bert())
        optimizer = ivon_for(trainable(model))
        torch.manual_seed(0)
        with va.instrument(model, optimizer, tmp_path / str(every), criterion="snr", every=every):
            loop(model, optimizer, 30)
        frames.append(va.open_run(tmp_path / str(every)).triplets(steps=[10, 20, 30]))
    assert frames[0].equals(frames[1])
    assert check_run(tmp_path / "10") == []


def test_observing_pefts_own_allocator(tmp_path: Path) -> None:
    """A loop with PEFT's published call stays as it is; its kept sets are recorded."""
    model = adalora(tiny_bert())
    optimizer = torch.optim.Adam(trainable(model), lr=5e-3)
    patterns: dict[int, dict[str, list[bool]]] = {}

    def each(step: int) -> None:
        model.base_model.update_and_allocate(step)
        patterns[step] = dict(model.peft_config["default"].rank_pattern or {})

    with va.instrument(model, optimizer, tmp_path / "run"):
        loop(model, optimizer, 30, each)
    run = va.open_run(tmp_path / "run")
    assert run.manifest.criterion is None
    assert "sigma_E" not in run.columns
    for step, pattern in patterns.items():
        kept = run.triplets(["kept"], step)["kept"].tolist()
        assert kept == ([k for row in pattern.values() for k in row] or [True] * 39)
    # PEFT's own score is the one we compute, from the same step on
    assert patterns[25]


def test_lora_is_observed_without_a_value(tmp_path: Path) -> None:
    model = lora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, tmp_path / "run"):
        loop(model, optimizer, 3)
    run = va.open_run(tmp_path / "run")
    assert {"mu_A", "mu_B", "score.snr", "score.snr.A"} <= set(run.columns)
    assert not [name for name in run.columns if name.endswith(("_E", ".E"))]


def test_pefts_own_sensitivity_is_the_recorded_one(tmp_path: Path) -> None:
    """Oracle: the running averages of PEFT's RankAllocator, reduced as it reduces them."""
    model = adalora(tiny_bert())
    optimizer = torch.optim.Adam(trainable(model), lr=5e-3)
    own = model.base_model.rankallocator
    with va.instrument(model, optimizer, tmp_path / "run", scores=["sensitivity"]):
        loop(model, optimizer, 8, each=lambda step: own.update_ipt(model.base_model.model))
    logged = va.open_run(tmp_path / "run").triplets(["module", "k", "score.sensitivity"], 8)
    for module, k, value in logged.itertuples(index=False):
        parts = {f: own._element_score(f"{module}.lora_{f}.default") for f in "EAB"}
        expected = parts["E"][k, 0] + parts["A"][k].mean() + parts["B"][:, k].mean()
        assert value == pytest.approx(float(expected), rel=1e-5)


def test_a_new_score_is_recorded_and_can_prune(tmp_path: Path) -> None:
    @va.score(label="|mu| h", equation="|μ| h", source="test")
    def mean_times_hess(mu: torch.Tensor, hess: torch.Tensor) -> torch.Tensor:
        """Curvature-weighted magnitude."""
        return mu.abs() * hess

    try:
        model = adalora(tiny_bert())
        optimizer = ivon_for(trainable(model))
        with va.instrument(model, optimizer, tmp_path / "run", criterion="mean_times_hess"):
            loop(model, optimizer, 30)
        run = va.open_run(tmp_path / "run")
        assert "mean_times_hess" in run.score_names
        assert run.triplets(["kept"], -1)["kept"].sum() == 26
        assert "mean_times_hess" in set(va.analysis.correlations(run, steps=-1)["score_b"])
    finally:
        va.scores.unregister("mean_times_hess")


def test_a_loaded_adapter_with_unequal_ranks_is_recorded(tmp_path: Path) -> None:
    """After loading, ranks differ from matrix to matrix, and some matrices have none."""
    model = adalora(tiny_bert())
    ranks = [3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    layout = TripletLayout.from_model(model)
    pattern = {
        key: [k < rank for k in range(3)]
        for key, rank in zip(layout.pattern_keys, ranks, strict=True)
    }
    model.base_model.resize_modules_by_rank_pattern(pattern, "default")
    optimizer = ivon_for(trainable(model))
    with va.instrument(model, optimizer, tmp_path / "run", elements_every=2):
        loop(model, optimizer, 4)
    run = va.open_run(tmp_path / "run")
    assert [module.rank for module in run.manifest.modules] == ranks
    assert len(run.triplets(steps=-1)) == sum(ranks)
    assert check_run(run.path) == []
    assert va.analysis.ranks(run)["rank"].tolist() == ranks


class Wrapper(torch.nn.Module):
    """Holds a model as DDP does."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, **batch: Any) -> Any:
        return self.module(**batch)


def test_a_wrapped_model_is_recorded_under_the_models_own_names(tmp_path: Path) -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    wrapped = Wrapper(model)
    with va.instrument(wrapped, optimizer, tmp_path / "run", criterion="snr"):
        loop(wrapped, optimizer, 30)
    run = va.open_run(tmp_path / "run")
    assert run.manifest.modules[0].name.startswith("bert.encoder.layer.0")
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    assert all("module" not in key for key in model.peft_config["default"].rank_pattern)
