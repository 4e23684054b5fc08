"""Where the posterior's width comes from: h, the Fisher, the optimizer's own correction."""

from __future__ import annotations

from functools import partial

import pandas as pd

from vilora_analysis import analysis, figures
from vilora_analysis.audits.definition import Answer, Audit, needs
from vilora_analysis.audits.shown import thinned
from vilora_analysis.log import Run

__all__ = ["HESSIAN", "fisher_answer"]

_NOT_DRAWN = ("law~fisher_example", "penalty~law")


def _equilibrium(run: Run) -> Answer:
    frame, points, over_time = analysis.equilibrium_whole(run, thinned(run))
    said = analysis.equilibrium_verdict(frame)
    draw = partial(figures.hessian_equilibrium, points, frame, caption=said)
    tables = {"equilibrium": frame, "equilibrium_over_time": over_time}
    return Answer(tables, {"equilibrium": draw}, said)


def _identities(run: Run) -> Answer:
    frame = analysis.identities(run)
    return Answer({"identities": frame}, verdict=analysis.identities_verdict(frame))


def fisher_answer(run: Run) -> Answer:
    """Tables, the figure of the latest measurement, and the verdict."""
    points, fits = analysis.example_fisher_points(run), analysis.example_fisher(run)
    last = points[points["step"] == points["step"].max()]
    last = last[last["examples"] == last["examples"].max()]
    last = last[last["source"] == last["source"].iloc[0]]
    draw = partial(
        figures.example_fisher_scatter,
        last,
        fits,
        [
            (link.name, link.x_label, link.y_label)
            for link in analysis.FISHER_LINKS
            if link.name not in _NOT_DRAWN
        ],
        caption=_caption(run, last),
    )
    tables = {"example_fisher_points": points, "example_fisher": fits}
    return Answer(tables, {"example_fisher": draw}, analysis.fisher_verdict(fits))


def _caption(run: Run, last: pd.DataFrame) -> str:
    step, examples, size = last[["step", "examples", "batch_size"]].iloc[0]
    return (
        f"{run.name}, step {step}: {examples} training examples, batches of {size}; triplets that "
        "are kept. The line is where the quotient would be the one claimed."
    )


HESSIAN = (
    Audit(
        "equilibrium",
        "is 1/σ the initial value, curvature, or the optimizer's own correction?",
        _equilibrium,
        needs(
            analysis.has_equilibrium,
            "it needs a run trained with IVON, with h and squared gradients recorded",
        ),
    ),
    Audit(
        "identities",
        "do the recorded elements obey what is exact in theory?",
        _identities,
        lambda run: (
            ""
            if (run.path / "elements").is_dir() and analysis.posterior_factors(run)
            else "it needs recorded elements of IVON (vilora train --elements-every N)"
        ),
    ),
    Audit(
        "example_fisher",
        "is h the Fisher of single examples?",
        fisher_answer,
        needs(
            analysis.has_example_fisher,
            "it was not measured (vilora fisher RUN, or vilora train --fisher-every N)",
        ),
    ),
)
