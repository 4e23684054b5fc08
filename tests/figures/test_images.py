"""A few figures look as they did when somebody last looked at them.

Pictures are compared block by block: the mean colour of each block of pixels, so that another
version of FreeType or matplotlib, which sets type a little differently, passes, and a cell of
another colour does not. After a change that is meant, draw them anew and look at them before they
are committed::

    python -m tests.figures.test_images --renew
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tests.figures.drawings import DRAWINGS
from tests.figures.frames import ranks
from vilora_analysis import figures
from vilora_analysis.figures.style import styled

BASELINE = Path(__file__).parent / "baseline"
DPI = 60
BLOCK = 4  # pixels
TOLERANCE = 5.0  # root mean square over blocks, of 255
SHOWN = ("ranks", "correlation", "health", "decomposition", "planted recall", "rank panels")


def picture(draw: Callable[[], Figure]) -> np.ndarray:
    """Pixels of a figure, rows by columns by colours."""
    with styled():
        figure = draw()
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def path_of(name: str) -> Path:
    return BASELINE / f"{name.replace(' ', '-')}.png"


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square of the differences of blocks; infinite if the sizes differ."""
    if any(abs(a - b) > 1 for a, b in zip(first.shape, second.shape, strict=True)):
        return float("inf")
    height, width = np.minimum(first.shape, second.shape)[:2] // BLOCK
    blocks = [
        picture[: height * BLOCK, : width * BLOCK]
        .astype(float)
        .reshape(height, BLOCK, width, BLOCK, 3)
        .mean(axis=(1, 3))
        for picture in (first, second)
    ]
    return float(np.sqrt(np.mean((blocks[0] - blocks[1]) ** 2)))


@pytest.mark.parametrize("name", SHOWN)
def test_a_figure_looks_as_it_did(name: str) -> None:
    with Image.open(path_of(name)) as known:
        before = np.asarray(known.convert("RGB"))
    assert difference(picture(DRAWINGS[name]), before) < TOLERANCE


def test_pictures_are_small() -> None:
    assert {path.name for path in BASELINE.iterdir()} == {path_of(name).name for name in SHOWN}
    assert max(path.stat().st_size for path in BASELINE.iterdir()) < 20_000


def test_one_changed_cell_is_caught_and_blurred_type_is_not() -> None:
    frame, drawn = ranks(), picture(DRAWINGS["ranks"])
    here = (frame["matrix"] == "W_v") & (frame["layer"] == 1)
    frame.loc[here, "rank"] = (frame.loc[here, "rank"] + 3) % 7
    assert difference(picture(lambda: figures.rank_heatmap(frame)), drawn) > TOLERANCE
    rough = np.asarray(Image.fromarray(drawn).resize((420, 300)).resize(drawn.shape[1::-1]))
    assert 0 < difference(rough, drawn) < TOLERANCE


def test_another_size_is_another_picture() -> None:
    drawn = picture(DRAWINGS["ranks"])
    assert difference(drawn[:-9], drawn) == float("inf")


def renew() -> None:
    BASELINE.mkdir(exist_ok=True)
    for name in SHOWN:
        Image.fromarray(picture(DRAWINGS[name])).quantize(64).save(path_of(name), optimize=True)
        print(path_of(name), path_of(name).stat().st_size)


if __name__ == "__main__":
    if sys.argv[1:] != ["--renew"]:
        raise SystemExit("usage: python -m tests.figures.test_images --renew")
    renew()
