"""Provenance as each kind of file takes it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from vilora_analysis.provenance.current import current

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COMMENT", "KEY", "comment", "figure_metadata", "footer", "with_provenance"]

KEY = "vilora"
"""Name of the text in a PNG and of the entry in the metadata of a Parquet schema."""
COMMENT = "vilora-provenance"
"""What stands before the record in a text file."""


def figure_metadata(kind: str) -> dict[str, Any] | None:
    """``metadata=`` for :meth:`matplotlib.figure.Figure.savefig`; None for a kind that takes none.

    A PNG carries the record as text ``vilora``, a PDF as Keywords, an SVG as Description: the keys
    that matplotlib lets through. A PDF's CreationDate and an SVG's Date are the record's.

    Parameters
    ----------
    kind
        Suffix of the file, without its dot.
    """
    made = current()
    creator = f"vilora_analysis {made.version}"
    time = datetime.fromisoformat(made.created) if made.created else None
    if kind == "png":
        return {KEY: made.to_json()}
    if kind == "pdf":
        dated = {"CreationDate": time} if time else {}
        return {"Keywords": made.to_json(), "Creator": creator, **dated}
    if kind == "svg":
        dated = {"Date": time} if time else {}
        return {"Description": made.to_json(), "Creator": creator, **dated}
    return None


def with_provenance(schema: pa.Schema) -> pa.Schema:
    """Arrow schema that carries the record beside its other metadata, as ``vilora``."""
    return schema.with_metadata({**(schema.metadata or {}), KEY: current().to_json()})


def comment() -> str:
    """The record for a comment of a text file (Markdown, HTML, LaTeX); one line, without marks.

    It holds no angle brackets, so it cannot end an HTML comment; it is to be the last of its kind
    in the file, since the last is read.
    """
    return f"{COMMENT} {current().to_json()}"


def footer() -> str:
    """End of a Markdown page: the provenance for people, and as a comment for programs."""
    code = "\n".join(f"    {line}" for line in current().lines())  # where nothing is markup
    return f"\n---\n\n{code}\n\n<!-- {comment()} -->\n"
