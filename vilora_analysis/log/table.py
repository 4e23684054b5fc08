"""How several runs show themselves: one table of HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import jinja2

from vilora_analysis.errors import LogError
from vilora_analysis.log.state import run_state
from vilora_analysis.log.summary import loss_line

if TYPE_CHECKING:
    from vilora_analysis.log.reader import Run

__all__ = ["runs_html"]

_MOST = 60
_COLUMNS = ("name", "state", "task", "criterion", "seed", "result", "loss", "kept")

_PAGE = jinja2.Environment(autoescape=True).from_string(
    """<div><strong>{{ title }}</strong>
<div style="overflow-x:auto"><table>
<thead><tr>{% for name in columns %}<th scope="col" style="text-align:left">{{ name }}</th>\
{% endfor %}</tr></thead>
<tbody>{% for row in rows %}
<tr>{% for name in columns %}<td style="text-align:left;vertical-align:middle">{{ row[name] }}</td>\
{% endfor %}</tr>
{%- endfor %}</tbody></table></div>
{%- if hidden %}<div>and {{ hidden }} more</div>{% endif %}
{%- if broken %}<details open><summary>{{ broken|length }} cannot be read</summary><table>\
{% for name, reason in broken.items() %}
<tr><td style="text-align:left">{{ name }}</td><td style="text-align:left">{{ reason }}</td></tr>
{%- endfor %}</table></details>{% endif %}</div>"""
)


def runs_html(runs: Mapping[str, Run], broken: Mapping[str, str]) -> str:
    """HTML of several runs; everything that comes from them is escaped.

    Parameters
    ----------
    runs
        By name.
    broken
        Why there is no run, by name.
    """
    return _PAGE.render(
        title=f"{len(runs)} run{'' if len(runs) == 1 else 's'}",
        columns=_COLUMNS,
        rows=[_row(name, run) for name, run in islice(runs.items(), _MOST)],
        hidden=max(len(runs) - _MOST, 0),
        broken=broken,
    )


def _row(name: str, run: Run) -> dict[str, Any]:
    config = run.manifest.config
    row: dict[str, Any] = {key: config.get(key, "") for key in ("task", "seed")}
    row |= {"name": name, "state": run_state(run.path).state}
    row |= {"criterion": run.manifest.criterion or "none", "result": _result(run)}
    try:
        row |= {"loss": loss_line(run), "kept": _kept(run)}
    except LogError as error:  # of one among many
        row["state"] = f"{row['state']}; {error}"
    return row


def _kept(run: Run) -> str:
    events = run.events()
    return f"{events['n_kept'].iloc[-1]} of {run.manifest.n_triplets}" if len(events) else ""


def _result(run: Run) -> str:
    """The first of the results: a task's own metric stands before the others."""
    for name, value in run.manifest.results.items():
        return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
    return ""
