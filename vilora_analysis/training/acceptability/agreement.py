"""Phenomena of agreement: subject and verb, determiner and noun, antecedent and anaphor.

Every function draws one minimal pair. The number, the gender or the determiner that makes
the first member acceptable is drawn evenly, so each form is right as often as wrong.
"""

from vilora_analysis.training.acceptability.draw import GENDERS, Draw, Gender, Pair, contrast

REFLEXIVE: dict[Gender, str] = {"female": "herself", "male": "himself"}


def _other(gender: Gender) -> Gender:
    return GENDERS[1 - GENDERS.index(gender)]


def _finite_verb(draw: Draw, person: bool) -> tuple[str, str, str]:
    """Draw a predicate: its singular form, its plural form, and the rest."""
    words = draw.words
    adjective = draw.one(words.human_adjectives if person else words.thing_adjectives)
    verb = draw.one(words.intransitive)
    predicates = [("is", "are", adjective), ("was", "were", adjective)]
    if person:
        predicates += [
            ("has", "have", verb.participle),
            (verb.third, verb.base, draw.one(words.habitual)),
        ]
    return draw.one(predicates)


def _agreement(draw: Draw, subject: str, plural: bool, person: bool) -> Pair:
    singular_verb, plural_verb, rest = _finite_verb(draw, person)
    forms = (plural_verb, singular_verb) if plural else (singular_verb, plural_verb)
    return contrast(f"{subject} {{}} {rest}", *forms)


def agreement_across_phrase(draw: Draw) -> Pair:
    """Contrast verbs after a subject whose last noun is not its head.

    Examples
    --------
    >>> print(agreement_across_phrase(Draw("train", 1)))
    The husband behind the dancers was brave.
    *The husband behind the dancers were brave.
    """
    person, plural, attractor_plural = draw.coin(), draw.coin(), draw.coin()
    words = draw.words
    head = draw.person(plural) if person else draw.noun(words.portable, plural)
    near = words.kind("person") if person else words.portable
    attractor = draw.noun(near, attractor_plural)
    preposition = draw.one(("near", "behind", "beside"))
    return _agreement(draw, f"the {head} {preposition} the {attractor}", plural, person)


def agreement_across_relative(draw: Draw) -> Pair:
    """Contrast verbs after a subject with a relative clause.

    Examples
    --------
    >>> print(agreement_across_relative(Draw("train", 0)))
    The shirts that the nurse handled were old.
    *The shirts that the nurse handled was old.
    """
    plural = draw.coin()
    if draw.coin():
        verb, thing = draw.action(plural=draw.coin())
        subject = f"the {draw.person(plural)} who {verb.past} the {thing}"
        return _agreement(draw, subject, plural, person=True)
    person = draw.coin()
    kind = "person" if person else "portable"
    verb = draw.verb_of(kind)
    head = draw.noun(draw.words.kind(kind), plural)
    clause = f"that the {draw.person(draw.coin())} {verb.past}"
    return _agreement(draw, f"the {head} {clause}", plural, person)


def determiner_noun_agreement(draw: Draw) -> Pair:
    """Contrast a noun with demonstratives of either number, an adjective between or not.

    Examples
    --------
    >>> print(determiner_noun_agreement(Draw("train", 6)))
    Susan grabbed this heavy letter.
    *Susan grabbed these heavy letter.
    """
    plural = draw.coin()
    adjective = draw.one((draw.one(draw.words.thing_adjectives), ""))
    verb = draw.verb_of("portable")
    noun = draw.new(draw.words.portable)
    determiners = draw.one((("this", "these"), ("that", "those")))
    frame = f"{draw.human()} {verb.past} {{}} {draw.setting()}"
    right = f"{determiners[plural]} {adjective} {noun.form(plural)}"
    if draw.coin():
        return contrast(frame, right, f"{determiners[not plural]} {adjective} {noun.form(plural)}")
    return contrast(frame, right, f"{determiners[plural]} {adjective} {noun.form(not plural)}")


