"""A small run of all four tables, ways to damage it, and what must then hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.log.synthetic import decision, float_columns, manifest, parts_of, schema_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, ModuleRow, check_run, open_run, repair_run
from vilora_analysis.log.schema import elements_schema

__all__ = ["DAMAGES", "TABLES", "rows_by_part", "still_right", "whole_after_repair", "write_log"]

TABLES = ("triplets", "metrics", "events", "elements")
LAST = 8
KEYS = {"module": "a.query", "layer": 0, "matrix": "W_q", "k": 0, "factor": "A"}


def write_log(path: Path, seed: int = 0, *, status: str | None = "finished") -> Path:
    """Eight steps in four parts of each table, of two modules with three triplets."""
    modules = (ModuleRow("a.query", "W_q", 0, 2), ModuleRow("b.dense", "b.dense", None, 1))
    known = manifest(modules, run_id=f"{seed:032x}", recorder={"elements_every": 1})
    schema, generator = schema_of(known, ["mu"]), np.random.default_rng(seed)
    log = LogWriter(path, known, triplets=schema, elements=elements_schema(["mu"]))
    for step in range(1, LAST + 1):
        values = generator.normal(size=(len(float_columns(schema)), known.n_triplets))
        log.triplets(step, values.astype(np.float32), generator.random(known.n_triplets) < 0.5)
        log.metrics(step, {"loss": float(generator.normal()), "lr": 0.1})
        log.event(**decision(step, threshold=float(generator.normal())))
        if step % 2 == 0:
            vector = generator.normal(size=4).astype(np.float32)
            log.elements([{"step": at, **KEYS, "mu": vector} for at in (step - 1, step)])
            log.flush()
    if status is None:
        log.flush()
        log._lock.release()
    else:
        log.close("finished", {"accuracy": 0.5})
    return path


def rows(run: Path, table: str) -> list[str]:
    """All rows as text that says every bit of a number."""
    opened = open_run(run)
    read: Any = opened._frame("metrics", None, None) if table == "metrics" else None
    frame = getattr(opened, table)() if read is None else read
    columns = [frame[name].tolist() for name in frame.columns]
    return [repr(row) for row in zip(*columns, strict=True)]


def rows_by_part(run: Path, table: str) -> dict[str, list[str]]:
    """The same, by the part that holds them: two steps each."""
    every, names = rows(run, table), [part.name for part in parts_of(run, table)]
    size = len(every) // len(names)
    return {name: every[at * size : (at + 1) * size] for at, name in enumerate(names)}


Truth = dict[str, dict[str, list[str]]]


def still_right(run: Path, truth: Truth) -> bool:
    """Whether all tables read as they were; an error must name a file of the run."""
    sound = True
    for table, parts in truth.items():
        said, found = "", []
        try:
            found = rows(run, table)
        except LogError as error:
            said = str(error)
        if said:
            assert str(run) in said
            assert len(said) < 2_000
            sound = False
        else:
            assert found == [row for part in parts.values() for row in part], table
    return sound


def whole_after_repair(run: Path, truth: Truth) -> int:
    """Assert that what is left reads as it was; how many parts were lost."""
    repair_run(run)
    assert check_run(run) == []
    lost = 0
    for table, parts in truth.items():
        there = {part.name for part in parts_of(run, table)}
        assert there <= {*parts}
        assert rows(run, table) == [
            row for name, part in parts.items() if name in there for row in part
        ], table
        lost += len(parts) - len(there)
    assert repair_run(run) == []
    return lost


def _chunk(part: Path) -> tuple[int, int]:
    raw = part.read_bytes()
    return len(raw), int.from_bytes(raw[-8:-4], "little")


def _flip(part: Path, at: int) -> None:
    raw = bytearray(part.read_bytes())
    raw[at] ^= 1 << (at % 8)
    part.write_bytes(raw)


def truncated(part: Path) -> None:
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])


def emptied(part: Path) -> None:
    part.write_bytes(b"")


def zeroed(part: Path) -> None:
    part.write_bytes(bytes(part.stat().st_size))


def zeroed_in_the_middle(part: Path) -> None:
    raw = bytearray(part.read_bytes())
    raw[100:140] = bytes(40)
    part.write_bytes(raw)


def flipped_page_header(part: Path) -> None:
    _flip(part, 6)


def flipped_page(part: Path) -> None:
    _flip(part, 60)


def flipped_seal(part: Path) -> None:
    size, footer = _chunk(part)
    _flip(part, size - footer - 8 - 30)


def flipped_seal_magic(part: Path) -> None:
    size, footer = _chunk(part)
    _flip(part, size - footer - 8 - 2)


def flipped_footer(part: Path) -> None:
    size, footer = _chunk(part)
    _flip(part, size - 8 - footer // 2)


def flipped_footer_length(part: Path) -> None:
    _flip(part, part.stat().st_size - 8)


def missing(part: Path) -> None:
    part.unlink()


def foreign(part: Path) -> None:
    other = part.parents[1].parent / "other"
    if not other.exists():
        write_log(other, 9)
    shutil.copy(other / part.parent.name / part.name, part)


def doubled(part: Path) -> None:
    shutil.copy(part, part.with_name(part.name.replace("part-00000", "part-00001")))


def of_another_step(part: Path) -> None:
    """Another part's content under this part's name."""
    other = next(p for p in parts_of(part.parents[1], part.parent.name) if p != part)
    shutil.copy(other, part)


def a_folder(part: Path) -> None:
    part.unlink()
    part.mkdir()


DAMAGES: tuple[Callable[[Path], None], ...] = (
    truncated,
    emptied,
    zeroed,
    zeroed_in_the_middle,
    flipped_page_header,
    flipped_page,
    flipped_seal,
    flipped_seal_magic,
    flipped_footer,
    flipped_footer_length,
    missing,
    foreign,
    doubled,
    of_another_step,
    a_folder,
)
