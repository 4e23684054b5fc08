"""The heatmap shows the ranks of the frame in the order of the paper."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.figures.frames import (
    cells_of,
    colours_of,
    mesh_of,
    pixels_of,
    ranks,
)
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError

IN_ORDER = ["$W_{q}$", "$W_{k}$", "$W_{v}$", "$W_{o}$", "$W_{f1}$", "$W_{f2}$"]


def test_numbers_and_colours_are_the_frames() -> None:
    frame = ranks()
    axes, _ = figures.rank_heatmap(frame).axes
    cells, colours = cells_of(axes), colours_of(axes)
    assert len(cells) == len(colours) == 18
    for row in frame.dropna(subset=["layer"]).itertuples():
        at = (f"$W_{{{row.matrix[2:]}}}$", str(row.layer + 1))
        assert cells[at] == str(row.rank)
        assert colours[at] == row.rank


def test_layers_go_across_from_1_and_matrices_down_in_the_papers_order() -> None:
    axes, bar = figures.rank_heatmap(ranks()).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]
    assert [label.get_text() for label in axes.get_yticklabels()] == IN_ORDER
    assert axes.yaxis_inverted()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "")
    assert bar.get_ylabel() == "rank kept"


def test_colours_span_from_nothing_kept_to_all() -> None:
    axes, bar = figures.rank_heatmap(ranks(init_rank=12)).axes
    assert mesh_of(axes).get_clim() == (0, 12)  # not the pooler's 99, which is not drawn
    assert all(float(tick).is_integer() for tick in bar.get_yticks())


def test_the_mean_over_runs_is_drawn() -> None:
    frame = ranks(runs=3)
    axes, _ = figures.rank_heatmap(frame).axes
    cells, colours = cells_of(axes), colours_of(axes)
    for (layer, matrix), group in frame.groupby(["layer", "matrix"]):
        at = (f"$W_{{{matrix[2:]}}}$", str(layer + 1))
        assert colours[at] == pytest.approx(sum(group["rank"]) / 3)
        assert cells[at] == f"{sum(group['rank']) / 3:.1f}"


def test_other_matrices_follow_by_their_names() -> None:
    frame = ranks()
    frame.loc[frame["matrix"] == "W_q", "matrix"] = "mlp.gate_proj"
    axes, _ = figures.rank_heatmap(frame).axes
    drawn = [label.get_text() for label in axes.get_yticklabels()]
    assert drawn == [*IN_ORDER[1:], "mlp.gate_proj"]


def test_a_matrix_missing_in_a_layer_leaves_a_gap() -> None:
    frame = ranks()
    gone = (frame["matrix"] == "W_v") & (frame["layer"] == 1)
    axes, _ = figures.rank_heatmap(frame[~gone]).axes
    assert ("$W_{v}$", "2") not in cells_of(axes)
    assert ("$W_{v}$", "2") not in colours_of(axes)
    assert len(cells_of(axes)) == 17


def test_a_single_layer_and_a_rank_of_one_can_be_drawn() -> None:
    figure = figures.rank_heatmap(ranks(layers=1, init_rank=1))
    assert len(cells_of(figure.axes[0])) == 6
    assert pixels_of(figure)


def test_the_frame_is_left_as_it_was() -> None:
    frame = ranks()
    figures.rank_heatmap(frame)
    pd.testing.assert_frame_equal(frame, ranks())


@pytest.mark.parametrize("rows", [slice(0, 0), slice(-1, None)])
def test_nothing_within_a_layer_is_said(rows: slice) -> None:
    with pytest.raises(ConfigError, match="no matrix within a layer to draw"):
        figures.rank_heatmap(ranks()[rows])
