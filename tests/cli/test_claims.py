"""``vilora claims``: what is shown and written, from a few synthetic runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.claims_world import HOLDS, build
from vilora_analysis import analysis
from vilora_analysis.cli import main
from vilora_analysis.sweeps import read_grid


def test_the_sheet_is_shown_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    build(tmp_path / "runs", HOLDS, [0, 1], (("ivon", "snr"), ("ivon", "sensitivity")))
    out = tmp_path / "sheet"
    assert main(["claims", str(tmp_path / "runs"), "--out", str(out), "--margin", "1"]) == 0
    shown = capsys.readouterr().out
    for claim in analysis.CLAIMS:
        assert f"{claim.id}  {claim.text} [{claim.section}]" in shown
    assert "+2" in shown
    assert "p 0.5 (0.5 at least)" in shown  # p never stands without the smallest that could be
    assert "not testable, sst2: snr_abs no worse than sensitivity" in shown
    assert shown.count("--criterion snr_abs") == 1
    assert "Of 22 tests of the paper's claims, on 2 pairs: " in shown
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("claims.parquet", "claims.csv", "claims.md"),
        *("claims-sst2.png", "claims-sst2.pdf"),
    }
    frame = pd.read_parquet(out / "claims.parquet")
    assert set(frame.loc[frame["unit"] == "points", "margin"]) == {1.0}
    assert len(pd.read_csv(out / "claims.csv")) == len(frame) == 22
    assert "| sst2 | snr better than sensitivity |" in (out / "claims.md").read_text()


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(tmp_path, HOLDS, [0], (("ivon", "snr"),))
    assert main(["claims", str(tmp_path), "--alpha", "5"]) == 2
    assert capsys.readouterr().err == (
        "vilora: alpha is a level between 0 and 1, got 5; 5% is 0.05\n"
    )
    assert main(["claims", str(tmp_path / "none")]) == 2
    assert "no run directory" in capsys.readouterr().err


def test_the_shipped_sweep_has_every_system_on_enough_seeds() -> None:
    """Six seeds are the fewest whose exact test can reach 0.05."""
    configs = [cell.config for cell in read_grid("claims").cells]
    systems = {(config.optimizer, config.criterion) for config in configs}
    assert len(configs) == len(systems) * 6 == 36
    assert systems == {
        *(("ivon", name) for name in ("snr", "snr_abs", "mean_abs", "inverse_std", "sensitivity")),
        ("adamw", "sensitivity"),
    }
    assert all(config.record_every > 1 for config in configs)
