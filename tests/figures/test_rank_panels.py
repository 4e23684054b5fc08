"""Panels of ranks show the numbers of the frame, in order, on one scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from tests.figures.frames import mesh_of, pixels_of
from tests.figures.frames import ranks as ranks_of_a_run
from vilora_analysis import figures
from vilora_analysis.errors import ConfigError

NAMES = ["Adam, sensitivity", "IVON, sensitivity", "IVON, |μ|/σ", "IVON, |μ|", "IVON, 1/σ"]
IN_ORDER = ["$W_{q}$", "$W_{k}$", "$W_{v}$", "$W_{o}$", "$W_{f1}$", "$W_{f2}$"]


def panels(
    count: int = 5, layers: int = 3, steps: tuple[int, ...] = (7,), init_rank: int = 6
) -> pd.DataFrame:
    """Ranks in thirds, as of three seeds; rows stand in no order."""
    generator = np.random.default_rng(4)
    frames = []
    for step in steps:
        for at in range(count):
            frame = ranks_of_a_run(layers, init_rank).assign(order=at, panel=NAMES[at], step=step)
            drawn = generator.integers(0, 3 * init_rank + 1, len(frame)) / 3
            frames.append(frame.assign(rank=np.where(frame["layer"].isna(), 5.5, drawn)))
    return pd.concat(frames).sample(frac=1, random_state=0).reset_index(drop=True)


def labels(axes: Axes) -> tuple[list[str], list[str]]:
    """Of rows and columns, also where only the outermost panels show them."""
    rows, columns = (
        side.get_major_formatter().format_ticks(side.get_majorticklocs())
        for side in (axes.yaxis, axes.xaxis)
    )
    return rows, columns


def cells(axes: Axes) -> dict[tuple[str, str], str]:
    """Number in each cell."""
    rows, columns = (
        dict(zip(side.get_majorticklocs(), names, strict=True))
        for side, names in zip((axes.yaxis, axes.xaxis), labels(axes), strict=True)
    )
    at = [text.get_position() for text in axes.texts]
    return {
        (rows[y], columns[x]): text.get_text() for (x, y), text in zip(at, axes.texts, strict=True)
    }


def split(figure: Figure) -> tuple[list[Axes], Axes]:
    """Panels that are shown, and the bar, which is the last of the axes."""
    *drawn, bar = figure.axes
    return [axes for axes in drawn if axes.get_visible()], bar


def test_every_cell_has_its_number_and_colour() -> None:
    frame = panels()
    drawn, _ = split(figures.rank_panels(frame))
    assert len(drawn) == 5
    for at, axes in enumerate(drawn):
        rows = frame[(frame["order"] == at) & frame["layer"].notna()]
        found, values = cells(axes), np.asarray(mesh_of(axes).get_array())
        assert len(found) == len(axes.texts) == values.size == 18
        for row in rows.itertuples():
            label = f"$W_{{{row.matrix[2:]}}}$"
            assert found[label, str(row.layer + 1)] == f"{row.rank:.1f}"
            assert values[IN_ORDER.index(label), row.layer] == pytest.approx(row.rank)


def test_order_letters_and_axes_are_the_papers() -> None:
    drawn, _ = split(figures.rank_panels(panels()))
    titles = [axes.get_title(loc="left") for axes in drawn]
    assert titles == [f"({a}) {name}" for a, name in zip("abcde", NAMES, strict=True)]
    for axes in drawn:
        assert labels(axes) == (IN_ORDER, ["1", "2", "3"])
        assert axes.yaxis_inverted()
    places = [axes.get_subplotspec() for axes in drawn]
    assert [(p.rowspan.start, p.colspan.start) for p in places if p] == [
        *((0, 0), (0, 1), (0, 2)),
        *((1, 0), (1, 1)),
    ]
    assert [axes.get_xlabel() for axes in drawn] == ["", "", "layer", "layer", "layer"]


def test_there_is_one_scale_and_one_bar() -> None:
    figure = figures.rank_panels(panels(init_rank=12))
    drawn, bar = split(figure)
    norms = {id(mesh_of(axes).norm) for axes in drawn}
    assert len(norms) == 1
    assert mesh_of(drawn[0]).get_clim() == (0, 12)
    assert len(figure.axes) == 6 + 1  # one place is empty
    assert bar.get_ylabel() == "mean rank kept"
    light, deep = (sum(mesh_of(drawn[0]).cmap(end)[:3]) for end in (0.0, 1.0))
    assert deep < light  # deeper colours are higher ranks, as in the paper


def test_whole_ranks_are_written_whole() -> None:
    frame = panels().assign(rank=lambda f: f["rank"].round())
    assert {t.get_text() for t in split(figures.rank_panels(frame))[0][0].texts} <= set("0123456")
    one = figures.rank_panels(frame, decimals=1)
    assert all(text.get_text().endswith(".0") for text in split(one)[0][0].texts)


def test_the_pooler_is_left_out_and_said_or_shown_apart() -> None:
    frame = panels()
    said = figures.rank_panels(frame, caption="Ranks.").get_supxlabel().replace("\n", " ")
    assert said == "Ranks. Left out, outside the layers: pooler.dense (5.5 kept of 99)."
    figure = figures.rank_panels(frame, pooler=True)
    for axes in split(figure)[0]:
        found = cells(axes)
        assert found["pooler", "1"] == "5.5"
        assert len(found) == 19
        pooler, query = axes.get_yticks()[:2]
        assert query - pooler > 1.3  # apart
    assert figure.get_supxlabel() == "Apart, on top: outside the layers."
    assert pixels_of(figure)
    assert figures.rank_panels(frame.dropna(subset=["layer"])).get_supxlabel() == ""


def test_what_the_poolers_keep_is_a_span() -> None:
    frame = panels()
    frame.loc[(frame["order"] == 2) & frame["layer"].isna(), "rank"] = 4
    assert "pooler.dense (4 to 5.5 kept of 99)" in figures.rank_panels(frame).get_supxlabel()


def test_a_missing_matrix_is_an_empty_cell() -> None:
    frame = panels()
    gone = (frame["order"] == 1) & (frame["matrix"] == "W_v") & (frame["layer"] == 1)
    drawn, _ = split(figures.rank_panels(frame[~gone]))
    assert [len(cells(axes)) for axes in drawn] == [18, 17, 18, 18, 18]
    assert np.ma.getmaskarray(mesh_of(drawn[1]).get_array()).sum() == 1


def test_entropy_stands_beside_the_name() -> None:
    entropy = pd.DataFrame({"panel": NAMES[::-1], "entropy": [0.5, 0.6, 0.7, 0.8, 0.9]})
    drawn, _ = split(figures.rank_panels(panels(), entropy))
    assert [axes.get_title(loc="right") for axes in drawn] == [
        *("H 0.900", "H 0.800", "H 0.700", "H 0.600", "H 0.500")
    ]


def test_the_more_layers_the_fewer_panels_a_row_and_too_many_are_without_numbers() -> None:
    few, _ = split(figures.rank_panels(panels(layers=16)))
    assert len(few[0].texts) == 16 * 6
    assert [p.rowspan.start for p in [axes.get_subplotspec() for axes in few] if p] == [
        *(0, 0, 1, 1, 2)
    ]
    drawn, _ = split(figures.rank_panels(panels(layers=24)))
    assert len(drawn[0].texts) == 24 * 6
    assert [p.rowspan.start for p in [axes.get_subplotspec() for axes in drawn] if p] == [*range(5)]
    assert labels(drawn[0])[1] == [str(layer) for layer in range(1, 24, 2)]
    crowded, _ = split(figures.rank_panels(panels(layers=48)))
    assert not crowded[0].texts


@pytest.mark.parametrize("count", [1, 2])
def test_few_panels_can_be_drawn(count: int) -> None:
    figure = figures.rank_panels(panels(count, layers=12))
    assert len(split(figure)[0]) == count
    assert pixels_of(figure)


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ConfigError, match="panels are of one step, got 2"):
        figures.rank_panels(panels(steps=(1, 2)))
    for draw in (figures.rank_panels, figures.rank_strip):
        with pytest.raises(ConfigError, match="no matrix within a layer"):
            draw(panels().query("matrix == 'pooler.dense'"))


def test_a_strip_has_a_row_a_method_and_a_column_a_step() -> None:
    frame = panels(3, steps=(30, 10, 20))
    figure = figures.rank_strip(frame, caption="Ranks.")
    drawn, _ = split(figure)
    assert len(drawn) == 9
    assert len({id(mesh_of(axes).norm) for axes in drawn}) == 1
    for at, axes in enumerate(drawn):
        step, order = (10, 20, 30)[at % 3], at // 3
        rows = frame[(frame["step"] == step) & (frame["order"] == order)].dropna(subset=["layer"])
        values = np.asarray(mesh_of(axes).get_array())
        for row in rows.itertuples():
            place = IN_ORDER.index(f"$W_{{{row.matrix[2:]}}}$"), row.layer
            assert values[place] == pytest.approx(row.rank)
        assert not axes.texts
    total = frame[frame["step"] == 10].groupby("panel")["rank"].sum().mean()
    assert drawn[0].get_title() == f"step 10\nrank {round(total, 1):g}"
    assert [axes.get_ylabel() for axes in drawn[::3]] == [
        *("(a) Adam,\nsensitivity", "(b) IVON,\nsensitivity", "(c) IVON,\n|μ|/σ")
    ]
    assert figure.get_supxlabel().startswith("Ranks. Left out")
    assert pixels_of(figure)


def test_an_animation_has_a_picture_a_step(tmp_path: Path) -> None:
    path = figures.animate_ranks(panels(1, 1, steps=(1, 5, 9)), tmp_path / "new" / "a.gif", dpi=40)
    with Image.open(path) as gif:
        durations = []
        for at in range(gif.n_frames):
            gif.seek(at)
            durations.append(gif.info["duration"])
        assert gif.size[0] == 280
    assert durations[:2] == [500, 500]
    assert sum(durations[2:]) == 2000  # the last stays


def distances(seeds: bool = True) -> pd.DataFrame:
    rows = []
    for a in range(3):
        for b in range(a, 3):
            row = {"order_a": a, "order_b": b, "panel_a": NAMES[a], "panel_b": NAMES[b]}
            row |= {"equal_seeds": 10.0 * (b - a), "other_seeds": 11.0 + a + b if seeds else np.nan}
            rows.append({**row, "chance": 15.6})
    return pd.DataFrame(rows)


def test_the_matrix_of_distances_has_the_yardstick_on_its_diagonal() -> None:
    figure = figures.rank_distance_matrix(distances())
    axes, bar = figure.axes
    found = cells(axes)
    names = [f"({a}) {name}" for a, name in zip("abc", NAMES[:3], strict=True)]
    assert found[names[2], "(a)"] == "20.0"  # below: equal seeds
    assert found[names[0], "(c)"] == "13.0"  # above: other seeds
    assert [found[name, f"({a})"] for a, name in zip("abc", names, strict=True)] == [
        *("11.0", "13.0", "15.0")
    ]
    bold = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
    assert bold == ["11.0", "13.0", "15.0"]
    assert bar.get_ylabel() == "rank elsewhere, %"
    assert figure.get_supxlabel().replace("\n", " ").endswith("Random sets: 15.6.")


def test_one_seed_has_no_yardstick() -> None:
    figure = figures.rank_distance_matrix(distances(seeds=False))
    assert len(figure.axes[0].texts) == 3
    assert "different seeds" not in figure.get_supxlabel()
    with pytest.raises(ConfigError, match="runs of two methods"):
        figures.rank_distance_matrix(distances().query("order_b == 0"))
