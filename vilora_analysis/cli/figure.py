"""``vilora figure``: the paper's figures from recorded runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.errors import ConfigError, LogError, nearest
from vilora_analysis.log import Run, references
from vilora_analysis.provenance import recorded

__all__ = ["DRAWINGS", "figure"]

_STRIP, _ANIMATION = 6, 16  # steps


def figure(command: commands.Figure, console: Terminal, runs: Sequence[Run]) -> int:
    """Draw the figure that is named, and say what was written."""
    if command.name not in DRAWINGS:
        raise ConfigError(
            f"no figure {command.name!r}; {nearest(command.name, DRAWINGS)}there is: "
            f"{', '.join(DRAWINGS)}"
        )
    folder, stem = _place(command)
    try:
        files = DRAWINGS[command.name](command, console, runs, folder / stem)
    except OSError as error:
        raise LogError(f"cannot write to {folder}: {error}") from None
    console.line(f"{len(files)} files in {folder}: {', '.join(file.name for file in files)}")
    return 0


def _place(command: commands.Figure) -> tuple[Path, str]:
    """Folder of the files, and what their names begin with."""
    out = command.out
    if out.suffix.lower() in (".png", ".pdf", ".csv"):
        return out.parent, out.stem
    return out, command.name


def _ranks(
    command: commands.Figure, console: Terminal, runs: Sequence[Run], base: Path
) -> list[Path]:
    counted = analysis.panel_ranks(runs, steps=-1 if command.at is None else command.at)
    used = [run for run in runs if run.name in set(counted["run"])]
    base.parent.mkdir(parents=True, exist_ok=True)
    with recorded(references(used)):
        files = [*_panels(command, counted, base), *_over_training(command, used, base)]
        if counted["order"].max() > 0:
            distances = analysis.rank_distances(counted)
            files += _distances(distances, base)
            console.line(analysis.rank_panels_verdict(distances))
    for note in counted.attrs["notes"]:
        console.line(note)
    if missing := [name for name in analysis.PANELS if name not in set(counted["system"])]:
        console.line(f"no run of: {', '.join(missing)}")
    return files


def _panels(command: commands.Figure, counted: pd.DataFrame, base: Path) -> list[Path]:
    panels, entropy = analysis.rank_panels(counted), analysis.rank_entropy(counted)
    caption = _caption(panels, entropy)
    drawn = figures.rank_panels(panels, entropy, pooler=command.pooler, caption=caption)
    return [*figures.save(drawn, base), *_tables(base, {"": panels, "-entropy": entropy})]


def _over_training(command: commands.Figure, used: Sequence[Run], base: Path) -> list[Path]:
    """The strip and, if asked for, the animation."""
    strip = _at(used, _STRIP)
    files = figures.save(figures.rank_strip(strip), _beside(base, "-strip"))
    files += _tables(base, {"-strip": strip})
    if command.animate:
        files.append(figures.animate_ranks(_at(used, _ANIMATION), _beside(base, ".gif")))
    return files


def _distances(distances: pd.DataFrame, base: Path) -> list[Path]:
    drawn = figures.rank_distance_matrix(distances)
    files = figures.save(drawn, _beside(base, "-distances"))
    return [*files, *_tables(base, {"-distances": distances})]


def _at(runs: Sequence[Run], count: int) -> pd.DataFrame:
    steps = analysis.panel_steps(runs, count)
    return analysis.rank_panels(analysis.panel_ranks(runs, steps=steps))


def _caption(panels: pd.DataFrame, entropy: pd.DataFrame) -> str:
    first = panels.iloc[0]
    total = panels.groupby("panel")["rank"].sum().mean()
    least, most = panels["seeds"].min(), panels["seeds"].max()
    seeds = f"{least}" if least == most else f"{least} to {most}"
    return (
        f"Rank kept after {first['step']} steps on {first['task']}, {total:.0f} in all, the mean "
        f"over {seeds} seed{'' if most == 1 else 's'}; deeper: more. H: entropy over matrices, "
        f"1 if all keep the same (random sets {entropy['chance'].mean():.3f})."
    )


def _tables(base: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    files = []
    for name, frame in tables.items():
        files.append(base.with_name(f"{base.name}{name}.csv"))
        frame.to_csv(files[-1], index=False, float_format="%.6g")
    return files


def _beside(base: Path, ending: str) -> Path:
    return base.with_name(base.name + ending)


Drawing = Callable[[commands.Figure, Terminal, Sequence[Run], Path], list[Path]]

DRAWINGS: dict[str, Drawing] = {"ranks": _ranks}
"""Figures by the name they are asked for; each gives the files that it wrote."""
