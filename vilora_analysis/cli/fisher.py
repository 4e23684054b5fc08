"""``vilora fisher``: take the Fisher of single examples, then hold h and sigma against it."""

from __future__ import annotations

import dataclasses

from vilora_analysis.audits import write_answer
from vilora_analysis.audits.hessian import fisher_answer
from vilora_analysis.cli import commands
from vilora_analysis.cli.terminal import Terminal
from vilora_analysis.log import open_run, references
from vilora_analysis.provenance import recorded

__all__ = ["fisher"]


def fisher(command: commands.Fisher, console: Terminal) -> int:
    """Measure, and say what came out."""
    from vilora_analysis.probes.fisher import FisherQuestion, take_fisher

    run = open_run(command.run)
    names = [field.name for field in dataclasses.fields(FisherQuestion)]
    question = FisherQuestion(**{name: getattr(command, name) for name in names})
    take_fisher(run, question, command.data_dir)
    out = command.out or run.path / "fisher"
    answer = fisher_answer(run)
    with recorded(references([run])):
        files = write_answer(answer, out)
    console.line(answer.verdict)
    console.line(f"{len(files)} files in {out}")
    return 0
