"""The small runs that the notebooks look at: trained on the spot, once, in some seconds each."""

from __future__ import annotations

from pathlib import Path

import vilora_analysis as va

SETTINGS = {
    "task": "acceptability",  # made by the package: nothing to download
    "steps": 24,
    "batch_size": 8,
    "tinit": 6,  # nothing is pruned before step 6
    "tfinal": 6,  # and nothing in the last 6 steps
    "elements_every": 6,  # all elements, to compute scores from that nobody has thought of yet
    "checkpoint_every": 0,
}


def small_run(criterion: str = "snr", optimizer: str = "ivon") -> va.Run:
    """Open a run under ``runs/``; train it first if it is not there."""
    out = Path("runs", f"{optimizer}-{criterion}")
    if (out / "adapter").is_dir():  # saved last
        return va.open_run(out)
    config = va.configure(optimizer=optimizer, criterion=criterion, out=out, **SETTINGS)
    return va.train(config, progress=False)
