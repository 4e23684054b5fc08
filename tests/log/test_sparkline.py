"""A line of numbers as a small picture: its points, its title, its size."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from tests.log.synthetic import decision, write_run
from vilora_analysis.log import open_run
from vilora_analysis.log.sparkline import sparkline


def points(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.get("points").split())]
        for line in ET.fromstring(svg).iter("polyline")
    ]


def test_the_points_lie_where_the_values_are() -> None:
    (line,) = points(sparkline("loss", [1, 2, 5], [3.0, 1.0, 2.0]))
    assert line == [(2.5, 2.5), (31.2, 19.5), (117.5, 11.0)]  # up is down in SVG
    end = ET.fromstring(sparkline("loss", [1, 2, 5], [3.0, 1.0, 2.0])).find("circle")
    assert end is not None
    assert (end.get("cx"), end.get("cy")) == ("117.5", "11.0")


def test_the_title_says_first_and_last_and_is_read_aloud() -> None:
    svg = ET.fromstring(sparkline("a <b> & c", [10, 20], [0.25, 123.456]))
    said = "a <b> & c over steps 10 to 20: 0.25 at first, 123.5 at last"
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == svg.findtext("title") == said


def test_it_takes_the_colour_of_the_page() -> None:
    svg = ET.fromstring(sparkline("loss", [1, 2], [1.0, 2.0]))
    colours = {e.get(key) for e in svg.iter() for key in ("stroke", "fill")} - {None}
    assert colours == {"currentColor", "none"}


def test_many_values_keep_their_extremes_and_ends_in_a_few_kilobytes() -> None:
    values = np.sin(np.arange(20_000) / 500.0)
    values[[0, 7_777, 12_345, -1]] = 0.5, 9.0, -9.0, -0.5
    svg = sparkline("loss", [*range(20_000)], values.tolist())
    assert len(svg) < 3_000
    (line,) = points(svg)
    assert min(y for _, y in line) == 2.5
    assert max(y for _, y in line) == 19.5
    assert (line[0][0], line[-1][0]) == (2.5, 117.5)
    assert [x for x, _ in line] == sorted(x for x, _ in line)


def test_what_is_not_finite_breaks_the_line_and_is_counted() -> None:
    nan, inf = float("nan"), float("inf")
    svg = sparkline("loss", [*range(6)], [1.0, 2.0, nan, 3.0, 2.0, inf])
    assert [len(line) for line in points(svg)] == [2, 2]
    assert "2.0" not in svg.split("title")[0] or "; 2 not finite" in svg
    assert "1 at first, 2 at last; 2 not finite" in svg
    long = [1.0] * 1000
    long[500:600] = [nan] * 100
    assert len(points(sparkline("loss", [*range(1000)], long))) == 2


@pytest.mark.parametrize("values", [[], [float("nan")]])
def test_without_a_number_there_is_no_picture(values: list[float]) -> None:
    assert sparkline("loss", [*range(len(values))], values) == ""


def test_one_value_is_a_dot() -> None:
    svg = sparkline("loss", [3], [1.0])
    assert points(svg) == []
    assert 'cx="60.0"' in svg


def test_a_run_shows_its_loss_and_what_it_kept(tmp_path: Path) -> None:
    run = open_run(
        write_run(
            tmp_path / "run",
            metrics=[(step, {"loss": 1.0 / step}) for step in range(1, 6)],
            events=[decision(3, n_kept=12), decision(4, n_kept=9)],
        ).path
    )
    html = run._repr_html_()
    assert "loss over steps 1 to 5: 1 at first, 0.2 at last" in html
    assert "triplets kept over steps 3 to 4: 12 at first, 9 at last" in html
    assert html.count("<svg") == 2
    assert "<script" not in html
    assert len(html) < 6_000
