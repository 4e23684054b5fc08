"""Two writers of one run: the second is refused and told of the first; a dead one bars nobody."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.soak import count
from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, check_run, open_run

ROOT = Path(__file__).parents[2]
KNOWN = manifest()
SCHEMA = schema_of(KNOWN)

# One process that forks many: they start together, and importing is paid for once.
RACE = """
import os, sys, time
from pathlib import Path
from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter

place, processes = Path(sys.argv[1]), int(sys.argv[2])
known = manifest()
schema = schema_of(known)
ready, start = os.pipe()
result, answer = os.pipe()
answered, all_answered = os.pipe()
children = []
for number in range(processes):
    child = os.fork()
    if child:
        children.append(child)
        continue
    os.close(start)
    os.close(all_answered)
    os.read(ready, 1)  # until the parent closes its end
    try:
        log = LogWriter(place, known, triplets=schema, depth=2)
    except LogError as error:
        os.write(answer, f"refused {error}\\n".encode())
        os._exit(0)
    os.write(answer, f"won {os.getpid()}\\n".encode())
    for step in range(1, 6):
        log.triplets(*numbered_step(known, step))
        log.metrics(step, {"pid": float(os.getpid())})
        log.flush()
    os.read(answered, 1)
    log.close("finished")
    os._exit(0)
os.close(start)
os.close(answer)
with os.fdopen(result) as answers:
    for _ in range(processes):
        print(answers.readline(), end="")
os.close(all_answered)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""

HOLD = """
import os, sys, time
from pathlib import Path
from tests.log.synthetic import manifest, numbered_step, schema_of
from vilora_analysis.log import LogWriter
known = manifest()
log = LogWriter(Path(sys.argv[1]), known, triplets=schema_of(known), depth=2)
log.triplets(*numbered_step(known, 1))
log.metrics(1, {"loss": 1.0})
log.flush()
if sys.argv[2] == "with a worker":  # as a DataLoader has them
    if not os.fork():
        time.sleep(60)
        os._exit(0)
print("open", flush=True)
time.sleep(600)
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )


def test_of_fifty_processes_exactly_one_wins(tmp_path: Path) -> None:
    races, processes = count(1, 20), 50
    for race in range(races):
        run = tmp_path / str(race)
        with python(RACE, run, processes) as racing:
            said, _ = racing.communicate(timeout=300)
        assert racing.returncode == 0
        answers = said.splitlines()
        won = [line.split()[1] for line in answers if line.startswith("won ")]
        refused = [line for line in answers if line.startswith("refused ")]
        assert len(won) == 1, answers
        assert len(refused) == processes - 1
        # another process: where the winner has not written down yet who it is
        named = re.compile(rf"is being written by (process {won[0]} on \S+ since|another process)")
        assert [line for line in refused if not named.search(line)] == []
        assert open_run(run).metrics()["pid"].unique().tolist() == [float(won[0])]
        assert open_run(run).steps.tolist() == [1, 2, 3, 4, 5]
        assert check_run(run) == []
    print(f"{races} races of {processes} processes: one won each")


@pytest.mark.parametrize("kind", ["alone", "with a worker"])
def test_a_writer_that_is_killed_is_named_before_and_bars_nobody_after(
    tmp_path: Path, kind: str
) -> None:
    run = tmp_path / "run"
    with python(HOLD, run, kind) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(LogError, match=rf"being written by process {holder.pid} on \S+"):
                LogWriter(run, KNOWN, triplets=SCHEMA, resume_step=1)
            holder.send_signal(signal.SIGKILL)
            holder.wait(timeout=30)
            assert (run / ".writer.lock").exists()  # stale, and so is the note of the dead
            log = LogWriter(run, KNOWN, triplets=SCHEMA, resume_step=1, depth=2)
            log.triplets(*numbered_step(KNOWN, 2))
            log.metrics(2, {"loss": 1.0})
            log.close("finished")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
    assert open_run(run).steps.tolist() == [1, 2]
    assert check_run(run) == []
