"""A run written again with a score of one's own: same numbers, one more, every audit answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.log import check_run, repair_run
from vilora_analysis.log.manifest import GapRow
from vilora_analysis.probes.rescored import rescored_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> va.Run:
    model = adalora(tiny_bert(), tinit=12, tfinal=10)
    optimizer = ivon_for(trainable(model))
    out = tmp_path_factory.mktemp("runs") / "run"
    with va.instrument(model, optimizer, out, criterion="snr", elements_every=6) as recording:
        for batch in batches(30):
            with va.sampled_parameters(optimizer):
                loss = model(**batch).loss
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recording.log(loss=loss.item())
    return va.open_run(out)


@pytest.fixture
def own() -> Iterator[str]:
    @va.score(label="|μ|·h", equation="|μ| h", source="this test")
    def own_metric(mu, hess):  # type: ignore[no-untyped-def]
        """Made up after the run."""
        return mu.abs() * hess

    yield "own_metric"
    va.scores.unregister("own_metric")


@pytest.fixture
def undefined() -> Iterator[str]:
    @va.score(label="0/0", equation="0/0", source="this test")
    def undefined_metric(mu):  # type: ignore[no-untyped-def]
        """Never a number."""
        return mu / mu * float("nan")

    yield "undefined_metric"
    va.scores.unregister("undefined_metric")


def test_what_was_recorded_stays_and_the_new_score_is_that_of_the_elements(
    run: va.Run, own: str, tmp_path: Path
) -> None:
    again = rescored_run(run, [own, "snr@sum"], tmp_path / "again")
    assert check_run(again.path) == []
    assert again.score_names == (*run.score_names, own, "snr@sum")
    assert again.steps.tolist() == [6, 12, 18, 24, 30]
    there = list(run.triplets())
    assert again.triplets(there).equals(run.triplets(there, steps=[6, 12, 18, 24, 30]))
    assert (
        again.events()
        .drop(columns=["pruned", "revived"])
        .equals(run.events().drop(columns=["pruned", "revived"]))
    )
    assert again.metrics().equals(run.metrics())
    _agrees_with_the_elements(run, again, own)


def _agrees_with_the_elements(run: va.Run, again: va.Run, own: str) -> None:
    elements, frame = run.elements(steps=[18]), again.triplets(steps=[18])
    means = [
        np.mean(np.abs(mu) * hess)
        for mu, hess in zip(elements["mu"], elements["hess"], strict=True)
    ]
    expected = elements.assign(mean=means).groupby(["module", "k"], observed=True)["mean"].sum()
    found = frame.set_index(["module", "k"])[f"score.{own}"]
    assert found.to_numpy() == pytest.approx(expected.loc[found.index].to_numpy(), rel=1e-5)


def test_audits_see_the_new_score_beside_the_others(run: va.Run, own: str, tmp_path: Path) -> None:
    again = rescored_run(run, [own], tmp_path / "again")
    overlap = again.audits.shadow().tables["shadow_overlap"]
    correlations = again.audits.correlations().tables["correlations"]
    assert own in {*overlap["score_a"], *overlap["score_b"]}
    assert own in {*correlations["score_a"], *correlations["score_b"]}
    assert again.manifest.recorder["rescored"] == {
        "run_id": run.manifest.run_id,
        "scores": [own],
    }
    assert again.manifest.run_id != run.manifest.run_id


def test_steps_whose_elements_were_lost_are_left_out(run: va.Run, own: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    next((copy / "elements").glob("*-000000018-*")).unlink()
    repair_run(copy)
    again = rescored_run(va.open_run(copy), [own], tmp_path / "again")
    assert check_run(again.path) == []
    assert again.steps.tolist() == [6, 12, 24, 30]


def test_steps_whose_elements_nobody_missed_are_left_out_too(
    run: va.Run, own: str, tmp_path: Path
) -> None:
    """An error that the caller went on from leaves no hole in the parts of the elements."""
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    lost, *later = sorted((copy / "elements").iterdir())[2:]
    lost.unlink()
    for number, part in enumerate(later, 2):
        table = pq.read_table(part)
        part.unlink()
        pq.write_table(
            table.replace_schema_metadata(), part.with_name(f"part-{number:06d}{part.name[11:]}")
        )
    assert check_run(copy) == []
    again = rescored_run(va.open_run(copy), [own], tmp_path / "again")
    assert check_run(again.path) == []
    assert again.steps.tolist() == [6, 12, 24, 30]
    (gap,) = again.manifest.gaps
    assert gap == GapRow("triplets", 18, 18, "no elements were recorded")


def test_an_oracle_goes_with_the_run(run: va.Run, own: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    (copy / "oracle").mkdir()
    (copy / "oracle" / "oracle.json").write_text("{}")
    again = rescored_run(va.open_run(copy), [own], tmp_path / "again")
    assert (again.path / "oracle" / "oracle.json").read_text() == "{}"
    assert not (again.path / "elements").is_dir()


def test_mistakes_are_said(run: va.Run, own: str, undefined: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="records snr; name scores that are new"):
        rescored_run(run, ["snr"], tmp_path / "a")
    with pytest.raises(ScoreError, match="'undefined_metric' is not finite at step 6"):
        rescored_run(run, [undefined], tmp_path / "a")
    assert not (tmp_path / "a").exists()
    rescored_run(run, [own], tmp_path / "a")
    with pytest.raises(LogError, match="holds a run already"):
        rescored_run(run, [own], tmp_path / "a")
