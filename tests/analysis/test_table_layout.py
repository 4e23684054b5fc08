"""What is printed: every cell in its place, and a dash where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.analysis.table_runs import BASELINE, FULL, LORA, OURS, finished, pairs
from vilora_analysis.analysis import (
    difference_layout,
    results_table,
    table_layout,
    table_notes,
    table_verdict,
)
from vilora_analysis.analysis.table import MISSING, Layout, Shown


def texts(layout: Layout) -> dict[str, list[list[str]]]:
    return {
        section.title: [
            [*line.labels, *(cell.text for cell in line.cells)] for line in section.lines
        ]
        for section in layout.sections
    }


def test_the_table_is_rectangular_in_the_papers_order_with_dashes(tmp_path: Path) -> None:
    runs = [
        finished(tmp_path, OURS, 80.0, task="rte", seed=0, numel=1000),
        finished(tmp_path, OURS, 82.0, task="rte", seed=1, numel=1000),
        finished(tmp_path, BASELINE, 70.0, task="mnli"),
        finished(tmp_path, LORA, 0.0, task="rte"),
        finished(tmp_path, FULL, -4.0, task="cola"),
        finished(tmp_path, BASELINE, 60.0, task="mine"),
    ]
    layout = table_layout(results_table(runs))
    assert layout.heads == ("Method", "Optimizer", "Criterion", "# params")
    assert layout.columns == (
        *(("MNLI", "Acc(m)"), ("CoLA", "Mcc"), ("RTE", "Acc"), ("mine", "Acc")),
    )
    assert texts(layout) == {
        "all weights": [["Full FT", "Adam", "–", "–", "–", "−4.00 (1)", "–", "–"]],
        "target rank 2": [
            ["LoRA", "Adam", "–", "–", "–", "–", "0.00 (1)", "–"],  # a 0 that was measured
            ["AdaLoRA", "Adam", "Sensitivity", "–", "70.00 (1)", "–", "–", "60.00 (1)"],
            ["AdaLoRA", "IVON", "|μ|/σ", "1k", "–", "–", "81.00 ± 1.41 (2)", "–"],
        ],
    }
    assert difference_layout(results_table(runs)) is None


def test_the_papers_cells_stand_below(tmp_path: Path) -> None:
    layout = table_layout(results_table([finished(tmp_path, OURS, 80.0)], published=True))
    assert [name for name, _ in layout.columns] == [
        *("MNLI", "QQP", "QNLI", "SST-2", "CoLA", "STS-B", "MRPC", "RTE"),
        *("Group 1", "Group 2", "All"),
    ]
    rows = texts(layout)
    assert [*rows] == ["all weights", "target rank 2", "target rank 4"]
    assert list(map(len, rows.values())) == [1, 8, 7]
    at = next(n for n, row in enumerate(rows["target rank 2"]) if "runs" in row)
    ours, paper = rows["target rank 2"][at : at + 2]
    missing = [MISSING] * 7
    assert ours == ["AdaLoRA", "IVON", "|μ|/σ", "runs", *missing, "80.00 (1)", *missing[:3]]
    assert paper[:4] == ["", "", "", "paper"]
    assert paper[-4:] == ["88.38", "93.03", "85.43", "89.23"]


def test_bold_and_the_arrow_are_of_what_survives_the_correction(tmp_path: Path) -> None:
    noise = np.linspace(1, 2, 7)
    runs = pairs(tmp_path, 80 + noise, np.full(7, 80.0))
    worse = ("adalora", "ivon", "mean_abs")
    runs += [finished(tmp_path, worse, 80 - n, seed=seed) for seed, n in enumerate(noise)]
    frame = results_table(runs)
    shown = [line.cells[0] for line in table_layout(frame).sections[0].lines]
    assert [cell.bold for cell in shown] == [False, True, False]
    assert [cell.text.endswith("↓") for cell in shown] == [False, False, True]
    differences = difference_layout(frame)
    assert differences is not None
    assert differences.title == "Differences from AdaLoRA, Adam, Sensitivity, in points"
    better, _ = (line.cells[0] for line in differences.sections[0].lines)
    # the third of the 127 means of subsets from either end: (1 + 4/3) / 2 and 7/6 tie
    assert better == Shown("+1.50 [+1.17, +1.83], p 0.016 → 0.031", bold=True)
    assert "Of 2 differences from AdaLoRA, Adam, Sensitivity on 7 pairs of equal seeds, 1 are " in (
        table_verdict(frame)
    )
    assert "Nothing could have been shown" not in table_verdict(frame)


def test_what_so_few_pairs_forbid_is_said(tmp_path: Path) -> None:
    frame = results_table(pairs(tmp_path, [90.0, 91.0], [80.0, 80.0]))
    assert table_verdict(frame).endswith(
        "of 1 the runs cannot tell. Nothing could have been shown: with 1 tests of a task it takes "
        "6 pairs, and the most there are is 2."
    )
    alone = results_table([finished(tmp_path / "alone", OURS, 80.0)])
    assert table_verdict(alone).startswith("No difference from AdaLoRA, Adam, Sensitivity: ")
    assert "Not compared, no baseline: AdaLoRA IVON |μ|/σ (RTE)" in table_notes(alone)


def test_the_notes_tell_the_papers_model_from_that_of_the_runs(tmp_path: Path) -> None:
    runs = [finished(tmp_path, OURS, 80.0, task=task) for task in ("stsb", "rte")]
    notes = " ".join(table_notes(results_table(runs, published=True)))
    assert "of DeBERTaV3-base, the best evaluation of each of five runs" in notes
    assert "Runs: model tiny; the metric of the final model." in notes
    assert "here it is Pearson's" in notes
    assert "2 tasks: mean over STS-B, RTE" in notes
    paper = " ".join(table_notes(results_table(published=True)))
    assert "DeBERTaV3-base" in paper
    assert "Runs" not in paper
