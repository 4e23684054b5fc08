"""How systems, tasks and metrics are called in print, and the table's verdict in a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from vilora_analysis.analysis.claims.statistics import pairs_needed

__all__ = ["criterion_label", "plain", "reach", "system_label", "table_verdict", "task_label"]

_METHODS = {"full_ft": "Full FT", "lora": "LoRA", "adalora": "AdaLoRA"}
_OPTIMIZERS = {"adam": "Adam", "ivon": "IVON"}
_CRITERIA = {
    "sensitivity": "Sensitivity",
    "snr_abs": "SNR(|θ|)",
    "snr": "|μ|/σ",
    "mean_abs": "|μ|",
    "inverse_std": "1/σ",
}
_TASKS = {
    "mnli": ("MNLI", "Acc(m)"),
    "qqp": ("QQP", "Acc"),
    "qnli": ("QNLI", "Acc"),
    "sst2": ("SST-2", "Acc"),
    "cola": ("CoLA", "Mcc"),
    "stsb": ("STS-B", "Corr"),
    "mrpc": ("MRPC", "Acc"),
    "rte": ("RTE", "Acc"),
    "group1": ("Group 1", "mean"),
    "group2": ("Group 2", "mean"),
    "all": ("All", "mean"),
}
_METRICS = {
    "accuracy": "Acc",
    "accuracy_matched": "Acc(m)",
    "matthews": "Mcc",
    "pearson": "Pearson",
    "f1": "F1",
}


def plain(text: object) -> str:
    r"""Text on one line, without what steers a terminal or turns the direction of writing.

    Examples
    --------
    >>> plain("a\nb\x1b[2J")
    'a b [2J'
    """
    return "".join(sign if sign.isprintable() else " " for sign in str(text))


def criterion_label(method: str, criterion: str) -> str:
    """Criterion as in the paper; what AdaLoRA without one does.

    Examples
    --------
    >>> criterion_label("adalora", "snr"), criterion_label("lora", "none")
    ('|μ|/σ', '–')
    """
    if criterion == "none":
        return "not pruned" if method == "adalora" else "–"
    return _CRITERIA.get(criterion, plain(criterion))


def system_label(method: str, optimizer: str, criterion: str) -> tuple[str, str, str]:
    """Names of a system in print.

    Examples
    --------
    >>> system_label("adalora", "adam", "sensitivity")
    ('AdaLoRA', 'Adam', 'Sensitivity')
    """
    return (
        _METHODS.get(method, plain(method)),
        _OPTIMIZERS.get(optimizer, plain(optimizer)),
        criterion_label(method, criterion),
    )


def task_label(task: str, metrics: Iterable[str] = ()) -> tuple[str, str]:
    """Name of a task and of its metric; the paper's metric where no run tells.

    Examples
    --------
    >>> task_label("stsb", ["pearson"]), task_label("cola"), task_label("mine", ["f1"])
    (('STS-B', 'Pearson'), ('CoLA', 'Mcc'), ('mine', 'F1'))
    """
    name, metric = _TASKS.get(task, (plain(task), ""))
    told = ", ".join(_METRICS.get(given, plain(given)) for given in dict.fromkeys(metrics) if given)
    return name, told or metric


def table_verdict(frame: pd.DataFrame) -> str:
    """One sentence: how many differences from the baseline are there, and what they rest on.

    Parameters
    ----------
    frame
        As :func:`vilora_analysis.analysis.results_table` gives it.
    """
    named = ", ".join(system_label(*frame.attrs["baseline"].split(", ", 2)))
    tested = frame[frame["pairs"] > 0]
    if tested.empty:
        return f"No difference from {named}: no other system has runs of equal settings and seeds."
    least, most = tested["pairs"].min(), tested["pairs"].max()
    pairs = f"{least} to {most} pairs" if least < most else f"{most} pair{'s' if most > 1 else ''}"
    better, worse = int(tested["supported"].sum()), int(tested["worse"].sum())
    return (
        f"Of {len(tested)} differences from {named} on {pairs} of equal "
        f"seeds, {better} are better and {worse} worse at {frame.attrs['alpha']:g} after Holm's "
        f"correction; of {len(tested) - better - worse} the runs cannot tell.{reach(frame)}"
    )


def reach(frame: pd.DataFrame) -> str:
    """What so few pairs forbid, where they forbid any verdict; empty where they do not."""
    tested, alpha = frame[frame["pairs"] > 0], frame.attrs["alpha"]
    tests = tested.groupby(["setup", "task"])["p"].transform("count")
    # the smallest p of all must pass the first step of Holm's: times the number of tests
    if tested.empty or (tested["smallest_p"] * tests <= alpha).any():
        return ""
    most, least = int(tests.max()), int(tests.min())
    needed = {pairs_needed(alpha / most), pairs_needed(alpha / least)}
    count = f"{least} to {most}" if least < most else f"{most}"
    takes = " to ".join(map(str, sorted(needed)))
    return (
        f" Nothing could have been shown: with {count} tests of a task it takes {takes} pairs, "
        f"and the most there are is {tested['pairs'].max()}."
    )
