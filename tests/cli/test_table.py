"""``vilora table``: four formats of the same cells, in which no name does anything."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.table_runs import BASELINE, LORA, OURS, finished, pairs
from vilora_analysis.analysis import results_table
from vilora_analysis.cli import main
from vilora_analysis.cli.table import render
from vilora_analysis.provenance import read_provenance

HOSTILE = (
    r"=cmd|'/C' & % $ # _ { } ~ ^ \ \input{/etc/passwd} <script>alert(1)</script> `x` *y* "
    "[z](http://a) 漢\x1b[2J\nnext"
)


@pytest.fixture
def hostile(tmp_path: Path) -> pd.DataFrame:
    runs = [
        finished(tmp_path, ("adalora", "ivon", HOSTILE), 80.0, name="a", task=HOSTILE),
        finished(tmp_path, BASELINE, 70.0, name="b", task=HOSTILE),
        finished(tmp_path, ("adalora", "ivon", "*[5]"), -7.5, name="c", task="@SUM(A1)"),
        finished(tmp_path, ("[b]|", "-1+1", "+x"), 60.0, name="d", task="rte", steps="=1"),
        finished(tmp_path, ("[b]|", "-1+1", "+x"), 60.0, name="e", task="rte", steps=HOSTILE),
    ]
    return results_table(runs, published=True)


def latex_rows(text: str) -> list[list[int]]:
    """Columns of each row of each table, spanned ones counted."""
    tables = []
    for body in re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [
            line for line in body.splitlines() if not re.fullmatch(r"\\(top|mid|bottom)rule", line)
        ]
        assert all(row.endswith(r" \\") for row in rows)
        spans = [re.match(r"\\multicolumn\{(\d+)\}", row) for row in rows]
        counts = [len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows]
        pairs_ = zip(spans, counts, strict=True)
        tables.append([int(span[1]) if span else count for span, count in pairs_])
    return tables


def assert_balanced(text: str) -> None:
    bare = re.sub(r"\\[\\{}]", "", text)
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    begun = re.findall(r"\\begin\{(\w+\*?)\}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+\*?)\}", text))
    assert re.sub(r"\\\$", "", text).count("$") % 2 == 0


def test_latex_is_well_formed_whatever_the_names(hostile: pd.DataFrame) -> None:
    text = render(hostile, "latex")
    assert_balanced(text)
    tables = latex_rows(text)
    assert len(tables) == 2
    for columns in tables:
        assert len({*columns}) == 1
        assert columns[0] > 3
    known = set(re.findall(r"\\([A-Za-z]+)", text))
    assert known == {
        *("usepackage", "begin", "end", "centering", "caption", "textwidth", "toprule", "midrule"),
        *("bottomrule", "multicolumn", "emph", "par", "smallskip", "raggedright", "footnotesize"),
        *("pm", "to", "downarrow", "mu", "sigma", "theta"),
        *("textasciitilde", "textasciicircum", "textbackslash", "textbar", "textless"),
        "textgreater",
    }
    # an argument of the end of the row above
    assert not re.search(r"\\\\\s*[\[*]", text)
    assert "漢" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        assert not re.search(r"(?<!\\)[%#_^~]", line) or line.startswith("% \\usepackage")


def test_latex_sets_the_cells(tmp_path: Path) -> None:
    frame = results_table(pairs(tmp_path, [90.0, 92.0, 91, 90, 93, 91], [80.0] * 6))
    text = render(frame, "latex")
    assert r"AdaLoRA & IVON & $|\mu|/\sigma$ & \textbf{91.17 $\pm$ 1.17 (6)} \\" in text
    assert r"AdaLoRA & Adam & Sensitivity & 80.00 $\pm$ 0.00 (6) \\" in text
    assert r"\caption{Differences from AdaLoRA, Adam, Sensitivity, in points}" in text


def cells_of(row: str) -> list[str]:
    assert row.startswith("| ")
    assert row.endswith(" |")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_markdown_is_rectangular_and_escapes_names(hostile: pd.DataFrame) -> None:
    text = render(hostile, "markdown")
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) == 2
    for block in tables:
        assert len({len(cells_of(row)) for row in block.splitlines()}) == 1
    assert not re.search(r"(?<!\\)[<>\[\]`_#$~&{}]", text)
    assert not re.search(r"(?<!\\)://", text)
    assert "\x1b" not in text


def test_text_is_in_lines_and_cannot_steer_the_terminal(hostile: pd.DataFrame) -> None:
    text = render(hostile, "text")
    assert "\x1b" not in text
    assert "next" in text
    assert not any(line.lstrip().startswith("next") for line in text.splitlines())


def test_csv_is_tidy_with_inert_names_and_numbers_that_are_numbers(hostile: pd.DataFrame) -> None:
    text = render(hostile, "csv")
    rows = [*csv.reader(io.StringIO(text))]
    assert len(rows) == len(hostile) + 1
    number = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?|-?inf")
    for row in rows[1:]:
        for cell in row:
            assert number.fullmatch(cell) or not cell.startswith(("=", "+", "-", "@"))
    flat = [cell for row in rows for cell in row]
    assert "'@SUM(A1)" in flat
    assert "'-1+1" in flat
    assert any(cell.startswith("'=cmd|") for cell in flat)
    back = pd.read_csv(io.StringIO(text))
    assert back["mean"].to_numpy() == pytest.approx(hostile["mean"].to_numpy(), nan_ok=True)
    assert back["mean"].min() == -7.5
    assert back["published"].notna().sum() == 165


def test_missing_cells_are_missing_in_every_format(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 80.0, task="rte"), finished(tmp_path, LORA, 70.0, task="cola")]
    frame = results_table(runs)
    assert re.search(r"AdaLoRA +IVON +\|μ\|/σ +– +80.00 \(1\)\n", render(frame, "text"))
    assert "| AdaLoRA | IVON | \\|μ\\|/σ | – | 80.00 (1) |" in render(frame, "markdown")
    assert r"$|\mu|/\sigma$ & -- & 80.00 (1) \\" in render(frame, "latex")
    back = pd.read_csv(io.StringIO(render(frame, "csv")))
    assert len(back) == 2
    assert back["sd"].isna().all()


def test_the_command_shows_or_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs(tmp_path / "runs", [90.0] * 6, [80.0] * 6)
    runs = str(tmp_path / "runs")
    assert main(["table", runs]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"AdaLoRA +IVON +\|μ\|/σ +90.00 ± 0.00 \(6\) \*\n", shown)
    assert "Group 1" not in shown
    for name, start in (
        ("t.md", "**Table I"),
        ("t.tex", "% \\use"),
        ("t.csv", "setup,"),
        ("t", "T"),
    ):
        out = tmp_path / "new" / name
        assert main(["table", runs, "--out", str(out)]) == 0
        assert out.read_text().startswith(start)
        shown = capsys.readouterr().out
        assert "Of 1 differences from AdaLoRA, Adam, Sensitivity on 6 pairs" in shown
        assert f"table in {out}" in shown
        origin = read_provenance(out)
        if name in ("t.md", "t.tex"):
            assert origin is not None
            assert len(origin.runs) == 12
            assert origin.command[:2] == ("vilora", "table")
    assert main(["table", "--published"]) == 0
    assert "88.38" in capsys.readouterr().out


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(tmp_path / "runs", OURS, 80.0)
    runs = str(tmp_path / "runs")
    for words, said in (
        ([runs, "--baseline", "snr"], "the baseline is a method, an optimizer and a criterion"),
        ([], "name at least one run directory"),
        ([runs, "--out", str(tmp_path / "runs")], "cannot write"),
    ):
        assert main(["table", *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
