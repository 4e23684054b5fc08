"""What a log could not take: the steps of a table that are missing, and why.

A run that was told to go on when its log cannot be written (``on_error="warn"``), or whose caller
went on from an error, says in its manifest what is not there: ``gaps``, one row a stretch of steps
of one table. For the triplets every recorded step of the stretch is missing as a whole; of the
other tables some rows of these steps are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from vilora_analysis.log.manifest import GapRow

__all__ = ["Gaps", "explains", "gaps_up_to"]


def explains(gaps: Iterable[GapRow], table: str, first: int, last: int, every: int = 1) -> bool:
    """Whether the gaps of a table cover all its steps from one to another.

    Parameters
    ----------
    gaps
        Those of a manifest.
    table
        Name of the table.
    first, last
        First and last step that is missing.
    every
        Steps between two that are due.

    Examples
    --------
    >>> gaps = [GapRow("triplets", 3, 4, "disk full"), GapRow("triplets", 5, 9, "disk full")]
    >>> explains(gaps, "triplets", 4, 8), explains(gaps, "triplets", 8, 10)
    (True, False)
    """
    step = first
    for gap in sorted((gap for gap in gaps if gap.table == table), key=lambda gap: gap.first):
        if gap.first <= step <= gap.last:
            step += ((gap.last - step) // every + 1) * every
    return step > last


def gaps_up_to(gaps: Iterable[GapRow], step: int) -> tuple[GapRow, ...]:
    """Gaps of a log that is cut back to a step, of which it has what was recorded until then."""
    return tuple(
        replace(gap, last=min(gap.last, step))
        for gap in gaps
        if gap.first <= step and not _is_behind(gap, step)
    )


def _is_behind(gap: GapRow, step: int) -> bool:
    """Whether only what was recorded after the step is missing: metrics may go on with it."""
    return gap.table == "metrics" and gap.first == step < gap.last


def _of(table: str, gaps: Iterable[GapRow]) -> list[GapRow]:
    return [gap for gap in gaps if gap.table == table]


_MOST = 1_000
_RAISED = "not recorded: an error was raised in this step"


class Gaps:
    """Gaps of a run that is being written; any thread may add to them.

    They stay few: what goes on is one gap, and a log that fails and recovers more than a thousand
    times gets wider ones instead of more.

    Parameters
    ----------
    every
        Steps between two recorded ones: neighbours become one gap.
    known
        Gaps from before the run was resumed.
    """

    def __init__(self, every: int, known: Iterable[GapRow] = ()) -> None:
        self._every = every
        self._rows = list(known)
        self._saved = tuple(self._rows)
        self._failing: set[str] = set()
        self._lock = threading.Lock()

    @property
    def rows(self) -> tuple[GapRow, ...]:
        """All gaps."""
        with self._lock:
            return tuple(self._rows)

    @property
    def unsaved(self) -> bool:
        """Whether some are not in the manifest on disk."""
        return self.rows != self._saved

    def unsaid(self, table: str) -> bool:
        """Whether some of a table are not in the manifest on disk."""
        return _of(table, self.rows) != _of(table, self._saved)

    def saved(self, rows: tuple[GapRow, ...]) -> None:
        """Note that a manifest with these gaps is on disk."""
        self._saved = rows

    def written(self, table: str) -> None:
        """Note that a table can be written again."""
        with self._lock:
            self._failing.discard(table)

    def failed(self, table: str, first: int, last: int, reason: str) -> None:
        """Note that steps of a table are missing, as writing them failed."""
        self.add(table, first, last, reason)
        if table != "triplets":  # whose steps are regular: neighbours show by their numbers
            self._failing.add(table)

    def jumped(self, before: int, step: int) -> None:
        """Note what was due between two steps of the triplets, unless it is known why."""
        first, last = before + self._every, step - self._every
        if first <= last and not explains(self.rows, "triplets", first, last, self._every):
            self.add("triplets", first, last, _RAISED)

    def add(self, table: str, first: int, last: int, reason: str) -> None:
        """Note that steps of a table are missing."""
        with self._lock:
            at = max((i for i, r in enumerate(self._rows) if r.table == table), default=None)
            if at is None or not self._goes_on(self._rows[at], first, last):
                self._rows.append(GapRow(table, first, last, reason))
                return
            gap = self._rows[at]
            self._rows[at] = replace(gap, first=min(gap.first, first), last=max(gap.last, last))

    def _goes_on(self, gap: GapRow, first: int, last: int) -> bool:
        near = first <= gap.last + self._every and last >= gap.first - self._every
        return near or gap.table in self._failing or len(self._rows) >= _MOST
