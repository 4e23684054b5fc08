"""The progress bar of everything that takes long."""

from __future__ import annotations

import sys
from typing import Any

from vilora_analysis.errors import require
from vilora_analysis.text import inert

__all__ = ["progress_bar"]


def progress_bar(total: int, *, desc: str, unit: str, show: bool, initial: int = 0) -> Any:
    """Bar on standard error, as wide as the terminal; a context, and silent if not shown.

    It may bear the name of a folder, which steers no terminal: what cannot be seen is spelled out.
    """
    tqdm = require("tqdm", extra="train")
    return tqdm.tqdm(
        total=total,
        initial=initial,
        desc=inert(desc),
        unit=unit,
        disable=not show,
        file=sys.stderr,
        mininterval=0.5,
        dynamic_ncols=True,
    )
