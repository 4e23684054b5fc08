"""A figure is laid out once for all its files, which show what matplotlib alone would."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools import subset  # type: ignore[import-untyped]
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from tests.figures.drawings import DRAWINGS
from vilora_analysis import figures
from vilora_analysis.figures.style import styled
from vilora_analysis.figures.writing import laid_out, without_shaping


def pixels(source: Path | io.BytesIO) -> np.ndarray:
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", ["ranks", "theory", "rank panels"])
def test_pictures_are_those_of_matplotlib_to_the_pixel(name: str, tmp_path: Path) -> None:
    ours, theirs = DRAWINGS[name](), DRAWINGS[name]()
    buffer = io.BytesIO()
    with styled():
        Figure.savefig(theirs, buffer, format="png", dpi=100)
    buffer.seek(0)
    ours.savefig(tmp_path / "a.png", dpi=100)
    assert np.array_equal(pixels(tmp_path / "a.png"), pixels(buffer))


def test_the_layout_is_asked_once_for_all_files_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = DRAWINGS["ranks"]()
    engine, dpi = figure.get_layout_engine(), figure.dpi
    assert engine is not None
    execute, asked = type(engine).execute, []

    def counted(self: Any, drawn: Figure) -> None:
        asked.append(drawn)
        execute(self, drawn)

    monkeypatch.setattr(type(engine), "execute", counted)
    figures.save(figure, tmp_path / "a")
    assert len(asked) == 1
    assert (figure.get_layout_engine(), figure.dpi) == (engine, dpi)
    with pytest.raises(ZeroDivisionError), laid_out(figure):
        raise ZeroDivisionError
    assert figure.get_layout_engine() is engine


def test_a_figure_without_a_layout_keeps_its_axes() -> None:
    figure = Figure()
    before = figure.add_axes((0.1, 0.2, 0.3, 0.4)).get_position().bounds
    with laid_out(figure):
        pass
    assert figure.axes[0].get_position().bounds == before


def glyphs_and_tables() -> tuple[list[list[object]], set[str]]:
    options, cutter = subset.Options(), subset.Subsetter(subset.Options())
    cutter.populate(text="fi 0.5")
    with subset.load_font(font_manager.findfont("DejaVu Sans"), options) as font:
        cutter.subset(font)
        order = font.getGlyphOrder()[:4]
        glyphs = [[*font["glyf"][name].getCoordinates(font["glyf"])[0]] for name in order]
        return glyphs, set(font.keys())


def test_fonts_keep_their_glyphs_and_lose_what_only_typesetters_need() -> None:
    whole, tables = glyphs_and_tables()
    with without_shaping():
        cut, fewer = glyphs_and_tables()
    assert tables - fewer == {"GDEF", "GPOS", "GSUB"}
    assert cut == whole
    assert glyphs_and_tables()[1] == tables
