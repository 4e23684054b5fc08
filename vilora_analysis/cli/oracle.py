"""``vilora oracle``: ask what each triplet is worth, then hold every score against it."""

from __future__ import annotations

import dataclasses

from vilora_analysis.audits import write_answer
from vilora_analysis.audits.oracle import oracle_answer
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.log import open_run, references
from vilora_analysis.provenance import recorded

__all__ = ["oracle"]


def oracle(command: commands.Oracle, console: Terminal) -> int:
    """Ask, and say what came out."""
    from vilora_analysis.probes.oracle import Question, ask_oracle

    run = open_run(command.run)
    question = Question(**{f.name: getattr(command, f.name) for f in dataclasses.fields(Question)})
    ask_oracle(run, question, command.data_dir)
    out = command.out or run.path / "oracle"
    answer = oracle_answer(run)
    with recorded(references([run])):
        files = write_answer(answer, out)
    console.line(answer.verdict)
    console.line(f"{len(files)} files in {out}")
    return 0
