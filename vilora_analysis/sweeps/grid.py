"""The file of a sweep, and the runs that it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

from vilora_analysis.errors import ConfigError, nearest
from vilora_analysis.sweeps.fields import build, check_field
from vilora_analysis.sweeps.toml import parse_toml, read_text, refuse_too_many
from vilora_analysis.training.config import RunConfig

__all__ = ["Cell", "Grid", "expand", "read_grid", "shipped"]

_TABLES = ("out", "fixed", "grid", "systems")
_LONGEST = 200  # bytes; what a file system takes, with room for names beside it
_NAMED = ("task", "method", "optimizer", "criterion", "seed")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes
    ----------
    name
        Readable and unique: task, method, optimizer, criterion, seed, then what else varies.
    fields
        Settings as the file gives them.
    config
        The same, checked and filled in; its ``out`` is the run directory.
    root
        Working directory, which relative paths start from.
    """

    name: str
    fields: Mapping[str, Any]
    config: RunConfig
    root: Path

    @property
    def path(self) -> Path:
        """Run directory, absolute."""
        return self.root / self.config.directory


@dataclass(frozen=True)
class Grid:
    """Runs that one file asks for, in its order."""

    source: str
    out: Path
    cells: tuple[Cell, ...]


def read_grid(file: str | Path, **fixed: Any) -> Grid:
    """Read the runs that a file asks for; each is checked before any can start.

    Parameters
    ----------
    file
        A TOML file, or the name of a grid that comes with the package.
    **fixed
        ``out`` or fields of every run, in place of what the file says; None leaves it.

    Raises
    ------
    ConfigError
        If the file cannot be read, or asks for what cannot be run; the message names the file, the
        key, what was expected and what was got.

    Examples
    --------
    >>> grid = read_grid("systems")
    >>> len(grid.cells), grid.cells[0].name
    (40, 'rte-full_ft-adamw-none-0')
    """
    source, text = _find(file)
    raw = parse_toml(text, source)
    given = {name: value for name, value in fixed.items() if value is not None}
    raw["out"] = given.pop("out", raw.get("out"))
    if given:
        raw["fixed"] = {**_table(raw, "fixed", source), **given}
    return expand(raw, source)


def shipped() -> dict[str, str]:
    """Text of the grids that come with the package, by name."""
    folder = resources.files(__package__).joinpath("grids")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


def _find(file: str | Path) -> tuple[str, str]:
    """What to call a file in messages, and its text."""
    path = Path(file)
    try:
        there = path.is_file()
    except OSError as error:  # a name that no file can have
        raise ConfigError(f"{file} cannot be read: {error}") from None
    if there:
        return str(file), read_text(path)
    known = shipped()
    if str(file) in known:
        return str(file), known[str(file)]
    hint = nearest(str(file), known)
    raise ConfigError(f"no file {file}, and no shipped grid; {hint}Shipped: {', '.join(known)}")


def expand(raw: Mapping[str, Any], source: str, root: Path | None = None) -> Grid:
    """Cells of a grid that has been read.

    Parameters
    ----------
    raw
        Tables ``out``, ``fixed``, ``grid`` and ``systems``.
    source
        What to call the file in messages.
    root
        Working directory of the runs; by default the present one.

    Raises
    ------
    ConfigError
        As :func:`read_grid`.
    """
    _refuse_unknown(raw, source)
    if not isinstance(raw.get("out"), str | Path) or not str(raw["out"]):
        raise ConfigError(
            f'{source}: out is the folder of the runs, as "runs/mine"; got {raw.get("out")!r}'
        )
    fixed = _table(raw, "fixed", source)
    for name, value in fixed.items():
        check_field(name, value, f"{source}, [fixed]")
    cells = tuple(
        _cell(fixed, varied, Path(raw["out"]), root or Path.cwd(), source)
        for varied in _combinations(raw, fixed, source)
    )
    _refuse_duplicates(cells, source)
    return Grid(source, Path(raw["out"]), cells)


