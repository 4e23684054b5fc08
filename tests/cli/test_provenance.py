"""Every command says in its files where they came from, and ``vilora provenance`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vilora_analysis as va
from tests.log.synthetic import decision, write_posterior_run
from vilora_analysis.audits import AUDITS, JOINT_AUDITS
from vilora_analysis.cli import main
from vilora_analysis.figures.style import StyledFigure
from vilora_analysis.log import references, run_digest
from vilora_analysis.provenance import current, read_provenance

CARRY = {".png", ".pdf", ".parquet", ".md"}


def small_run(path: Path, seed: int = 0) -> Path:
    return write_posterior_run(path, seed=seed, events=[decision(3)], run_id=str(seed) * 32).path


RUN = Path("(a) 'b'")
ANALYZE = ("analyze", str(RUN), "--out", "out")
_savefig = StyledFigure.savefig


def save_coarsely(self: StyledFigure, fname: Any, **options: Any) -> None:
    """As ever, but not at the resolution of print."""
    _savefig(self, fname, dpi=30, **options)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder to be in, with a run and its analysis in ``out``."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(StyledFigure, "savefig", save_coarsely)
        small_run(RUN)
        assert main(ANALYZE) == 0
        yield folder


def test_each_file_of_analyze_carries_run_command_and_version(folder: Path) -> None:
    files = [file for file in Path("out").iterdir() if file.suffix in CARRY]
    carried = {read_provenance(file) for file in files}
    assert {file.suffix for file in files} == {".png", ".pdf", ".parquet"}
    (made,) = carried
    assert made is not None
    assert made.version == va.__version__
    assert made.command == ("vilora", *ANALYZE)
    assert made.runs == references([va.open_run(RUN)])
    assert str(folder) not in made.to_json()
    assert current().command == ()


def test_an_audit_says_of_each_file_which_runs_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    joint = [audit for audit in JOINT_AUDITS if audit.name == "claims"]
    monkeypatch.setattr("vilora_analysis.audits.execute.AUDITS", AUDITS[:1])
    monkeypatch.setattr("vilora_analysis.audits.execute.JOINT_AUDITS", joint)
    other = small_run(Path("c"), seed=1)
    words = ["audit", str(RUN), str(other), "--out", "audit"]
    assert main(words) == 0
    of = references([va.open_run(RUN), va.open_run(other)])
    folders = {"audit": of, f"audit/{RUN}": of[:1], "audit/c": of[1:]}
    for name, expected in folders.items():
        files = [file for file in Path(name).iterdir() if file.suffix in CARRY]
        assert len(files) >= 3
        for file in files:
            made = read_provenance(file)
            assert made is not None
            assert (made.runs, made.command) == (expected, ("vilora", *words)), file
    assert read_provenance("audit/audit.md") is not None


def test_claims_carry_it() -> None:
    words = ["claims", str(RUN), "--out", "sheet"]
    assert main(words) == 0
    for name in ("claims.md", "claims.parquet"):
        made = read_provenance(Path("sheet") / name)
        assert made is not None
        assert made.runs == references([va.open_run(RUN)])
        assert made.command == ("vilora", *words)


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provenance", "out/ranks.png", "out/ranks.parquet"]) == 0
    first, version, command, source, second, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == ("out/ranks.png", "out/ranks.parquet")
    assert version.startswith(f"  vilora_analysis {va.__version__}, 20")
    assert command == """  command  vilora analyze '(a) '"'"'b'"'"'' --out out"""
    assert source == f"  run      (a) 'b'  id {'0' * 32}  sha256 {run_digest(RUN)}"


def test_a_file_without_any_is_said_and_the_others_are_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("broken.png").write_bytes(b"x")
    assert main(["provenance", "out/ranks.csv", "out/ranks.pdf"]) == 1
    shown = capsys.readouterr().out
    first, second, *_ = shown.splitlines()
    assert first == "out/ranks.csv: no provenance, CSV has no place for it; see out/ranks.parquet"
    assert second == "out/ranks.pdf"
    assert main(["provenance", f"{RUN}/run.json"]) == 1
    assert capsys.readouterr().out == f"{RUN}/run.json: no provenance\n"
    assert main(["provenance", "broken.png", "none.pdf", "out/ranks.csv", "out/ranks.pdf"]) == 2
    shown = capsys.readouterr().out
    assert "broken.png is damaged or cannot be read" in shown
    assert "no file none.pdf" in shown
    assert "out/ranks.pdf\n" in shown


def test_no_file_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provenance"]) == 2
    assert "name at least one file" in capsys.readouterr().err
