"""Where is the rank kept? By matrix and layer, as in the paper's Fig. 1."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from vilora_analysis.errors import LogError
from vilora_analysis.log import Run
from vilora_analysis.log.reader import Steps

__all__ = ["ranks"]


def ranks(runs: Run | Iterable[Run], *, steps: Steps = -1) -> pd.DataFrame:
    """Count the kept triplets of every adapted matrix.

    Parameters
    ----------
    runs
        One run or several.
    steps
        Steps to look at; the last recorded one by default.

    Returns
    -------
    DataFrame
        run, criterion, optimizer, seed, step, module, layer, matrix, rank, init_rank.

    Raises
    ------
    LogError
        If there is no run, or one has no such step.
    """
    frames = [_of_run(run, steps) for run in ([runs] if isinstance(runs, Run) else runs)]
    if not frames:
        raise LogError("no run to count ranks of; is there a run.json in or below that folder?")
    return pd.concat(frames, ignore_index=True)


def _of_run(run: Run, steps: Steps) -> pd.DataFrame:
    frame = run.triplets(["step", "module", "kept"], steps).astype({"module": str})
    kept = frame.groupby(["step", "module"], sort=False)["kept"].sum().rename("rank")
    modules = pd.DataFrame([vars(module) for module in run.manifest.modules])
    modules = modules.rename(columns={"name": "module", "rank": "init_rank"})
    # a matrix that had no rank to begin with has no rows, and a kept rank of 0
    every = pd.MultiIndex.from_product([frame["step"].unique(), modules["module"]])
    counted = kept.reindex(every.set_names(["step", "module"]), fill_value=0).reset_index()
    manifest = run.manifest
    labelled = counted.merge(modules, on="module", how="left", validate="many_to_one").assign(
        run=run.name,
        criterion=manifest.criterion or "none",
        optimizer=str(manifest.optimizer.get("name", "")),
        seed=manifest.config.get("seed"),
    )
    labelled["layer"] = labelled["layer"].astype("Int16")
    order = ["run", "criterion", "optimizer", "seed", "step", "module", "layer", "matrix"]
    return labelled[[*order, "rank", "init_rank"]]
