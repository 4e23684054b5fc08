"""Drawing words for one minimal pair, and the pair itself."""

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple, TypeVar

from vilora_analysis.training.acceptability.inflection import Noun, Verb
from vilora_analysis.training.acceptability.lexicon import LEXICONS, Split

Gender = Literal["female", "male"]
T = TypeVar("T")
Word = TypeVar("Word", Noun, str)

GENDERS: tuple[Gender, Gender] = ("female", "male")


class Pair(NamedTuple):
    """Two sentences that differ in one point of grammar.

    Attributes
    ----------
    acceptable, unacceptable
        The sentences, capitalised and with their full stop.
    """

    acceptable: str
    unacceptable: str

    def __str__(self) -> str:
        """Show the pair as linguists do, the unacceptable member with an asterisk."""
        return f"{self.acceptable}\n*{self.unacceptable}"


def sentence(text: str) -> str:
    """Tidy the spaces, begin with a capital and end with a full stop.

    Examples
    --------
    >>> sentence("the girl  has smiled ")
    'The girl has smiled.'
    """
    words = " ".join(text.split())
    return words[0].upper() + words[1:] + "."


def contrast(frame: str, good: str, bad: str) -> Pair:
    """Fill the one gap of ``frame`` with either ``good`` or ``bad``.

    Examples
    --------
    >>> print(contrast("the girls {} proud", "are", "is"))
    The girls are proud.
    *The girls is proud.
    """
    return Pair(sentence(frame.format(good)), sentence(frame.format(bad)))


def swap(frame: str, first: str, second: str) -> Pair:
    """Fill the two gaps of ``frame`` in this order, or exchanged in the other member.

    Both members consist of the same words, so only their order tells them apart.

    Examples
    --------
    >>> print(swap("{} girl has ever met {} king", "no", "the"))
    No girl has ever met the king.
    *The girl has ever met no king.
    """
    return Pair(sentence(frame.format(first, second)), sentence(frame.format(second, first)))


class Draw:
    """A random source of words from the lexicon of one split.

    No noun or name is drawn twice, so make a new one for each pair.

    Parameters
    ----------
    split
        The split whose words to use.
    seed
        What decides the draws; the same on every platform.
    """

    def __init__(self, split: Split, seed: int | str) -> None:
        self.words = LEXICONS[split]
        # A string is seeded through SHA-512, whatever the hash seed of the process.
        self._random = Random(f"{split}/{seed}")
        self._used: set[Noun | str] = set()

    def one(self, items: Sequence[T]) -> T:
        """Draw one of ``items``; only ``random()`` is promised to be stable over versions."""
        return items[int(self._random.random() * len(items))]

    def coin(self) -> bool:
        """Draw true or false, equally likely."""
        return self._random.random() < 0.5

    def new(self, words: Sequence[Word]) -> Word:
        """Draw one of ``words`` that was not drawn before."""
        word = self.one([word for word in words if word not in self._used])
        self._used.add(word)
        return word

    def noun(self, nouns: Sequence[Noun], plural: bool = False) -> str:
        """Draw a noun that was not drawn before, and return its form."""
        return self.new(nouns).form(plural)

    def person(self, plural: bool = False) -> str:
        """Draw a noun for a person."""
        return self.noun(self.words.kind("person"), plural)

    def name(self, gender: Gender) -> str:
        """Draw a first name."""
        words = self.words
        return self.new(words.female_names if gender == "female" else words.male_names)

    def gendered_noun(self, gender: Gender, plural: bool = False) -> str:
        """Draw ``the`` with a noun for a woman or for a man."""
        nouns = self.words.women if gender == "female" else self.words.men
        return f"the {self.noun(nouns, plural)}"

    def gendered(self, gender: Gender) -> str:
        """Draw a noun phrase for a woman or for a man: a name, or ``the`` with a noun."""
        return self.name(gender) if self.coin() else self.gendered_noun(gender)

    def human(self, plural: bool = False) -> str:
        """Draw a noun phrase for a person: ``the`` with a noun, or at times a name."""
        if not plural and self.one((True, False, False)):
            return self.name(self.one(GENDERS))
        return "the " + self.person(plural)

    def verb_of(self, kind: str) -> Verb:
        """Draw a verb that needs an object of this kind."""
        return self.one([verb for verb, listed in self.words.strict if listed == kind])

    def action(self, strict: bool = False, plural: bool = False) -> tuple[Verb, str]:
        """Draw a verb and a noun that fits as its object.

        Parameters
        ----------
        strict
            Whether the verb must be one that never goes without an object.
        plural
            The number of the noun.
        """
        words = self.words
        verb, kind = self.one(words.strict if strict else words.strict + words.loose)
        return verb, self.noun(words.kind(kind), plural)

    def where(self) -> str:
        """Draw a place: ``in the`` with a noun."""
        return f"in the {self.noun(self.words.places)}"

    def setting(self) -> str:
        """Draw a place, an adverb for the past tense, or nothing."""
        return self.one((self.where(), self.one(self.words.past), ""))
