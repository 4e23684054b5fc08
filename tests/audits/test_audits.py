"""Every audit of small real runs: asked, answered, written; or a reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from tests.log.synthetic import write_run
from vilora_analysis.audits import (
    AUDITS,
    JOINT_AUDITS,
    Result,
    audit_runs,
    planned,
    write_page,
)
from vilora_analysis.audits.shown import of_shown, shown
from vilora_analysis.audits.systems import systems
from vilora_analysis.errors import ConfigError, LogError

SCORES = ["default", "bridge", "snr_abs_float32", "snr@sum", "sensitivity@sum"]
ELSEWHERE = {"example_fisher", "oracle"}  # commands of their own ask the model
SAYS_NOTHING = {"ranks", "correlations", "theory"}
TWO = ("seed-0", "seed-1")
ByName = dict[tuple[str, str], Result]


def trained(out: Path, seed: int, make: Callable[..., Any] = ivon_for, **options: Any) -> va.Run:
    model = adalora(tiny_bert(seed), tinit=12, tfinal=10)
    optimizer = make(trainable(model))
    config = {"task": "toy", "preset": "tiny", "seed": seed}
    with va.instrument(model, optimizer, out, config=config, **options) as recording:
        for batch in batches(30, seed=seed):
            with va.sampled_parameters(optimizer):
                loss = model(**batch).loss
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recording.log(loss=loss.item())
    return va.open_run(out)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[va.Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        trained(folder / f"seed-{seed}", seed, criterion="snr", scores=SCORES, elements_every=10)
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


def save_small(figure: Figure, path: Path) -> list[Path]:
    """Drawn all the same, but not at the resolution of print."""
    figure.savefig(path.with_suffix(".png"), dpi=40)
    return [path.with_suffix(".png")]


@pytest.fixture(scope="module")
def results(runs: list[va.Run], out: Path) -> ByName:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vilora_analysis.audits.write.figures.save", save_small)
        return {(r.run, r.audit): r for r in audit_runs(runs, out)}


@pytest.mark.parametrize("run", TWO)
@pytest.mark.parametrize("name", [audit.name for audit in AUDITS])
def test_each_run_answers_all_that_its_log_can(results: ByName, run: str, name: str) -> None:
    result = results[run, name]
    if name in ELSEWHERE:
        assert not result.files
        assert f"vilora {name.removeprefix('example_')} RUN" in result.notes[0]
        return
    assert bool(result.verdict) == (name not in SAYS_NOTHING)
    assert not [note for note in result.notes if note.startswith("not ")]
    assert all(file.stat().st_size for file in result.files)
    tables = [file for file in result.files if file.suffix == ".parquet"]
    assert tables
    assert all(len(pd.read_parquet(table)) for table in tables)
    assert all(file.name.startswith(name) for file in result.files)


def test_several_runs_answer_together(results: ByName, out: Path) -> None:
    asked = {name: results["", name] for name in (joint.name for joint in JOINT_AUDITS)}
    for name in ("stability", "bridges", "equilibria", "claims"):
        assert asked[name].verdict
        assert all(file.parent == out for file in asked[name].files)
    assert asked["stability"].verdict.startswith("toy tiny: over 2 seeds ")
    assert asked["penalty"].notes == (
        "not asked: no run has an L1 penalty (vilora train --allocation l1)",
    )
    assert asked["planted"].notes == ("not asked: nothing was planted (vilora planted)",)
    bridges = pd.read_parquet(out / "bridges.parquet")
    assert bridges.groupby("system")["run"].nunique().to_dict() == {"toy tiny": 2}


def test_what_is_asked_is_what_was_planned(runs: list[va.Run], results: ByName) -> None:
    assert len(results) == planned(runs) == 2 * len(AUDITS) + len(JOINT_AUDITS)


def test_the_page_says_what_was_found_and_shows_it(results: ByName, tmp_path: Path) -> None:
    page, *times = write_page(results.values(), tmp_path)
    text = page.read_text()
    for result in results.values():
        assert result.verdict in text
        assert all(note in text for note in result.notes)
    assert "![health](seed-1/health.png)" in text
    assert text.index("## All runs together") < text.index("## seed-0") < text.index("## seed-1")
    taken = pd.read_parquet(times[0])
    assert len(taken) == len(results)
    assert (taken["seconds"] >= 0).all()


def test_a_run_without_posterior_says_what_it_lacks(tmp_path: Path) -> None:
    def adam(parameters: Any) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=5e-3)

    run = trained(tmp_path / "adam", 0, adam, criterion="sensitivity")
    found = {r.audit: r for r in audit_runs([run], tmp_path / "out") if r.run}
    for name in ("health", "theory", "equilibrium", "decomposition", "bridge", "identities"):
        assert found[name].notes[0].startswith("not asked: it needs ")
        assert not found[name].files
    assert found["shadow"].verdict
    assert found["correlations"].files


def test_a_run_without_steps_is_answered_by_its_reason(tmp_path: Path) -> None:
    run = va.open_run(write_run(tmp_path / "run", steps=(), metrics=[(1, {"lr": 0.1})]).path)
    found = {r.audit: r for r in audit_runs([run], tmp_path / "out") if r.run}
    assert all("has no recorded steps: " in found[audit.name].notes[0] for audit in AUDITS)
    assert not any(result.files for result in found.values())


def test_runs_of_one_name_are_refused(runs: list[va.Run], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="several runs are called seed-0"):
        next(audit_runs([runs[0], runs[0]], tmp_path))


def test_a_folder_that_cannot_be_written_is_named(runs: list[va.Run], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match=r"cannot write to .*file"):
        list(audit_runs(runs, tmp_path / "file"))


def described(folder: Path, settings: Sequence[dict[str, Any]]) -> list[va.Run]:
    return [
        va.open_run(write_run(folder / str(i), config=config, steps=(1,)).path)
        for i, config in enumerate(settings)
    ]


def test_systems_are_called_by_what_they_differ_in(tmp_path: Path) -> None:
    settings = [
        {"task": task, "preset": preset, "lr": lr, "seed": seed}
        for task in ("sst2", "rte")
        for preset, lr in (("paper", 1.0), ("live", 5.0))
        for seed in (0, 1)
    ]
    found = systems(described(tmp_path, settings))
    assert list(found) == ["sst2 paper", "sst2 live", "rte paper", "rte live"]
    assert [[run.name for run in members] for members in found.values()][1] == ["2", "3"]


def test_a_single_system_is_called_by_its_task(tmp_path: Path) -> None:
    found = systems(described(tmp_path / "a", [{"task": "rte", "seed": s} for s in (0, 1)]))
    assert list(found) == ["rte"]
    other = described(tmp_path / "b", [{"lr": 1.0}, {"lr": 2.0}])
    assert list(systems(other)) == ["1.0", "2.0"]


def test_figures_show_the_papers_scores_where_there_are_too_many(
    runs: list[va.Run], tmp_path: Path
) -> None:
    assert len(runs[0].score_names) > 20
    assert shown(runs[0]) == [*runs[0].score_names[:9], "snr_abs_float32", *SCORES[3:]]
    many = [f"own_{i}" for i in range(20)]
    run = va.open_run(write_run(tmp_path / "run", scores=["snr", *many]).path)
    assert shown(run) == ["snr", *many[:13]]
    frame = pd.DataFrame({"score_a": ["snr", "own_19", "snr"], "score_b": ["own_1", "snr", "kept"]})
    assert of_shown(run, frame, "score_a", "score_b").index.tolist() == [0, 2]
