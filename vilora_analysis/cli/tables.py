"""Tables as files: Parquet for programs, CSV for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["write_table"]


def write_table(frame: pd.DataFrame, path: Path) -> list[Path]:
    """Write a frame under a name without suffix, and give the files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(f"{path.name}.{suffix}") for suffix in ("parquet", "csv")]
    frame.to_parquet(written[0], index=False)
    frame.to_csv(written[1], index=False, float_format="%.6g")
    return written
