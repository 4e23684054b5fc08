"""Runs that differ in nothing but their seed, and what such a group is called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from vilora_analysis.log import Run

__all__ = ["systems"]

_OWN = {"seed", "out", "resume", "checkpoint_every"}
_FIRST = ("task", "preset", "method", "optimizer", "criterion")


def systems(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Group runs by their settings.

    Returns
    -------
    dict of str to list of Run
        By a name made of the settings in which the groups differ; of one group, of its task and
        preset.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(_settings(run), sort_keys=True, default=str), []).append(run)
    settings = [_settings(members[0]) for members in groups.values()]
    varied = [name for name in _names(settings) if len({str(s.get(name)) for s in settings}) > 1]
    # what a preset sets differs with it, and says no more
    chosen = [name for name in varied if name in _FIRST] or varied or ["task", "preset"]
    named: dict[str, list[Run]] = {}
    for own, members in zip(settings, groups.values(), strict=True):
        words = [str(own[name]) for name in chosen if own.get(name) is not None]
        name = " ".join(words) or members[0].name
        named[name if name not in named else f"{name} ({members[0].name})"] = members
    return named


def _settings(run: Run) -> dict[str, Any]:
    config = {k: v for k, v in run.manifest.config.items() if k not in _OWN}
    return {**config, "criterion": run.manifest.criterion or "none"}


def _names(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    known = dict.fromkeys(name for own in settings for name in own)
    return [*(n for n in _FIRST if n in known), *(n for n in known if n not in _FIRST)]
