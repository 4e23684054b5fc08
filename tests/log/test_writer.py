"""When parts are written, and where a run may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from tests.log.synthetic import (
    decision,
    manifest,
    numbered_step,
    parts_of,
    schema_of,
    write_run,
)
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, Manifest, open_run, writer

KNOWN = manifest()
SCHEMA = schema_of(KNOWN)
N_TRIPLETS = KNOWN.n_triplets


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogWriter]:
    opened = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, flush_seconds=60.0)
    yield opened
    opened.close("finished")


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_nothing_is_written_before_a_part_is_full_and_then_whole_steps_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_ROWS_PER_PART", 3 * N_TRIPLETS + 1)
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    counts = []
    for step in range(1, 8):
        log.triplets(*numbered_step(KNOWN, step))
        counts.append(len(parts_of(log.directory)))
    log.close("finished")
    assert counts == [0, 0, 1, 1, 1, 2, 2]
    assert [part.name for part in parts_of(log.directory)] == [
        "part-000000-000000001-000000003.parquet",
        "part-000001-000000004-000000006.parquet",
        "part-000002-000000007-000000007.parquet",
    ]
    read = open_run(log.directory).triplets(["step", "score.snr"])
    assert (read["step"] == read["score.snr"]).all()  # buffers that are used again leave no trace


def test_a_step_larger_than_a_part_is_still_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_ROWS_PER_PART", 3)
    run = write_run(tmp_path / "run", steps=(1, 2)).path
    assert [pq.ParquetFile(part).metadata.num_rows for part in parts_of(run)] == [20, 20]


def test_parts_are_written_once_flush_seconds_have_gone_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(writer, "time", SimpleNamespace(monotonic=lambda: clock.now))
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA, flush_seconds=10.0)

    def parts_after(now: float, step: int) -> int:
        clock.now = now
        log.triplets(*numbered_step(KNOWN, step))
        log.flush_if_due()
        return len(parts_of(log.directory))

    assert [parts_after(109.9, 1), parts_after(110.1, 2)] == [0, 1]
    assert [parts_after(119.9, 3), parts_after(120.2, 4)] == [1, 2]  # counted from the last flush
    log.close("finished")


def test_flush_writes_all_tables_and_nothing_twice(log: LogWriter) -> None:
    log.triplets(*numbered_step(KNOWN, 1))
    log.metrics(1, {"loss": 1})
    log.event(**decision(1))
    log.flush()
    log.flush()
    found = {name: len(parts_of(log.directory, name)) for name in ("triplets", "metrics", "events")}
    assert found == {"triplets": 1, "metrics": 1, "events": 1}


def test_closing_writes_the_rest_and_how_it_ended(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    assert Manifest.load(log.directory).status == "running"
    log.triplets(*numbered_step(KNOWN, 1))
    log.close("failed", {"accuracy": 0.5})
    loaded = Manifest.load(log.directory)
    assert (loaded.status, loaded.results) == ("failed", {"accuracy": 0.5})
    assert loaded.finished.endswith("+00:00")
    assert open_run(log.directory).steps.tolist() == [1]
    assert names_in(log.directory / "triplets") == ["part-000000-000000001-000000001.parquet"]


def test_a_run_of_metrics_only_has_no_triplets(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", KNOWN, triplets=None)
    log.triplets(*numbered_step(KNOWN, 1))
    log.metrics(1, {"loss": 1.0})
    log.close("finished")
    assert not (log.directory / "triplets").exists()
    assert open_run(log.directory).metrics().to_dict("list") == {"step": [1], "loss": [1.0]}


def test_a_directory_that_holds_a_run_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run").path
    before = {path: path.read_bytes() for path in run.rglob("*.parquet")}
    with pytest.raises(LogError, match="holds a run already; choose another directory"):
        LogWriter(run, KNOWN, triplets=SCHEMA)
    assert {path: path.read_bytes() for path in run.rglob("*.parquet")} == before


def test_parts_of_a_run_without_its_manifest_are_not_mixed_with_a_new_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run").path
    (run / "run.json").unlink()
    with pytest.raises(LogError, match="holds a run already"):
        LogWriter(run, KNOWN, triplets=SCHEMA)


def test_a_directory_with_other_things_in_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    LogWriter(tmp_path, KNOWN, triplets=SCHEMA).close("finished")
    assert open_run(tmp_path).manifest.status == "finished"


@pytest.mark.parametrize("below", [".", "run", "a/b/run"])
def test_a_place_that_cannot_be_written_is_said_plainly(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(LogError, match=r"cannot write a run to .*file"):
        LogWriter(file / below, KNOWN, triplets=SCHEMA)
    assert file.read_text() == "in the way"


def test_a_writer_that_cannot_open_gives_the_directory_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "save", full)
        with pytest.raises(LogError, match="No space left") as refused:
            LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA)
    kept_alive = refused.value  # and with it the frames that hold the writer
    LogWriter(tmp_path / "run", KNOWN, triplets=SCHEMA).close("finished")
    assert "cannot write" in str(kept_alive)
