"""The information dictionary of a PDF, as far as matplotlib writes it.

PDF 1.4 (ISO 32000-1, section 7.5): the end of the file names the offset of the cross-reference
table, the trailer behind it the number of the dictionary's object, the table that object's offset.
Files with a compressed table, which others write, are taken for files without such a dictionary.
"""

from __future__ import annotations

import re

__all__ = ["document_info"]

_STRING = rb"\((?:[^()\\]|\\.)*\)"
_ENTRY = re.compile(rb"/(\w+)\s*(" + _STRING + rb"|[^/>]+)", re.DOTALL)
_DICTIONARY = re.compile(rb"\s*<<((?:[^()>]|" + _STRING + rb")*)>>", re.DOTALL)


def document_info(content: bytes) -> dict[str, str]:
    r"""Texts of the information dictionary; empty where there is none that can be read.

    Texts are read as Latin-1 and with the escapes of backslash and parentheses undone.

    Raises
    ------
    ValueError
        If this is no PDF, or not all of one.
    """
    ends = re.findall(rb"startxref\s+(\d+)\s+%%EOF", content[-1024:])
    if not content.startswith(b"%PDF-") or not ends:
        raise ValueError("no PDF, or its end is missing")
    table = re.match(rb"xref\s+0 \d+\s+(.*?)trailer(.*)", content[int(ends[-1]) :], re.DOTALL)
    named = table and re.search(rb"/Info\s+(\d+)\s+0\s+R", table[2])
    if not table or not named:
        return {}
    offsets = re.findall(rb"^(\d{10}) \d{5} [nf]", table[1], re.MULTILINE)
    number = int(named[1])
    return _texts(content, number, int(offsets[number])) if number < len(offsets) else {}


def _texts(content: bytes, number: int, start: int) -> dict[str, str]:
    """Of an object that is a dictionary; none of one in a spelling that matplotlib does not use."""
    head = re.compile(rb"%d 0 obj" % number).match(content, start)
    if not head:
        raise ValueError("an object is not where the cross-reference table has it")
    found = _DICTIONARY.match(content, head.end())
    entries = _ENTRY.findall(found[1]) if found else []
    return {
        key.decode(): re.sub(rb"\\(.)", rb"\1", value[1:-1], flags=re.DOTALL).decode("latin-1")
        for key, value in entries
        if value.startswith(b"(")
    }
