"""The acceptability task: telling grammatical English sentences from ungrammatical ones.

A small grammar writes minimal pairs: two sentences that differ in one point of grammar,
one acceptable (label 1) and one not (label 0). Their phenomena come from the literature on
syntax; `Warstadt et al. (2020) <https://arxiv.org/abs/1912.00582>`_ give the inventory
that the choice follows, while grammar and words are this package's own.

Nothing but grammar tells the members of a pair apart. Each form (*is*, *himself*,
*these*, ...) is right as often as wrong, so counting words does not help, and the
validation sentences share no content word with the training sentences, so learning words
by heart does not help either.

Use it when no data can be downloaded, or when a run must be small and reproducible:

>>> data = generate(train_rows=38, dev_rows=38, seed=1)
>>> list(data["train"].columns)
['sentence', 'label', 'phenomenon', 'pair', 'idx']
"""

from vilora_analysis.training.acceptability.generate import generate
from vilora_analysis.training.acceptability.phenomena import CORE, phenomena

__all__ = ["CORE", "generate", "phenomena"]
