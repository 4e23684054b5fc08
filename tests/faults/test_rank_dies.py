"""One of two processes that share a run dies, or falls silent: the other ends, and says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import distributed

from vilora_analysis.errors import ConfigError, EngineError, LogError
from vilora_analysis.log import check_run, open_run
from vilora_analysis.log.state import run_state
from vilora_analysis.training import processes

ROOT = Path(__file__).parents[2]
STEPS, SAVED, LAST = 10, 4, 6  # of the run, of its checkpoint, and before one of them is lost
SETTINGS: dict[str, object] = {
    "task": "sst2",
    "steps": STEPS,
    "checkpoint_every": SAVED,
    "batch_size": 6,
    "init_rank": 3,
    "target_rank": 2,
    "max_length": 24,
}

# Imports once, then forks the pairs of which one is lost, and then who goes on.
RANKS = """
import gc, json, os, shutil, signal, socket, sys, time
from pathlib import Path
import ivon, sklearn.metrics, torch
import vilora_analysis.cli.run, vilora_analysis.cli.show
from vilora_analysis.cli import main
from vilora_analysis.training import configure, run as running

torch.set_num_threads(1)
folder, last, settings, losses = json.loads(sys.argv[1])
folder, patience = Path(folder), 100  # seconds after which one counts as hanging
words = [w for name, value in settings.items() for w in (f"--{name.replace('_', '-')}", str(value))]
settings["data_dir"] = Path(settings["data_dir"])
config = configure(**settings)
running.prepare(config, running.load_task(config)[0])
main(["train", *words, "--show-config"])  # for what it imports

def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])

def started(loss, rank, count, port, work):
    child = os.fork()
    if child:
        return child
    said = os.open(folder / loss["name"] / f"{work.__name__}-{rank}.txt", os.O_CREAT | os.O_WRONLY)
    os.dup2(said, 1), os.dup2(said, 2)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, GLOO_SOCKET_IFNAME="lo")
    os.environ.update(VILORA_WAIT_SECONDS=loss["wait"])
    sys.exit(work(loss, rank))  # through the end of the interpreter, where threads may abort it

def lost(loss, rank):
    batch, seen = running._batch, []
    def until_last(*args):
        seen.append(1)
        if len(seen) > last:
            os.kill(os.getpid(), loss["sign"])
        return batch(*args)
    if rank == loss["rank"]:
        running._batch = until_last
    return main(["train", *words, "--out", str(folder / loss["name"] / "run")])

def again(loss, rank):
    out = folder / loss["name"] / "run"
    running.train(configure(**settings, out=out, resume=True), progress=False)

def begun(work, losses, count):
    ports = {loss["name"]: free_port() for loss in losses}
    return {
        (loss["name"], rank): started(loss, rank, count(loss), ports[loss["name"]], work)
        for loss in losses for rank in range(count(loss))
    }

def ended(children):
    ends, until = {}, time.monotonic() + patience
    while len(ends) < len(children):
        for key in children.keys() - ends.keys():
            found, status = os.waitpid(children[key], os.WNOHANG)
            if found:
                ends[key] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                end(children[key])
                ends[key] = "hangs"
        time.sleep(0.02)
    return ends

def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

def kept(loss):
    shutil.copytree(folder / loss["name"] / "run", folder / loss["name"] / "left")

gc.freeze()  # collecting would copy the pages that the processes share
*killed, silent = losses
children = begun(lost, losses, lambda _: 2)
waits, stopped = (children.pop((silent["name"], rank)) for rank in (0, 1))
ends = ended(children)
for loss in killed:
    kept(loss)
