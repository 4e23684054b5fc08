"""The heatmap shows the ranks of the frame in the order of the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

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


def test_the_decoder_has_rows_of_its_own_below_the_encoders() -> None:
    encoder = ranks(layers=2)
    decoder = encoder.dropna(subset=["layer"])
    crossing = decoder[~decoder["matrix"].str.startswith("W_f")]
    frame = pd.concat(
        [
            encoder,
            crossing.assign(matrix=crossing["matrix"] + "_cross"),
            decoder.assign(matrix=decoder["matrix"] + "_dec", rank=1),
        ]
    )
    figure = figures.rank_heatmap(frame)
    drawn = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    own = [rf"{label[:-1]}^{{\mathrm{{dec}}}}$" for label in IN_ORDER]
    crossed = [rf"{label[:-1]}^{{\mathrm{{cross}}}}$" for label in IN_ORDER[:4]]
    assert drawn == [*IN_ORDER, *own, *crossed]
    assert all(colours_of(figure.axes[0])[label, "1"] == 1 for label in own)
    assert pixels_of(figure)


def caption_of(frame: pd.DataFrame) -> str:
    return figures.rank_heatmap(frame).get_supxlabel().replace("\n", " ")


def test_what_has_no_layer_is_said_below() -> None:
    frame = ranks()
    assert caption_of(frame) == "Not shown, outside the layers: pooler.dense keeps 9 of 99."
    assert caption_of(frame.dropna(subset=["layer"])) == ""
    heads = [frame.tail(1).assign(matrix=f"head{i}.dense") for i in range(4)]
    said = caption_of(pd.concat([frame, *heads]))
    assert said.endswith("head1.dense keeps 9 of 99, and 2 more.")


def luminance(colour: object) -> float:
    rgb = np.array(to_rgb(colour))  # type: ignore[arg-type]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_number_stands_out_from_its_cell() -> None:
    axes, _ = figures.rank_heatmap(ranks(layers=12, init_rank=12)).axes
    cells = mesh_of(axes).get_facecolor()
    assert len(axes.texts) == len(cells) == 72
    for text, cell in zip(axes.texts, cells, strict=True):
        dark, light = sorted((luminance(text.get_color()), luminance(cell[:3])))
        assert (light + 0.05) / (dark + 0.05) > 4


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
