"""A run's triplets in stretches of neighbouring parts, each to be read apart from the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vilora_analysis.errors import LogError
from vilora_analysis.log.blocks import StepBlock, dense_block
from vilora_analysis.log.parts import Part, list_parts
from vilora_analysis.log.reader import Run
from vilora_analysis.log.reading import PartGoneError, open_part, read_groups
from vilora_analysis.log.selection import Selection, Steps, select

__all__ = ["Stretch", "stretch_blocks", "stretches"]

_TABLE = "triplets"
_END = 2**62


@dataclass(frozen=True)
class Stretch:
    """Some neighbouring row groups.

    Attributes
    ----------
    parts
        Parts that hold them.
    steps
        Which steps of these are meant; none counts from the last.
    """

    parts: tuple[Part, ...]
    steps: slice | tuple[int, ...]


def stretches(run: Run, steps: Steps, rows: int) -> Iterator[Stretch]:
    """Divide what :meth:`Run.blocks` walks over, without reading it.

    Parameters
    ----------
    run
        A recorded run.
    steps
        Steps to read.
    rows
        A stretch ends with the row group with which it has so many.

    Yields
    ------
    Stretch
        In the order of the steps. The blocks of all are those of the run.

    Raises
    ------
    LogError
        If a step asked for by its number is not there, or steps are there twice.
    """
    wanted = select(steps, lambda: run.steps)
    if missing := sorted(wanted.named - set(run.steps.tolist() if wanted.named else ())):
        list(run.blocks([], missing))  # says so
    stride = (steps.step or 1) if isinstance(steps, slice) else 1
    held: list[tuple[Part, int, int]] = []
    taken = 0
    for part, first, last in _groups(run, wanted):
        held.append((part, first, last))
        taken += ((last - first) // run.manifest.every + 1) * run.manifest.n_triplets
        if taken >= rows:
            yield _stretch(held, wanted, stride)
            held, taken = [], 0
    if held:
        yield _stretch(held, wanted, stride)


def stretch_blocks(run: Run, stretch: Stretch, columns: Sequence[str]) -> Iterator[StepBlock]:
    """Walk over a stretch as :meth:`Run.blocks` does, with the same blocks.

    Nothing is listed, unless the parts were put together since (``vilora compact``).

    Raises
    ------
    LogError
        As :meth:`Run.blocks`, and if a part is not there.
    """
    folder, names, after = run.path / _TABLE, ["step", *columns], -1
    wanted = select(stretch.steps, lambda: run.steps)
    for named in stretch.parts:
        part = replace(named, path=folder / named.path.name)
        try:
            for group in read_groups(part, names, wanted.beyond(after), run.manifest.run_id):
                rows = wanted.beyond(after).filter(group)
                if rows.num_rows:
                    block = dense_block(part, rows, columns, run.manifest.n_triplets)
                    yield block
                    after = int(block.steps[-1])
        except PartGoneError:
            _refuse_absent(run, stretch.parts)
            yield from run.blocks(columns, _behind(stretch.steps, after))
            return


def _groups(run: Run, wanted: Selection) -> Iterator[tuple[Part, int, int]]:
    """Row groups with a step that may be meant, and their first and last step."""
    for part in run.parts(_TABLE):
        if wanted.overlaps(part.first, part.last):
            for first, last in _spans(part):
                if wanted.overlaps(first, last):
                    yield part, first, last


def _spans(part: Part) -> list[tuple[int, int]]:
    """First and last step of each row group; what no other part was put into has one group."""
    if part.sequence == part.until:
        return [(part.first, part.last)]
    metadata = open_part(part).metadata
    at = metadata.schema.names.index("step")
    found = [metadata.row_group(i).column(at).statistics for i in range(metadata.num_row_groups)]
    if any(known is None or not known.has_min_max for known in found):
        return [(part.first, part.last)]
    return [(known.min, known.max) for known in found]


def _stretch(held: list[tuple[Part, int, int]], wanted: Selection, stride: int) -> Stretch:
    parts = tuple(dict.fromkeys(part for part, _, _ in held))
    first, last = held[0][1], held[-1][2]
    if wanted.named:
        return Stretch(parts, tuple(n for n in sorted(wanted.named) if first <= n <= last))
    return Stretch(parts, _between(slice(wanted.first, wanted.last + 1, stride), first, last))


def _between(steps: slice, first: int, last: int) -> slice:
    """What of some steps lies between two, both counted; the stride keeps its pace."""
    ahead = max(0, -(-(first - steps.start) // steps.step))
    return slice(steps.start + ahead * steps.step, min(steps.stop, last + 1), steps.step)


def _behind(steps: slice | tuple[int, ...], after: int) -> Steps:
    if isinstance(steps, slice):
        return _between(steps, after + 1, _END)
    return [step for step in steps if step > after]


def _refuse_absent(run: Run, parts: Sequence[Part]) -> None:
    """A part that others were put together to is another thing than one that is lacking."""
    there = list_parts(run.path / _TABLE)
    for part in parts:
        if not any(w.sequence <= part.sequence and part.until <= w.until for w in there):
            raise LogError(f"{part.path} is not there, and no wider part stands for it")
