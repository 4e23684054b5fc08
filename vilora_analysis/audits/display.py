"""How an answer shows itself in a notebook: the verdict, its figures, its tables folded away."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from vilora_analysis.audits.definition import Answer

__all__ = ["answer_html", "png"]

_DPI = 100
_MOST_ROWS = 6
_MOST_COLUMNS = 14

_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<div>
{% if verdict %}
<p><strong>{{ verdict }}</strong></p>
{% endif %}
{% for note in notes %}
<p><em>{{ note }}</em></p>
{% endfor %}
{% for name, data in pictures.items() %}
<p><img alt="{{ name }}" style="max-width:100%;background:white" \
src="data:image/png;base64,{{ data }}"></p>
{% endfor %}
{% for name, table in tables.items() %}
<details><summary>{{ name }}: {{ table.size }}</summary>
<div style="overflow-x:auto">{{ table.html }}</div></details>
{% endfor %}
</div>"""
)


def png(figure: Figure) -> bytes:
    """A figure at the resolution of a screen."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def answer_html(answer: Answer) -> str:
    """HTML of an answer: of each table the first rows; everything is escaped."""
    return _PAGE.render(
        verdict=answer.verdict,
        notes=answer.notes,
        pictures={k: base64.b64encode(v).decode() for k, v in answer.pictures.items()},
        tables={
            name: {"size": _size(frame), "html": Markup(_first_rows(frame))}
            for name, frame in answer.tables.items()
        },
    )


def _size(frame: pd.DataFrame) -> str:
    rows, columns = frame.shape
    said = f"{rows} row{'' if rows == 1 else 's'}, {columns} columns"
    return f"{said}; the first {_MOST_ROWS} rows" if rows > _MOST_ROWS else said


def _first_rows(frame: pd.DataFrame) -> str:
    return frame.head(_MOST_ROWS).to_html(
        index=False, border=0, escape=True, max_cols=_MOST_COLUMNS, float_format="{:.4g}".format
    )
