"""Audits asked where a run is looked at, and answers that show themselves."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter
from matplotlib.figure import Figure

import vilora_analysis as va
from tests.log.synthetic import decision, write_posterior_run, write_run
from vilora_analysis.audits import AUDITS, JOINT_AUDITS, Answer
from vilora_analysis.errors import LogError

NAMES = [audit.name for audit in AUDITS]
JOINT = [audit.name for audit in JOINT_AUDITS]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> va.Runs:
    folder = tmp_path_factory.mktemp("runs")
    kept = np.arange(20) < 10
    for seed in (0, 1):
        write_posterior_run(
            folder / f"seed-{seed}",
            steps=range(1, 4),
            seed=seed,
            kept=kept,
            events=[decision(step) for step in (2, 3)],
            config={"task": "toy", "seed": seed},
            optimizer={
                "name": "IVON",
                "groups": [{"ess": 1e3, "weight_decay": 1e-4, "hess_init": 1.0, "beta2": 0.99}],
            },
        )
    return va.open_runs(folder)


def test_audits_are_asked_by_name(runs: va.Runs) -> None:
    answer = runs[0].audits.ranks()
    assert isinstance(answer, Answer)
    pd.testing.assert_frame_equal(answer.tables["ranks"], va.analysis.ranks(runs[0]))
    assert answer.tables["ranks"].attrs["units"] == {
        "step": "steps",
        "rank": "triplets",
        "init_rank": "triplets",
    }
    assert runs[0].audits["ranks"]().tables["ranks"].equals(answer.tables["ranks"])
    assert runs.audits.stability().verdict.startswith("toy")


def test_all_audits_are_listed_with_what_they_lack(runs: va.Runs) -> None:
    for audits, names in ((runs[0].audits, NAMES), (runs.audits, JOINT)):
        assert [question.name for question in audits] == names
        assert len(audits) == len(names)
        assert {*names} <= {*dir(audits)}
        said = repr(audits).splitlines()
        assert [line.partition(":")[0] for line in said] == names
        html = audits._repr_html_()
        assert all(f">{name}</td>" in html for name in names)
    assert "where did the run keep its rank? (yes)" in repr(runs[0].audits)
    assert "(no: it was not asked (vilora oracle" in repr(runs[0].audits)
    assert runs[0].audits.oracle.__doc__ == (
        "Which score knows what the model loses without each triplet?"
    )


def test_what_a_run_cannot_answer_is_refused_in_words(runs: va.Runs, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"seed-0 cannot answer oracle: it was not asked \(vilora"):
        runs[0].audits.oracle()
    with pytest.raises(LogError, match="2 runs together cannot answer planted: nothing was"):
        runs.audits.planted()
    empty = va.open_run(write_run(tmp_path / "empty", steps=()).path)
    with pytest.raises(LogError, match=r"empty cannot answer ranks: .* no recorded steps"):
        empty.audits.ranks()
    with pytest.raises(AttributeError, match=r"no audit 'helth'; did you mean health\?"):
        _ = runs[0].audits.helth
    with pytest.raises(LogError, match=r"no audit 'helth'; did you mean health\?"):
        runs[0].audits["helth"]


@pytest.mark.parametrize("jedi", [True, False])
def test_completion_in_a_notebook_lists_them(runs: va.Runs, jedi: bool) -> None:
    completer = IPCompleter(namespace={"run": runs[0], "runs": runs}, use_jedi=jedi)

    def completed(text: str) -> set[str]:
        with provisionalcompleter():
            return {found.text.lstrip(".") for found in completer.completions(text, len(text))}

    assert {*NAMES} <= completed("run.audits.")
    assert {*JOINT} <= completed("runs.audits.")
    assert "health" in completed("run.audits['he")
    assert "seed-1" in completed("runs['see")


SHOWN = """
import sys
import vilora_analysis as va
runs = va.open_runs(sys.argv[1])
runs[0]._repr_html_(), runs._repr_html_()
assert "matplotlib" not in sys.modules
runs[0].audits.health
assert "torch" not in sys.modules
"""


def test_opening_and_showing_a_run_draws_nothing(runs: va.Runs) -> None:
    folder = runs[0].path.parent
    subprocess.run([sys.executable, "-W", "error", "-c", SHOWN, str(folder)], check=True)


def evil_answer(drawn: list[int]) -> Answer:
    def draw() -> Figure:
        drawn.append(1)
        return Figure(figsize=(1, 1))

    frame = pd.DataFrame({"<b>x</b>": ["<script>"] * 9, "y": np.arange(9.0)})
    return Answer({"<i>t</i>": frame}, {"<i>f</i>": draw}, "<em>said</em>", ("<u>note</u>",))


def test_an_answer_shows_verdict_notes_figures_and_cut_tables() -> None:
    drawn: list[int] = []
    answer = evil_answer(drawn)
    assert repr(answer) == "Answer('<em>said</em>', tables=['<i>t</i>'], figures=['<i>f</i>'])"
    html = answer._repr_html_()
    assert answer._repr_html_() == html
    assert drawn == [1]
    assert {*re.findall(r"<(\w+)", html)} == {
        *("div", "p", "strong", "em", "img", "details", "summary"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert "&lt;em&gt;said" in html
    assert "&lt;u&gt;note" in html
    assert "9 rows, 2 columns; the first 6 rows" in html
    assert html.count("&lt;script&gt;") == 6
    (picture,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    assert base64.b64decode(picture) == answer.pictures["<i>f</i>"]
    assert base64.b64decode(picture).startswith(b"\x89PNG")
