"""What a score is, what it may ask for, and the one place where scores are registered.

A score's parameter names are its requirements: ``def snr(mu, sigma)`` needs a posterior mean and
standard deviation, nothing else. The union of the requirements of all scores in use tells the
recorder what to keep, so nobody pays for what no score needs. Formulas are methods of tensors
(``mu.abs() / sigma``), so that listing the registry loads no torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vilora_analysis.errors import ScoreError, nearest
from vilora_analysis.inputs import INPUTS
from vilora_analysis.naming import ALIASES, score_name

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ALIASES",
    "Score",
    "compute",
    "get",
    "names",
    "requirements",
    "score",
    "unregister",
]

Formula = Callable[..., Any]


@dataclass(frozen=True)
class Score:
    """One importance score: a pure function of named inputs, with what a reader must know of it.

    Attributes
    ----------
    name
        Unique name, also the ``criterion`` and the log column ``score.<name>``.
    label
        Short label for axes and tables.
    equation
        The formula in the symbols of :data:`vilora_analysis.inputs.INPUTS`.
    source
        Where it comes from: paper and equation.
    inputs
        Names of the inputs it asks for, in the order of its parameters.
    function
        Elementwise; tensors of one shape in, a tensor of the same shape out.
    summary
        First line of its docstring.
    """

    name: str
    label: str
    equation: str
    source: str
    inputs: tuple[str, ...]
    function: Formula
    summary: str

    def __call__(self, **inputs: Tensor) -> Tensor:
        """Evaluate the formula on tensors given by name."""
        result: Tensor = self.function(**inputs)
        return result

    @property
    def needs_posterior(self) -> bool:
        """Whether it asks for something only a variational optimizer has."""
        return any(INPUTS[name].origin == "posterior" for name in self.inputs)


_REGISTRY: dict[str, Score] = {}


def score(*, label: str, equation: str, source: str) -> Callable[[Formula], Formula]:
    """Register an importance score; recorder, allocator, analysis and figures then find it.

    Parameters
    ----------
    label
        Short label for axes and tables.
    equation
        The formula, in the symbols of :data:`vilora_analysis.inputs.INPUTS`.
    source
        Paper and equation it comes from.

    Returns
    -------
    callable
        A decorator that registers the function under its own name and returns it unchanged.

    Raises
    ------
    ScoreError
        For an input that does not exist, a name that is taken, or a missing docstring, label,
        equation or source.

    Examples
    --------
    >>> @score(label="|μ|·h", equation="|μ| h", source="an example")
    ... def mean_times_hess(mu, hess):
    ...     \"\"\"Curvature-weighted magnitude.\"\"\"
    ...     return mu.abs() * hess
    >>> get("mean_times_hess").inputs
    ('mu', 'hess')
    >>> unregister("mean_times_hess")
    """

    def register(function: Formula) -> Formula:
        name = function.__name__
        inputs = tuple(inspect.signature(function).parameters)
        _refuse_incomplete(name, function.__doc__, label=label, equation=equation, source=source)
        _refuse_unknown_inputs(name, inputs)
        _refuse_duplicate(name, function)
        summary = inspect.cleandoc(function.__doc__ or "").splitlines()[0]
        _REGISTRY[name] = Score(name, label, equation, source, inputs, function, summary)
        return function

    return register


def _refuse_incomplete(name: str, docstring: str | None, **texts: str) -> None:
    texts["docstring"] = docstring or ""
    missing = [key for key, text in texts.items() if not text.strip()]
    if missing:
        raise ScoreError(f"score {name!r} lacks its {', '.join(missing)}; every score has them all")


def _refuse_duplicate(name: str, function: Formula) -> None:
    known = _REGISTRY.get(name)
    # running a notebook's cell again redefines the score of that cell, and only that
    again = known and known.function.__module__ == function.__module__ == "__main__"
    if name in ALIASES or (known and not again):
        raise ScoreError(f"score {name!r} is registered already; give the new one another name")


def _refuse_unknown_inputs(name: str, inputs: tuple[str, ...]) -> None:
    unknown = [item for item in inputs if item not in INPUTS]
    if unknown or not inputs:
        asked = ", ".join(unknown) or "nothing"
        raise ScoreError(
            f"score {name!r} asks for {asked}; a score's parameters are some of: "
            f"{', '.join(INPUTS)}"
        )


def unregister(name: str) -> None:
    """Take a score out of the registry again (for notebooks and tests that define their own)."""
    del _REGISTRY[get(name).name]


def names() -> tuple[str, ...]:
    """Names of all registered scores, in the order of registration."""
    return tuple(_REGISTRY)


def get(name: str) -> Score:
    """Look up a score by its name or by a published alias.

    Raises
    ------
    ScoreError
        If there is none; the message suggests the nearest names.

    Examples
    --------
    >>> get("SNR").name
    'snr'
    >>> get("snrr")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.ScoreError: no score named 'snrr'; did you mean snr? ...
    """
    found = _REGISTRY.get(score_name(name))
    if found is None:
        hint = nearest(name, [*_REGISTRY, *ALIASES])
        raise ScoreError(f"no score named {name!r}; {hint}Registered: {', '.join(_REGISTRY)}")
    return found


def requirements(names: Iterable[str]) -> frozenset[str]:
    """Union of the inputs that the named scores ask for.

    Examples
    --------
    >>> sorted(requirements(["snr", "sensitivity"]))
    ['mu', 'sens_ema', 'sigma', 'unc_ema']
    """
    return frozenset().union(*(get(name).inputs for name in names))


def compute(names: Iterable[str], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Evaluate several scores, passing each what it asks for.

    Parameters
    ----------
    names
        Scores to evaluate.
    inputs
        Tensors of one shape by input name, for example ``Snapshot.inputs``.

    Returns
    -------
    dict of str to Tensor
        Element scores by name, in the shape of the inputs.

    Raises
    ------
    ScoreError
        If an input that a score asks for is not there.
    """
    results = {}
    for item in map(get, names):
        missing = [name for name in item.inputs if name not in inputs]
        if missing:
            raise ScoreError(
                f"score {item.name!r} needs {', '.join(missing)}, which this optimizer or log does "
                f"not have; present: {', '.join(sorted(inputs))}"
            )
        results[item.name] = item(**{name: inputs[name] for name in item.inputs})
    return results
