"""What to do when a log cannot be written."""

from __future__ import annotations

import errno

__all__ = ["reason", "remedy", "without_step"]

_FULL = "free some space on that disk, or write the run to another one"
_DENIED = "make the folder writable for this process, or write the run elsewhere"
_GONE = "put the folder back where it was; a run must not be deleted or renamed while it is written"
_BY_NUMBER = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "free some of your quota on that disk, or write the run to another one",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or write smaller parts by a "
    "smaller flush_seconds",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.ESTALE: _GONE,
    errno.EMFILE: "raise the limit on open files (ulimit -n), or close some",
    errno.EIO: "look after that disk, or write the run to another one",
}


def remedy(error: BaseException) -> str:
    """Remedy for an error of writing, by the system's error at its root.

    Examples
    --------
    >>> remedy(OSError(28, "No space left on device"))
    'free some space on that disk, or write the run to another one'
    """
    root = _root(error)
    number = root.errno if root is not None else None
    return _BY_NUMBER.get(number or 0, "mend that, or write the run elsewhere")


def reason(error: BaseException) -> str:
    """Why, in a few words.

    Examples
    --------
    >>> reason(OSError(28, "No space left on device"))
    'No space left on device'
    """
    root = _root(error)
    return str(error) if root is None else root.strerror or str(root)


def without_step(error: BaseException) -> str:
    """What to say once when a step has no numbers, and training goes on."""
    return (
        f"{error}. Training goes on: the step is left out of the log, and so are later ones like "
        "it; run.json names them."
    )


def _root(error: BaseException) -> OSError | None:
    root: BaseException | None = error
    while root is not None and not isinstance(root, OSError):
        root = root.__cause__
    return root
