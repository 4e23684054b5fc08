"""A manifest that is gone, damaged or of another run: restored from its copy, or rebuilt."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vilora_analysis.errors import LogError
from vilora_analysis.log.checksums import origin_of
from vilora_analysis.log.completeness import REBUILT
from vilora_analysis.log.examine import owner
from vilora_analysis.log.holes import TABLES
from vilora_analysis.log.manifest import (
    FILE,
    SPARE,
    Manifest,
    ModuleRow,
    ScoreRow,
    is_newer,
)
from vilora_analysis.log.parts import list_parts
from vilora_analysis.log.reading import open_part, read_part
from vilora_analysis.log.set_aside import set_aside

__all__ = ["mend_manifest"]

_UNKNOWN = (
    "criterion, optimizer, recorder, config, versions, results, when it began and ended, "
    "labels, equations and inputs of scores"
)


def mend_manifest(run: Path) -> tuple[str, str]:
    """Make ``run.json`` one that can be read and is of this run.

    Parameters
    ----------
    run
        The run directory, with its lock held.

    Returns
    -------
    tuple of str
        ``restored`` or ``rebuilt`` and why, empty if nothing was to be done.

    Raises
    ------
    LogError
        If it is of a newer version, or there is neither a copy nor a part to go by.
    """
    of = owner(run, TABLES)
    wrong = _wrong(run / FILE, of)
    if not wrong:
        return "", ""
    if is_newer(run / FILE):
        raise LogError(f"{run / FILE} {wrong}; update vilora_analysis, nothing is damaged")
    spare_is_sound = not _wrong(run / SPARE, of)
    mended = Manifest.load_file(run / SPARE) if spare_is_sound else _rebuilt(run, of, wrong)
    if os.path.lexists(run / FILE):
        set_aside(run, run / FILE, wrong)
    mended.save(run)
    if spare_is_sound:
        return "restored", f"{wrong}; from the copy of when it was last written"
    return "rebuilt", f"{wrong}; from the parts, which do not know: {_UNKNOWN}"


def _wrong(path: Path, of: str) -> str:
    try:
        manifest = Manifest.load_file(path)
    except LogError as error:
        return str(error).removeprefix(f"{path} ")
    if of and manifest.run_id != of:
        return f"is of the run {manifest.run_id}, and all parts are of the run {of}"
    return ""


def _rebuilt(run: Path, of: str, wrong: str) -> Manifest:
    """What the parts know; what they do not know stays empty, and is said."""
    for part in list_parts(run / "triplets"):
        try:
            rows = read_part(part)
            first = rows.filter(pc.equal(rows["step"], rows["step"][0]))
            return Manifest(
                run_id=of or origin_of(open_part(part).metadata.metadata)[0] or "unknown",
                created="",
                modules=_modules(first),
                scores=_scores(rows.schema),
                criterion=None,
                every=_every(run),
                optimizer={},
                recorder={},
                config={REBUILT: f"unknown: {_UNKNOWN}"},
                versions={},
            )
        except LogError:
            continue
    raise LogError(
        f"{run / FILE} {wrong}; there is no copy of it, and no part of triplets to rebuild it "
        "from: put back the right one"
    )


def _modules(first: pa.Table) -> tuple[ModuleRow, ...]:
    names = first["module"].to_pylist()
    described = zip(names, first["matrix"].to_pylist(), first["layer"].to_pylist(), strict=True)
    return tuple(ModuleRow(*row, rank=names.count(row[0])) for row in dict.fromkeys(described))


def _scores(schema: pa.Schema) -> tuple[ScoreRow, ...]:
    columns = [f for f in schema if f.name.startswith("score.") and f.name.count(".") == 1]
    parted = {name.rpartition(".")[0] for name in schema.names if name.count(".") == 2}
    return tuple(
        ScoreRow(
            name=field.name.removeprefix("score."),
            label=field.name.removeprefix("score."),
            equation="",
            source=(field.metadata or {}).get(b"source", b"").decode(),
            inputs=(),
            level="element" if field.name in parted else "triplet",
        )
        for field in columns
    )


def _every(run: Path) -> int:
    """Least distance of recorded steps; 1 if there is only one."""
    steps: list[int] = []
    for part in list_parts(run / "triplets"):
        try:
            steps += np.unique(read_part(part, ["step"])["step"].to_numpy()).tolist()
        except LogError:
            continue
    return int(min(np.diff(np.unique(steps)), default=1))
