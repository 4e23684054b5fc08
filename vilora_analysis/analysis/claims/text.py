"""The sheet as text: for a terminal, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from vilora_analysis.analysis.claims.paper import CLAIMS

__all__ = ["claims_markdown", "claims_text", "claims_verdict"]

_SAID = ["task", "why", "remark", "remedy"]
_WORDS = ("supported", "not supported", "underpowered", "not testable")


def claims_text(frame: pd.DataFrame) -> str:
    """The sheet in plain lines: each claim in the paper's words, then its tests.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.claims` gives it.
    """
    return "\n".join([*_lines(frame), "", *_notes(frame), claims_verdict(frame)])


def claims_markdown(frame: pd.DataFrame) -> str:
    """The sheet as Markdown, a table a claim.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.claims` gives it.
    """
    head = ["# Claims sheet", "", claims_verdict(frame), ""]
    return "\n".join([*head, *_tables(frame), *(f"- {note}" for note in _notes(frame)), ""])


def claims_verdict(frame: pd.DataFrame) -> str:
    """One sentence: of how many tests each verdict came out, and of which claims.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.claims` gives it.
    """
    parts = []
    for word in _WORDS:
        rows = frame[frame["verdict"] == word]
        if len(rows):
            parts.append(f"{len(rows)} {word} ({', '.join(rows['claim'].unique())})")
    pairs = frame.loc[frame["n_pairs"] > 0, "n_pairs"]
    seeds = f", on {_range(pairs)}" if len(pairs) else ""
    return f"Of {len(frame)} tests of the paper's claims{seeds}: {'; '.join(parts)}."


def _range(pairs: pd.Series) -> str:
    """How many pairs, from the least to the most.

    Examples
    --------
    >>> _range(pd.Series([1, 1])), _range(pd.Series([6, 2, 6]))
    ('1 pair', '2 to 6 pairs')
    """
    least, most = pairs.min(), pairs.max()
    if least < most:
        return f"{least} to {most} pairs"
    return "1 pair" if most == 1 else f"{most} pairs"


def _lines(frame: pd.DataFrame) -> Iterator[str]:
    for claim in CLAIMS:
        rows = frame[frame["claim"] == claim.id]
        if rows.empty:
            continue
        yield from ("", f"{claim.id}  {claim.text} [{claim.section}]")
        for _, row in rows.iterrows():
            yield f"  {row['verdict']:<14}{row['task']}: {row['statement']} ({row['evidence']})"
            if row["n_pairs"]:
                yield f"{'':<16}{_numbers(row)}"
            said = "; ".join(part for part in (row["why"], row["remark"]) if part)
            yield f"{'':<16}{said}"
            if row["remedy"]:
                yield f"{'':<16}to test it: {row['remedy']}"


def _tables(frame: pd.DataFrame) -> Iterator[str]:
    for claim in CLAIMS:
        rows = frame[frame["claim"] == claim.id]
        if rows.empty:
            continue
        yield from (f"## {claim.id}: {claim.text}", "", f"Section {claim.section}.", "")
        yield "| task | test | evidence | pairs | effect | p (Holm; least) | shows | verdict |"
        yield "|---|---|---|---|---|---|---|---|"
        for _, row in rows.iterrows():
            yield f"| {' | '.join(map(_cell, _cells(row)))} |"
        yield ""
        for _, group in rows.groupby(_SAID, sort=False):
            row = group.iloc[0]
            said = "; ".join(part for part in (row["why"], row["remark"]) if part)
            command = f" To test it: `{row['remedy']}`." if row["remedy"] else ""
            yield f"- {row['task']}, {'; '.join(group['statement'])}: {said}.{command}"
        yield ""


def _cells(row: pd.Series) -> Iterator[str]:
    yield from (row["task"], row["statement"], row["evidence"], str(row["n_pairs"]))
    tested = bool(row["n_pairs"])
    yield _effect(row) if tested else ""
    yield _p(row) if tested else ""
    yield _reach(row) if tested else ""
    yield f"**{row['verdict']}**"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _numbers(row: pd.Series) -> str:
    pairs = "1 pair" if row["n_pairs"] == 1 else f"{row['n_pairs']} pairs"
    bounds = f"margin {row['margin']:.2g}, {_reach(row)}"
    return "; ".join([pairs, row["test"], _effect(row), _p(row), bounds])


def _effect(row: pd.Series) -> str:
    interval = (
        f" [{_signed(row['low'])}, {_signed(row['high'])}] ({row['interval']})"
        if not math.isnan(row["low"])
        else ""
    )
    return f"{_signed(row['effect'])} {row['unit']}{interval}"


def _p(row: pd.Series) -> str:
    if math.isnan(row["p"]):
        return "no p"
    return f"p {row['p']:.2g} (Holm {row['p_holm']:.2g}; {row['smallest_p']:.2g} at the least)"


def _reach(row: pd.Series) -> str:
    if math.isinf(row["detectable"]):
        return "nothing could have been shown"
    return f"{row['detectable']:.2g} could have been shown"


def _signed(value: float) -> str:
    """Three digits, with its sign.

    Examples
    --------
    >>> _signed(0.5), _signed(-1.23456)
    ('+0.5', '−1.23')
    """
    return f"{value:+.3g}".replace("-", "−")


def _notes(frame: pd.DataFrame) -> list[str]:
    return list(frame.attrs.get("notes", []))
