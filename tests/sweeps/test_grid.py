"""From a file to runs: how many, what they are called, and what a mistake says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vilora_analysis.errors import ConfigError
from vilora_analysis.sweeps import read_grid
from vilora_analysis.sweeps.grid import expand, shipped

TASKS = ("acceptability", "rte", "mrpc", "sst2")
SYSTEMS: tuple[dict[str, Any], ...] = (
    {"method": "full_ft", "optimizer": "adamw"},
    {"method": "lora", "optimizer": "adamw", "target_rank": [2, 4]},
    {"method": "adalora", "optimizer": "ivon", "criterion": ["snr", "mean_abs", "sensitivity"]},
    {"method": "adalora", "optimizer": "adamw", "criterion": "sensitivity", "seed": [9]},
)


def names(raw: Mapping[str, Any]) -> list[str]:
    return [cell.name for cell in expand({"out": "runs", **raw}, "my.toml").cells]


def subset(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    picked = st.lists(st.sampled_from(range(len(values))), min_size=1, unique=True)
    return picked.map(lambda chosen: [values[i] for i in chosen])


@settings(max_examples=40, deadline=None)
@given(subset(TASKS), subset(tuple(range(5))), subset(SYSTEMS), st.randoms())
def test_every_combination_is_one_run_whatever_the_order(
    tasks: list[str], seeds: list[int], systems: list[dict[str, Any]], random: Any
) -> None:
    made = names({"grid": {"task": tasks, "seed": seeds}, "systems": systems})
    runs = sum(
        len(system.get("criterion", "x")) ** isinstance(system.get("criterion"), list)
        * len(system.get("target_rank", [1]))
        * (1 if "seed" in system else len(seeds))
        for system in systems
    )
    assert len(made) == len(set(made)) == len(tasks) * runs
    for values in (tasks, seeds, systems):
        random.shuffle(values)
    turned = {"systems": systems, "grid": {"seed": seeds, "task": tasks}}
    assert sorted(names(turned)) == sorted(made)


def test_another_value_or_system_renames_no_run() -> None:
    few = names({"grid": {"seed": [0], "lr": [2.0]}, "systems": list(SYSTEMS[2:3])})
    more = names(
        {"grid": {"lr": [5.0, 2.0], "seed": [1, 0], "task": list(TASKS)}, "systems": list(SYSTEMS)}
    )
    assert set(few) < set(more)
    assert few[0] == "acceptability-adalora-ivon-snr-0-lr=2.0"


def test_what_every_run_has_is_not_in_their_names() -> None:
    assert names({"fixed": {"steps": 60, "lr": 1}, "grid": {"seed": [3]}}) == [
        "acceptability-adalora-ivon-snr-3"
    ]
    assert names({}) == ["acceptability-adalora-ivon-snr-0"]


def test_a_name_can_be_that_of_a_directory() -> None:
    grid = {"model": ["../a b/c", "bundled"], "bf16": [True]}
    assert names({"grid": grid}) == [
        "acceptability-adalora-ivon-snr-0-bf16=true-model=.._a_b_c",
        "acceptability-adalora-ivon-snr-0-bf16=true-model=bundled",
    ]


def test_a_cell_has_its_configuration_and_directory(tmp_path: Path) -> None:
    raw = {"out": "runs/x", "fixed": {"steps": 60, "lr": 1, "data_dir": "glue", "task": "rte"}}
    (cell,) = expand(raw, "my.toml", tmp_path).cells
    assert (cell.config.steps, cell.config.lr, cell.config.task) == (60, 1.0, "rte")
    assert isinstance(cell.config.lr, float)
    assert cell.config.data_dir == Path("glue")
    assert cell.path == tmp_path / "runs/x/rte-adalora-ivon-snr-0"
    assert cell.config.out == Path("runs/x/rte-adalora-ivon-snr-0")


def test_options_stand_in_place_of_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('out = "a"\n[fixed]\nsteps = 60\n[grid]\ntask = ["rte"]\n')
    (cell,) = read_grid(file, out=Path("b"), data_dir="glue", steps=None).cells
    assert cell.config.out == Path("b/rte-adalora-ivon-snr-0")
    assert (cell.config.data_dir, cell.config.steps) == (Path("glue"), 60)


MISTAKES = {
    "fixed = 3\nout = 'x'": "fixed is a table, [fixed]; got 3",
    "outt = 'x'": "no key 'outt'; did you mean out?",
    "": 'out is the folder of the runs, as "runs/mine"; got None',
    "out = 3": "got 3",
    "out = 'x'\n[fixed]\nstepz = 3": "[fixed]: no setting named 'stepz'; did you mean steps?",
    "out = 'x'\n[fixed]\nsteps = '60'": "[fixed]: steps is a whole number; got '60'",
    "out = 'x'\n[fixed]\nsteps = 1.5": "steps is a whole number; got 1.5",
    "out = 'x'\n[fixed]\nseed = true": "seed is a whole number; got True",
    "out = 'x'\n[fixed]\nlr = 'high'": "lr is a number; got 'high'",
    "out = 'x'\n[fixed]\nbf16 = 1": "bf16 is true or false; got 1",
    "out = 'x'\n[fixed]\ntask = ['rte']": "task is a text; got ['rte']",
    "out = 'x'\n[fixed]\nmethod = 'lara'": "method is one of 'adalora', 'lora', 'full_ft'",
    "out = 'x'\n[fixed]\ntext_columns = 'a'": "text_columns is a list of texts; got 'a'",
    "out = 'x'\n[fixed]\nresume = true": "resume is decided by the sweep",
    "out = 'x'\n[grid]\nout = ['y']": "[grid]: out is decided by the sweep",
    "out = 'x'\n[grid]\nseed = 1": "[grid]: seed is a list of values; got 1",
    "out = 'x'\n[grid]\nseed = []": "[grid]: seed is an empty list",
    "out = 'x'\n[grid]\nseed = [1, '2']": "[grid]: seed is a whole number; got '2'",
    "out = 'x'\n[grid]\nseed = [1, 1]": "asks for the same run twice: seed = 1; and seed = 1",
    "out = 'x'\n[grid]\nlr = [1, 1.0]": "asks for the same run twice",
    "out = 'x'\n[grid]\nlr = [5.0, 2.0]\n[fixed]\nlr = 5": "lr is in [fixed] already",
    "out = 'x'\nsystems = []": "systems are tables, [[systems]]; got []",
    "out = 'x'\n[systems]\nlr = 1": "systems are tables, [[systems]]",
    "out = 'x'\n[[systems]]\n[[systems]]\nlrr = 3": "[[systems]] 2: no setting named 'lrr'",
    "out = 'x'\n[[systems]]\ncriterion = []": "criterion is an empty list",
    "out = 'x'\n[grid]\nsteps = [60, 0]": "run of steps = 0: steps = 0: must be greater than 0",
    "out = 'x'\n[fixed]\ntask = 'rta'": "run of its [fixed]: no task named 'rta'; did you",
    "out = 'x'\n[grid]\noptimizer = ['adamw']\ncriterion = ['snr']": "needs a posterior",
    "out = ": "is not TOML",
}


@pytest.mark.parametrize("text", list(MISTAKES))
def test_a_mistake_is_said_in_one_line_that_names_the_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "my.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(MISTAKES[text])) as caught:
        read_grid(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_grid(file)


def test_shipped_grids_are_found_by_name_and_an_unknown_one_lists_them() -> None:
    assert list(shipped()) == ["claims", "systems", "table1"]
    listed = r"did you mean table1\? Shipped: claims, systems, table1"
    with pytest.raises(ConfigError, match=listed):
        read_grid("table")


def test_a_file_goes_before_a_shipped_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table1").write_text('out = "mine"')
    assert read_grid("table1").out == Path("mine")


def test_table1_has_every_published_loop() -> None:
    cells = read_grid("table1").cells
    assert len(cells) == 5 * 8 * (1 + 2 * 7)
    full = [cell.config for cell in cells if cell.config.method == "full_ft"]
    assert {config.task for config in full if config.optimizer == "ivon"} == {"stsb"}
    assert len(full) == 5 * 8
    (rte,) = [c for c in cells if c.name == "rte-adalora-ivon-snr_abs-2021-target_rank=2"]
    assert (rte.config.preset, rte.config.init_rank, rte.config.tinit) == ("paper", 3, 600)
    assert rte.config.model == "microsoft/deberta-v3-base"


def test_systems_are_the_eight_of_the_table_on_five_tasks() -> None:
    cells = read_grid("systems").cells
    assert len(cells) == 40
    assert {cell.config.steps for cell in cells} == {40}
    assert {cell.config.model for cell in cells} == {"bundled"}
