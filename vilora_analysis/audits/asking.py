"""Audits where a run is looked at: what ``run.audits.health()`` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from vilora_analysis import analysis
from vilora_analysis.audits.ask import AUDITS, JOINT_AUDITS
from vilora_analysis.audits.definition import Answer
from vilora_analysis.audits.units import with_units
from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["Question", "questions"]


class Question:
    """One audit of one run, or of several together: call it for the answer.

    Parameters
    ----------
    name
        Name of the audit.
    question
        What is asked.
    ask
        Gives the answer.
    lacking
        Gives in words what is lacking for that; nothing if it can be asked.
    about
        Who is asked, for the message.
    """

    def __init__(
        self,
        name: str,
        question: str,
        ask: Callable[[], Answer],
        lacking: Callable[[], str],
        about: str,
    ) -> None:
        self.name, self.question = name, question
        self._ask, self._lacking, self._about = ask, lacking, about
        self.__doc__ = f"{question[:1].upper()}{question[1:]}"  # what ? shows in a notebook

    @property
    def lacking(self) -> str:
        """What is lacking for an answer, in words; empty if nothing."""
        return self._lacking()

    def __call__(self) -> Answer:
        """Ask.

        Raises
        ------
        LogError
            If something is lacking, in words.
        """
        if reason := self.lacking:
            raise LogError(f"{self._about} cannot answer {self.name}: {reason}")
        return with_units(self._ask())

    def __repr__(self) -> str:
        return f"{self.name}: {self.question}"


def questions(about: Run | Sequence[Run]) -> dict[str, Question]:
    """What a run, or several together, can be asked, by name."""
    of = _of_run(about) if isinstance(about, Run) else _of_runs(about)
    return {question.name: question for question in of}


def _of_run(run: Run) -> Iterator[Question]:
    for audit in AUDITS:
        lacking = partial(_lacking, run, audit.lacking)
        yield Question(audit.name, audit.question, partial(audit.ask, run), lacking, run.name)


def _of_runs(runs: Sequence[Run]) -> Iterator[Question]:
    about = f"{len(runs)} run{'' if len(runs) == 1 else 's'} together"
    for audit in JOINT_AUDITS:
        ask, lacking = partial(audit.ask, runs), partial(audit.lacking, runs)
        yield Question(audit.name, audit.question, ask, lacking, about)


def _lacking(run: Run, lacking: Callable[[Run], str]) -> str:
    """A run without a recorded step answers nothing, whatever it holds besides."""
    try:
        analysis.decision_step(run)
    except LogError as error:
        return str(error)
    return lacking(run)
