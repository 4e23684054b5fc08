"""The identities hold on what a run recorded, and one damaged number is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from vilora_analysis.analysis.theory.folded_normal import FLOOR, snr_abs
from vilora_analysis.analysis.theory.identities import has_identities, identities
from vilora_analysis.analysis.theory.identities_verdict import identities_verdict
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.scores import published

STEPS = 6


def record(out: Path, *, elements_every: int = 3, **settings: float) -> va.Run:
    model = adalora(tiny_bert(layers=1))
    optimizer = ivon_for(trainable(model), **settings)
    with va.instrument(model, optimizer, out, criterion=None, elements_every=elements_every):
        for batch in batches(STEPS):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return va.open_run(out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> va.Run:
    # a weight decay that is not small beside h, so that the rankings do differ
    path = tmp_path_factory.mktemp("identities") / "run"
    return record(path, weight_decay=0.03, ess=1e8, beta2=0.5)


@pytest.fixture(scope="module")
def found(run: va.Run) -> pd.DataFrame:
    return identities(run)


def test_all_hold_on_a_recorded_run(run: va.Run, found: pd.DataFrame) -> None:
    assert has_identities(run)
    assert found["holds"].all(), found[~found["holds"]].to_string()
    assert sorted(found["step"].unique()) == [3, 6]
    assert found.groupby("kind").size().to_dict() == {"equality": 24, "order": 12, "log": 24}
    said = identities_verdict(found)
    assert said.startswith("All identities hold on the ")
    assert "only the averaging over a triplet" in said


def test_errors_are_those_of_a_loop(run: va.Run, found: pd.DataFrame) -> None:
    group = run.elements(steps=6)
    group = group[group["factor"] == "B"]
    worst = 0.0
    for mus, sigmas, hesses in zip(group["mu"], group["sigma"], group["hess"], strict=True):
        for mu, sigma, hess in zip(mus, sigmas, hesses, strict=True):
            left = (float(mu) / float(sigma)) ** 2
            right = 1e8 * (float(hess) + 0.03) * float(mu) ** 2
            if left != right:
                worst = max(worst, abs(left - right) / right)
    row = found[(found["step"] == 6) & (found["factor"] == "B")].set_index("identity")
    assert row.loc["snr² = ess (h + δ) μ²", "error"] == pytest.approx(worst, rel=1e-6)
    assert 0 < worst < row.loc["snr² = ess (h + δ) μ²", "bound"]


def test_rankings_differ_by_the_weight_decay_alone(run: va.Run, found: pd.DataFrame) -> None:
    """All pairs, one by one: no inversion is deeper than the stated one."""
    group = run.elements(steps=6)
    group = group[group["factor"] == "A"]
    mu, sigma, hess = (
        np.concatenate(list(group[n])).astype(float) for n in ("mu", "sigma", "hess")
    )
    assert (hess <= 0).any()
    mu, sigma, hess = (values[hess > 0] for values in (mu, sigma, hess))
    snr, obd = np.abs(mu) / sigma, 0.5 * hess * mu**2
    deepest, balance, pairs = 0.0, 0, 0
    for i in range(len(snr)):
        after = snr > snr[i]
        balance += int(np.sign(obd[after] - obd[i]).sum())
        pairs += int(after.sum())
        if after.any():
            deepest = max(deepest, float((1 - obd[after] / obd[i]).max()))
    row = found[(found["step"] == 6) & (found["factor"] == "A")].set_index("identity")
    row = row.loc["½hθ² ranks as snr"]
    assert row["error"] == pytest.approx(deepest, rel=1e-9)
    assert row["kendall"] == pytest.approx(balance / pairs, abs=1e-4)  # hardly any ties
    assert row["kendall"] < 1
    assert deepest < row["bound"] < 1


def test_without_weight_decay_the_rankings_agree(tmp_path: Path) -> None:
    frame = identities(record(tmp_path / "run", weight_decay=0.0), steps=6)
    order = frame[frame["kind"] == "order"]
    # of a tiny snr the SNR of the magnitude is its floor, in any precision: E has hardly moved
    told = (order["factor"] != "E") | (order["identity"] == "½hθ² ranks as snr")
    assert (order.loc[told, "kendall"] > 1 - 1e-5).all()
    assert (order.loc[~told, "ties"] > 0).all()
    assert (order["error"] < 1e-6).all()
    assert frame["holds"].all()


def test_snr_abs_is_the_registered_one_monotone_with_its_floor() -> None:
    r = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 2000)])
    ours = snr_abs(r)
    assert ours[0] == pytest.approx(FLOOR, rel=1e-12)
    assert pytest.approx(1.3236, abs=1e-4) == FLOOR
    assert (np.diff(ours) > 0).all()
    registered = published.snr_abs(torch.from_numpy(r), torch.ones(len(r), dtype=torch.float64))
    np.testing.assert_allclose(ours, registered.numpy(), rtol=1e-12)


@pytest.mark.parametrize("column", ["mu", "sigma", "hess"])
def test_one_damaged_element_is_found(run: va.Run, tmp_path: Path, column: str) -> None:
    path = tmp_path / "run"
    shutil.copytree(run.path, path)
    for part in sorted((path / "elements").glob("*.parquet")):
        table = pq.read_table(part)
        frame = table.to_pandas()
        # the second of the row of A of the fourth triplet, at step 6
        wanted = frame.index[(frame["step"] == 6) & (frame["factor"] == "A")]
        if not len(wanted):
            continue
        values = [np.array(v) for v in table[column].to_pylist()]
        values[wanted[3]][1] *= 1.01
        field = table.schema.field(column)
        index = table.schema.get_field_index(column)
        pq.write_table(table.set_column(index, field, pa.array(values, type=field.type)), part)
    broken = identities(va.open_run(path))
    wrong = broken[~broken["holds"]]
    assert len(wrong)
    assert set(wrong["step"]) == {6}
    assert set(wrong["factor"]) == {"A"}
    said = identities_verdict(broken)
    assert "checks fail, the worst in A at step 6" in said
    assert "This log contradicts itself" in said


def test_other_settings_than_the_manifests_are_found(run: va.Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(run.path, path)
    manifest = json.loads((path / "run.json").read_text())
    manifest["optimizer"]["groups"][0]["ess"] *= 1.00001
    (path / "run.json").write_text(json.dumps(manifest))
    broken = identities(va.open_run(path))
    assert not broken.loc[broken["kind"] == "equality", "holds"].any()


def test_mistakes_are_said(run: va.Run, tmp_path: Path) -> None:
    bare = record(tmp_path / "bare", elements_every=0)
    with pytest.raises(
        LogError, match=r"no element snapshots of mu, sigma, hess; .*elements_every"
    ):
        identities(bare)
    with pytest.raises(LogError, match="has no step 4"):
        identities(run, steps=4)
    with pytest.raises(ConfigError, match="got none"):
        identities_verdict(identities(run).iloc[:0])
