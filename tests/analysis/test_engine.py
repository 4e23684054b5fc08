"""What workers compute is what this process computes, to the last bit; and what they cannot."""

from __future__ import annotations

import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.analysis.engine_runs import PARTS, equal, steps_of, write
from tests.log.synthetic import parts_of, write_posterior_run
from vilora_analysis import analysis
from vilora_analysis import scheduler as dask_scheduler
from vilora_analysis.analysis import engine, on_scheduler, on_workers
from vilora_analysis.analysis.engine import map_blocks
from vilora_analysis.cli import main
from vilora_analysis.errors import EngineError, LogError
from vilora_analysis.log import Run, StepBlock, compact_run
from vilora_analysis.log.ranges import stretch_blocks, stretches


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two worker processes for all tests, and their client."""
    import distributed

    with (
        distributed.utils.silence_logging_cmgr(dask_scheduler.QUIET),
        engine._local_cluster(distributed, 2) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write(tmp_path_factory.mktemp("engine") / "run")


def kept(run: Run) -> list[np.ndarray]:
    blocks = list(analysis.kept_sets(run))
    return [np.concatenate([b.kept for b in blocks]), np.concatenate([b.steps for b in blocks])]


METHODS = ("spearman", "kendall", "pearson")
ASKED: dict[str, Callable[[Run], Any]] = {
    "correlations": partial(analysis.correlations, methods=METHODS),
    "correlations by matrix": partial(analysis.correlations, by="matrix", steps=slice(4, None, 3)),
    "health": analysis.health_over_time,
    "health of some": partial(analysis.health_over_time, steps=[29, 3, -1]),
    "decomposition": partial(analysis.decomposition, steps=slice(-20, None)),
    "bridge": partial(analysis.bridge, steps=slice(6, 12)),
    "aggregation": partial(analysis.bridge_aggregation, steps=slice(None)),
    "overlap": partial(analysis.overlap, by="layer"),
    "changes": analysis.all_changes,
    "settling": partial(analysis.settling, within=0.2),
    "sets": kept,
}


@pytest.mark.parametrize("asked", ASKED)
def test_every_analysis_gives_the_same_bits(workers: Any, run: Run, asked: str) -> None:
    with on_scheduler(workers):
        there = ASKED[asked](run)
    equal(ASKED[asked](run), there)


@pytest.mark.parametrize("steps", [None, 4, [8, 3, -1], slice(5, -4, 4), slice(40, 50), []])
def test_blocks_are_those_of_the_run_in_order(workers: Any, run: Run, steps: Any) -> None:
    with on_scheduler(workers):
        there = [*map_blocks(run, ["score.snr"], steps, steps_of)]
    assert there == [*map(steps_of, run.blocks(["score.snr"], steps))]


def test_a_compacted_run_is_divided_by_its_row_groups(
    workers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write(tmp_path / "run")
    monkeypatch.setattr("vilora_analysis.log.compact._GROUP_ROWS", 6 * run.manifest.n_triplets)
    here = analysis.all_changes(run)
    compact_run(run.path)
    assert len(parts_of(run.path)) == 1
    blocks = [*map(steps_of, run.blocks(["kept"]))]
    assert len(blocks) > 3
    with on_scheduler(workers):
        assert [*map_blocks(run, ["kept"], None, steps_of)] == blocks
        joined = [*map_blocks(run, ["kept"], None, steps_of, add)]
        equal(here, analysis.all_changes(run))
    assert 1 < len(joined) <= len(blocks)
    assert [*chain(*joined)] == [*chain(*blocks)]


def test_parts_put_together_meanwhile_are_found(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    divided = [*stretches(run, slice(1, 30, 2), 1)]
    first = [*map(steps_of, stretch_blocks(run, divided[0], ["kept"]))]
    compact_run(run.path)
    rest = [steps for d in divided[1:] for steps in map(steps_of, stretch_blocks(run, d, []))]
    assert len(divided) == 7
    assert [*chain(*first, *rest)] == [*range(1, 30, 2)]


def test_a_part_that_is_gone_for_good_is_named(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    divided = [*stretches(run, None, 1)]
    parts_of(run.path)[-1].unlink()
    with pytest.raises(LogError, match=r"part-000006-.* is not there, and no wider part"):
        list(stretch_blocks(run, divided[-1], ["kept"]))


def failing(block: StepBlock) -> None:
    raise ZeroDivisionError("no such thing")


def test_a_failure_comes_in_words(workers: Any, run: Run) -> None:
    said = rf"worker tcp://\S+ on \S+ failed at steps 1 to 2 of {run.path}: ZeroDivisionError: no"
    with on_scheduler(workers), pytest.raises(EngineError, match=said):
        list(map_blocks(run, ["kept"], None, failing))


def test_what_the_log_lacks_is_said_as_here(workers: Any, run: Run, tmp_path: Path) -> None:
    damaged = write(tmp_path / "run")
    part = parts_of(damaged.path)[2]
    part.write_bytes(part.read_bytes()[:-50])
    for ask in (
        lambda: list(map_blocks(run, ["score.mine"], None, steps_of)),
        lambda: list(map_blocks(run, ["kept"], [4, 77], steps_of)),
        lambda: analysis.churn(damaged),
    ):
        with pytest.raises(LogError) as here:
            ask()
        with on_scheduler(workers), pytest.raises(LogError) as there:
            ask()
        assert str(here.value) == str(there.value)


def test_a_worker_that_sees_no_run_there_or_another_one_is_told(
    workers: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_workers, "_anywhere", lambda run: tmp_path / "elsewhere")
    said = r"cannot see .*elsewhere .*; runs have to lie under one path that all workers see"
    with on_scheduler(workers), pytest.raises(EngineError, match=said):
        analysis.correlations(run)
    other = write_posterior_run(tmp_path / "other", run_id="1" * 32).path
    monkeypatch.setattr(on_workers, "_anywhere", lambda run: other)
    with on_scheduler(workers), pytest.raises(EngineError, match="sees another run"):
        analysis.correlations(run)


def test_a_worker_of_another_version_is_told(
    workers: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = on_workers.versions()
    said = rf"has vilora-analysis {own['vilora-analysis']}, this process 9\.9; .*one environment"
    with on_scheduler(workers):
        # of one that came later
        monkeypatch.setattr(on_workers, "versions", lambda: own | {"vilora-analysis": "9.9"})
        with pytest.raises(EngineError, match=said):
            analysis.correlations(run)
    with pytest.raises(EngineError, match=r"has python 2\.7, this process 3"):
        on_workers._compare("worker", own | {"python": "2.7"}, own)


def test_a_worker_without_this_package_is_told(
    workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("not_on_workers")
    exec("def versions(): return {}", module.__dict__)
    monkeypatch.setitem(sys.modules, "not_on_workers", module)
    monkeypatch.setattr(on_workers, "versions", module.__dict__["versions"])
    said = r"worker tcp://\S+ cannot load this package \(.*not_on_workers.*start the workers from"
    with pytest.raises(EngineError, match=said), on_scheduler(workers):
        pass


def test_computing_goes_on_here_afterwards(workers: Any, run: Run) -> None:
    with pytest.raises(KeyError), on_scheduler(workers):
        raise KeyError
    pids = [*map_blocks(run, ["kept"], None, own_pid)]
    assert set(pids) == {os.getpid()}
    with on_scheduler(workers):
        assert os.getpid() not in set(map_blocks(run, ["kept"], None, own_pid))


def own_pid(block: StepBlock) -> int:
    return os.getpid()


def test_analyze_asks_the_workers_and_writes_the_same(
    workers: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[dict[str, pd.DataFrame]] = []
    monkeypatch.setattr(
        "vilora_analysis.cli.artefacts.begin_answer", lambda answer, *_: take(answer, tables)
    )
    monkeypatch.setattr("vilora_analysis.cli.artefacts._ASKED", ("health", "shadow"))
    sent = spied(monkeypatch)
    words = ["analyze", str(run.path), "--out", str(tmp_path)]
    assert main(words) == 0
    assert (len(sent), len(tables)) == (0, 2)
    assert main([*words, "--scheduler", workers.scheduler.address]) == 0
    assert len(sent) >= 4
    for here, there in zip(tables[:2], tables[2:], strict=True):
        equal([*here.values()], [*there.values()])


def take(answer: Any, tables: list[dict[str, pd.DataFrame]]) -> Any:
    tables.append(dict(answer.tables))
    return types.SimpleNamespace(lend_a_hand=lambda: None, files=list)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses of the schedulers that were asked, one after the other."""
    sent: list[str] = []
    compute_on = engine.compute_on

    def spy(workers: Any, *given: Any) -> Iterator[Any]:
        sent.append(workers.address)
        return compute_on(workers, *given)

    monkeypatch.setattr(engine, "compute_on", spy)
    return sent


