"""What is said around the writing, and its one line of JSON."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

import vilora_analysis as va
from tests.test_wall import loaded_after
from vilora_analysis.errors import ConfigError, LogError
from vilora_analysis.provenance import Provenance, RunReference, current, footer, recorded

A, B = RunReference("a", "1", "x"), RunReference("b", "2", "y")
ODD = (
    "q\"'`",
    "line\nfeed\r\t",
    "é λ 中 😀",
    "((\\)\\\\",
    "<b>&amp;-->]]>",
    "\0\x1b[2J",
    "\udcff",
    "",
)
"""Words with everything that a format may trip over; a lone surrogate is a byte that is no text."""


def test_outside_there_is_the_version_alone() -> None:
    assert current() == Provenance(va.__version__)
    assert json.loads(current().to_json()) == {"vilora_analysis": va.__version__}


def test_inner_says_runs_and_outer_the_command_and_time() -> None:
    with recorded(command=["vilora", "audit"]) as outer:
        assert outer == current()
        with recorded([A]):
            assert current() == Provenance(outer.version, (A,), outer.command, outer.created)
            with recorded(iter([B, A]), ["other"]):
                assert (current().runs, current().command) == ((B, A), ("other",))
            assert current().runs == (A,)
        assert current() == outer
    assert current() == Provenance(va.__version__)


def test_nothing_is_left_after_an_error() -> None:
    with pytest.raises(KeyError), recorded([A]):
        raise KeyError
    assert current().runs == ()


def test_another_thread_starts_with_nothing() -> None:
    seen: list[Provenance] = []
    with recorded([A], ["vilora"]):
        thread = Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [Provenance(va.__version__)]


def test_created_is_now_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    with recorded() as made:
        created = datetime.fromisoformat(made.created)
    assert created.utcoffset() == timedelta(0)
    assert timedelta(seconds=-1) <= datetime.now(UTC) - created < timedelta(minutes=1)


def test_created_is_the_source_date_if_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    with recorded() as made:
        assert made.created == "1970-01-02T00:00:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH = 'yesterday'"), recorded():
        pass
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    with recorded() as made:
        assert abs(datetime.fromisoformat(made.created).timestamp() - time.time()) < 60


def test_anything_goes_through_one_line_of_ascii() -> None:
    runs = tuple(RunReference(word, "", word) for word in ODD)
    made = Provenance("1", runs, ODD, "2026-01-02T03:04:05+00:00")
    text = made.to_json()
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set("<>&")
    assert Provenance.from_json(text) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"vilora_analysis": 1}',
        '{"vilora_analysis": "1", "command": [1]}',
        '{"vilora_analysis": "1", "command": 1}',
        '{"vilora_analysis": "1", "runs": [["a", "b", "c"]]}',
        '{"vilora_analysis": "1", "runs": [{"name": "a"}]}',
        '{"vilora_analysis": "1", "runs": [{"name": "a", "run_id": 1, "digest": ""}]}',
        '{"vilora_analysis": "1", "created": 1}',
    ],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(LogError, match="not a record of provenance"):
        Provenance.from_json(text)


def test_what_a_later_version_may_add_is_no_obstacle() -> None:
    run = {"name": "a", "run_id": "1", "digest": "x", "more": 1}
    text = json.dumps({"vilora_analysis": "9", "runs": [run], "more": 1})
    assert Provenance.from_json(text) == Provenance("9", (A,))


def test_lines_for_people_are_one_line_each_and_move_no_cursor() -> None:
    made = Provenance("1", (RunReference("\x1b[2J\n", "i", "d"),), ("vilora", "é x", "\r"), "t")
    assert made.lines() == [
        "vilora_analysis 1, t",
        "command  vilora 'é x' '\\r'",
        "run      \\x1b[2J\\n  id i  sha256 d",
    ]


def test_a_footer_shows_it_as_code() -> None:
    with recorded([RunReference("`<b>`", "i", "d")], ["vilora"]) as made:
        lines = footer().splitlines()
    shown = [line for line in lines if line.startswith("    ")]
    assert [line.strip() for line in shown] == made.lines()
    assert lines[-1].startswith("<!-- vilora-provenance {")
    assert lines[-1].endswith("} -->")


def test_saying_it_loads_next_to_nothing() -> None:
    (loaded,) = loaded_after("vilora_analysis.provenance").values()
    assert not loaded & {"torch", "numpy", "pandas", "pyarrow", "matplotlib", "PIL"}


def test_no_path_of_the_run_is_said(tmp_path: Path) -> None:
    from tests.log.synthetic import write_run

    run = va.open_run(write_run(tmp_path / "mine").path)
    with recorded(va.log.references([run])) as made:
        assert str(tmp_path) not in made.to_json()
        assert made.runs[0].name == "mine"
