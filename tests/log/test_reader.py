"""A reader gets just the columns asked for, as frames or as dense blocks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.log.conftest import STEPS
from tests.log.synthetic import (
    Written,
    damage_column,
    decision,
    manifest,
    parts_of,
    schema_of,
    write_posterior_run,
    write_run,
)
from vilora_analysis import analysis
from vilora_analysis.errors import LogError
from vilora_analysis.log import LogWriter, ModuleRow, Run, open_run

KEYS = ["step", "module", "layer", "matrix", "k", "kept"]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_blocks_are_the_frame_reshaped(run: Run, data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.sampled_from(STEPS), unique=True))
    columns = data.draw(st.permutations(["score.snr", "score.mean_abs.A", "kept"]))
    frame = run.triplets(columns, steps)
    blocks = list(run.blocks(columns, steps))
    for name in columns:
        dense = [block.values[name] for block in blocks]
        assert all(array.shape[1] == 20 for array in dense)
        joined = np.concatenate(dense) if dense else np.empty((0, 20))
        assert joined.tolist() == frame[name].to_numpy().reshape(-1, 20).tolist()


def test_who_keeps_the_numbers_of_the_steps_keeps_nothing_else(run: Run) -> None:
    """An analysis keeps those of a whole run; a view would hold the column of each row."""
    assert all(block.steps.base is None for block in run.blocks(["score.snr"]))


def test_a_block_ends_with_its_part(run: Run) -> None:
    assert [block.steps.tolist() for block in run.blocks(["score.snr"])] == [
        [5, 10],
        [15, 20, 25],
        [30, 35],
    ]
    repeated = next(run.blocks(["step", "score.snr", "score.snr"]))
    assert repeated.values.keys() == {"step", "score.snr"}
    assert (repeated.values["step"] == repeated.steps[:, None]).all()


def test_columns_come_in_the_order_asked_for_or_that_of_the_log(run: Run, written: Written) -> None:
    assert list(run.triplets(["score.snr", "k", "module"])) == ["score.snr", "k", "module"]
    assert list(run.triplets()) == written.schema.names
    assert list(run.triplets()) == list(run.columns)


def test_a_layer_is_a_whole_number_or_missing(run: Run) -> None:
    layers = run.triplets(["layer"], 5)["layer"]
    assert str(layers.dtype) == "Int16"
    assert layers.tolist() == [0] * 9 + [1] * 9 + [pd.NA] * 2


def test_a_frame_carries_its_units(tmp_path: Path) -> None:
    run = open_run(write_posterior_run(tmp_path / "run").path)
    units = run.triplets(["k", "sigma_A", "hess_B"]).attrs["units"]
    assert (units["sigma_A"], units["hess_B"]) == ("theta", "1/theta^2")


def test_an_unknown_column_is_named_beside_what_is_there(run: Run, written: Written) -> None:
    expected = f"has no column score.srn, mu; it has: {', '.join(written.schema.names)}"
    for read in (
        lambda: run.triplets(["score.srn", "k", "mu"]),
        lambda: list(run.blocks(["score.srn", "mu"])),
    ):
        with pytest.raises(LogError, match=re.escape(expected)):
            read()


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    written = write_run(tmp_path / "run")
    damage_column(parts_of(written.path)[0], "score.mean_abs")
    run = open_run(written.path)
    read = run.triplets(["module", "k", "score.snr", "score.mean_abs.A"])
    assert read["score.snr"].to_numpy().tobytes() == written.values["score.snr"].tobytes()
    assert next(run.blocks(["score.snr"])).values["score.snr"].shape == (5, 20)
    for read_all in (run.triplets, lambda: list(run.blocks(["score.mean_abs"]))):
        with pytest.raises(LogError, match=r"part-000000-\d+-\d+\.parquet is damaged"):
            read_all()


def test_a_part_of_half_a_step_is_not_reshaped(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", steps=(1,)).path
    described = (run / "run.json").read_text()
    (run / "run.json").write_text(described.replace('"rank": 2', '"rank": 5'))
    with pytest.raises(LogError, match=r"part-\S+ does not hold whole steps of 23 triplets"):
        list(open_run(run).blocks(["score.snr"]))


def test_scores_can_be_asked_for_by_their_published_names(run: Run) -> None:
    frame = run.triplets(["k", "score.SNR", "score.mag.A"], 10)
    assert list(frame) == ["k", "score.snr", "score.mean_abs.A"]
    assert next(run.blocks(["score.SNR"], 10)).values.keys() == {"score.snr"}


def test_a_part_that_is_there_twice_is_not_read_twice(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", flush_after=(2,)).path)
    part = parts_of(run.path)[0]
    copy = part.with_name(part.name.replace("part-000000", "part-000002"))
    copy.write_bytes(part.read_bytes())
    for read in (lambda: run.triplets(["k"], 1), lambda: list(run.blocks(["score.snr"]))):
        with pytest.raises(LogError, match=rf"{copy.name} repeats steps of part-000001-"):
            read()


def test_steps_are_those_recorded(run: Run) -> None:
    assert run.steps.dtype == np.int64
    assert run.steps.tolist() == list(STEPS)


def test_modules_have_a_row_a_triplet_in_the_order_of_every_step(run: Run) -> None:
    frame = run.triplets(["module", "matrix", "layer", "k"], 10)
    assert len(run.modules) == 20
    for name in ("module", "matrix", "layer", "k"):
        assert run.modules[name].tolist() == frame[name].tolist(), name
    assert run.modules["layer"].isna().sum() == 2


def test_metrics_have_a_column_each_and_gaps_where_not_taken(tmp_path: Path) -> None:
    taken = [
        (1, {"loss": 2.0, "lr": 0.1}),
        (2, {"loss": 1.5}),
        (2, {"accuracy": 0.5}),
        (3, {"loss": 1.0}),
        (3, {"loss": float("nan"), "lr": 0.3}),
        (4, {"loss": float("nan")}),
        (3, {"lr": 0.2}),
    ]
    metrics = open_run(write_run(tmp_path / "run", metrics=taken).path).metrics()
    nan = float("nan")
    expected = {
        "step": [1, 2, 3, 4],
        "accuracy": [nan, 0.5, nan, nan],
        "loss": [2.0, 1.5, nan, nan],  # a loss that is not a number is told, not skipped
        "lr": [0.1, nan, 0.2, nan],
    }
    pd.testing.assert_frame_equal(metrics, pd.DataFrame(expected), check_names=False)


def test_metrics_that_were_never_a_number_are_still_there(tmp_path: Path) -> None:
    taken = [(step, {"loss": float("nan")}) for step in (1, 2)]
    metrics = open_run(write_run(tmp_path / "run", metrics=taken).path).metrics()
    assert metrics["step"].tolist() == [1, 2]
    assert metrics["loss"].isna().all()


def test_the_latest_metric_wins_across_parts(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "run", manifest(), triplets=None)
    for value in (1.0, 2.0, 3.0):
        log.metrics(5, {"loss": value})
        log.flush()
    log.close("finished")
    assert len(parts_of(log.directory, "metrics")) == 3
    assert open_run(log.directory).metrics().to_dict("list") == {"step": [5], "loss": [3.0]}


def test_events_have_a_row_a_decision(tmp_path: Path) -> None:
    rows = [decision(3, threshold=None), decision(6, n_kept=4, pruned=["a[0]", "b[2]"])]
    events = open_run(write_run(tmp_path / "run", events=rows).path).events()
    assert events["step"].tolist() == [3, 6]
    assert events["n_kept"].tolist() == [10, 4]
    assert events["threshold"].isna().tolist() == [True, False]
    assert [list(names) for names in events["pruned"]] == [["a[0]"], ["a[0]", "b[2]"]]
    assert [list(names) for names in events["revived"]] == [[], []]


def test_a_run_without_parts_answers_everywhere(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", steps=()).path)
    assert run.steps.tolist() == []
    assert run.steps.dtype == np.int64
    for frame in (run.triplets(), run.triplets(steps=-1), run.triplets(steps=[3])):
        assert list(frame) == KEYS
        assert frame.empty
    assert list(run.triplets(["k", "score.snr"])) == ["k", "score.snr"]
    assert list(run.blocks(["score.snr"])) == list(run.blocks(["score.snr"], -1)) == []
    assert run.elements().empty
    assert list(run.events()) == ["step", "budget", "threshold", "n_kept", "pruned", "revived"]
    assert list(run.metrics()) == ["step"]
    assert len(run.metrics()) == len(run.events()) == 0
    assert run.columns == {}
    assert len(run.modules) == 20
    assert "none" in run._repr_html_()
    assert analysis.correlations(run).empty
    assert analysis.ranks(run).empty


def test_a_run_that_is_still_written_can_be_read(tmp_path: Path) -> None:
    known = manifest()
    log = LogWriter(tmp_path / "run", known, triplets=schema_of(known))
    assert open_run(log.directory).steps.tolist() == []
    log.triplets(1, np.ones((8, 20), np.float32), np.ones(20, bool))
    log.flush()
    assert open_run(log.directory).steps.tolist() == [1]
    assert open_run(log.directory).manifest.status == "running"
    log.close("finished")


def test_a_run_says_what_it_is(tmp_path: Path) -> None:
    run = open_run(
        write_run(
            tmp_path / "mine",
            events=[decision(3, n_kept=12), decision(4, n_kept=9)],
            results={"accuracy": 0.123456, "rows": 7},
        ).path
    )
    assert repr(run) == f"Run({str(tmp_path / 'mine')!r}, finished, criterion=snr)"
    html = run._repr_html_()
    assert "<strong>mine</strong>" in html
    for said in ("5, 1 to 5", "20 in 7 matrices", "9 triplets after 2 decisions", "0.1235", "7"):
        assert f">{said}</td>" in html
    assert run.score_names == ("snr", "mean_abs")
    assert run.labels == {"snr": "label of snr", "mean_abs": "label of mean_abs"}


def test_html_of_a_run_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('1') & \"2\"</script>"
    written = write_run(
        tmp_path / "<b>run",
        rows=(ModuleRow(evil, evil, None, 2),),
        scores=(evil, "snr"),
        criterion=evil,
        optimizer={"name": evil},
        config={evil: evil},
        results={evil: evil},
    )
    html = open_run(written.path)._repr_html_()
    tags = set(re.findall(r"<(/?\w+)", html))
    assert tags == {
        tag
        for name in ("div", "strong", "table", "tr", "td", "details", "summary")
        for tag in (name, f"/{name}")
    }
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;run" in html
