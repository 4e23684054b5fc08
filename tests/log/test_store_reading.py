"""A run in an object store reads as the one on disk, to the bit, whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.log.object_store import BUCKET, Asked, Store, upload
from tests.log.stored_runs import NAMES, assert_same
from tests.log.synthetic import write_run
from vilora_analysis.cli import main
from vilora_analysis.errors import LogError
from vilora_analysis.log import (
    check_run,
    find_runs,
    open_run,
    open_runs,
    run_digest,
    run_directories,
)
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.places import as_place
from vilora_analysis.log.ranged import RangeFile
from vilora_analysis.log.state import run_state

pytest.importorskip("s3fs")
pytest.importorskip("moto")


@pytest.fixture(scope="module")
def remote(server: Store, local: Path) -> str:
    url = f"s3://{BUCKET}/read/sst2"
    upload(local, as_place(url))
    return url


def is_part(asked: Asked) -> bool:
    return "part-" in asked.path and asked.method == "GET"


def test_a_run_of_a_store_is_the_one_on_disk(store: Store, local: Path, remote: str) -> None:
    there, here = open_run(remote), open_run(local)
    assert (there.name, str(there.path)) == ("sst2", remote)
    assert_same(there, here)
    assert run_digest(there.path) == run_digest(here.path)
    for ours, theirs in zip(here.blocks(["score.snr"]), there.blocks(["score.snr"]), strict=True):
        np.testing.assert_array_equal(ours.values["score.snr"], theirs.values["score.snr"])
    assert check_run(remote) == []
    assert va.open_run(remote).audits["health"].question


def test_runs_are_found_below_a_folder_of_a_store(store: Store, local: Path, remote: str) -> None:
    folder = f"s3://{BUCKET}/read"
    assert open_runs(folder).names == ("sst2",)
    assert [str(path) for path in run_directories([folder])] == [remote]
    assert [run.name for run in find_runs(folder)] == ["sst2"]
    assert run_state(as_place(remote)).state == "finished"
    assert open_runs(Path(folder), local).names == ("read/sst2", f"{local.parent.name}/sst2")


@pytest.mark.parametrize("words", [("runs",), ("check",)])
def test_commands_read_urls(
    words: tuple[str, ...], store: Store, remote: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"s3://{BUCKET}/read"]) == 0
    said = capsys.readouterr()
    assert "sst2" in said.out
    assert not said.err


def test_commands_write_here_only(
    store: Store, remote: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", remote, "--out", f"s3://{BUCKET}/out"]) == 2
    assert "--out needs a folder of this machine" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_three_columns_cost_three_columns(store: Store, tmp_path: Path) -> None:
    """Of 34 columns; what comes beside them is the footer, and the checksums, once."""
    inputs = ("mu", "sigma", "grad", "hess")
    here = write_run(tmp_path / "wide", steps=range(1, 401), scores=NAMES, inputs=inputs).path
    upload(here, as_place(f"s3://{BUCKET}/wide"))
    run = open_run(f"s3://{BUCKET}/wide")
    part = list_parts(run.path / "triplets")[0]
    size = part.path.stat().st_size
    columns = ["score.snr", "score.mean_abs", "mu_E"]
    store.asked.clear()
    frame = run.triplets(columns)
    pd.testing.assert_frame_equal(frame, open_run(here).triplets(columns))
    of_parts = [asked for asked in store.asked if is_part(asked)]
    fetched = sum(asked.sent for asked in of_parts)
    own, ending = _bytes_of(here, ["step", *columns])
    print(
        f"{len(run.columns)} columns, {size} bytes; {fetched} fetched, {own} of columns, {ending=}"
    )
    assert own <= fetched <= own + max(2**16, ending) + 2**13
    assert fetched < 0.3 * size
    assert len(of_parts) == 1 + 3  # the footer, then each column; the step is near one of them


def _bytes_of(run: Path, columns: list[str]) -> tuple[int, int]:
    """Bytes of some columns, and from the last column on to the end of the file."""
    file = next((run / "triplets").glob("*.parquet"))
    group = pq.read_metadata(file).row_group(0)
    chunks = [group.column(at) for at in range(group.num_columns)]
    every = sum(chunk.total_compressed_size for chunk in chunks)
    own = sum(c.total_compressed_size for c in chunks if c.path_in_schema in columns)
    return own, file.stat().st_size - every


def test_parts_are_listed_once(store: Store, remote: str) -> None:
    folder = as_place(remote) / "triplets"
    store.asked.clear()
    assert len(list_parts(folder)) == 3
    assert len(store.asked) == 1


def test_throttling_that_ends_changes_nothing(store: Store, local: Path, remote: str) -> None:
    store.where, store.slow = (lambda asked: asked.method == "GET"), 4
    assert_same(open_run(remote), open_run(local))
    assert store.slow == 0


def test_throttling_of_a_request_without_a_body_is_for_botocore(
    store: Store, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of HEAD, s3fs does not see why it was refused; botocore tries again."""
    import s3fs

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    s3fs.S3FileSystem.clear_instance_cache()
    store.where, store.slow = (lambda asked: asked.method == "HEAD"), 1
    assert open_run(remote).triplets(["score.snr"], -1)["score.snr"].notna().all()
    assert store.slow == 0
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_body_that_breaks_off_is_asked_for_again(store: Store, local: Path, remote: str) -> None:
    store.where, store.broken = is_part, 3
    assert_same(open_run(remote), open_run(local))
    assert store.broken == 0


@pytest.mark.parametrize("fault", ["slow", "broken"])
def test_what_does_not_end_is_said_and_is_no_damage(
    fault: str, store: Store, remote: str, quick: None
) -> None:
    run = open_run(remote)
    store.where = is_part
    setattr(store, fault, 1000)
    with pytest.raises(LogError, match="until all tries were used up") as found:
        run.triplets()
    assert "damaged" not in str(found.value)
    assert remote in str(found.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s4://bucket/run", "a protocol that is not known, 's4'"),
        ("s3://", "names no bucket"),
        (f"s3://{BUCKET}/nothing", "there is no run.json"),
    ],
)
def test_urls_of_nothing_are_refused(url: str, said: str, store: Store) -> None:
    with pytest.raises(LogError, match=said):
        open_run(url)


def test_no_credentials_are_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(LogError, match=r"no credentials; .*AWS_PROFILE"):
        open_run(f"s3://{BUCKET}/read/sst2")
    s3fs.S3FileSystem.clear_instance_cache()


def test_ranges_are_fetched_once(store: Store, remote: str) -> None:
    path = as_place(remote) / "run.json"
    content = path.read_bytes()
    file = RangeFile(path)
    assert file.read() == content
    file.seek(3)
    assert (file.read(5), file.tell()) == (content[3:8], 8)
    assert file.fetched == len(content)
