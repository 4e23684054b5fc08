"""Damaged logs: the right numbers or an error that names the file, and the rest after a repair."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.damage import (
    DAMAGES,
    TABLES,
    Truth,
    foreign,
    missing,
    still_right,
    whole_after_repair,
    write_log,
)
from tests.faults.mutate import mutated_bytes
from tests.faults.soak import count
from tests.log.synthetic import parts_of, unseal
from vilora_analysis.cli import main
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, Manifest, check_run, open_run, remarks, repair_run
from vilora_analysis.log.schema import elements_schema
from vilora_analysis.log.set_aside import set_aside


def test_the_undamaged_run_is_sound(run: Path, truth: Truth) -> None:
    assert check_run(run) == []
    assert remarks(run) == []
    assert still_right(run, truth)
    assert whole_after_repair(run, truth) == 0
    assert not (run / "set-aside").exists()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("table", TABLES)
def test_every_damage_is_found_and_repaired(
    damage: Callable[[Path], None], table: str, source: Path, truth: Truth, tmp_path: Path
) -> None:
    for at in (0, 1, 3):
        run = shutil.copytree(source, tmp_path / f"run{at}")
        part = parts_of(run, table)[at]
        damage(part)
        problems = check_run(run)
        assert {problem.table for problem in problems} == {table}, problems
        assert all(problem.affected for problem in problems)
        assert not still_right(run, truth)
        lost = whole_after_repair(run, truth)
        assert lost == (0 if damage.__name__ == "doubled" else 1)
        gaps = Manifest.load(run).gaps
        assert [gap.table for gap in gaps] == [table] * lost
        assert [line for line in remarks(run) if line.startswith("known gap")] == remarks(run)
        assert len(remarks(run)) == lost


@pytest.mark.parametrize("table", TABLES)
def test_mutated_parts_give_the_right_numbers_or_an_error(
    table: str, run: Path, truth: Truth, tmp_path: Path
) -> None:
    """Bits flipped, pieces left out, repeated or cut off, anywhere in a file."""
    generator, outcomes = np.random.default_rng(TABLES.index(table)), Counter[str]()
    for number in range(count(25, 2_500)):
        part = parts_of(run, table)[int(generator.integers(4))]
        raw = part.read_bytes()
        part.write_bytes(mutated_bytes(raw, generator))
        changed = part.read_bytes() != raw
        sound = still_right(run, {table: truth[table]})
        problems = check_run(run)
        assert sound == (not problems), problems
        outcomes["harmless" if sound else "refused"] += 1
        assert changed or sound
        if problems and number % 5 == 0:
            copy = shutil.copytree(run, tmp_path / "copy")
            assert whole_after_repair(copy, truth) == 1
            outcomes["repaired"] += 1
            shutil.rmtree(copy)
        part.write_bytes(raw)
    print(table, dict(outcomes))
    assert outcomes["refused"] > 10


def flip_somewhere(run: Path, generator: np.random.Generator) -> None:
    """Set a few neighbouring bytes of some part to others."""
    files = sorted(run.glob("*/part-*"))
    file = files[int(generator.integers(len(files)))]
    raw = bytearray(file.read_bytes())
    at = int(generator.integers(len(raw)))
    raw[at : at + 8] = generator.bytes(len(raw[at : at + 8]))
    file.write_bytes(raw)


def test_several_damages_at_once(source: Path, truth: Truth, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    for _ in range(count(6, 250)):
        run = shutil.copytree(source, tmp_path / "run")
        for _ in range(int(generator.integers(2, 6))):
            flip_somewhere(run, generator)
        assert not still_right(run, truth)
        assert whole_after_repair(run, truth) >= 1
        shutil.rmtree(run)


class Deadly:
    """Lets so many calls pass, and dies at the next."""

    def __init__(self, limit: int) -> None:
        self.limit, self.done = limit, 0

    def __call__(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.done += 1
            if self.done > self.limit:
                raise KeyboardInterrupt
            return real(*args)

        return call


def test_a_repair_that_is_killed_goes_on_when_called_again(
    source: Path, truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in range(8):
        run = shutil.copytree(source, tmp_path / f"run{limit}")
        for table in TABLES[:3]:
            parts_of(run, table)[1].write_bytes(b"")
        deadly = Deadly(limit)
        with monkeypatch.context() as patch:
            patch.setattr("vilora_analysis.log.repair.set_aside", deadly(set_aside))
            patch.setattr(Manifest, "save", deadly(Manifest.save))
            with contextlib.suppress(KeyboardInterrupt):
                repair_run(run)
        assert deadly.done == min(limit + 1, 6)
        assert whole_after_repair(run, truth) == 3
        assert all("was set aside: is damaged" in gap.reason for gap in Manifest.load(run).gaps)


def test_what_was_set_aside_can_be_put_back(run: Path, truth: Truth) -> None:
    part = parts_of(run)[1]
    raw = part.read_bytes()
    part.write_bytes(raw[:-3])
    assert whole_after_repair(run, truth) == 1
    aside = run / "set-aside" / "triplets" / part.name
    assert aside.read_bytes() == raw[:-3]
    note = json.loads((run / "set-aside" / "notes.json").read_text())[0]
    assert (note["file"], note["kept_as"]) == (
        f"triplets/{part.name}",
        f"set-aside/triplets/{part.name}",
    )
    part.write_bytes(raw)
    repair_run(run)
    assert (still_right(run, truth), remarks(run)) == (True, [])


def test_other_rows_for_the_same_steps_go_both(run: Path) -> None:
    """Parts of before say nothing of where they belong; nobody can tell which are right."""
    other = write_log(run.parent / "other", 4)
    part = unseal(parts_of(run)[1])
    twin = part.with_name(part.name.replace("000001", "000009", 1))
    shutil.copy(unseal(parts_of(other)[1]), twin)
    with pytest.raises(LogError, match="repeats steps"):
        open_run(run).triplets()
    assert {action.path for action in repair_run(run)} == {part, twin, run / "triplets"}
    assert open_run(run).steps.tolist() == [1, 2, 5, 6, 7, 8]
    assert check_run(run) == []


def test_the_same_rows_twice_leave_one(run: Path, truth: Truth) -> None:
    part = unseal(parts_of(run)[1])
    shutil.copy(part, part.with_name(part.name.replace("000001", "000009", 1)))
    assert len(check_run(run)) == 1
    assert whole_after_repair(run, truth) == 0


def test_leftovers_are_set_aside(run: Path, truth: Truth) -> None:
    left = run / "metrics" / ".part-000001-1-1.parquet.12.tmp"
    left.write_bytes(b"PAR1")
    assert len(check_run(run)) == 1
    assert whole_after_repair(run, truth) == 0
    assert (run / "set-aside" / "metrics" / left.name).read_bytes() == b"PAR1"


def test_a_run_that_is_being_written_is_not_repaired(tmp_path: Path) -> None:
    run = write_log(tmp_path / "run")
    parts_of(run)[1].write_bytes(b"")
    known = Manifest.load(run)
    log = LogWriter(run, known, triplets=None, resume_step=8)
    with pytest.raises(LogError, match="is being written by process"):
        repair_run(run)
    log.close("finished")
    assert parts_of(run)[1].exists()


@pytest.mark.parametrize("lost", [missing, foreign])
def test_a_run_goes_on_after_its_last_parts_were_lost(
    lost: Callable[[Path], None], run: Path, tmp_path: Path
) -> None:
    """A checkpoint at step 8, a log that lost 7 and 8: what comes later follows, the gap stays."""
    for table in TABLES:
        lost(parts_of(run, table)[-1])
    repair_run(run)
    known = Manifest.load(run)
    log = LogWriter(run, known, triplets=None, elements=elements_schema(["mu"]), resume_step=8)
    log.metrics(9, {"loss": 1.0})
    log.close("failed")
    assert open_run(run).steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert open_run(run).metrics()["step"].tolist() == [1, 2, 3, 4, 5, 6, 9]
    assert {(gap.table, gap.last) for gap in Manifest.load(run).gaps} >= {("triplets", 8)}


def test_the_command_says_what_is_affected_and_what_it_did(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts_of(run, "events")[1].write_bytes(b"")
    assert main(["check", str(run)]) == 1
    said = capsys.readouterr().out
    assert "affected: events, steps 3 to 4: decisions" in said
    assert "check --repair" in said
    assert main(["check", str(run), "--repair"]) == 0
    assert "set aside" in capsys.readouterr().out
    assert main(["check", str(run)]) == 0
    assert "known gap: events, steps 3 to 4" in capsys.readouterr().out
    assert main(["check", str(run), "--repair"]) == 0
    assert "nothing to repair" in capsys.readouterr().out