def _refuse_unknown(raw: Mapping[str, Any], source: str) -> None:
    for name in raw:
        if name not in _TABLES:
            hint = nearest(name, _TABLES)
            raise ConfigError(f"{source}: no key {name!r}; {hint}Expected: {', '.join(_TABLES)}")


def _table(raw: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {name} is a table, [{name}]; got {table!r}")
    return table


def _combinations(
    raw: Mapping[str, Any], fixed: Mapping[str, Any], source: str
) -> Iterator[dict[str, Any]]:
    """Varied fields of each run: a system's own values stand in place of the grid's."""
    grid = _axes(_table(raw, "grid", source), fixed, f"{source}, [grid]", lists_only=True)
    systems = [{**grid, **system} for system in _systems(raw, fixed, source)]
    refuse_too_many(systems, source)
    for axes in systems:
        for values in product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


def _systems(
    raw: Mapping[str, Any], fixed: Mapping[str, Any], source: str
) -> list[dict[str, list[Any]]]:
    systems = raw.get("systems", [{}])
    if not (isinstance(systems, list) and systems and all(isinstance(s, dict) for s in systems)):
        raise ConfigError(f"{source}: systems are tables, [[systems]]; got {systems!r}")
    return [
        _axes(system, fixed, f"{source}, [[systems]] {number}")
        for number, system in enumerate(systems, start=1)
    ]


def _axes(
    table: Mapping[str, Any], fixed: Mapping[str, Any], where: str, *, lists_only: bool = False
) -> dict[str, list[Any]]:
    axes = {}
    for name, given in table.items():
        if name in fixed:
            raise ConfigError(f"{where}: {name} is in [fixed] already; leave it in one of the two")
        if lists_only and not isinstance(given, list):
            raise ConfigError(f"{where}: {name} is a list of values; got {given!r}")
        axes[name] = given if isinstance(given, list) else [given]
        if not axes[name]:
            raise ConfigError(f"{where}: {name} is an empty list; give it a value or leave it out")
        for value in axes[name]:
            check_field(name, value, where)
    return axes


def _cell(
    fixed: Mapping[str, Any], varied: Mapping[str, Any], out: Path, root: Path, source: str
) -> Cell:
    fields = {**fixed, **varied}
    try:
        config = build(fields)
    except ConfigError as error:
        raise ConfigError(
            f"{source}, run of {_spelled(varied) or 'its [fixed]'}: {error}"
        ) from None
    name = _name(config, varied)
    if len(name.encode()) > _LONGEST:
        raise ConfigError(f"{source}: a run would be called {name[:60]}...; shorten what varies")
    return Cell(name, fields, replace(config, out=out / name), root)


def _name(config: RunConfig, varied: Mapping[str, Any]) -> str:
    """Name of a run, from its own varied fields alone: another value or system renames nothing."""
    first = [_safe(getattr(config, name)) for name in _NAMED]
    rest = [f"{name}={_safe(varied[name])}" for name in sorted(varied) if name not in _NAMED]
    return "-".join([*first, *rest])


def _safe(value: Any) -> str:
    """Text of a value that can stand in the name of a directory."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "+".join(value) if isinstance(value, list) else text
    return re.sub(r"[^\w.+-]", "_", text)


def _spelled(varied: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in varied.items())


def _refuse_duplicates(cells: tuple[Cell, ...], source: str) -> None:
    names: dict[str, Cell] = {}
    settings: dict[RunConfig, Cell] = {}
    for cell in cells:
        config = replace(cell.config, out=None)
        twin = names.get(cell.name) or settings.get(config)
        if twin is not None:
            raise ConfigError(
                f"{source} asks for the same run twice: {_spelled(twin.fields)}; and "
                f"{_spelled(cell.fields)}; leave one out"
            )
        names[cell.name] = settings[config] = cell
