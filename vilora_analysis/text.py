"""Text from files that anybody may have written, made safe to show."""

from __future__ import annotations

__all__ = ["inert"]


def inert(text: object) -> str:
    r"""Text that steers no terminal: what cannot be seen is spelled out.

    Names of runs and modules, labels and settings come from files that anybody may have written.

    Examples
    --------
    >>> print(inert("|μ|/σ of \x1b[2J\x07a"))
    |μ|/σ of \x1b[2J\x07a
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in str(text)
    )
