"""What is kept of parts that were put together: any damage to it is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.log.compacting import write_log
from tests.log.synthetic import flip_bit
from vilora_analysis.errors import LogError
from vilora_analysis.log import check_run, compact_run, run_digest


@pytest.fixture
def digest(tmp_path: Path) -> str:
    return run_digest(write_log(tmp_path / "run"))


@pytest.fixture
def kept(digest: str, tmp_path: Path) -> Path:
    """The file of the triplets."""
    compact_run(tmp_path / "run")
    return next((tmp_path / "run" / "compacted").glob("triplets-*.zst"))


def is_said(kept: Path) -> bool:
    """Whether a check and the digest say, both or neither, that the file is damaged."""
    said = [problem.path for problem in check_run(kept.parents[1])]
    if said:
        with pytest.raises(LogError, match="is damaged: "):
            run_digest(kept.parents[1])
    assert said in ([], [kept])
    return bool(said)


def test_every_flipped_bit_is_said_or_harmless(kept: Path, digest: str) -> None:
    whole = kept.read_bytes()
    places = np.random.default_rng(0).choice(8 * len(whole), 60, replace=False).tolist()
    unsaid = 0
    for place in places:
        flip_bit(kept, place // 8, place % 8)
        if not is_said(kept):
            unsaid += 1
            assert run_digest(kept.parents[1]) == digest
        kept.write_bytes(whole)
    assert unsaid <= 1  # four bits of the mark of the checksum mean nothing


@pytest.mark.parametrize("left", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_ends_too_early_is_damaged(left: float, kept: Path) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole[: int(left * len(whole))])
    assert is_said(kept)


def test_a_key_that_ends_too_early_is_damaged(kept: Path) -> None:
    kept.write_bytes(pa.compress(b"x" * 31, "zstd", asbytes=True))
    assert is_said(kept)


def test_files_without_a_checksum_are_read_as_before(kept: Path, digest: str) -> None:
    whole = kept.read_bytes()
    old, mark, checksum = whole[:-40], whole[-40:-32], whole[-32:]
    assert mark == b"\x50\x2a\x4d\x18\x20\0\0\0"  # RFC 8878, 3.1.2: a frame that is skipped
    assert checksum == hashlib.sha256(old).digest()
    kept.write_bytes(old)
    assert check_run(kept.parents[1]) == []
    assert run_digest(kept.parents[1]) == digest


def test_who_knows_nothing_of_the_checksum_reads_the_same(kept: Path) -> None:
    whole = kept.read_bytes()
    read = []
    for raw in (whole, whole[:-40]):
        with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
            read.append(stream.read())
    assert read[0] == read[1] != b""