def test_audit_and_report_take_a_scheduler_too(
    workers: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, address = spied(monkeypatch), workers.scheduler.address

    def ask(runs: list[Run], out: Path, *_: object, **__: object) -> Any:
        analysis.correlations(runs[0])
        out.mkdir() if out.suffix == "" else out.touch()
        return out if out.suffix else iter(())

    monkeypatch.setattr("vilora_analysis.cli.audit.audit_runs", ask)
    monkeypatch.setattr("vilora_analysis.cli.report.write_report", ask)
    assert main(["audit", str(run.path), "--out", str(tmp_path / "a"), "--scheduler", address]) == 0
    report = str(tmp_path / "r.html")
    assert main(["report", str(run.path), "-o", report, "--scheduler", address]) == 0
    assert sent == [address] * 2


def test_a_command_says_in_one_line_what_workers_lack(
    run: Run,
    workers: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(on_workers, "_anywhere", lambda run: tmp_path / "elsewhere")
    words = ["audit", str(run.path), "--out", str(tmp_path / "audit")]
    assert main([*words, "--scheduler", workers.scheduler.address]) == 2
    said = capfd.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("vilora: worker tcp://")] == said[-1:]
    assert not any("Traceback" in line for line in said)


def dying_once(block: StepBlock, sign: Path) -> list[int]:
    """End the worker at the fifth block, the first time."""
    if block.steps[0] == PARTS[3] + 1 and not sign.exists():
        sign.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return steps_of(block)


def test_when_a_worker_dies_another_one_does_its_work(
    workers: Any, run: Run, tmp_path: Path
) -> None:
    sign = tmp_path / "died"
    with on_scheduler(workers):
        there = [*map_blocks(run, ["kept"], None, partial(dying_once, sign=sign))]
    assert sign.exists()
    assert there == [*map(steps_of, run.blocks(["kept"]))]
