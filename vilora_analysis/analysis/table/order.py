"""Which columns and rows the table has, in the paper's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from vilora_analysis.analysis.table.comparing import Entry, System
from vilora_analysis.analysis.table.published import ALL, GLUE
from vilora_analysis.analysis.table.systems import Row
from vilora_analysis.errors import ConfigError
from vilora_analysis.naming import score_name

__all__ = ["AVERAGES", "BASELINE", "MEAN", "averages", "order", "read_baseline", "tasks"]

BASELINE: System = ("adalora", "adam", "sensitivity")
"""AdaLoRA as it was proposed."""

MEAN = "mean"
"""Average over the tasks of GLUE that there are runs of, where they are none of the paper's."""

AVERAGES = (*ALL, MEAN)
"""All averages; a task of one's own cannot bear their names."""

_NUMBER = re.compile(r"(\d+)")
_METHODS = ("full_ft", "lora", "adalora")
_OPTIMIZERS = ("adam", "ivon")
_CRITERIA = ("none", "sensitivity", "snr_abs", "snr", "mean_abs", "inverse_std")


def order(row: Row) -> tuple[object, ...]:
    """Key to sort rows by: setups, ranks, then systems as in the paper, others behind.

    Examples
    --------
    >>> rows = [Row("", 2, "adalora", "ivon", "snr"), Row("", None, "full_ft", "adam", "none")]
    >>> [row.method for row in sorted(rows, key=order)]
    ['full_ft', 'adalora']
    """
    places = [
        (known.index(name) if name in known else len(known), name)
        for known, name in zip((_METHODS, _OPTIMIZERS, _CRITERIA), row.system, strict=True)
    ]
    # 40 steps before 160
    setup = tuple(part.zfill(20) if part.isdigit() else part for part in _NUMBER.split(row.setup))
    return (setup, row.target_rank or 0, *places, row.variant)


def tasks(found: Iterable[str]) -> list[str]:
    """Tasks of GLUE in the paper's order, then others by name.

    Examples
    --------
    >>> tasks(["mine", "rte", "mnli"])
    ['mnli', 'rte', 'mine']
    """
    names = {*found}
    return [*(task for task in GLUE if task in names), *sorted(names - {*GLUE})]


def averages(entries: Mapping[Row, Mapping[str, Entry]]) -> dict[str, Sequence[str]]:
    """Averages that some row can give, and of which tasks.

    An average over whatever tasks a row happens to have would compare unlike with unlike.
    """
    found: dict[str, Sequence[str]] = {
        name: members
        for name, members in ALL.items()
        if any(_has(values, members) for values in entries.values())
    }
    shown = tuple(task for task in GLUE if any(task in values for values in entries.values()))
    if len(shown) > 1 and shown not in ALL.values():
        found[MEAN] = shown
    return found


def _has(values: Mapping[str, Entry], members: Iterable[str]) -> bool:
    return all(task in values for task in members)


def read_baseline(text: str | None, rows: Sequence[Row]) -> System:
    """Read method, optimizer and criterion, as in ``adalora, ivon, sensitivity``.

    Raises
    ------
    ConfigError
        If these are not three words, or there is no such row.

    Examples
    --------
    >>> read_baseline("lora AdamW none", [Row("", 4, "lora", "adam", "none")])
    ('lora', 'adam', 'none')
    """
    if text is None:
        return BASELINE
    words = re.split(r"[\s,]+", text.strip())
    if len(words) != 3:
        raise ConfigError(
            f"the baseline is a method, an optimizer and a criterion, got {text!r}; for example "
            "'adalora, adamw, sensitivity', or 'lora, adamw, none'"
        )
    method, optimizer, criterion = words[0].lower(), words[1].lower(), score_name(words[2])
    system = (method, "adam" if optimizer == "adamw" else optimizer, criterion)
    known = dict.fromkeys(", ".join(row.system) for row in rows)
    if ", ".join(system) not in known:
        raise ConfigError(
            f"no run of the baseline {', '.join(system)}; there are: {'; '.join(known) or 'none'}"
        )
    return system
