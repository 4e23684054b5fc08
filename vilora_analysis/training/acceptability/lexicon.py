"""The words of the grammar, in two lists that share no content word.

Each split has its own nouns, verbs, adjectives, adverbs and names, so a model that does
well on the validation split has learnt something about the constructions and not about
the words. Closed-class words (determiners, auxiliaries, pronouns, prepositions, ...) are
shared. Verbs are listed under the kind of noun they take as object, which keeps the
sentences plausible.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from vilora_analysis.training.acceptability.inflection import Noun, Verb, noun, verb

Split = Literal["train", "validation"]


def _words(entries: str) -> tuple[str, ...]:
    return tuple(entries.split())


#: Determiners, pronouns, auxiliaries, prepositions, conjunctions and the like.
CLOSED_CLASS: frozenset[str] = frozenset(
    _words(
        "a an one the this that these those no few any every each several many much too so two "
        "three not ever there by in near behind beside to is are was were has have had can could "
        "will would must should did does i me he him she her they them we us who what himself "
        "herself themselves"
    )
)


@dataclass(frozen=True)
class Lexicon:
    """The content words of one split.

    Attributes
    ----------
    women, men, people
        Nouns for persons: of female, male and either gender.
    female_names, male_names
        First names.
    things
        Nouns by kind (``goods``, ``device``, ``text``, ``food``, ...).
    places
        Nouns that go with *in the*.
    human_adjectives, thing_adjectives
        Adjectives for persons and for things.
    strict
        Verbs that need their object, with the kind of noun it must be.
    loose
        Verbs that take an object but may do without, with its kind.
    intransitive
        Verbs that never take an object.
    reflexive
        Verbs that read well with *himself* or *herself*.
    quantity
        Verbs that read well with both *many cups* and *much water*.
    saying, knowing
        Verbs with a *that*-clause; those of ``knowing`` take a *wh*-clause, too.
    infinitive, gerund
        Verbs that take *to write* only, and *writing* only.
    habitual, past
        Adverbs for the present and for the past tense.
    """

    women: tuple[Noun, ...]
    men: tuple[Noun, ...]
    people: tuple[Noun, ...]
    female_names: tuple[str, ...]
    male_names: tuple[str, ...]
    things: Mapping[str, tuple[Noun, ...]]
    places: tuple[Noun, ...]
    human_adjectives: tuple[str, ...]
    thing_adjectives: tuple[str, ...]
    strict: tuple[tuple[Verb, str], ...]
    loose: tuple[tuple[Verb, str], ...]
    intransitive: tuple[Verb, ...]
    reflexive: tuple[Verb, ...]
    quantity: tuple[Verb, ...]
    saying: tuple[Verb, ...]
    knowing: tuple[Verb, ...]
    infinitive: tuple[Verb, ...]
    gerund: tuple[Verb, ...]
    habitual: tuple[str, ...]
    past: tuple[str, ...]

    @property
    def portable(self) -> tuple[Noun, ...]:
        """Nouns for things that one can carry about."""
        return tuple(n for kind in ("goods", "device", "text", "clothing") for n in self.kind(kind))

    def kind(self, kind: str) -> tuple[Noun, ...]:
        """Return the nouns a verb listed under ``kind`` takes as its object."""
        if kind == "person":
            return self.women + self.men + self.people
        return self.portable if kind == "portable" else self.things[kind]

    def forms(self) -> frozenset[str]:
        """Return every form of every word, in lower case."""
        values = [getattr(self, field.name) for field in fields(self)]
        return frozenset(form.lower() for value in values for form in _forms(value))


def _forms(value: object) -> Iterator[str]:
    """Walk a field of the lexicon down to the forms; kinds of noun are no words."""
    if isinstance(value, Noun | Verb):
        yield from value.forms
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _forms(item)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Verb):
        yield from value[0].forms
    elif isinstance(value, tuple):
        for item in value:
            yield from _forms(item)


def _nouns(entries: str) -> tuple[Noun, ...]:
    return tuple(noun(entry) for entry in _words(entries))


def _verbs(entries: str) -> tuple[Verb, ...]:
    return tuple(verb(entry) for entry in _words(entries))


def _with_object(**entries: str) -> tuple[tuple[Verb, str], ...]:
    return tuple((verb(entry), kind) for kind, words in entries.items() for entry in _words(words))


def _things(*, drink: str, mass: str, **entries: str) -> Mapping[str, tuple[Noun, ...]]:
    uncounted = {"drink": drink, "mass": f"{drink} {mass}"}
    return {kind: _nouns(words) for kind, words in entries.items()} | {
        kind: tuple(Noun(word, word) for word in _words(words)) for kind, words in uncounted.items()
    }


TRAIN = Lexicon(
    women=_nouns("woman:women girl queen mother aunt wife:wives actress"),
    men=_nouns("man:men boy king father uncle husband actor"),
    people=_nouns(
        "teacher doctor student lawyer singer writer farmer driver nurse artist soldier clerk "
        "neighbor friend guest child:children player worker engineer scientist dancer painter "
        "reporter leader"
    ),
    female_names=_words("Mary Anna Sarah Emma Alice Laura Julia Helen Susan Linda Rachel"),
    male_names=_words("John David Peter Thomas James Robert Paul George Henry Daniel Eric"),
    things=_things(
        goods="box key cup bottle basket bag mirror blanket ball toy coin plate knife:knives",
        device="camera clock lamp guitar radio computer",
        text="book letter report poem magazine",
        clothing="coat hat shirt dress shoe",
        food="cake apple sandwich cookie potato:potatoes egg",
        song="song tune",
        vehicle="car truck bus van",
        drink="water milk tea",
        mass="bread sugar rice money sand salt meat",
    ),
    places=_nouns("garden kitchen park school office hotel library station theater shop"),
    human_adjectives=_words("tired happy angry hungry rich proud brave famous busy clever"),
    thing_adjectives=_words("old new small heavy expensive beautiful cheap red blue dirty"),
    strict=_with_object(
        person="thank admire invite protect blame accuse support",
        portable="carry handle grab identify select",
        device="repair damage",
        text="describe discuss",
        clothing="wear:wore:worn",
    ),
    loose=_with_object(
        person="visit help hire praise see:saw:seen meet:met",
        portable="find:found buy:bought bring:brought sell:sold clean steal:stole:stolen "
        "draw:drew:drawn take:took:taken",
        device="break:broke:broken",
        text="publish write:wrote:written tear:tore:torn",
        song="sing:sang:sung",
        food="eat:ate:eaten serve",
        vehicle="drive:drove:driven",
        drink="drink:drank:drunk",
    ),
    intransitive=_verbs(
        "sleep:slept arrive smile laugh cough disappear cry wait vanish sigh nod fall:fell:fallen"
    ),
    reflexive=_verbs("hurt:hurt blame admire praise protect help describe introduce love"),
    quantity=_verbs("buy:bought find:found use bring:brought take:took:taken want need"),
    saying=_verbs("say:said think:thought claim believe"),
    knowing=_verbs("know:knew:known remember discover learn notice explain"),
    infinitive=_verbs("hope decide plan agree refuse promise want"),
    gerund=_verbs("enjoy avoid finish deny consider"),
    habitual=("often", "regularly"),
    past=("again", "recently", "once", "afterwards"),
)

VALIDATION = Lexicon(
    women=_nouns("sister daughter princess lady widow"),
    men=_nouns("brother son prince lord gentleman:gentlemen"),
    people=_nouns(
        "judge pilot officer author poet chef guard tourist captain professor musician journalist "
        "sailor editor"
    ),
    female_names=_words("Lisa Karen Maria Amy Jane Ruth Ellen"),
    male_names=_words("Michael William Simon Andrew Martin Adam Steven"),
    things=_things(
        goods="bowl candle pen wallet bucket sword ladder ticket pillow",
        device="phone laptop printer drum",
        text="novel article essay map",
        clothing="jacket skirt sweater",
        food="pie pizza banana tomato:tomatoes",
        crop="banana tomato:tomatoes",
        vehicle="bicycle horse motorcycle",
        drink="coffee wine juice soup",
        mass="butter gold flour cheese",
    ),
    places=_nouns("museum forest village church airport hospital restaurant castle"),
    human_adjectives=_words("sad nervous young lonely honest strong jealous calm"),
    thing_adjectives=_words("large green dark ugly tiny strange modern ancient"),
    strict=_with_object(
        person="greet rescue ignore contact convince",
        portable="acquire remove receive retrieve destroy discard",
        device="fix",
        text="mention complete",
    ),
    loose=_with_object(
        person="forgive:forgave:forgiven watch punish defend",
        portable="lift borrow choose:chose:chosen throw:threw:thrown shake:shook:shaken",
        text="edit translate begin:began:begun",
        food="bake freeze:froze:frozen",
        crop="grow:grew:grown",
        vehicle="ride:rode:ridden",
    ),
    intransitive=_verbs(
        "rise:rose:risen kneel:knelt listen pray hesitate complain apologize struggle stay"
    ),
    reflexive=_verbs("defend forgive:forgave:forgiven punish watch respect injure"),
    quantity=_verbs("order receive keep:kept waste"),
    saying=_verbs("suspect announce argue insist"),
    knowing=_verbs("realize understand:understood hear:heard guess reveal"),
    infinitive=_verbs("expect manage pretend offer wish"),
    gerund=_verbs("resist recommend suggest imagine"),
    habitual=("frequently", "constantly"),
    past=("later", "suddenly", "eventually"),
)

LEXICONS: Mapping[Split, Lexicon] = {"train": TRAIN, "validation": VALIDATION}
