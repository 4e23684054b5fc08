"""Every figure is legible, can be printed, and touches nothing else."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from tests.figures.drawings import DRAWINGS
from tests.figures.frames import (
    LINKS,
    churn,
    correlations,
    overlap,
    pixels_of,
    ranks,
    texts_drawn,
    theory,
)
from vilora_analysis import figures
from vilora_analysis.figures import DOUBLE_COLUMN, SINGLE_COLUMN

NAMED = {"rank panels", "rank strip", "claims"}
draws = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


class TestAnyFigure:
    @pytest.mark.parametrize("name", DRAWINGS)
    def test_is_neither_shown_nor_titled_but_for_panels_with_names(self, name: str) -> None:
        figure = DRAWINGS[name]()
        assert isinstance(figure, Figure)
        assert plt.get_fignums() == []
        assert figure.get_suptitle() == ""
        for axes in figure.axes if name not in NAMED else []:
            assert [axes.get_title(place) for place in ("left", "center", "right")] == [""] * 3

    @draws
    def test_depends_on_no_setting_of_the_user_and_changes_none(
        self, draw: Callable[[], Figure]
    ) -> None:
        plain = draw()
        with mpl.rc_context():
            sns.set_theme(style="darkgrid", font_scale=2)
            mpl.rcParams["lines.linewidth"] = 9
            mpl.get_backend()  # chosen when first asked for
            before = mpl.rcParams.copy()
            themed = draw()
            assert mpl.rcParams == before
        assert pixels_of(themed) == pixels_of(plain)

    @draws
    def test_is_saved_as_png_and_pdf_with_embedded_truetype_fonts(
        self, draw: Callable[[], Figure], tmp_path: Path
    ) -> None:
        figure = draw()
        mpl.get_backend()
        before = mpl.rcParams.copy()
        png, pdf = figures.save(figure, tmp_path / "made" / "v1.2")
        assert mpl.rcParams == before
        assert (png.name, pdf.name) == ("v1.2.png", "v1.2.pdf")
        height, width, _ = plt.imread(png).shape
        assert width == pytest.approx(300 * figure.get_figwidth(), abs=1)
        assert height == pytest.approx(300 * figure.get_figheight(), abs=1)
        assert_publishable(pdf.read_bytes())

    def test_has_such_fonts_too_when_users_write_it_themselves(self) -> None:
        buffer = io.BytesIO()
        DRAWINGS["ranks"]().savefig(buffer, format="pdf")
        assert_publishable(buffer.getvalue())

    def test_is_saved_in_the_formats_asked_for(self, tmp_path: Path) -> None:
        (written,) = figures.save(DRAWINGS["ranks"](), str(tmp_path / "figure"), ["svg"])
        assert written == tmp_path / "figure.svg"
        assert "<svg" in written.read_text()


def assert_publishable(pdf: bytes) -> None:
    """Fonts are embedded as TrueType (type 42), not as drawings of letters (type 3)."""
    assert pdf.startswith(b"%PDF-")
    fonts = re.findall(rb"obj\s<< /Type /Font\b(.*?)endobj", pdf, re.DOTALL)
    kinds = [re.findall(rb"/Subtype /(\w+)", font)[0] for font in fonts]
    assert {*kinds} == {b"Type0", b"CIDFontType2"}
    assert all(
        (b"/FontDescriptor" in f) == (kind == b"CIDFontType2")
        for f, kind in zip(fonts, kinds, strict=True)
    )
    assert pdf.count(b"/FontFile2") == kinds.count(b"CIDFontType2")


TWENTY = tuple(f"score_{i}" for i in range(20))
CROWDED: dict[str, Callable[[], Figure]] = {
    "12 layers": lambda: figures.rank_heatmap(ranks(12, 12)),
    "24 layers": lambda: figures.rank_heatmap(ranks(24, 12)),
    "24 layers, means": lambda: figures.rank_heatmap(ranks(24, 12, runs=3)),
    "24 layers, wide": lambda: figures.rank_heatmap(ranks(24, 12, runs=3), width=DOUBLE_COLUMN),
    "many matrices outside the layers": lambda: figures.rank_heatmap(
        pd.concat([ranks(), *[ranks().tail(1).assign(matrix=f"head_{i}.dense") for i in range(9)]])
    ),
    "a caption": lambda: figures.score_correlation(
        correlations(), {}, caption="a symbol and what it stands for; " * 4
    ),
    "9 scores": lambda: figures.score_correlation(correlations(tuple("abcdefghi")), {}),
    "20 scores": lambda: figures.score_correlation(
        correlations(tuple(f"score_{i}" for i in range(20))), {}
    ),
    "20 scores, wide": lambda: figures.score_correlation(
        correlations(tuple(f"score_{i}" for i in range(20))), {}, width=DOUBLE_COLUMN
    ),
    "9 scores, shadow": lambda: figures.shadow_overlap(
        overlap(tuple("abcdefghi")), {}, caption="Before step 3 nothing was pruned."
    ),
    "20 scores, shadow": lambda: figures.shadow_overlap(overlap(TWENTY), {}, width=DOUBLE_COLUMN),
    "20 scores, churn": lambda: figures.shadow_churn(churn(TWENTY), {}),
    "theory, long legends": lambda: figures.theory_scatter(*theory(rho=-0.57), LINKS),
    "theory, small numbers": lambda: figures.theory_scatter(
        *[
            frame.assign(**{c: frame[c] ** 5 * 1e-20 for c in "xy"}) if "x" in frame else frame
            for frame in theory()
        ],
        LINKS,
    ),
}


@pytest.mark.parametrize("draw", [*DRAWINGS.values(), *CROWDED.values()], ids=[*DRAWINGS, *CROWDED])
def test_all_type_is_legible_whole_and_apart(
    draw: Callable[[], Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = draw()
    texts = texts_drawn(figure, monkeypatch)
    assert len(texts) > 5
    assert min(text.get_fontsize() for text in texts) >= 5

    page = Bbox.from_bounds(-0.5, -0.5, *(figure.bbox.size + 1))
    for text, box in texts.items():
        assert Bbox.intersection(page, box).bounds == box.bounds, f"{text} is cut off"

    level = [(text, box) for text, box in texts.items() if text.get_rotation() in (0.0, 90.0)]
    for (first, a), (second, b) in itertools.combinations(level, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), f"{first} covers {second}"

    axes = figure.axes[0]
    if any(isinstance(drawn, QuadMesh) for drawn in axes.collections):
        for text in filter(Text.get_text, axes.texts):
            x, _ = text.get_position()
            left, right = axes.transData.transform([(x - 0.5, 0), (x + 0.5, 0)])[:, 0]
            assert left <= texts[text].x0, f"{text} leaves its cell"
            assert texts[text].x1 <= right, f"{text} leaves its cell"


def test_widths_are_those_of_a_two_column_paper() -> None:
    assert figures.rank_heatmap(ranks()).get_figwidth() == SINGLE_COLUMN == 3.4
    assert figures.theory_scatter(*theory(), LINKS).get_figwidth() == DOUBLE_COLUMN == 7.0
