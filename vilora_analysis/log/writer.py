"""Writing a run: four tables, a manifest, one writer, and a thread that encodes and writes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vilora_analysis.errors import LogError
from vilora_analysis.log.background import Background, DroppedError
from vilora_analysis.log.buffers import Deferred, LaterNumber, Numbered, RowsInHand, Unwritten
from vilora_analysis.log.checksums import of_run
from vilora_analysis.log.failures import Failures, OnError, check_on_error
from vilora_analysis.log.gaps import Gaps
from vilora_analysis.log.holes import ends_of
from vilora_analysis.log.lock import writer_lock
from vilora_analysis.log.manifest import FILE, GapRow, Manifest, Status
from vilora_analysis.log.places import make_folder
from vilora_analysis.log.remedies import reason, remedy, without_step
from vilora_analysis.log.resume import continue_run, forget_unfinished
from vilora_analysis.log.schema import EVENTS, METRICS
from vilora_analysis.log.steps import Block, StepLayout, StepsInHand

__all__ = ["LogWriter"]

_ROWS_PER_PART = 50_000


class LogWriter:
    """The one writer of a run directory.

    Parameters
    ----------
    directory
        Where the run is to be; created, and refused if it holds a run already.
    manifest
        What is known at the start.
    triplets
        Schema of the triplets table; None if the run has metrics only.
    elements
        Schema of the elements table; None to record none.
    flush_seconds
        Parts are written when full, and at the latest after this many seconds: what a killed
        process loses.
    resume_step
        Go on with the run that is there after this step, and drop what it wrote later; by default
        a directory that holds a run is refused.
    on_error
        What happens when the log cannot be written later on, see
        :mod:`vilora_analysis.log.failures`. That it cannot be opened is an error always.
    depth
        Encode and write in a thread, for which so many pieces of work may wait: a part of a table,
        or a step that is still to come from an accelerator. When there are more, the caller waits;
        nothing is dropped for haste. Of the triplets one full block of about 50,000 rows waits
        while the next one is filled, so memory is bounded by two of them. 0 writes in the calling
        thread; the parts are the same.

    Raises
    ------
    LogError
        If the directory holds a run (or, on resuming, none, or one of other modules or scores), is
        being written by another process, or cannot be written.

    Notes
    -----
    An error in the thread is raised by the next call. A process forked from this one (a worker of
    a ``DataLoader``) has the object but writes nothing.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        *,
        triplets: pa.Schema | None,
        elements: pa.Schema | None = None,
        flush_seconds: float = 60.0,
        resume_step: int | None = None,
        on_error: OnError = "raise",
        depth: int = 0,
    ) -> None:
        check_on_error(on_error)
        self.directory, self.manifest = directory, manifest
        self.flush_seconds = flush_seconds
        self._resume_step = resume_step
        self._process = os.getpid()
        self._background = Background(depth)
        try:
            make_folder(directory)
            self._lock = writer_lock(directory)
            self._lock.acquire()
            try:
                self._open(triplets, elements, on_error)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise LogError(
                f"cannot write a run to {directory}: {error}. Remedy: {remedy(error)}"
            ) from None
        self._flushed = time.monotonic()

    def _open(
        self, triplets: pa.Schema | None, elements: pa.Schema | None, on_error: OnError
    ) -> None:
        if self._resume_step is None:
            self._refuse_existing()
        else:
            self.manifest = continue_run(self.directory, self.manifest, self._resume_step)
        forget_unfinished(self.directory)
        self._gaps = Gaps(self.manifest.every, self.manifest.gaps)
        self._failures = Failures(self.directory, on_error, self._gaps, self._lock)
        run_id = self.manifest.run_id
        small = {"metrics": METRICS, "events": EVENTS, "elements": elements}
        self._rows = {
            name: RowsInHand(name, Numbered(self.directory / name), of_run(schema, run_id))
            for name, schema in small.items()
            if schema is not None
        }
        self._triplets = None if triplets is None else self._steps(of_run(triplets, run_id))
        self.manifest.save(self.directory)

    def _steps(self, schema: pa.Schema) -> StepsInHand:
        every, after = self.manifest.every, self._resume_step or 0
        layout = StepLayout(schema, self.manifest.modules, every)
        make = partial(Block, layout, _ROWS_PER_PART, Numbered(self.directory / "triplets"))
        told = self._hand_over, self._not_resolved, self._gaps.jumped
        return StepsInHand(make, self._background, *told, after // every * every)

    def _refuse_existing(self) -> None:
        if (self.directory / FILE).exists() or any(self.directory.glob("*/part-*.parquet")):
            raise LogError(
                f"{self.directory} holds a run already; choose another directory, delete it, or "
                "resume it"
            )

    @property
    def gaps(self) -> tuple[GapRow, ...]:
        """What could not be written so far."""
        return self._gaps.rows

    @property
    def warns(self) -> bool:
        """Whether training is to go on when the log cannot be written."""
        return self._failures.warns

    def triplets(
        self, step: int, values: np.ndarray | Deferred, kept: np.ndarray | Deferred
    ) -> None:
        """Append one step.

        Parameters
        ----------
        step
            Optimizer steps taken.
        values
            Shape (float columns of the schema, triplets), float32; or what resolves to it, which is
            asked for in the thread. If that fails, the step is a gap, and it is told by the rule.
        kept
            Boolean by triplet, in the same way.
        """
        if self._triplets is not None and self._is_ours:
            self._triplets.append(step, values, kept)
            self._surface()

    @property
    def threaded(self) -> bool:
        """Whether what is handed over is looked at later, in a thread."""
        return self._background.threaded

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for what happens in the thread; what failed there meanwhile is raised."""
        if self._is_ours:
            self._background.wait_until(ready)

    def elements(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the element vectors of one step, and write them out: they are large."""
        if self._is_ours:
            self._background.drain()  # one snapshot waits at most
            self._rows["elements"].rows.extend(rows)
            self._hand_over_rows(["elements"])
            self._surface()

    def metrics(self, step: int, values: Mapping[str, float | LaterNumber]) -> None:
        """Append metrics of one step; what is no number yet is asked for it in the thread."""
        for name, value in values.items():
            later = not isinstance(value, float) and isinstance(value, LaterNumber)
            known = value if later else float(value)
            self._rows["metrics"].rows.append({"step": step, "name": name, "value": known})

    def event(self, **row: Any) -> None:
        """Append one decision, with the columns of ``schema.EVENTS``."""
        self._rows["events"].rows.append(row)

    def skip(
        self, step: int, error: Exception, tables: Sequence[str] = ("triplets", "elements")
    ) -> None:
        """Leave a step out of tables in which it is due, as there are no numbers; say so once."""
        every = self.manifest.recorder.get("elements_every") or 0
        without_elements = not every or step % every
        for table in tables:
            if table != "elements" or not without_elements:
                self._gaps.add(table, step, step, reason(error))
        self._failures.warn("numbers", without_step(error))
        self._failures.tell()

    def flush_if_due(self) -> None:
        """Hand over what is buffered once ``flush_seconds`` have gone by, or there is much."""
        if not self._is_ours:
            return
        due = time.monotonic() - self._flushed > self.flush_seconds
        if due or any(len(rows.rows) >= _ROWS_PER_PART for rows in self._rows.values()):
            self._hand_over_all()
        self._surface()

    def flush(self) -> None:
        """Write everything that is buffered, and come back when it is on disk."""
        if not self._is_ours:
            return
        self._background.retry()
        self._hand_over_all()
        self._background.drain()
        self._save_gaps()
        self._failures.tell()

    def close(self, status: Status, results: Mapping[str, Any] | None = None) -> None:
        """Write the rest, note how the run ended, and give up the directory."""
        if not self._is_ours:
            return
        try:
            self.flush()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.manifest = replace(
                self.manifest,
                status=status,
                finished=now,
                results=dict(results or {}),
                ends=ends_of(self.directory),
            )
            self._failures.do(self._save)
        finally:
            self._background.stop()  # if that is interrupted, the thread may write: no release
            self._lock.release()
        self._failures.tell()

    @property
    def _is_ours(self) -> bool:
        return os.getpid() == self._process

    def _surface(self) -> None:
        """Say what happened in the thread."""
        self._background.check()
        self._failures.tell()

    def _hand_over_all(self) -> None:
        self._hand_over_rows(self._rows)
        if self._triplets is not None:
            self._triplets.flush()
        self._flushed = time.monotonic()

    def _hand_over_rows(self, tables: Iterable[str]) -> None:
        for name in tables:
            rows = self._rows[name]
            if rows.rows:
                self._hand_over(rows.taken())
                rows.rows = []

    def _hand_over(self, work: Unwritten) -> None:
        self._background.submit(partial(self._write, work))

    def _write(self, work: Unwritten) -> None:
        self._failures.write(work, self._save if self._gaps.unsaid(work.table) else lambda: None)
        self._save_gaps()

    def _not_resolved(self, step: int, error: Exception) -> None:
        self._gaps.add("triplets", step, step, reason(error))
        if not self.warns:
            raise DroppedError from error
        self._failures.warn("numbers", without_step(error))

    def _save(self) -> None:
        self._failures.refuse_other_folder()
        gaps = self._gaps.rows
        self.manifest = replace(self.manifest, gaps=gaps)
        self.manifest.save(self.directory)
        self._gaps.saved(gaps)

    def _save_gaps(self) -> None:
        if self._gaps.unsaved:
            with suppress(LogError, OSError):  # what failed before was told; tried again later
                self._save()
