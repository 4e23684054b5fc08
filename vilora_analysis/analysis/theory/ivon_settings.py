"""What a run's manifest tells of IVON's settings, as one value for all parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run

__all__ = ["ivon_settings", "unsettled"]


def ivon_settings(run: Run, names: Sequence[str]) -> Mapping[str, float]:
    """Settings of the optimizer, and ``fisher_beta`` of the recorder.

    Parameters
    ----------
    run
        A run of IVON.
    names
        What is needed: ``ess``, ``beta2``, ``hess_init``, ``weight_decay``, ``mc_samples``,
        ``fisher_beta``.

    Raises
    ------
    LogError
        If the manifest does not tell one of them, or param groups differ: whose is whose is not
        told.
    """
    missing = unsettled(run, names)
    if missing:
        raise LogError(
            f"{run.path} does not tell {', '.join(missing)} as one value for all parameters; "
            "this needs a run whose param groups share IVON's settings"
        )
    return {name: float(_values(run, name).pop()) for name in names}


def unsettled(run: Run, names: Sequence[str]) -> list[str]:
    """Names of the settings that :func:`ivon_settings` would refuse."""
    return [name for name in names if not _is_one_number(_values(run, name))]


def _values(run: Run, name: str) -> set[float]:
    if name == "fisher_beta":
        return {run.manifest.recorder.get(name)}  # type: ignore[arg-type]
    groups = run.manifest.optimizer.get("groups") or [{}]
    return {group.get(name) for group in groups}


def _is_one_number(values: set[float]) -> bool:
    return len(values) == 1 and all(isinstance(value, (int, float)) for value in values)
