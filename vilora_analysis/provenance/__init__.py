"""Where a file came from, carried in the file itself: the runs, the version, the command.

Whoever writes says nothing; it is said around the writing::

    with provenance.recorded(references(runs)):
        figures.save(figure, "fig1")

and asked of the file with :func:`read_provenance` or ``vilora provenance fig1.pdf``.
"""

from vilora_analysis.provenance.current import current, recorded, writing_as
from vilora_analysis.provenance.embedding import comment, figure_metadata, footer, with_provenance
from vilora_analysis.provenance.reading import read_provenance
from vilora_analysis.provenance.record import Provenance, RunReference

__all__ = [
    "Provenance",
    "RunReference",
    "comment",
    "current",
    "figure_metadata",
    "footer",
    "read_provenance",
    "recorded",
    "with_provenance",
    "writing_as",
]
