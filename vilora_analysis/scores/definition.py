"""What a score is: a pure function of named inputs, with what a reader must know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from vilora_analysis.aggregation import Aggregation
from vilora_analysis.errors import ScoreError
from vilora_analysis.inputs import INPUTS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Formula", "Level", "Score"]

Formula = Callable[..., Any]
Level = Literal["element", "triplet"]


@dataclass(frozen=True)
class Score:
    """One importance score.

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
        Of an element score: tensors of one shape in, a tensor of the same shape out. Of a triplet
        score: all elements in, one value a triplet out.
    summary
        First line of its docstring.
    level
        Whether it scores elements, which are then aggregated, or whole triplets.
    context
        What a triplet score asks for besides, some of :data:`vilora_analysis.inputs.CONTEXT`.
    factors
        Factors that a triplet score cannot do without.
    by_default
        Whether it is recorded without being asked for.
    group
        Name under which a family of scores is recorded together; empty for scores that are proposed
        to prune by.
    aggregation
        How the elements become one number a triplet.
    """

    name: str
    label: str
    equation: str
    source: str
    inputs: tuple[str, ...]
    function: Formula
    summary: str
    level: Level = "element"
    context: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    by_default: bool = True
    group: str = ""
    aggregation: Aggregation = field(default_factory=Aggregation)

    def __call__(self, **inputs: Any) -> Tensor:
        """Evaluate the formula on tensors given by name, in single precision at least."""
        result: Tensor = self.function(**{name: _single(value) for name, value in inputs.items()})
        return result

    @property
    def needs_posterior(self) -> bool:
        """Whether it asks for something only a variational optimizer has."""
        return any(INPUTS[name].origin == "posterior" for name in self.inputs)

    @property
    def needs_factors(self) -> tuple[str, ...]:
        """Factors without which it has no meaning."""
        return self.factors if self.level == "triplet" else self.aggregation.needs

    def aggregated(self, aggregation: Aggregation) -> Score:
        """Return the same score with another way from elements to triplets.

        Raises
        ------
        ScoreError
            If it scores whole triplets, so that there is nothing to aggregate.
        """
        if aggregation == self.aggregation:
            return self
        if self.level == "triplet":
            raise ScoreError(
                f"score {self.name!r} is one of whole triplets, without elements to aggregate; "
                f"leave {aggregation.suffix!r} out"
            )
        name = self.name + aggregation.suffix
        label = f"{self.label} ({aggregation.words})"
        return replace(self, name=name, label=label, aggregation=aggregation)


def _single(value: Any) -> Any:
    """Widen half precision, whose three digits no difference survives; leave anything else."""
    is_half = getattr(value, "is_floating_point", bool)() and value.element_size() < 4
    return value.float() if is_half else value
