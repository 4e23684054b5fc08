"""A real training under kill -9, at every boundary and at random instants: nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.soak import SOAK
from tests.log.synthetic import decision, manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter, check_run, open_run, parts
from vilora_analysis.log.manifest import FILE, Manifest, Status

ROOT = Path(__file__).parents[2]
KNOWN = manifest()
SCHEMA = schema_of(KNOWN)

# dropout, evaluation by samples, snapshots, checkpoints, and a decision at every other step
SETTINGS: dict[str, Any] = {
    "task": "sst2",
    "steps": 16,
    "batch_size": 6,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 24,
    "eval_every": 10,
    "elements_every": 4,
    "eval_samples": 2,
    "checkpoint_every": 5,
    "allocate_every": 2,
    "criterion": "snr",
    "resume": True,
}
EVERY = 0  # boundary there is


def experiments(root: Path, settings: dict[str, Any], **plan: int) -> list[dict[str, Any]]:
    """Have a run killed as planned; what each experiment met, if all went well."""
    words = json.dumps({"settings": settings, "root": str(root), **plan})
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    _, *results = map(json.loads, done.stdout.splitlines())
    bad = [result for result in results if result["error"]]
    assert not bad, f"{len(bad)} of {len(results)}: {bad[0]['at']}\n{bad[0]['error']}"
    return results


@pytest.fixture
def settings(dropout_encoder: Path, glue: Path) -> dict[str, Any]:
    return {**SETTINGS, "model": str(dropout_encoder), "data_dir": str(glue)}


def met(results: list[dict[str, Any]]) -> Counter[str]:
    return Counter(kill for result in results for kill in result["kills"])


def test_killed_at_boundaries_and_at_random_instants_it_is_the_same_run(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["steps"] = 12
    results = experiments(tmp_path, settings, boundaries=2, second=1, instants=1, seed=1)
    assert sum(met(results).values()) >= 4


@pytest.mark.skipif(not SOAK, reason="some ten minutes; make soak runs it")
def test_killed_at_every_boundary(settings: dict[str, Any], tmp_path: Path) -> None:
    results = experiments(tmp_path, settings, boundaries=EVERY, second=EVERY, instants=0)
    found = met(results)
    print(f"{len(results)} experiments, kills: {dict(found)}")
    assert {"open", "write", "fsync", "os.rename", "os.remove", "fcntl.flock"} <= {*found}
    assert sum(found.values()) > 250


@pytest.mark.skipif(not SOAK, reason="some ten minutes; make soak runs it")
def test_killed_at_random_instants(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["steps"] = 40
    results = experiments(tmp_path, settings, boundaries=1, second=1, instants=200)
    print(f"{len(results)} experiments, kills: {dict(met(results))}")
    assert sum(met(results).values()) >= 200


def test_what_killed_writes_left_goes_when_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for _ in range(2):
        (run / "triplets").mkdir(parents=True, exist_ok=True)
        left = [run / f".{FILE}.1.tmp", run / f"..{FILE}.spare.1.tmp"]
        left += [run / "triplets" / ".part-000001-000000001-000000001.parquet.1.tmp"]
        others = run / ".note.json.1.tmp"
        for path in [*left, others]:
            path.write_text("half of")
        resume = 0 if (run / FILE).exists() else None  # killed before there was a manifest, or not
        log = LogWriter(run, KNOWN, triplets=SCHEMA, resume_step=resume)
        assert not any(path.exists() for path in left)
        assert others.exists()  # somebody else may be writing it
        others.unlink()
        log.triplets(*numbered_step(KNOWN, 1))
        log.metrics(1, {"loss": 1.0})
        log.close("finished")
        assert check_run(run) == []


class KilledError(BaseException):
    """Stands for being killed: nothing that writes gets to clean up."""


@pytest.mark.parametrize("status", ["failed", "finished"])
def test_killed_while_it_is_cut_back_a_log_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    """That its triplets ended early was said where they were cut, and the metrics were not yet."""
    run, looks = tmp_path / "run", [0]
    log = LogWriter(run, KNOWN, triplets=SCHEMA)
    for step in range(1, 7):
        log.metrics(step, {"loss": 1.0})
        log.event(**decision(step))
        log.triplets(*numbered_step(KNOWN, step))
        log.flush()
    log.close(status)
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".parquet":
            looks[0] += 1
            assert check_run(run) == []
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    LogWriter(run, KNOWN, triplets=SCHEMA, resume_step=2).close("failed")
    assert looks[0] == 3 * 4
    assert open_run(run).steps.tolist() == [1, 2]
    assert check_run(run) == []


def test_a_run_is_finished_once_all_else_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    log.triplets(*numbered_step(KNOWN, 1))
    log.metrics(1, {"loss": 1.0})
    rename = parts._rename

    def killed(aside: Path, path: Path) -> None:
        if path.name == FILE:
            raise KilledError
        rename(aside, path)

    monkeypatch.setattr(parts, "_rename", killed)
    with pytest.raises(KilledError):
        log.close("finished")
    assert Manifest.load(tmp_path / "run").status == "running"
    assert Manifest.load_file(tmp_path / "run" / ".run.json.spare").status == "finished"
