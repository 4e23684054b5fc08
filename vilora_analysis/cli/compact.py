"""``vilora compact``: few large parts in place of many small ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.log.compact import Compaction, compact_run

__all__ = ["compact"]


def compact(runs: Sequence[Path], console: Terminal) -> int:
    """Compact runs one after the other, and say how many parts and bytes each had and has."""
    for run in runs:
        console.line(f"{run}: {_said(_with_a_bar(run))}")
    return 0


def _with_a_bar(run: Path) -> Compaction:
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(run.name, total=None)
        return compact_run(run, lambda now, of: bar.update(task, completed=now, total=of))


def _said(done: Compaction) -> str:
    if done.parts_before == done.parts_after:
        return f"nothing to put together, {done.parts_after} parts, {_size(done.bytes_after)}"
    return (
        f"{done.parts_before} parts, {_size(done.bytes_before)}, before; "
        f"{done.parts_after} parts, {_size(done.bytes_after)}, now"
    )


def _size(count: int) -> str:
    """Bytes to read.

    Examples
    --------
    >>> _size(999), _size(12_345), _size(2_100_000_000)
    ('999 bytes', '12.3 kB', '2.1 GB')
    """
    if count < 1000:
        return f"{count} bytes"
    power = min(3, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.1f} {' kMG'[power]}B"
