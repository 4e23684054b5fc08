"""What somebody typed becomes a path of this machine, or of a place that fsspec knows."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.log.synthetic import manifest, numbered_step, schema_of, write_run
from vilora_analysis import errors
from vilora_analysis.errors import LogError, MissingExtraError
from vilora_analysis.log import LogWriter, check_run, open_run, open_runs
from vilora_analysis.log.places import as_place, is_remote, make_folder, reached, refuse_remote
from vilora_analysis.log.store_lock import StoreLock

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("upath")


@pytest.mark.parametrize("typed", ["runs/sst2", "/runs/sst2", "C:/runs", "a:b", ""])
def test_a_path_of_this_machine_stays_one(typed: str) -> None:
    assert as_place(Path(typed)) == as_place(typed) == Path(typed)


@pytest.mark.parametrize("given", ["memory://runs/sst2", Path("memory://runs/sst2")])
def test_a_url_is_one_though_a_path_has_lost_a_slash(given: str | Path) -> None:
    place = as_place(given)
    assert str(place) == "memory://runs/sst2"
    assert (place.name, str(place.parent), is_remote(place)) == ("sst2", "memory://runs", True)
    assert as_place(place) is place


def test_a_folder_with_a_colon_stays_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("memory:").mkdir()
    assert as_place(Path("memory:/run")) == Path("memory:/run")
    assert is_remote(as_place("memory://run"))


def test_no_protocol_of_that_name() -> None:
    with pytest.raises(LogError, match="'memori'; did you mean memory"):
        as_place("memori://run")


@pytest.mark.parametrize("missing", ["upath", "fsspec"])
def test_what_is_not_installed_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str) -> Any:
        if name == missing:
            raise ModuleNotFoundError(name=name)
        return real(name)

    monkeypatch.setattr(errors.importlib, "import_module", without)
    with pytest.raises(MissingExtraError, match=r"vilora-analysis\[cloud\]"):
        as_place("memory://run")


def test_errors_of_this_machine_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), reached(Path("run")):
        raise PermissionError
    with pytest.raises(KeyError), reached(as_place("memory://run")):
        raise KeyError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Forbidden"), "no access"),
        (OSError(16, "busy"), "until all tries were used up"),
        (FileNotFoundError("The specified bucket does not exist"), "no such bucket"),
    ],
)
def test_errors_of_a_store_say_what_to_do(error: OSError, said: str) -> None:
    with pytest.raises(LogError, match=said), reached(as_place("memory://run")):
        raise error


def test_what_needs_this_machine_is_refused() -> None:
    refuse_remote(Path("run"), "this", "do that")
    with pytest.raises(LogError, match="memory://run: this needs a folder of this machine; do tha"):
        refuse_remote(as_place("memory://run"), "this", "do that")


def test_no_folder_is_made_in_a_store(memory: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    make_folder(as_place(f"{memory}/a"))
    assert (tmp_path / "a" / "b").is_dir()
    assert not as_place(f"{memory}/a").exists()


def test_a_run_in_memory_is_the_one_on_disk(memory: str, tmp_path: Path) -> None:
    written = {"steps": range(1, 7), "flush_after": (2, 4)}
    here = open_run(write_run(tmp_path / "sst2", **written).path)
    write_run(as_place(f"{memory}/sst2"), **written)
    there = open_run(f"{memory}/sst2")
    pd.testing.assert_frame_equal(there.triplets(), here.triplets())
    pd.testing.assert_frame_equal(there.triplets(steps=[3]), here.triplets(steps=[3]))
    pd.testing.assert_frame_equal(there.metrics(), here.metrics())
    assert check_run(there.path) == []
    assert open_runs(memory).names == ("sst2",)


def test_who_lost_the_lock_of_a_store_writes_no_more(memory: str) -> None:
    known = manifest()
    schema = schema_of(known)
    writer = LogWriter(as_place(f"{memory}/lost"), known, triplets=schema)
    writer.triplets(*numbered_step(known, 1))
    writer.flush()
    assert isinstance(writer._lock, StoreLock)
    writer._lock.lost = True
    writer.triplets(*numbered_step(known, 2))
    with pytest.raises(LogError, match="another one took its place"):
        writer.close("finished")
    assert open_run(f"{memory}/lost").steps.tolist() == [1]
