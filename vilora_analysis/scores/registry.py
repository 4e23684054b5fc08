"""The one place where scores are registered, looked up and evaluated.

A score's parameter names are its requirements: ``def snr(mu, sigma)`` needs a posterior mean and
standard deviation, nothing else. The union of the requirements of all scores in use tells the
recorder what to keep, so nobody pays for what no score needs. Formulas are methods of tensors
(``mu.abs() / sigma``), so that listing the registry loads no torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vilora_analysis.aggregation import split_name
from vilora_analysis.errors import ScoreError, nearest
from vilora_analysis.inputs import CONTEXT, INPUTS
from vilora_analysis.naming import ALIASES
from vilora_analysis.scores.definition import Formula, Level, Score

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ALIASES",
    "compute",
    "evaluate",
    "family",
    "get",
    "names",
    "requirements",
    "score",
    "unregister",
]

_REGISTRY: dict[str, Score] = {}


def score(
    *,
    label: str,
    equation: str,
    source: str,
    level: Level = "element",
    factors: tuple[str, ...] = (),
    by_default: bool = True,
    group: str = "",
) -> Callable[[Formula], Formula]:
    """Register an importance score; recorder, allocator, analysis and figures then find it.

    Parameters
    ----------
    label
        Short label for axes and tables.
    equation
        The formula, in the symbols of :data:`vilora_analysis.inputs.INPUTS`.
    source
        Paper and equation it comes from.
    level
        ``"element"``: a value for each element, aggregated to triplets as the score's name says.
        ``"triplet"``: a value for each triplet; the function may ask for
        :data:`vilora_analysis.inputs.CONTEXT` besides, such as ``reduce``.
    factors
        Factors that a triplet score cannot do without, for example ``("E",)``.
    by_default
        Whether it is recorded without being asked for.
    group
        Name under which a family of scores is recorded together, such as ``"bridge"``; those are
        not among ``"all"``.

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

    >>> @score(label="‖A‖", equation="‖A_k‖", source="an example", level="triplet")
    ... def row_norm(mu, reduce):
    ...     \"\"\"Length of the row of A.\"\"\"
    ...     return reduce(mu, "l2")["A"]
    >>> get("row_norm").inputs, get("row_norm").context
    (('mu',), ('reduce',))
    >>> unregister("row_norm")
    """

    def register(function: Formula) -> Formula:
        name = function.__name__
        asked = tuple(inspect.signature(function).parameters)
        _refuse_incomplete(name, function.__doc__, label=label, equation=equation, source=source)
        _refuse_unknown_inputs(name, level, asked)
        _refuse_duplicate(name, function)
        _REGISTRY[name] = Score(
            name=name,
            label=label,
            equation=equation,
            source=source,
            inputs=tuple(item for item in asked if item in INPUTS),
            function=function,
            summary=inspect.cleandoc(function.__doc__ or "").splitlines()[0],
            level=level,
            context=tuple(item for item in asked if item in CONTEXT),
            factors=factors,
            by_default=by_default,
            group=group,
        )
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


def _refuse_unknown_inputs(name: str, level: Level, asked: tuple[str, ...]) -> None:
    if level not in ("element", "triplet"):
        raise ScoreError(f"score {name!r} has level {level!r}; expected 'element' or 'triplet'")
    known = {**INPUTS, **CONTEXT} if level == "triplet" else INPUTS
    unknown = [item for item in asked if item not in known]
    if unknown or not asked:
        raise ScoreError(
            f"score {name!r} asks for {', '.join(unknown) or 'nothing'}; a score's parameters are "
            f"some of: {', '.join(known)}"
        )
    if level == "triplet" and not set(asked) & set(CONTEXT):
        raise ScoreError(
            f"score {name!r} is one of whole triplets and asks for none of {', '.join(CONTEXT)}; "
            "without them it can only score elements (level='element')"
        )


def unregister(name: str) -> None:
    """Take a score out of the registry again (for notebooks and tests that define their own)."""
    del _REGISTRY[get(split_name(name)[0]).name]


def names() -> tuple[str, ...]:
    """Names of all registered scores: those proposed to prune by, then the families."""
    return tuple(sorted(_REGISTRY, key=lambda name: _REGISTRY[name].group))


def get(name: str) -> Score:
    """Look up a score by its name or by a published alias, with its aggregation if one is named.

    Raises
    ------
    ScoreError
        If there is none, when the message suggests the nearest names, or its aggregation is not
        understood.

    Examples
    --------
    >>> get("SNR").name, get("snr@sum").aggregation.reduce
    ('snr', 'sum')
    >>> get("snrr")
    Traceback (most recent call last):
    ...
    vilora_analysis.errors.ScoreError: no score named 'snrr'; did you mean snr? ...
    """
    base, aggregation = split_name(name)
    found = _REGISTRY.get(ALIASES.get(base, base))
    if found is None:
        hint = nearest(base, [*_REGISTRY, *ALIASES])
        raise ScoreError(f"no score named {base!r}; {hint}Registered: {', '.join(names())}")
    return found.aggregated(aggregation)


def family(word: str) -> tuple[str, ...]:
    """Names of the scores of a family; none if the word is no family's name.

    ``"default"`` are those recorded without being asked for, ``"all"`` those that are proposed to
    prune by, and every :attr:`Score.group` is one.

    Examples
    --------
    >>> family("bridge")[:2], family("snr")
    (('bridge_horizon', 'bridge_norm'), ())
    """
    items = _REGISTRY.values()
    if word == "default":
        return tuple(item.name for item in items if item.by_default)
    return tuple(item.name for item in items if (item.group or "all") == word)


def requirements(names: Iterable[str]) -> frozenset[str]:
    """Union of the inputs that the named scores ask for.

    Examples
    --------
    >>> sorted(requirements(["snr", "sensitivity"]))
    ['mu', 'sens_ema', 'sigma', 'unc_ema']
    """
    return frozenset().union(*(get(name).inputs for name in names))


def compute(names: Iterable[str], inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Evaluate several scores, passing each what it asks for.

    Parameters
    ----------
    names
        Scores to evaluate.
    inputs
        Tensors of one shape by input name, for example ``Snapshot.inputs``; for triplet scores the
        context too, see :func:`vilora_analysis.scores.evaluate.score_triplets`.

    Returns
    -------
    dict of str to Tensor
        Element scores by name, in the shape of the inputs; triplet scores by triplet.

    Raises
    ------
    ScoreError
        If an input that a score asks for is not there.
    """
    return {item.name: evaluate(item, inputs) for item in map(get, names)}


def evaluate(item: Score, inputs: Mapping[str, Any]) -> Tensor:
    """Evaluate one score, passing what it asks for; see :func:`compute`."""
    asked = (*item.inputs, *item.context)
    missing = [name for name in asked if name not in inputs]
    if missing:
        raise ScoreError(
            f"score {item.name!r} needs {', '.join(missing)}, which this optimizer or log does "
            f"not have; present: {', '.join(sorted(inputs))}"
        )
    return item(**{name: inputs[name] for name in asked})
