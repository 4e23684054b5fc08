"""Make a damaged log readable: what is bad goes aside, what is lost is noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vilora_analysis.log.check import leftovers
from vilora_analysis.log.checksums import origin_of
from vilora_analysis.log.compact import sole_writer
from vilora_analysis.log.completeness import missing_tables
from vilora_analysis.log.examine import Examined, examine
from vilora_analysis.log.gaps import explains
from vilora_analysis.log.holes import TABLES, doubled_parts, interval, unexplained_holes
from vilora_analysis.log.manifest import GapRow, Manifest
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.places import as_place, refuse_remote
from vilora_analysis.log.reading import read_part
from vilora_analysis.log.repair_manifest import mend_manifest
from vilora_analysis.log.set_aside import Note, notes, set_aside

__all__ = ["Action", "repair_run"]

_MOST_ROUNDS = 100


@dataclass(frozen=True)
class Action:
    """Something that a repair did.

    Attributes
    ----------
    what
        ``set aside``, ``noted as lost``, ``restored`` or ``rebuilt``.
    path
        The file, or the table of which steps are lost.
    why
        What was wrong.
    """

    what: str
    path: Path
    why: str


def repair_run(path: str | Path) -> list[Action]:
    """Set aside what is bad in a run's log, and note in its manifest which steps are lost by it.

    Nothing is deleted: bad files go to ``set-aside/``, under their names, with a note of why and
    when in ``set-aside/notes.json``. Steps that are lost become ``gaps`` of the manifest, which
    ``check`` names as known and readers take as they are. To undo it, move a file back and delete
    its gap.

    A part that cannot be read, is of another run, bears another name than the one it was written
    under, has other columns than most, or other rows than the manifest says, is set aside. Of two
    sound parts with the same steps the one with more steps is kept if all rows of the other are in
    it, the first if they are alike; if their rows differ nobody can tell which are right, and both
    go. A manifest that cannot be read, or is of another run, is restored from the copy beside it
    or, without one, rebuilt from the parts, which know modules, scores and steps and nothing else.

    Each file moves at once, and before the loss of its steps is noted; killed at any instant, the
    same call goes on. A second call does nothing.

    Parameters
    ----------
    path
        The run directory.

    Raises
    ------
    LogError
        If somebody writes the run or carries it out, the manifest cannot be mended, it is of a
        newer version, or a file cannot be moved.
    """
    path = as_place(path)
    refuse_remote(path, "setting parts aside", "copy the run here first")
    with sole_writer(path):
        return [*_mended(path), *_tables(path)]


def _mended(run: Path) -> Iterator[Action]:
    done, why = mend_manifest(run)
    if done:
        yield Action(done, run / "run.json", why)


def _tables(run: Path) -> Iterator[Action]:
    for table in TABLES:
        yield from _part_by_part(run, table)
        yield from _doubled(run, table)
        yield from _note_holes(run, table)
    for problem in leftovers(run):  # last: where a wide part was bad, those it was made of count
        yield _aside(run, problem.path, problem.what)
    yield from _note_ends(run)
    _forget_filled(run)


def _aside(run: Path, file: Path, why: str) -> Action:
    set_aside(run, file, why)
    return Action("set aside", file, why)


def _part_by_part(run: Path, table: str) -> Iterator[Action]:
    for _ in range(_MOST_ROUNDS):  # what a part stood for counts again without it
        manifest = Manifest.load(run)
        bad = [one for one in examine(run, manifest, table) if one.wrong or _torn(one, manifest)]
        for one in bad:
            yield _aside(
                run, one.part.path, one.wrong or "its steps are not in order, or not all there"
            )
        if not bad:
            return


def _torn(one: Examined, manifest: Manifest) -> bool:
    every = manifest.every
    return one.part.path.parent.name == "triplets" and any(
        after - before != every for before, after in pairwise(one.steps.tolist())
    )


def _doubled(run: Path, table: str) -> Iterator[Action]:
    while pair := _first_doubled(table, list_parts(run / table)):
        for part, why in _too_much(*pair):
            yield _aside(run, part.path, why)


def _first_doubled(table: str, parts: Sequence[Part]) -> tuple[Part, Part] | None:
    ordered = sorted(parts, key=lambda part: (part.first, part.last, part.sequence))
    for before, part in pairwise(ordered):
        if next(doubled_parts(table, [before, part]), None) or part.sequence < before.sequence:
            return before, part
    return None


def _too_much(first: Part, second: Part) -> list[tuple[Part, str]]:
    """Which of two parts goes, and why."""
    longer, shorter = (second, first) if _reach(second) > _reach(first) else (first, second)
    if _is_within(shorter, longer):
        return [(shorter, f"all its rows are in {longer.path.name} too, which is kept")]
    return [
        (part, f"has other rows for steps of {other.path.name}; nobody can tell which are right")
        for part, other in ((first, second), (second, first))
    ]


def _reach(part: Part) -> int:
    return part.last - part.first


def _is_within(shorter: Part, longer: Part) -> bool:
    rows, among = read_part(shorter), read_part(longer)
    same = among.filter((pc.field("step") >= shorter.first) & (pc.field("step") <= shorter.last))
    return rows.num_rows == same.num_rows and all(
        name in same.column_names and rows[name].to_pylist() == same[name].to_pylist()
        for name in rows.column_names
    )


def _note_holes(run: Path, table: str) -> Iterator[Action]:
    aside = notes(run)
    gaps = [
        GapRow(table, h.first, h.last, _reason(aside, table, h.first, h.last) or h.what)
        for h in unexplained_holes(run, Manifest.load(run), table, list_parts(run / table))
    ]
    yield from _note(run, *gaps)
    yield from _note_tail(run, table)


def _note_tail(run: Path, table: str) -> Iterator[Action]:
    """Of a run that was not closed only what was set aside tells that it had gone further."""
    manifest = Manifest.load(run)
    every = interval(manifest, table)
    reached = max((part.last for part in list_parts(run / table)), default=0)
    first = max(reached, 1) if table == "metrics" else reached + every
    last = max((end for _, end in _lost_behind(run, manifest, table, reached)), default=0)
    lost = manifest.status == "running" and reached < last
    if lost and not explains(manifest.gaps, table, first, last, every):
        yield from _note(run, GapRow(table, first, last, _reason(notes(run), table, first, last)))


def _lost_behind(
    run: Path, manifest: Manifest, table: str, reached: int
) -> Iterator[tuple[int, int]]:
    """First and last step of what was set aside, by its name.

    What says that it is another part counts only where the next one was due, or among events, which
    are not regular: there it may have taken the place of a part of this run.
    """
    due = max([reached, *(g.last for g in manifest.gaps if g.table == table)])
    for note in sorted(_set_aside_since(run, table), key=lambda note: _steps_named(note.file)):
        first, last = _steps_named(note.file)
        is_next = first <= due + interval(manifest, table) or table == "events"
        if is_next or _may_be_ours(run, manifest, note):
            due = max(due, last)
            yield first, last


def _may_be_ours(run: Path, manifest: Manifest, note: Note) -> bool:
    try:
        owner, name = origin_of(pq.read_metadata(run / note.kept_as).metadata)
    except (OSError, pa.ArrowException):
        return True
    return owner in ("", manifest.run_id) and name in ("", note.file)


def _set_aside_since(run: Path, table: str) -> list[Note]:
    """What was set aside after the last part was written."""
    times = [part.path.stat().st_mtime for part in list_parts(run / table)]
    return [
        note
        for note in notes(run)
        if note.file.startswith(f"{table}/part-")
        # to the second, rounded down
        and datetime.fromisoformat(note.when).timestamp() + 1 > max(times, default=0)
    ]


def _note_ends(run: Path) -> Iterator[Action]:
    for _ in TABLES:  # what is known of one says what is due of the next
        found = next(missing_tables(run, Manifest.load(run)), None)
        if found is None:
            return
        folder, what, first, last = found
        reason = _reason(notes(run), folder.name, first, last) or what
        yield from _note(run, GapRow(folder.name, first, last, reason))


def _note(run: Path, *gaps: GapRow) -> Iterator[Action]:
    if not gaps:
        return
    manifest = Manifest.load(run)
    kept = (known for known in manifest.gaps if not any(_within(known, gap) for gap in gaps))
    replace(manifest, gaps=(*kept, *gaps)).save(run)
    for gap in gaps:
        what = f"steps {gap.first} to {gap.last}: {gap.reason}"
        yield Action("noted as lost", run / gap.table, what)


def _within(gap: GapRow, wider: GapRow) -> bool:
    return gap.table == wider.table and wider.first <= gap.first and gap.last <= wider.last


def _reason(aside: Sequence[Note], table: str, first: int, last: int) -> str:
    """Why a part of these steps was set aside, from the notes."""
    said = [
        f"{note.file.partition('/')[2]} was set aside: {note.why}"
        for note in aside
        if note.file.startswith(f"{table}/part-") and _named_between(note.file, first, last)
    ]
    return "; ".join(dict.fromkeys(said))[:500]


def _named_between(file: str, first: int, last: int) -> bool:
    own = _steps_named(file)
    return own[0] <= last and own[1] >= first


def _steps_named(file: str) -> tuple[int, int]:
    first, last = file.removesuffix(".parquet").split("-")[-2:]
    return int(first), int(last)


def _forget_filled(run: Path) -> None:
    """Forget gaps whose steps are there again."""
    manifest, parts = Manifest.load(run), list_parts(run / "triplets")
    kept = tuple(gap for gap in manifest.gaps if not _is_filled(gap, parts))
    if kept != manifest.gaps:
        replace(manifest, gaps=kept).save(run)


def _is_filled(gap: GapRow, parts: Sequence[Part]) -> bool:
    if gap.table != "triplets":  # of the others only some rows of these steps may be missing
        return False
    return any(part.first <= gap.first and gap.last <= part.last for part in parts)