ends_again = ended(begun(again, killed, lambda loss: loss["again"]))
ends |= ended({(silent["name"], 0): waits})
end(stopped)
kept(silent)
print(json.dumps([sorted(ends.items()), sorted(ends_again.items())]))
"""

# again: in how many processes the run goes on; the last one's rank 1 is not killed but stopped
LOSSES: list[dict[str, object]] = [
    {"name": "other", "rank": 1, "sign": signal.SIGKILL, "wait": "", "again": 1},
    {"name": "writer", "rank": 0, "sign": signal.SIGKILL, "wait": "", "again": 2},
    {"name": "silent", "rank": 1, "sign": signal.SIGSTOP, "wait": "8"},
]


@dataclass(frozen=True)
class Lost:
    """Where the runs are, and how the processes of each ended, before and after it went on."""

    folder: Path
    ends: dict[tuple[str, int], object]
    ends_again: dict[tuple[str, int], object]


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, glue: Path, encoder_path: Path) -> Lost:
    folder = tmp_path_factory.mktemp("ranks")
    for loss in LOSSES:
        (folder / str(loss["name"])).mkdir()
    settings = SETTINGS | {"data_dir": str(glue), "model": str(encoder_path)}
    plan = json.dumps([str(folder), LAST, settings, LOSSES])
    done = subprocess.run(
        [sys.executable, "-c", RANKS, plan],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    assert done.returncode == 0, done.stderr
    ends, ends_again = (
        {(name, rank): end for (name, rank), end in answer}
        for answer in json.loads(done.stdout.splitlines()[-1])
    )
    return Lost(folder, ends, ends_again)


def complaint(folder: Path, rank: int) -> str:
    """The line that the survivor ended with; there is no traceback."""
    said = (folder / f"lost-{rank}.txt").read_text()
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("vilora: ")]
    return line


def assert_gone_on(folder: Path) -> None:
    """Assert that the log was valid when it was left, and is whole now."""
    assert check_run(folder / "left") == []
    assert check_run(folder / "run") == []
    run = open_run(folder / "run")
    assert run.manifest.status == "finished"
    assert run.steps.tolist() == run.metrics()["step"].tolist() == list(range(1, STEPS + 1))


def test_the_writer_ends_when_the_other_is_killed(lost: Lost) -> None:
    """And goes on alone."""
    folder = lost.folder / "other"
    assert lost.ends["other", 0] == 2
    assert lost.ends["other", 1] == -signal.SIGKILL
    said = complaint(folder, 0)
    assert "process 0 of 2 (counted from 0) lost the others and stopped: " in said
    assert f"in {folder / 'run'} are {LAST} steps; go on from the last checkpoint" in said
    assert "vilora train --resume" in said
    assert run_state(folder / "left").state == "failed"
    assert open_run(folder / "left").steps.tolist() == list(range(1, LAST + 1))
    assert lost.ends_again["other", 0] == 0
    assert_gone_on(folder)


def test_the_other_ends_when_the_writer_is_killed(lost: Lost) -> None:
    """Two go on, from what the writer had written."""
    folder = lost.folder / "writer"
    assert lost.ends["writer", 0] == -signal.SIGKILL
    assert lost.ends["writer", 1] == 2
    said = complaint(folder, 1)
    assert "process 1 of 2 (counted from 0) lost the others and stopped: " in said
    assert f"in {folder / 'run'} are {SAVED} steps; go on from the last checkpoint" in said
    assert run_state(folder / "left").state == "interrupted"
    assert open_run(folder / "left").steps.tolist() == list(range(1, SAVED + 1))
    assert lost.ends_again["writer", 0] == lost.ends_again["writer", 1] == 0
    assert_gone_on(folder)


def test_for_one_that_falls_silent_nobody_waits_for_ever(lost: Lost) -> None:
    folder = lost.folder / "silent"
    assert lost.ends["silent", 0] == 2
    said = complaint(folder, 0)
    assert "lost the others (VILORA_WAIT_SECONDS sets how long it waits) and stopped: " in said
    assert check_run(folder / "left") == []
    assert run_state(folder / "left").state == "failed"


@pytest.mark.parametrize("given", ["soon", "0", "-3", "nan", "1e300"])
def test_how_long_to_wait_is_a_number_of_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("VILORA_WAIT_SECONDS", given)
    with (
        pytest.raises(ConfigError, match=f"VILORA_WAIT_SECONDS .* above 0; got '{given}'"),
        processes.process_group(tmp_path),
    ):
        pass


def test_one_that_never_came_is_said_and_an_error_of_ones_own_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    never_came = distributed.DistNetworkError("The client socket has timed out after 600000ms.")

    def failing(error: Exception) -> None:
        monkeypatch.setattr(processes, "_join", lambda: None)
        with processes.process_group(tmp_path / "run"):
            raise error

    with pytest.raises(EngineError, match=r"process 1 of 2 .*SECONDS sets.*nothing yet; start ag"):
        failing(never_came)
    with pytest.raises(RuntimeError, match=r"^the shapes do not fit$"):
        failing(RuntimeError("the shapes do not fit"))
    with pytest.raises(LogError, match=r"^no space left$"):
        failing(LogError("no space left"))


def test_who_is_asked_to_end_for_another_that_died_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As torchrun asks, while the log is still being finished."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "_join", lambda: None)

    def asked(first: Exception) -> None:
        with processes.process_group(tmp_path / "run"):
            try:
                raise first
            finally:
                raise KeyboardInterrupt

    with pytest.raises(EngineError, match="lost the others and stopped: Connection closed by peer"):
        asked(RuntimeError("[/gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:9"))
    with pytest.raises(KeyboardInterrupt):
        asked(RuntimeError("the shapes do not fit"))
