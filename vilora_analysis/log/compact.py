"""Few large parts in place of many small ones: on demand, one large part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import Timeout

from vilora_analysis.errors import LogError
from vilora_analysis.log.layout import COMPACTED
from vilora_analysis.log.lock import run_lock, writer_lock
from vilora_analysis.log.manifest import Manifest
from vilora_analysis.log.origin import FOLDER, forget_origins, write_origin
from vilora_analysis.log.parts import (
    Part,
    list_parts,
    ordered_parts,
    part_at,
    superseded_parts,
    sync_folder,
    write_groups,
)
from vilora_analysis.log.places import as_place, is_remote, reached
from vilora_analysis.log.reading import open_part, read_groups, schema_of

__all__ = ["Compaction", "compact_run", "discard_superseded", "sole_writer"]

_TABLES = {
    "triplets": ordered_parts,
    "elements": ordered_parts,
    "metrics": list_parts,
    "events": list_parts,
}
_PART_BYTES = 256 * 2**20
_GROUP_ROWS, _GROUP_BYTES = 50_000, 64 * 2**20


@dataclass(frozen=True)
class Compaction:
    """Parts of a run, and bytes of them and of what is kept of their origin."""

    parts_before: int
    parts_after: int
    bytes_before: int
    bytes_after: int


def compact_run(
    path: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Compaction:
    """Put the small parts of a run's log together to large ones of about 256 MB.

    Values, order, types, column metadata and encodings stay. Row groups are of whole steps, at most
    50,000 rows or 64 MB, so that reading some steps costs no more than before; no more than one is
    in memory. What the small parts said of themselves is kept in ``compacted/``, for the digest of
    the run, which stays.

    A large part appears all at once and stands for the small ones from that instant; only then are
    those deleted. Whenever the process is killed, every step is there once, and the same call goes
    on. Only readers that know nothing of this package may meet steps twice between the two.

    Parameters
    ----------
    path
        The run directory.
    progress
        Called with the bytes done and the bytes to do.

    Raises
    ------
    LogError
        If there is no run, somebody writes it or carries it out, a part is damaged, steps are there
        twice, or the disk is full; what was not put together yet stays as it was.
    """
    path = as_place(path)
    every = Manifest.load(path).every
    try:
        with sole_writer(path), reached(path):
            discard_superseded(path)
            before = _measured(path)
            _compact(path, every, progress)
            return Compaction(before[0], _measured(path)[0], before[1], _measured(path)[1])
    except OSError as error:
        raise LogError(f"cannot compact {path}: {error.strerror or error}") from error


def discard_superseded(run: Path) -> None:
    """Delete what a compaction that was interrupted left over; the writer's lock must be held.

    Raises
    ------
    LogError
        If a part that stands for them is damaged: then they are what there is of its steps.
    """
    for table in _TABLES:
        superseded = superseded_parts(run / table)
        for wider in _standing_for(superseded, list_parts(run / table)):
            _refuse_damage(wider)
        for part in superseded:
            with suppress(PermissionError):  # still open, on Windows; it does not count anyway
                part.path.unlink()
        for aside in (run / table).glob(".part-*to*.tmp"):
            aside.unlink()
    if (run / FOLDER).is_dir():
        forget_origins(run)


def _standing_for(superseded: list[Part], counting: list[Part]) -> list[Part]:
    return [
        wider
        for wider in counting
        if any(wider.sequence <= part.sequence <= wider.until for part in superseded)
    ]


def _refuse_damage(wider: Part) -> None:
    try:
        for _ in read_groups(wider):
            pass
    except LogError as error:
        raise LogError(
            f"{error}; the parts that it was made of are still there, and vilora check --repair "
            "has them count again"
        ) from None


def _compact(run: Path, every: int, progress: Callable[[int, int], None]) -> None:
    gaps = {"triplets": every}
    plans = [g for name in _TABLES for g in _plan(_TABLES[name](run / name), gaps.get(name))]
    total, done = sum(map(_size, plans)), 0
    for group in plans:
        progress(done, total)
        size = _size(group)
        _put_together(run, group)
        done += size
    progress(done, total)


def _plan(parts: Iterable[Part], every: int | None) -> list[list[Part]]:
    """Which parts make one: neighbours of one schema, without a gap, up to some size."""
    plans: list[list[Part]] = []
    size, schema = 0, None
    for part in parts:
        before = plans[-1][-1] if plans else None
        length = part.path.stat().st_size
        own = schema_of(part)
        if (
            before is None
            or max(size, 2 * length) >= _PART_BYTES
            or part.sequence != before.until + 1
            or (every is not None and part.first != before.last + every)
            or not own.equals(schema, check_metadata=True)
        ):
            plans.append([])
            size, schema = 0, own
        plans[-1].append(part)
        size += length if 2 * length < _PART_BYTES else _PART_BYTES
    return [plan for plan in plans if len(plan) > 1]


def _put_together(run: Path, sources: list[Part]) -> None:
    first, last = sources[0], sources[-1]
    folder = first.path.parent
    part = part_at(folder, first.sequence, last.until, first.first, last.last)
    schema = schema_of(first)

    def before_naming(aside: Path) -> None:
        _refuse_other_rows(aside, sources)
        write_origin(run, part, aside, sources)

    write_groups(part, schema, _grouped(sources), before_naming, COMPACTED)
    for source in sources:
        with suppress(PermissionError):
            source.path.unlink()
    sync_folder(folder)
    forget_origins(run)


def _refuse_other_rows(aside: Path, sources: list[Part]) -> None:
    written = pq.read_metadata(aside).num_rows
    due = sum(open_part(source).metadata.num_rows for source in sources)
    if written != due:
        raise LogError(f"{written} rows were written of {due} in {sources[0].path.parent}")


def _grouped(sources: list[Part]) -> Iterator[pa.Table]:
    """Row groups put together as long as they stay small; each was of whole steps."""
    held: list[pa.Table] = []
    rows = size = 0
    for table in (group for source in sources for group in read_groups(source)):
        rows, size = rows + table.num_rows, size + table.nbytes
        if held and (rows > _GROUP_ROWS or size > _GROUP_BYTES):
            yield _joined(held)
            held, rows, size = [], table.num_rows, table.nbytes
        held.append(table)
    if held:
        yield _joined(held)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


@contextmanager
def sole_writer(run: Path) -> Iterator[None]:
    """Hold the writer's lock of a run that nobody carries out."""
    lock = writer_lock(run)
    lock.acquire()
    try:
        try:
            if not is_remote(run):  # who carries out a run does so on a machine's disk
                run_lock(run, timeout=0).acquire().lock.release()
        except Timeout:
            raise LogError(
                f"{run} is being carried out by another process; wait for it, or end it"
            ) from None
        yield
    finally:
        lock.release()


def _size(parts: Iterable[Part]) -> int:
    return sum(part.path.stat().st_size for part in parts)


def _measured(run: Path) -> tuple[int, int]:
    """Parts, and bytes."""
    parts = [part for table in _TABLES for part in list_parts(run / table)]
    kept = sum(path.stat().st_size for path in (run / FOLDER).glob("*"))
    return len(parts), _size(parts) + kept
