"""How a run shows itself: a few lines of HTML for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import jinja2
import pandas as pd
from markupsafe import Markup

from vilora_analysis.errors import LogError
from vilora_analysis.log.sparkline import sparkline

if TYPE_CHECKING:
    from vilora_analysis.log.reader import Run

__all__ = ["add_facts", "further_facts", "loss_line", "run_facts", "run_html"]

_FURTHER: dict[str, Callable[[Run], Mapping[str, str]]] = {}

_PAGE = jinja2.Environment(autoescape=True).from_string(
    """<div><strong>{{ name }}</strong>
<table>{% for key, value in facts.items() %}
<tr><td style="text-align:left">{{ key }}</td><td style="text-align:left">\
{{ lines[key] }}{{ value }}</td></tr>
{%- endfor %}</table>
<details><summary>configuration</summary><table>{% for key, value in config.items() %}
<tr><td style="text-align:left">{{ key }}</td><td style="text-align:left">{{ value }}</td></tr>
{%- endfor %}</table></details></div>"""
)


def run_facts(run: Run) -> dict[str, str]:
    """What a reader wants to know of a run first, as text."""
    manifest, steps = run.manifest, run.steps
    recorded = f"{len(steps)}, {steps[0]} to {steps[-1]}" if len(steps) else "none"
    facts = {
        "state": manifest.status,
        "optimizer": str(manifest.optimizer.get("name", "")),
        "criterion": manifest.criterion or "none (observed only)",
        "recorded steps": recorded,
        "triplets": f"{manifest.n_triplets} in {len(manifest.modules)} matrices",
        "scores": _few(run.score_names),
    }
    events = run.events()
    if len(events):
        facts["kept"] = f"{events['n_kept'].iloc[-1]} triplets after {len(events)} decisions"
    losses = _losses(run)["loss"]
    if len(losses):
        facts["loss"] = f"{losses.iloc[0]:.4g} at first, {losses.iloc[-1]:.4g} at last"
    for name, value in manifest.results.items():
        facts[name] = f"{value:.4g}" if isinstance(value, float) else str(value)
    return facts


def loss_line(run: Run) -> Markup:
    """The loss of a run over its steps, as a small picture; empty if it logged none."""
    losses = _losses(run)
    return sparkline("loss", losses["step"].tolist(), losses["loss"].tolist())


def kept_line(run: Run) -> Markup:
    """How many triplets were kept over the steps, as a small picture; empty without decisions."""
    events = run.events()
    return sparkline("triplets kept", events["step"].tolist(), events["n_kept"].tolist())


def add_facts(source: str, facts: Callable[[Run], Mapping[str, str]]) -> None:
    """Let a room that this one must not import have its say in how a run shows itself.

    Parameters
    ----------
    source
        Who says it; saying it again replaces what was there.
    facts
        Gives texts by their names; none if there is nothing to say of a run.
    """
    _FURTHER[source] = facts


def further_facts(run: Run) -> dict[str, str]:
    """What the analyses that are loaded say of a run."""
    return {key: text for facts in _FURTHER.values() for key, text in facts(run).items()}


def run_html(run: Run) -> str:
    """HTML of a run; everything that comes from the run is escaped."""
    return _PAGE.render(name=run.name, config=run.manifest.config, **_shown(run))


def _shown(run: Run) -> dict[str, Mapping[str, str]]:
    """Facts and lines; of a damaged run, that it is: a cell of a notebook is no place to fail."""
    try:
        return {
            "facts": {**run_facts(run), **further_facts(run)},
            "lines": {"loss": loss_line(run), "kept": kept_line(run)},
        }
    except LogError as error:
        return {"facts": {"state": run.manifest.status, "cannot be read": str(error)}, "lines": {}}


def _few(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _losses(run: Run) -> pd.DataFrame:
    """Columns step and loss, where the loss was taken; one that is not a number stays."""
    metrics = run.metrics()
    if "loss" not in metrics:
        return pd.DataFrame({"step": [], "loss": []})
    return metrics[["step", "loss"]].dropna()
