"""Scores from element snapshots: the recorded ones to the last bit, and ones made up afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.errors import LogError, ScoreError
from vilora_analysis.probes.rescoring import rescore, verify_scores


def recorded(out: Path, *, adapter: str = "adalora", elements_every: int = 7) -> va.Run:
    model = adalora(tiny_bert()) if adapter == "adalora" else lora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    criterion = "snr" if adapter == "adalora" else None
    with va.instrument(
        model, optimizer, out, criterion=criterion, scores="all", elements_every=elements_every
    ):
        for batch in batches(30):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return va.open_run(out)


@pytest.mark.parametrize("adapter", ["adalora", "lora"])
def test_the_recorded_scores_come_out_to_the_last_bit(tmp_path: Path, adapter: str) -> None:
    run = recorded(tmp_path / "run", adapter=adapter)
    found = verify_scores(run)
    assert sorted(found["step"].unique()) == [7, 14, 21, 28]
    assert set(found["score"]) == set(run.score_names)
    assert (found["differ"] == 0).all()
    assert (found["triplets"] == 39).all()


def test_a_score_that_did_not_exist_is_computed_like_one_that_did(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run")

    @va.score(label="test", equation="|μ| h", source="this test")
    def curvature_times_magnitude(mu, hess):  # type: ignore[no-untyped-def]
        """Made up after the run."""
        return mu.abs() * hess

    try:
        frame = rescore(run, ["curvature_times_magnitude", "snr@sum"], steps=[14])
    finally:
        va.scores.unregister("curvature_times_magnitude")
    assert frame["step"].unique() == [14]
    elements = run.elements(steps=[14])
    for row in frame.itertuples(index=False):
        own = elements[(elements["module"] == row.module) & (elements["k"] == row.k)]
        per_factor = [
            np.mean(np.abs(mu) * hess) for mu, hess in zip(own["mu"], own["hess"], strict=True)
        ]
        assert frame.loc[
            (frame["module"] == row.module) & (frame["k"] == row.k),
            "score.curvature_times_magnitude",
        ].item() == pytest.approx(sum(per_factor), rel=1e-5)
    assert (frame["score.snr@sum"] > 0).all()


def test_a_log_that_disagrees_with_itself_is_found_where_it_does(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run")
    (part,) = sorted((run.path / "triplets").glob("*.parquet"))
    table = pq.read_table(part)
    values = table["score.snr"].to_numpy().copy()
    row = 13 * 39 + 5  # step 14, the sixth triplet
    values[row] = np.nextafter(values[row], np.float32(np.inf))
    index = table.schema.get_field_index("score.snr")
    changed = table.set_column(index, table.schema.field(index), pa.array(values))
    pq.write_table(changed, part)
    found = verify_scores(va.open_run(run.path))
    wrong = found[found["differ"] > 0]
    assert wrong[["step", "score", "differ"]].values.tolist() == [[14, "snr", 1]]
    where = run.modules.iloc[5]
    assert (wrong["module"].item(), wrong["k"].item()) == (where["module"], where["k"])
    assert 0 < wrong["largest"].item() < 1e-6


def test_mistakes_are_said(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", elements_every=0)
    with pytest.raises(LogError, match=r"no element snapshots .*--elements-every"):
        rescore(run, ["snr"])
    other = recorded(tmp_path / "other")
    with pytest.raises(LogError, match="has no step 3"):
        rescore(other, ["snr"], steps=[3])
    with pytest.raises(ScoreError, match="did you mean snr"):
        rescore(other, ["snrr"])
