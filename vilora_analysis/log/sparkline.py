"""A line of numbers as a small picture inside a line of text: SVG that takes the page's colour."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
import numpy as np
from markupsafe import Markup

__all__ = ["sparkline"]

_BINS = 40
_WIDTH, _HEIGHT, _MARGIN = 120.0, 22.0, 2.5

_PICTURE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<svg role="img" aria-label="{{ title }}" width="{{ width }}" height="{{ height }}" \
viewBox="0 0 {{ width }} {{ height }}" \
style="vertical-align:middle;margin-right:0.6em"><title>{{ title }}</title>\
{% for line in lines %}<polyline fill="none" stroke="currentColor" stroke-width="1.2" \
stroke-linejoin="round" points="{{ line }}"></polyline>{% endfor %}\
<circle fill="currentColor" cx="{{ end[0] }}" cy="{{ end[1] }}" r="1.8"></circle></svg>"""
)


def sparkline(name: str, steps: Sequence[float], values: Sequence[float]) -> Markup:
    """Draw values over steps.

    Parameters
    ----------
    name
        What it is, for the title that a screen reader reads and a mouse shows.
    steps
        Where the values were taken, ascending.
    values
        As many; what is not finite is left out of the line, and counted in the title.

    Returns
    -------
    Markup
        One ``<svg>`` element without script or colour of its own, a few kB at most however many
        values there are; empty if none of them is finite. Of many values, those shown are the
        smallest and the largest of each of some dozens of spans, and the first and the last.
    """
    x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    finite = np.isfinite(y)
    if not finite.any():
        return Markup()
    title = _title(name, x[finite], y[finite], lost=int((~finite).sum()))
    points = [*zip(_scaled(x, finite, _WIDTH), _HEIGHT - _scaled(y, finite, _HEIGHT), strict=True)]
    lines = [
        " ".join(f"{points[i][0]:.1f},{points[i][1]:.1f}" for i in part)
        for part in _unbroken(_thinned(y), finite)
    ]
    end = [f"{part:.1f}" for part in points[int(np.flatnonzero(finite)[-1])]]
    drawn = _PICTURE.render(
        title=title, lines=lines, end=end, width=f"{_WIDTH:g}", height=f"{_HEIGHT:g}"
    )
    return Markup(drawn)


def _title(name: str, x: np.ndarray, y: np.ndarray, *, lost: int) -> str:
    said = f"{name} over steps {x[0]:g} to {x[-1]:g}: {y[0]:.4g} at first, {y[-1]:.4g} at last"
    return f"{said}; {lost} not finite" if lost else said


def _scaled(values: np.ndarray, finite: np.ndarray, size: float) -> np.ndarray:
    """Place values within the margins; in the middle if they are all the same."""
    low, high = values[finite].min(), values[finite].max()
    share = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return np.asarray(_MARGIN + share * (size - 2 * _MARGIN))


def _thinned(y: np.ndarray) -> list[int]:
    """Places of the extremes of each span, and of both ends; a value that is not finite stays."""
    if len(y) <= 2 * _BINS:
        return [*range(len(y))]
    chosen = {0, len(y) - 1}
    for span in np.array_split(np.arange(len(y)), _BINS):
        held = np.where(np.isfinite(y[span]), y[span], np.inf)
        chosen |= {int(span[held.argmin()]), int(span[held.argmax()])}
        held[np.isinf(held)] = -np.inf
        chosen.add(int(span[held.argmax()]))
    return sorted(chosen)


def _unbroken(places: Sequence[int], finite: np.ndarray) -> list[list[int]]:
    """Stretches of the line between values that are not finite."""
    parts: list[list[int]] = [[]]
    for place in places:
        if finite[place]:
            parts[-1].append(place)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if len(part) > 1]
