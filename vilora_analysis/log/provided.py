"""The audits of a run where it is read, loaded from the room above when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol

import jinja2

from vilora_analysis.errors import LogError, nearest

__all__ = ["Audits", "Question", "provide_audits"]


class Question(Protocol):
    """One audit of one run, or of several together."""

    name: str
    question: str

    @property
    def lacking(self) -> str:
        """What is lacking for an answer, in words; empty if nothing."""

    def __call__(self) -> Any:
        """Ask."""


_PROVIDED: dict[str, Callable[[Any], Mapping[str, Question]]] = {}

_PAGE = jinja2.Environment(autoescape=True).from_string(
    """<table><thead><tr>{% for name in ("audit", "question", "can be asked") %}\
<th scope="col" style="text-align:left">{{ name }}</th>{% endfor %}</tr></thead><tbody>\
{% for row in rows %}
<tr>{% for cell in row %}<td style="text-align:left">{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}</tbody></table>"""
)


def provide_audits(questions: Callable[[Any], Mapping[str, Question]]) -> None:
    """Let the room of the audits have its say.

    Parameters
    ----------
    questions
        From a run, or several, to what can be asked, by name; called on first use only, so that
        opening a run loads no more than reading it takes.
    """
    _PROVIDED["audits"] = questions


class Audits:
    """Questions to a run, or to several runs together, each by its name.

    Parameters
    ----------
    about
        The run, or the runs.

    Examples
    --------
    ``run.audits.health()`` or ``run.audits["health"]()`` gives tables, figures and a verdict.
    """

    def __init__(self, about: Any) -> None:
        self._about = about

    @cached_property
    def _questions(self) -> Mapping[str, Question]:
        if "audits" not in _PROVIDED:
            raise LogError(
                "nobody provides audits here; open runs by vilora_analysis.open_run or open_runs"
            )
        return _PROVIDED["audits"](self._about)

    def __getattr__(self, name: str) -> Question:
        if name.startswith("_"):  # whatever protocol it is, nobody asks for an audit
            raise AttributeError(name)
        if name not in self._questions:
            raise AttributeError(self._unknown(name))
        return self._questions[name]

    def __getitem__(self, name: str) -> Question:
        if name not in self._questions:
            raise LogError(self._unknown(name))
        return self._questions[name]

    def _unknown(self, name: str) -> str:
        hint = nearest(name, self._questions)
        return f"no audit {name!r}; {hint}there is: {', '.join(self._questions)}"

    def __iter__(self) -> Iterator[Question]:
        return iter(self._questions.values())

    def __len__(self) -> int:
        return len(self._questions)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._questions]

    def __repr__(self) -> str:
        return "\n".join(": ".join(row[:2]) + f" ({row[2]})" for row in self._rows())

    def _repr_html_(self) -> str:
        return _PAGE.render(rows=self._rows())

    def _ipython_key_completions_(self) -> list[str]:
        return [*self._questions]

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(item.name, item.question, _said(item)) for item in self]


def _said(question: Question) -> str:
    reason = question.lacking
    return f"no: {reason}" if reason else "yes"
