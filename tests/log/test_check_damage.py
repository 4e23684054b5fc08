"""Damaged bytes are found, blamed on their file, and never make the check raise."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.log.synthetic import (
    damage_column,
    flip_bit,
    only_problem,
    parts_of,
    sound_run,
    unseal,
)
from vilora_analysis.log import check_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three parts of two steps."""
    return sound_run(tmp_path / "run")


@pytest.mark.parametrize("table", ["triplets", "metrics", "events"])
@pytest.mark.parametrize("keep", [0, 3, 0.5, -1])
def test_a_truncated_part(run: Path, table: str, keep: float) -> None:
    part = parts_of(run, table)[0]
    raw = part.read_bytes()
    part.write_bytes(raw[: int(keep * len(raw)) if keep == 0.5 else int(keep)])
    assert only_problem(run, part).startswith("is damaged: ")


def test_zeroed_bytes_in_the_middle(run: Path) -> None:
    part = parts_of(run)[1]
    raw = bytearray(part.read_bytes())
    middle = pq.ParquetFile(part).metadata.row_group(0).column(12).data_page_offset
    raw[middle : middle + 100] = bytes(100)
    part.write_bytes(raw)
    assert only_problem(run, part).startswith("is damaged: ")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("triplets", "step"),
        ("triplets", "module"),
        ("triplets", "kept"),
        ("triplets", "score.snr"),
        ("triplets", "score.mean_abs.B"),
        ("metrics", "value"),
        ("events", "pruned.list.element"),
    ],
)
def test_a_flipped_bit_in_a_page_of_data(run: Path, table: str, column: str) -> None:
    part = parts_of(run, table)[-1]
    damage_column(part, column)
    assert "is damaged: " in only_problem(run, part)


def test_a_damaged_part_is_not_called_a_gap_as_well(run: Path) -> None:
    first, second, third = parts_of(run)
    damage_column(second, "k")
    assert [problem.path for problem in check_run(run)] == [second]
    damage_column(first, "k")
    assert [problem.path for problem in check_run(run)] == [first, second]
    damage_column(third, "k")
    assert [problem.path for problem in check_run(run)] == [first, second, third]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"name,value\n", b"PAR1" * 10])
def test_a_file_that_is_not_parquet(run: Path, content: bytes) -> None:
    part = parts_of(run, "metrics")[0]
    part.write_bytes(content)
    assert only_problem(run, part).startswith("is damaged: ")


def test_a_folder_under_a_name_of_a_part(run: Path) -> None:
    part = parts_of(run, "events")[0]
    part.unlink()
    part.mkdir()
    assert "is damaged: " in only_problem(run, part)


def test_names_that_cannot_be_decoded(run: Path) -> None:
    part = parts_of(run, "metrics")[0]
    raw = unseal(part).read_bytes()
    footer = raw.rindex(b"ARROW:schema")  # names come before, as plain bytes
    for at in range(footer):
        if raw[at : at + 4] == b"step":
            flip_bit(part, at + 1, bit=7)
    said = only_problem(run, part)
    assert said.startswith("is damaged: ")
    assert "'utf-8' codec can't decode" in said


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_damage_makes_the_check_raise_or_blame_another_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    run = sound_run(tmp_path_factory.mktemp("damaged") / "run")
    file = data.draw(st.sampled_from(sorted(run.rglob("part-*"))))
    raw = bytearray(file.read_bytes())
    start = data.draw(st.integers(0, len(raw) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=20))
    raw[start : start + len(noise)] = noise
    file.write_bytes(raw)
    assert {problem.path for problem in check_run(run)} <= {file}
