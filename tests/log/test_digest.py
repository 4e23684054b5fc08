"""The digest of a run sees what the run recorded, and not where or when."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import vilora_analysis as va
from tests.log.synthetic import parts_of, sound_run
from vilora_analysis.errors import LogError
from vilora_analysis.log import references, run_digest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_run(tmp_path_factory.mktemp("digest") / "run")


def copied(run: Path, to: Path) -> Path:
    shutil.copytree(run, to)
    return to


def test_it_is_sha256_over_manifest_and_footers(run: Path) -> None:
    """By Arrow's own word for where a footer begins."""
    expected = (run / "run.json").read_bytes()
    for part in sorted(run.glob("*/part-*.parquet")):
        raw = part.read_bytes()
        length = pq.ParquetFile(part).metadata.serialized_size
        expected += f"\0{part.parent.name}/{part.name}\0{len(raw)}\0".encode()
        expected += raw[-8 - length : -8]
    assert run_digest(run) == hashlib.sha256(expected).hexdigest()


def test_it_stays_for_a_copy_elsewhere_with_other_times_and_what_was_added_beside(
    run: Path, tmp_path: Path
) -> None:
    copy = copied(run, tmp_path / "other name")
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    (copy / "oracle").mkdir()
    (copy / "oracle" / "oracle.png").write_bytes(b"x")
    (copy / "notes.txt").write_text("mine")
    assert run_digest(copy) == run_digest(run)


def edit_manifest(run: Path) -> None:
    path = run / "run.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))


def drop_part(run: Path) -> None:
    parts_of(run)[-1].unlink()


def cut_part(run: Path) -> None:
    part = parts_of(run)[0]
    part.write_bytes(part.read_bytes()[:-1])


def lengthen_part(run: Path) -> None:
    """Before the footer, which stays."""
    part = parts_of(run)[0]
    raw = part.read_bytes()
    part.write_bytes(raw[:4] + b"\0" + raw[4:])


def empty_part(run: Path) -> None:
    parts_of(run)[0].write_bytes(b"")


def false_footer(run: Path) -> None:
    parts_of(run)[0].write_bytes(b"\xff\xff\xff\x7fPAR1")


def rename_part(run: Path) -> None:
    part = parts_of(run)[-1]
    part.rename(part.with_name(part.name.replace("part-000002", "part-000003")))


def move_to_another_table(run: Path) -> None:
    (run / "metrics").rename(run / "scalars")


def write_other_values(run: Path) -> None:
    part = parts_of(run)[0]
    table = pq.read_table(part)
    at = table.schema.get_field_index("score.snr")
    column = table.column(at).to_numpy() * 2
    pq.write_table(table.set_column(at, table.schema.field(at), [column]), part)


CHANGES = (
    *(edit_manifest, drop_part, cut_part, lengthen_part, empty_part, false_footer),
    *(rename_part, move_to_another_table, write_other_values),
)


@pytest.mark.parametrize("change", CHANGES)
def test_it_changes_with_what_was_recorded(
    run: Path, change: Callable[[Path], None], tmp_path: Path
) -> None:
    copy = copied(run, tmp_path / "run")
    change(copy)
    assert run_digest(copy) != run_digest(run)


def test_references_name_each_run(run: Path, tmp_path: Path) -> None:
    copy = copied(run, tmp_path / "b")
    edit_manifest(copy)
    first, second = references([va.open_run(run), va.open_run(copy)])
    assert (first.name, first.run_id, first.digest) == ("run", "0" * 32, run_digest(run))
    assert (second.name, second.digest) == ("b", run_digest(copy))


def test_a_run_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot read the run"):
        run_digest(tmp_path / "none")
