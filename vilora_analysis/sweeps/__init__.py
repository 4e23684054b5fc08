"""Many runs from one file: a grid of cells, spread over workers, that goes on where it was stopped.

Each run is a process of its own below a Dask worker, and what it has done is on disk. So whatever
is killed, a run, a worker or everything, the same command goes on with what is missing::

    grid ──> plan (what is on disk?) ──> sweep ──> worker: execute ──> child: one run
                                           │
                                        cluster

Only what the command line needs to be parsed is loaded here; the rest is in the modules.
"""

from vilora_analysis.sweeps.cluster import ClusterOptions
from vilora_analysis.sweeps.grid import Cell, Grid, read_grid

__all__ = ["Cell", "ClusterOptions", "Grid", "read_grid"]
