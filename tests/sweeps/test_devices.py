"""Which GPUs are visible, and one for each run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vilora_analysis.sweeps import devices
from vilora_analysis.sweeps.devices import one_device, visible_gpus


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    devices._free_devices.cache_clear()
    yield
    devices._free_devices.cache_clear()


@pytest.mark.parametrize(
    ("told", "ids"), [("0,2", ["0", "2"]), (" GPU-a , 1", ["GPU-a", "1"]), ("", []), ("-1", [])]
)
def test_the_environment_says_which(
    monkeypatch: pytest.MonkeyPatch, told: str, ids: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert visible_gpus() == ids


def test_else_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    assert visible_gpus() == ["0", "1"]
    program.write_text("#!/bin/sh\nexit 9\n")  # no driver
    assert visible_gpus() == []


def test_two_runs_at_once_have_different_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with one_device() as first, one_device() as second:
        taken = {first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]}
    assert taken == {"3", "5"}
    with one_device() as third:
        assert third["CUDA_VISIBLE_DEVICES"] in taken


def test_without_gpus_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with one_device() as environment:
        assert environment == {}
