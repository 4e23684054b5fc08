"""The log of a run, as plain Parquet: schema, writer, reader, check. No torch from here on.

On disk::

    run.json                         manifest
    triplets/part-*.parquet          one row a step, module and k
    elements/part-*.parquet          optional: full vectors, one row a step, module, k and factor
    metrics/part-*.parquet           step, name, value
    events/part-*.parquet            one row a decision
    compacted/                       of what large parts were put together, for the digest
    .run.json.spare                  copy of the manifest
    set-aside/                       damaged files that `vilora check --repair` moved out of the way
"""

from vilora_analysis.log.check import Problem, check_run
from vilora_analysis.log.collection import Runs, open_runs
from vilora_analysis.log.compact import Compaction, compact_run
from vilora_analysis.log.completeness import remarks
from vilora_analysis.log.digest import references, run_digest
from vilora_analysis.log.find import find_runs, run_directories
from vilora_analysis.log.manifest import SCHEMA_VERSION, Manifest, ModuleRow, ScoreRow
from vilora_analysis.log.reader import Run, StepBlock, open_run
from vilora_analysis.log.repair import Action, repair_run
from vilora_analysis.log.writer import LogWriter

__all__ = [
    "SCHEMA_VERSION",
    "Action",
    "Compaction",
    "LogWriter",
    "Manifest",
    "ModuleRow",
    "Problem",
    "Run",
    "Runs",
    "ScoreRow",
    "StepBlock",
    "check_run",
    "compact_run",
    "find_runs",
    "open_run",
    "open_runs",
    "references",
    "remarks",
    "repair_run",
    "run_digest",
    "run_directories",
]
