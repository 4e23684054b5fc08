"""Phenomena of the verb phrase and the clause: verb forms, objects, gaps and licensing.

Every function draws one minimal pair. Where a single word makes the difference, each
choice is right as often as wrong; elsewhere both members consist of the same words.
"""

from itertools import permutations

from vilora_analysis.training.acceptability.draw import Draw, Pair, contrast, swap

_FORMS = ("base", "third", "participle", "gerund")
# Ways to give each right form a wrong one so that every form is wrong as often as right.
# The participle never replaces the present tense: it mostly is a fine past tense.
_WRONG_FORMS = tuple(
    wrong
    for wrong in permutations(_FORMS)
    if all(a != b for a, b in zip(_FORMS, wrong, strict=True)) and wrong[1] != "participle"
)


def verb_form(draw: Draw) -> Pair:
    """Contrast forms of the verb after an auxiliary, or without one.

    Examples
    --------
    >>> print(verb_form(Draw("train", 6)))
    The man has worn the dresses.
    *The man has wearing the dresses.
    """
    auxiliaries = {
        "base": ("can", "will", "could", "must", "should", "would", "did not", "does not"),
        "third": ("",),
        "participle": ("has", "had"),
        "gerund": ("is", "was"),
    }
    right = draw.one(_FORMS)
    wrong = draw.one(_WRONG_FORMS)[_FORMS.index(right)]
    # Some verbs that can go without their object have two: *was served the cake* is fine.
    verb, thing = draw.action(strict=right == "gerund", plural=draw.coin())
    frame = f"{draw.human()} {draw.one(auxiliaries[right])} {{}} the {thing}"
    return contrast(frame, getattr(verb, right), getattr(verb, wrong))


def irregular_participle(draw: Draw) -> Pair:
    """Contrast past tense and participle, alone or after *have*.

    Examples
    --------
    >>> print(irregular_participle(Draw("train", 1)))
    Rachel has written the poems.
    *Rachel has wrote the poems.
    """
    words = draw.words
    transitive = [(verb, kind) for verb, kind in words.strict + words.loose if verb.irregular]
    bare = [(verb, "") for verb in words.intransitive if verb.irregular]
    verb, kind = draw.one(transitive + bare)
    plural = draw.coin()
    subject = draw.human(plural)
    thing = f"the {draw.noun(words.kind(kind), draw.coin())}" if kind else ""
    if draw.coin():
        adverb = draw.one((*words.past, ""))
        return contrast(f"{subject} {{}} {thing} {adverb}", verb.past, verb.participle)
    perfect = draw.one(("had", "have" if plural else "has"))
    return contrast(f"{subject} {perfect} {{}} {thing}", verb.participle, verb.past)


def complement_form(draw: Draw) -> Pair:
    """Contrast infinitive and gerund after a verb that takes only one of them.

    Examples
    --------
    >>> print(complement_form(Draw("train", 7)))
    David finished selling the coats.
    *David finished to sell the coats.
    """
    words = draw.words
    verb, thing = draw.action(plural=draw.coin())
    right, wrong = f"to {verb.base}", verb.gerund
    infinitive = draw.coin()
    matrix = draw.one(words.infinitive if infinitive else words.gerund)
    frame = f"{draw.human(draw.coin())} {matrix.past} {{}} the {thing}"
    return contrast(frame, right, wrong) if infinitive else contrast(frame, wrong, right)


def transitivity(draw: Draw) -> Pair:
    """Contrast transitive and intransitive verbs, with an object or without.

    Examples
    --------
    >>> print(transitivity(Draw("train", 1)))
    The soldier laughed.
    *The soldier discussed.
    """
    transitive, thing = draw.action(strict=True, plural=draw.coin())
    intransitive = draw.one(draw.words.intransitive)
    subject = draw.human(draw.coin())
    if draw.coin():
        frame = f"{subject} {{}} the {thing} {draw.setting()}"
        return contrast(frame, transitive.past, intransitive.past)
    return contrast(f"{subject} {{}} {draw.setting()}", intransitive.past, transitive.past)


