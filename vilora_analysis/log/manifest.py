"""The manifest of a run, ``run.json``: what was run, with what, and how it ended."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from vilora_analysis.aggregation import is_well_spelled
from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_file
from vilora_analysis.log.places import reached

__all__ = ["SCHEMA_VERSION", "GapRow", "Manifest", "ModuleRow", "ScoreRow"]

SCHEMA_VERSION = 1
"""Version of the tables' layout; a reader refuses one it does not know."""

FILE, SPARE = "run.json", ".run.json.spare"
CHECKSUM = "checksum"
_SETTINGS = ("lr", "ess", "hess_init", "beta1", "beta2", "weight_decay", "clip_radius")
Status = Literal["running", "finished", "failed"]


def checksum(raw: Mapping[str, Any]) -> str:
    """SHA-256 over all that a manifest says, however it is spaced and ordered."""
    said = {name: value for name, value in raw.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def is_changed(directory: Path) -> bool:
    """Whether a manifest that can be read is not, word by word, the one that was written."""
    raw = json.loads((directory / FILE).read_text(encoding="utf-8"))
    return CHECKSUM in raw and raw[CHECKSUM] != checksum(raw)


def is_newer(path: Path) -> bool:
    """Whether a manifest was written by a version that knows more than this one."""
    try:
        version = json.loads(path.read_text(encoding="utf-8"))["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return type(version) is int and SCHEMA_VERSION < version < 1_000


@dataclass(frozen=True)
class ModuleRow:
    """One adapted module, in the order in which its triplets stand in each step."""

    name: str
    matrix: str
    layer: int | None
    rank: int


@dataclass(frozen=True)
class ScoreRow:
    """One recorded score, as the registry described it when the run was made.

    ``level`` is ``element`` or ``triplet``; scores of whole triplets have no parts by factor. The
    aggregation of the others is part of the name, see :mod:`vilora_analysis.aggregation`.
    """

    name: str
    label: str
    equation: str
    source: str
    inputs: tuple[str, ...]
    level: str = "element"


@dataclass(frozen=True)
class GapRow:
    """Steps of a table, from ``first`` to ``last``, of which rows could not be written, and why."""

    table: str
    first: int
    last: int
    reason: str


@dataclass(frozen=True)
class Manifest:
    """Contents of ``run.json``.

    Attributes
    ----------
    run_id
        Unique id of the run.
    created, finished
        UTC, ISO 8601; ``finished`` is empty until the run ends.
    status
        ``running`` (or killed), ``finished`` or ``failed``.
    criterion
        Score that pruned; None if the run was only observed.
    modules
        Adapted modules.
    scores
        Recorded scores.
    every
        Steps between two recorded ones.
    optimizer
        Name and settings of the optimizer at the start, by param group.
    recorder
        Settings of the recorder: decays of running averages, schedule, rule of ties.
    config
        The configuration of whoever trained, as given.
    versions
        Of Python and the libraries that matter.
    results
        Final metrics.
    gaps
        What could not be written; see :mod:`vilora_analysis.log.gaps`.
    ends
        Of a run that has ended: place and last step of the last part of each table.
    schema_version
        Version of the tables' schema.
    """

    run_id: str
    created: str
    modules: tuple[ModuleRow, ...]
    scores: tuple[ScoreRow, ...]
    criterion: str | None
    every: int
    optimizer: Mapping[str, Any]
    recorder: Mapping[str, Any]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    status: Status = "running"
    finished: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    gaps: tuple[GapRow, ...] = ()
    ends: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def n_triplets(self) -> int:
        """Rows of one step."""
        return sum(module.rank for module in self.modules)

    def save(self, directory: Path) -> None:
        """Write ``run.json``, atomically; what JSON does not know is written as text."""
        raw = json.loads(json.dumps(_plain(self), default=str))
        text = json.dumps({**raw, CHECKSUM: checksum(raw)}, indent=1, ensure_ascii=False) + "\n"
        replace_file(directory / SPARE, text)
        replace_file(directory / FILE, text)  # last: a run that says it is finished lacks nothing

    @classmethod
    def load(cls, directory: Path) -> Manifest:
        """Read ``run.json``.

        Raises
        ------
        LogError
            If it is not there, not JSON, or of a schema this version does not know.
        """
        return cls.load_file(directory / FILE)

    @classmethod
    def load_file(cls, path: Path) -> Manifest:
        """Read a manifest that has another name."""
        try:
            with reached(path):
                raw = json.loads(path.read_text(encoding="utf-8"))
            json.dumps(raw, ensure_ascii=False).encode()  # half a character, which JSON can spell
        except FileNotFoundError:
            raise LogError(f"no run in {path.parent}: there is no {path.name}") from None
        except LogError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise LogError(f"{path} cannot be read: {error}") from None
        return cls._parse(raw, path)

    @classmethod
    def _parse(cls, raw: Any, path: Path) -> Manifest:
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise LogError(
                f"{path} has schema version {version}; this version of vilora_analysis reads "
                f"{SCHEMA_VERSION}"
            )
        try:
            raw = {"gaps": [], "ends": {}, **raw}  # runs from before there were any do not say so
            known = {item.name: raw[item.name] for item in fields(cls)}
            known["gaps"] = _rows(GapRow, known["gaps"])
            known["modules"] = _rows(ModuleRow, known["modules"])
            known["scores"] = _rows(ScoreRow, known["scores"])
            loaded = cls(**known)
            _refuse_wrong_types(loaded)
        except (KeyError, TypeError, AttributeError) as error:
            raise LogError(f"{path} is not a manifest of a run: {error!r}") from None
        return loaded


def _refuse_wrong_types(manifest: Manifest) -> None:
    """Of what readers count and look up with."""
    wrong = [
        name
        for name in ("optimizer", "recorder", "config", "versions", "results")
        if not isinstance(getattr(manifest, name), Mapping)
    ]
    # a matrix may have no rank left: one that was pruned away before the run
    least = [(manifest.every, 1), *((module.rank, 0) for module in manifest.modules)]
    if not all(type(number) is int and minimum <= number < 2**31 for number, minimum in least):
        wrong.append("every or the rank of a module")
    if not all(type(at) is int and at >= 0 for g in manifest.gaps for at in (g.first, g.last)):
        wrong.append("the steps of a gap")
    if not all(m.layer is None or _is_layer(m.layer) for m in manifest.modules):
        wrong.append("the layer of a module")
    if not _are_ends(manifest.ends):
        wrong.append("the ends of the tables")
    if not all(isinstance(text, str) for text in _texts(manifest)):
        wrong.append("a name or another text")
    elif not (_are_different(manifest.modules) and _are_different(manifest.scores)):
        wrong.append("a module or a score that is there twice")
    groups = manifest.optimizer.get("groups", []) if "optimizer" not in wrong else []
    if not _are_groups(groups):
        wrong.append("the groups of the optimizer")
    if not all(is_well_spelled(score.name) for score in manifest.scores):
        wrong.append("the name of a score")
    if wrong:
        raise TypeError(f"{', '.join(wrong)} cannot be understood")


def _are_different(rows: Sequence[ModuleRow] | Sequence[ScoreRow]) -> bool:
    return len({row.name for row in rows}) == len(rows)


def _is_layer(layer: object) -> bool:
    """Whether the table's column can hold it."""
    return type(layer) is int and 0 <= layer < 2**15


def _are_ends(ends: object) -> bool:
    return isinstance(ends, Mapping) and all(
        isinstance(end, list | tuple) and len(end) == 2 and {*map(type, end)} == {int}
        for end in ends.values()
    )


def _texts(manifest: Manifest) -> Iterator[object]:
    yield from (manifest.run_id, manifest.created, manifest.finished, manifest.status)
    yield "" if manifest.criterion is None else manifest.criterion
    for module in manifest.modules:
        yield from (module.name, module.matrix)
    for score in manifest.scores:
        yield from (score.name, score.label, score.equation, score.source, score.level)
        yield from score.inputs if isinstance(score.inputs, tuple) else [None]
    for gap in manifest.gaps:
        yield from (gap.table, gap.reason)


def _are_groups(groups: object) -> bool:
    """Whether they are settings by name, with plain values where analyses look them up."""
    return isinstance(groups, list | tuple) and all(
        isinstance(group, Mapping)
        and not any(isinstance(group.get(name), list | Mapping) for name in _SETTINGS)
        for group in groups
    )


def _plain(value: Any) -> Any:
    """What JSON can say: not the infinite, so that strict readers can read it too."""
    if isinstance(value, type):
        return str(value)
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's and torch's numbers
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _rows(kind: type, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return tuple(
        kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in row.items()})
        for row in rows
    )
