"""Files that a second process drew are those that this one draws, and say where they come from."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.figures.frames import ranks
from vilora_analysis import figures
from vilora_analysis.audits import Answer, begin_answer, csv_text, write, write_answer, write_table
from vilora_analysis.errors import LogError
from vilora_analysis.figures.drawing import begin_here_or_there, drawing_process
from vilora_analysis.provenance import RunReference, current, read_provenance, recorded, writing_as

RUNS = [RunReference("a", "1f", "9e")]


def answer() -> Answer:
    return Answer({"ranks": ranks()}, {"ranks": partial(figures.rank_heatmap, ranks())})


def test_what_another_process_wrote_is_what_this_one_writes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with drawing_process() as executor, recorded(RUNS, ["vilora", "x"]):
        writing = begin_answer(answer(), there, executor)
        written = write_answer(answer(), here)
        writing.lend_a_hand()
    assert [file.name for file in writing.files()] == [file.name for file in written]
    for file in written:
        if file.suffix in (".png", ".pdf"):
            made = read_provenance(there / file.name)
            assert made is not None
            assert (made.runs, made.command) == (tuple(RUNS), ("vilora", "x"))
    first, second = (np.asarray(Image.open(folder / "ranks.png")) for folder in (here, there))
    assert np.array_equal(first, second)
    assert (here / "ranks.csv").read_bytes() == (there / "ranks.csv").read_bytes()


def test_a_folder_that_cannot_be_written_is_named_whoever_writes(tmp_path: Path) -> None:
    (tmp_path / "ranks.png").mkdir()
    with drawing_process() as executor:
        writing = begin_answer(Answer(figures=answer().figures), tmp_path, executor)
        with pytest.raises(LogError, match="cannot write to"):
            writing.files()
    with pytest.raises(LogError, match="cannot write to"):
        write_answer(Answer(figures=answer().figures), tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="drawn by this process there")
def test_who_draws_leaves_an_interrupt_to_this_process() -> None:
    with drawing_process() as executor:
        if executor is not None:
            asked = executor.submit(signal.getsignal, signal.SIGINT)
            assert asked.result() == signal.SIG_IGN


@pytest.mark.skipif(sys.platform != "linux", reason="drawn by this process there")
def test_all_but_the_figure_that_is_being_drawn_can_be_called_off() -> None:
    with drawing_process() as executor:
        if executor is not None:
            first = executor.submit(time.sleep, 0.5)
            later = [executor.submit(os.getpid) for _ in range(3)]
            assert [future.cancel() for future in later] == [True, True, True]
            assert first.result() is None
            assert executor.submit(os.getpid).result() != os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="drawn by this process there")
def test_when_who_draws_is_killed_the_rest_is_drawn_here() -> None:
    with drawing_process() as executor:
        if executor is not None:
            pid = executor.submit(os.getpid).result()
            pending = [begin_here_or_there(partial(pow, 2, 5), executor) for _ in range(3)]
            os.kill(pid, signal.SIGKILL)
            pending.append(begin_here_or_there(partial(pow, 2, 5), executor))
            assert [made() for made in pending] == [32] * 4


def test_a_record_is_current_while_it_is_written_for() -> None:
    with recorded(RUNS) as made:
        pass
    with writing_as(made):
        assert current() == made
    assert current().runs == ()


def test_names_are_made_inert_value_by_value() -> None:
    frame = pd.DataFrame({"name": ["=a", "=a", 1, True, None, "b\nc"]})
    assert csv_text(frame) == "name\n'=a\n'=a\n1\nTrue\n\"\"\nb c\n"


def test_a_long_table_is_written_in_pieces_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"name": ["=a", "b"] * 5, "value": range(10)})
    whole = csv_text(frame)
    monkeypatch.setattr(write, "_ROWS_A_PIECE", 3)
    assert (
        csv_text(frame)
        == whole
        == (
            "name,value\n"
            + "".join(f"{['b', chr(39) + '=a'][i % 2 == 0]},{i}\n" for i in range(10))
        )
    )
    assert csv_text(frame.iloc[:0]) == "name,value\n"
    assert write_table(frame, tmp_path / "long")[1].read_text() == whole