def passive(draw: Draw) -> Pair:
    """Contrast transitive and intransitive verbs in the passive or without an object.

    Examples
    --------
    >>> print(passive(Draw("train", 3)))
    The artists were thanked by James.
    *The artists were disappeared by James.
    """
    plural = draw.coin()
    transitive, thing = draw.action(strict=True, plural=plural)
    intransitive = draw.one(draw.words.intransitive)
    if draw.coin():
        frame = f"the {thing} {'were' if plural else 'was'} {{}} by {draw.human(draw.coin())}"
        return contrast(frame, transitive.participle, intransitive.participle)
    frame = f"{draw.human(plural)} had {{}} {draw.where()}"
    return contrast(frame, intransitive.participle, transitive.participle)


def filler_gap(draw: Draw) -> Pair:
    """Contrast *who* and *what*, which need a gap in their clause, with *that*.

    Examples
    --------
    >>> print(filler_gap(Draw("train", 3)))
    The singer knew who the neighbors invited.
    *The singer knew that the neighbors invited.
    """
    verb, kind = draw.one(draw.words.strict)
    wh = "who" if kind == "person" else "what"
    knowing = draw.one(draw.words.knowing)
    frame = f"{draw.human()} {knowing.past} {{}} {draw.human(draw.coin())} {verb.past}"
    if draw.coin():
        return contrast(frame, wh, "that")
    return contrast(f"{frame} the {draw.noun(draw.words.kind(kind), draw.coin())}", "that", wh)


def npi_any(draw: Draw) -> Pair:
    """Contrast *any* below a negation with *any* that no negation commands.

    Examples
    --------
    >>> print(npi_any(Draw("train", 4)))
    The students did not bring any blankets.
    *Any students did not bring the blankets.
    """
    people = draw.person(plural=True)
    verb, things = draw.action(plural=True)
    template = draw.one(("not", "no", "relative"))
    if template == "not":
        return swap(f"{{}} {people} did not {verb.base} {{}} {things}", "the", "any")
    if template == "no":
        return swap(f"{{}} {people} {verb.past} {{}} {things}", "no", "any")
    other, more = draw.action(plural=True)
    frame = f"{{}} {people} who {verb.past} {{}} {things} {other.past} any {more}"
    return swap(frame, "no", "the")


def npi_ever(draw: Draw) -> Pair:
    """Contrast *ever* below a negative subject with *ever* that none commands.

    Examples
    --------
    >>> print(npi_ever(Draw("train", 6)))
    Few teachers have ever worn the dresses.
    *The teachers have ever worn few dresses.
    """
    quantifier = draw.one(("no", "few"))
    plural = quantifier == "few" or draw.coin()
    have, person = "have" if plural else "has", draw.person(plural)
    if draw.coin():
        verb, thing = draw.action(plural=plural)
        return swap(f"{{}} {person} {have} ever {verb.participle} {{}} {thing}", quantifier, "the")
    other, verb = draw.person(plural), draw.verb_of("person")
    rest = f"{have} ever {draw.one(draw.words.intransitive).participle}"
    return swap(f"{{}} {person} that {{}} {other} {verb.past} {rest}", quantifier, "the")


def many_much(draw: Draw) -> Pair:
    """Contrast *many* with count nouns and *much* with mass nouns.

    Examples
    --------
    >>> print(many_much(Draw("train", 0)))
    The dancer did not buy much rice.
    *The dancer did not buy many rice.
    """
    words = draw.words
    verb = draw.one(words.quantity)
    verb_phrase = draw.one((f"{verb.past} too", f"{verb.past} so", f"did not {verb.base}"))
    frame = f"{draw.human(draw.coin())} {verb_phrase} {{}}"
    if draw.coin():
        return contrast(f"{frame} {draw.noun(words.portable, plural=True)}", "many", "much")
    return contrast(f"{frame} {draw.noun(words.kind('mass'))}", "much", "many")


def existential_quantifier(draw: Draw) -> Pair:
    """Contrast indefinite and universal noun phrases in a *there*-sentence.

    Examples
    --------
    >>> print(existential_quantifier(Draw("train", 1)))
    There is a teacher in each shop.
    *There is each teacher in a shop.
    """
    words = draw.words
    be, universal = draw.one(("is", "was")), draw.one(("every", "each"))
    # *An* would differ from *a* when the two determiners change places.
    first, place = (
        draw.noun([noun for noun in nouns if noun.singular[0] not in "aeiou"])
        for nouns in (words.kind(draw.one(("person", "portable"))), words.places)
    )
    frame = f"there {be} {{}} {first} {draw.one(('in', 'near'))} {{}} {place}"
    return swap(frame, "a", universal)
