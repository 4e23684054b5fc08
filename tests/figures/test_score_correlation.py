"""The lower triangle shows the correlations of the frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.figures.frames import (
    LABELS,
    cells_of,
    colours_of,
    correlations,
    mesh_of,
    pixels_of,
)
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError


def test_the_lower_triangle_holds_the_frames_numbers() -> None:
    frame = correlations()
    axes, _ = figures.score_correlation(frame, LABELS).axes
    cells, colours = cells_of(axes), colours_of(axes)
    assert len(cells) == len(colours) == 6
    order = list(LABELS)
    for row in frame.itertuples():
        first, second = sorted((row.score_a, row.score_b), key=order.index)
        at = (LABELS[second], LABELS[first])
        assert colours[at] == pytest.approx(row.value)
        assert cells[at] == f"{row.value:.2f}".replace("-", "−")


def test_scores_stand_in_the_order_of_the_labels() -> None:
    axes, _ = figures.score_correlation(correlations(), LABELS).axes
    down = [label.get_text() for label in axes.get_yticklabels()]
    across = [label.get_text() for label in axes.get_xticklabels()]
    assert down == ["|μ|/σ", "Ī·Ū", "|μ|"]
    assert across == ["1/σ", "|μ|/σ", "Ī·Ū"]
    assert axes.yaxis_inverted()


def test_a_score_without_a_label_goes_by_its_name() -> None:
    axes, _ = figures.score_correlation(correlations(), {"sensitivity": "Ī·Ū", "x": "x"}).axes
    down = [label.get_text() for label in axes.get_yticklabels()]
    assert down == ["snr", "mean_abs", "inverse_std"]


def test_colours_span_all_correlations_and_the_bar_names_the_method() -> None:
    axes, bar = figures.score_correlation(correlations(), LABELS).axes
    assert mesh_of(axes).get_clim() == (-1, 1)
    assert bar.get_ylabel() == "Spearman correlation"


def test_the_mean_over_steps_is_drawn() -> None:
    frame = correlations(steps=(1, 2, 3))
    axes, _ = figures.score_correlation(frame, LABELS).axes
    chosen = frame[(frame["score_a"] == "snr") & (frame["score_b"] == "mean_abs")]["value"]
    assert colours_of(axes)["|μ|", "|μ|/σ"] == pytest.approx(sum(chosen) / 3)


def test_a_constant_score_leaves_its_cells_empty() -> None:
    frame = correlations()
    constant = (frame["score_a"] == "inverse_std") | (frame["score_b"] == "inverse_std")
    frame.loc[constant, "value"] = np.nan
    figure = figures.score_correlation(frame, LABELS)
    cells = cells_of(figure.axes[0])
    assert len(cells) == 3
    assert not any("1/σ" in at for at in cells)
    assert "1/σ" in [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert pixels_of(figure)


def test_zero_has_no_sign() -> None:
    frame = correlations(("snr", "mean_abs")).assign(value=-0.001)
    axes, _ = figures.score_correlation(frame, LABELS).axes
    assert list(cells_of(axes).values()) == ["0.00"]


def test_two_scores_make_one_cell() -> None:
    axes, _ = figures.score_correlation(correlations(("snr", "mean_abs")), LABELS).axes
    assert list(cells_of(axes)) == [("|μ|", "|μ|/σ")]


@pytest.mark.parametrize("column", ["method", "group"])
def test_methods_and_groups_are_not_averaged(column: str) -> None:
    frame = pd.concat([correlations(), correlations().assign(**{column: "another"})])
    with pytest.raises(ConfigError, match=f"correlations of one {column}, got .*, another"):
        figures.score_correlation(frame, LABELS)


def test_a_caption_stands_below() -> None:
    figure = figures.score_correlation(correlations(), LABELS, caption="Ī: smoothed |θ g|")
    assert figure.get_supxlabel() == "Ī: smoothed |θ g|"
    assert figures.score_correlation(correlations(), LABELS).get_supxlabel() == ""


def test_an_empty_frame_is_said() -> None:
    with pytest.raises(ConfigError, match="expected correlations of one method, got none"):
        figures.score_correlation(correlations()[:0], LABELS)


@pytest.mark.parametrize("count", [2, 9, 14, 20])
def test_names_below_the_columns_do_not_touch(count: int) -> None:
    figure = figures.score_correlation(correlations(tuple(f"score_{i}" for i in range(count))), {})
    pixels_of(figure)
    axes = figure.axes[0]
    apart = np.diff(axes.transData.transform([(0, 0), (1, 0)])[:, 0])[0] * 72 / figure.dpi
    for label in axes.get_xticklabels():
        lines_apart = apart * np.sin(np.radians(label.get_rotation()))
        assert lines_apart >= label.get_fontsize()
