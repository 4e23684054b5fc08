"""The phenomena by name."""

from collections.abc import Callable, Mapping

from vilora_analysis.training.acceptability import agreement, clauses
from vilora_analysis.training.acceptability.draw import Draw, Pair

Phenomenon = Callable[[Draw], Pair]

#: Each phenomenon under the name of the function that draws its pairs.
PHENOMENA: Mapping[str, Phenomenon] = {
    phenomenon.__name__: phenomenon
    for phenomenon in (
        agreement.agreement_across_phrase,
        agreement.agreement_across_relative,
        agreement.determiner_noun_agreement,
        agreement.quantifier_noun_agreement,
        agreement.existential_agreement,
        agreement.anaphor_number,
        agreement.anaphor_gender,
        agreement.reflexive_locality,
        agreement.pronoun_case,
        clauses.verb_form,
        clauses.irregular_participle,
        clauses.complement_form,
        clauses.transitivity,
        clauses.passive,
        clauses.filler_gap,
        clauses.npi_any,
        clauses.npi_ever,
        clauses.many_much,
        clauses.existential_quantifier,
    )
}

#: What a small encoder learns in some hundred steps. The others take it several times as long:
#: they turn on the number of a distant noun, or on an antecedent.
CORE: tuple[str, ...] = (
    "agreement_across_phrase",
    "determiner_noun_agreement",
    "existential_agreement",
    "anaphor_number",
    "anaphor_gender",
    "pronoun_case",
    "verb_form",
    "irregular_participle",
    "complement_form",
    "transitivity",
    "passive",
    "npi_any",
    "npi_ever",
    "existential_quantifier",
)


def phenomena() -> tuple[str, ...]:
    """Return the names of the phenomena, in the order in which they are balanced.

    Returns
    -------
    tuple of str
        The values of the ``phenomenon`` column.
    """
    return tuple(PHENOMENA)
