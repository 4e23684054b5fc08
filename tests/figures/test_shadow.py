"""Overlap and churn are drawn as the frames say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.figures.frames import LABELS, cells_of, churn, colours_of, mesh_of, overlap, pixels_of
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError

ORDER = [*LABELS, "kept"]


def test_the_later_step_stands_below_the_diagonal_and_the_earlier_above() -> None:
    frame = overlap()
    axes, _ = figures.shadow_overlap(frame, LABELS).axes
    cells, colours = cells_of(axes), colours_of(axes)
    assert len(cells) == len(colours) == len(frame) == 10 + 6
    for row in frame.itertuples():
        down, across = sorted(
            (row.score_a, row.score_b), key=ORDER.index, reverse=bool(row.step == 9)
        )
        at = (LABELS.get(down, down), LABELS.get(across, across))
        assert colours[at] == pytest.approx(row.corrected)
        assert cells[at] == f"{row.corrected:.2f}".replace("-", "−")


def test_every_score_and_the_kept_set_has_a_row_and_nobody_an_empty_column() -> None:
    axes, bar = figures.shadow_overlap(overlap(), LABELS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [*LABELS.values(), "kept"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [*LABELS.values()]
    assert mesh_of(axes).get_clim() == (-1, 1)
    assert bar.get_ylabel() == "overlap beyond chance"


def test_one_step_is_a_lower_triangle() -> None:
    axes, _ = figures.shadow_overlap(overlap(steps=(9,)), LABELS).axes
    assert len(cells_of(axes)) == 10
    assert [label.get_text() for label in axes.get_yticklabels()] == [*LABELS.values(), "kept"][1:]


def test_two_scores_make_few_cells() -> None:
    names = ("snr", "mean_abs")
    axes, _ = figures.shadow_overlap(overlap(names), LABELS).axes
    assert len(cells_of(axes)) == 4
    alone, _ = figures.shadow_overlap(overlap(names, steps=(9,)), LABELS).axes
    assert len(cells_of(alone)) == 3


@pytest.mark.parametrize(
    ("measure", "said", "bar"),
    [
        ("kept", "Kept of 30 triplets: 20 at step 9 (below the diagonal), 20 at step 3", "overlap"),
        ("pruned", "Pruned of 30 triplets: 20 at step 9", "overlap of the pruned"),
        ("rbo", "Ranking 30 triplets: at step 9 (below the diagonal), at step 3", "rank-biased"),
    ],
)
def test_a_line_below_says_of_what(measure: str, said: str, bar: str) -> None:
    frame = pd.concat([overlap(measure=measure), overlap(measure="another")])
    figure = figures.shadow_overlap(frame, LABELS, measure=measure, caption="Mine.")
    text = " ".join(figure.get_supxlabel().split())
    assert text.startswith(said)
    assert text.endswith("1: the same. Mine.")
    assert "0.50)" in text
    assert figure.axes[1].get_ylabel().startswith(bar)


def test_cells_where_nothing_could_differ_stay_empty() -> None:
    frame = overlap()
    frame.loc[frame["step"] == 3, "corrected"] = np.nan
    figure = figures.shadow_overlap(frame, LABELS)
    assert len(cells_of(figure.axes[0])) == 10
    assert pixels_of(figure)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (overlap(steps=(1, 2, 3)), "got all at 3 steps"),
        (overlap(measure="pruned"), "the overlap 'kept' of one group.* got none at 0 steps"),
        (pd.concat([overlap(), overlap().assign(group="W_q")]), "got all, W_q at 2 steps"),
    ],
)
def test_what_cannot_be_one_matrix_is_refused(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        figures.shadow_overlap(frame, LABELS)


def lines_of(figure: Figure) -> dict[str, np.ndarray]:
    return {str(line.get_label()): line.get_xydata() for line in figure.axes[0].lines}


def test_a_line_a_score_is_its_churn_so_far() -> None:
    frame = churn()
    drawn = lines_of(figures.shadow_churn(frame, LABELS))
    assert set(drawn) == {*LABELS.values(), "kept"}
    for name, rows in frame.groupby("score"):
        expected = np.column_stack([rows["step"], 100 * rows["cumulative"]])
        np.testing.assert_allclose(drawn[LABELS.get(str(name), str(name))], expected)


def test_the_legend_goes_from_most_to_least() -> None:
    figure = figures.shadow_churn(churn(), LABELS)
    (legend,) = figure.legends
    ends = {name: data[-1, 1] for name, data in lines_of(figure).items()}
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == sorted(ends, key=lambda name: -ends[name])


def test_what_was_kept_is_black_and_all_others_differ() -> None:
    names = tuple(f"score_{i}" for i in range(12))
    lines = figures.shadow_churn(churn(names), {}).axes[0].lines
    looks = {
        str(line.get_label()): (to_hex(line.get_color()), str(line._dash_pattern))  # type: ignore[attr-defined]
        for line in lines
    }
    assert looks.pop("kept")[0] == "#000000"
    assert len(set(looks.values())) == 12
    assert "#000000" not in {colour for colour, _ in looks.values()}


def test_colours_do_not_depend_on_who_changes_most() -> None:
    frame = churn()
    other = frame.assign(cumulative=frame["cumulative"].iloc[::-1].to_numpy())
    colours = [
        {
            line.get_label(): line.get_color()
            for line in figures.shadow_churn(f, LABELS).axes[0].lines
        }
        for f in (frame, other)
    ]
    assert colours[0] == colours[1]


def test_chance_is_said_below_and_nothing_to_draw_is_refused() -> None:
    text = figures.shadow_churn(churn(), LABELS).get_supxlabel()
    assert "drawn at random would exchange 25%" in " ".join(text.split())
    with pytest.raises(ConfigError, match="at least two recorded decisions"):
        figures.shadow_churn(churn()[:0], LABELS)
