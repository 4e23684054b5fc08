"""``vilora oracle``: ask what each triplet is worth, then hold every score against it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from vilora_analysis import analysis, figures
from vilora_analysis.cli import commands
from vilora_analysis.cli.artefacts import Artefacts
from vilora_analysis.cli.tables import write_table
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.log import Run, open_run

__all__ = ["oracle"]


def oracle(command: commands.Oracle, console: Terminal) -> int:
    """Ask, and say what came out."""
    from vilora_analysis.probes.oracle import Question, ask_oracle

    run = open_run(command.run)
    question = Question(**{f.name: getattr(command, f.name) for f in dataclasses.fields(Question)})
    ask_oracle(run, question, command.data_dir)
    out = command.out or run.path / "oracle"
    written = _artefacts(run, out)
    for line in written.notes:
        console.line(line)
    console.line(f"{len(written.files)} files in {out}")
    return 0


def _artefacts(run: Run, out: Path) -> Artefacts:
    """Tables, the figure and the verdict of an oracle that was asked."""
    effects, regret = analysis.oracle_effects(run), analysis.oracle_regret(run)
    agreement, reliability = analysis.oracle_agreement(run), analysis.oracle_reliability(run)
    ceiling = math.sqrt(max(reliability, 0.0))
    examples = int(effects["examples"].iloc[0])
    caption = (
        f"{len(effects)} triplets of {run.name}, {examples} held-out examples. (a) 95% bootstrap "
        "intervals over examples; ceiling: what a perfect score would reach on as many. (b) The "
        "lowest by each score removed at once, nothing retrained."
    )
    drawn = figures.oracle_scores(agreement, regret, run.labels, ceiling=ceiling, caption=caption)
    files = [
        *write_table(effects, out / "oracle_effects"),
        *write_table(agreement, out / "oracle_agreement"),
        *write_table(regret, out / "oracle_regret"),
        *figures.save(drawn, out / "oracle"),
    ]
    return Artefacts(files, [analysis.oracle_verdict(agreement, reliability)])