def quantifier_noun_agreement(draw: Draw) -> Pair:
    """Contrast singular *every* and *each* with plural *several* and *three*.

    Examples
    --------
    >>> print(quantifier_noun_agreement(Draw("train", 6)))
    Every teacher vanished.
    *Several teacher vanished.
    """
    plural = draw.coin()
    right, wrong = draw.one(("every", "each")), draw.one(("several", "three"))
    if plural:
        right, wrong = wrong, right
    if draw.coin():
        verb = draw.one(draw.words.intransitive)
        frame = f"{{}} {draw.person(plural)} {verb.past} {draw.setting()}"
    else:
        verb = draw.verb_of("portable")
        noun = draw.noun(draw.words.portable, plural)
        frame = f"{draw.human()} {verb.past} {{}} {noun} {draw.setting()}"
    return contrast(frame, right, wrong)


def existential_agreement(draw: Draw) -> Pair:
    """Contrast verbs in a *there*-sentence, which agree with what follows them.

    Examples
    --------
    >>> print(existential_agreement(Draw("train", 6)))
    There is a student in the school.
    *There are a student in the school.
    """
    plural = draw.coin()
    right, wrong = draw.one((("is", "are"), ("was", "were")))
    if plural:
        right, wrong = wrong, right
    noun = draw.person(plural) if draw.coin() else draw.noun(draw.words.portable, plural)
    article = "an" if noun[0] in "aeiou" else "a"
    determiner = draw.one(("two", "several", "many") if plural else ("one", article))
    return contrast(f"there {{}} {determiner} {noun} {draw.where()}", right, wrong)


def anaphor_number(draw: Draw) -> Pair:
    """Contrast reflexives that agree in number with their antecedent or do not.

    Examples
    --------
    >>> print(anaphor_number(Draw("train", 3)))
    The aunts protected themselves in the kitchen.
    *The aunts protected herself in the kitchen.
    """
    gender, plural = draw.one(GENDERS), draw.coin()
    subject = draw.gendered_noun(gender, plural=True) if plural else draw.gendered(gender)
    right, wrong = REFLEXIVE[gender], "themselves"
    if plural:
        right, wrong = wrong, right
    verb = draw.one(draw.words.reflexive)
    return contrast(f"{subject} {verb.past} {{}} {draw.setting()}", right, wrong)


def anaphor_gender(draw: Draw) -> Pair:
    """Contrast reflexives that agree in gender with their antecedent or do not.

    Examples
    --------
    >>> print(anaphor_gender(Draw("train", 3)))
    The mother hurt herself in the kitchen.
    *The mother hurt himself in the kitchen.
    """
    gender = draw.one(GENDERS)
    verb = draw.one(draw.words.reflexive)
    frame = f"{draw.gendered(gender)} {verb.past} {{}} {draw.setting()}"
    return contrast(frame, REFLEXIVE[gender], REFLEXIVE[_other(gender)])


def reflexive_locality(draw: Draw) -> Pair:
    """Contrast reflexives bound by the subject of their clause or by another noun (principle A).

    Examples
    --------
    >>> print(reflexive_locality(Draw("train", 0)))
    The uncle believed that the aunt hurt herself.
    *The uncle believed that the aunt hurt himself.
    """
    gender = draw.one(GENDERS)
    other = draw.gendered(_other(gender))
    if draw.coin():
        subject = f"{other} {draw.one(draw.words.saying).past} that {draw.gendered(gender)}"
    else:
        # Here the noun phrase that may not bind the reflexive is the nearer one.
        subject = f"{draw.gendered_noun(gender)} who {draw.verb_of('person').past} {other}"
    frame = f"{subject} {draw.one(draw.words.reflexive).past} {{}}"
    return contrast(frame, REFLEXIVE[gender], REFLEXIVE[_other(gender)])


def pronoun_case(draw: Draw) -> Pair:
    """Contrast nominative and accusative pronouns as subject or object.

    Examples
    --------
    >>> print(pronoun_case(Draw("train", 0)))
    The dancer supported him again.
    *The dancer supported he again.
    """
    nominative, accusative = draw.one(
        (("he", "him"), ("she", "her"), ("they", "them"), ("we", "us"), ("I", "me"))
    )
    verb = draw.verb_of("person")
    other = draw.human(draw.coin())
    if draw.coin():
        return contrast(f"{{}} {verb.past} {other} {draw.setting()}", nominative, accusative)
    return contrast(f"{other} {verb.past} {{}} {draw.setting()}", accusative, nominative)
