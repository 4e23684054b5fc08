"""Regular English inflection for the words of the grammar.

Only as much morphology as the lexicon needs: irregular forms are written out in the
lexicon, so the rules here cover regular nouns and verbs.
"""

import re
from dataclasses import dataclass

_SIBILANT = re.compile(r"(s|x|z|ch|sh)$")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")
_SHORT_SYLLABLE = re.compile(r"^[^aeiou]*[aeiou][bdgklmnprt]$")
# Longer verbs that double their last consonant because it closes a stressed syllable.
_DOUBLING = frozenset({"admit", "begin"})


@dataclass(frozen=True)
class Noun:
    """A noun with its two forms; a mass noun has the same form twice.

    Attributes
    ----------
    singular, plural
        The forms as written.
    """

    singular: str
    plural: str

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form of the noun."""
        return (self.singular, self.plural)

    def form(self, plural: bool) -> str:
        """Return the plural form or the singular one."""
        return self.plural if plural else self.singular


@dataclass(frozen=True)
class Verb:
    """A verb with its five forms.

    Attributes
    ----------
    base, third, past, participle, gerund
        The forms as written: *write, writes, wrote, written, writing*.
    """

    base: str
    third: str
    past: str
    participle: str
    gerund: str

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form of the verb."""
        return (self.base, self.third, self.past, self.participle, self.gerund)

    @property
    def irregular(self) -> bool:
        """Whether the past tense and the past participle are different words."""
        return self.past != self.participle


def _add_s(word: str) -> str:
    if _CONSONANT_Y.search(word):
        return word[:-1] + "ies"
    return word + ("es" if _SIBILANT.search(word) else "s")


def noun(entry: str) -> Noun:
    """Build a noun from ``singular`` or ``singular:plural``.

    Examples
    --------
    >>> noun("story").plural, noun("man:men").plural
    ('stories', 'men')
    """
    singular, _, plural = entry.partition(":")
    return Noun(singular, plural or _add_s(singular))


def verb(entry: str) -> Verb:
    """Build a verb from ``base``, ``base:past`` or ``base:past:participle``.

    Examples
    --------
    >>> verb("carry").forms
    ('carry', 'carries', 'carried', 'carried', 'carrying')
    >>> verb("write:wrote:written").forms
    ('write', 'writes', 'wrote', 'written', 'writing')
    """
    base, *irregular = entry.split(":")
    doubled = base in _DOUBLING or _SHORT_SYLLABLE.match(base)
    stem = base + base[-1] if doubled else base
    if base.endswith("e"):
        regular = base + "d"
    elif _CONSONANT_Y.search(base):
        regular = base[:-1] + "ied"
    else:
        regular = stem + "ed"
    gerund = (stem[:-1] if re.search(r"[^eoy]e$", base) else stem) + "ing"
    past = irregular[0] if irregular else regular
    third = {"go": "goes"}.get(base, _add_s(base))
    return Verb(base, third, past, irregular[1] if len(irregular) > 1 else past, gerund)
