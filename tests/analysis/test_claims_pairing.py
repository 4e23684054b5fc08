"""Only what differs in system and seed alone is paired; the rest is said."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.analysis.claims_world import HOLDS, build, write_trial
from vilora_analysis import analysis
from vilora_analysis.analysis.claims.pairing import find_beds
from vilora_analysis.analysis.claims.providing import provide
from vilora_analysis.cli.main import _parse
from vilora_analysis.errors import LogError
from vilora_analysis.log import open_run
from vilora_analysis.training.config import RunConfig, configure

TWO = (("ivon", "snr"), ("adamw", "sensitivity"))


def seeds(pairs: list[tuple[object, ...]]) -> list[list[int]]:
    return [[trial.seed for trial in pair] for pair in pairs]  # type: ignore[attr-defined]


def test_pairs_are_of_equal_seeds_that_both_have(tmp_path: Path) -> None:
    runs = build(tmp_path, HOLDS, [10, 2, 3], TWO[:1]) + build(tmp_path, HOLDS, [3, 10], TWO[1:])
    (bed,), notes = find_beds(runs)
    assert seeds(bed.paired("ivon snr", "adam sensitivity")) == [[3, 3], [10, 10]]
    assert bed.label == "sst2"
    assert notes == []


def test_a_setting_that_differs_keeps_runs_apart(tmp_path: Path) -> None:
    runs = [
        write_trial(tmp_path, HOLDS, "ivon", "snr", 0, alpha=32.0),
        write_trial(tmp_path, HOLDS, "adamw", "sensitivity", 0, alpha=16.0),
    ]
    beds, notes = find_beds(runs)
    assert sorted(bed.label for bed in beds) == ["sst2 (alpha 16.0)", "sst2 (alpha 32.0)"]
    assert all(not bed.paired("ivon snr", "adam sensitivity") for bed in beds)
    (of_snr,) = (bed for bed in beds if "ivon snr" in bed.arms)
    assert of_snr.absent == {"adam sensitivity": "alpha"}
    assert notes == ["sst2: not compared with each other are runs of alpha 16.0; alpha 32.0"] or (
        notes == ["sst2: not compared with each other are runs of alpha 32.0; alpha 16.0"]
    )


def test_the_optimizers_own_settings_differ_between_optimizers_not_within(tmp_path: Path) -> None:
    ivon = [write_trial(tmp_path / str(lr), HOLDS, "ivon", "snr", 0, lr=lr) for lr in (1.0, 5.0)]
    adam = write_trial(tmp_path, HOLDS, "adamw", "sensitivity", 0, lr=5e-3)
    beds, _ = find_beds([*ivon, adam])
    assert [bed.label for bed in beds] == ["sst2 (lr 1.0)", "sst2 (lr 5.0)"]
    assert all(len(bed.paired("ivon snr", "adam sensitivity")) == 1 for bed in beds)


def test_two_settings_of_adam_are_refused_rather_than_chosen_from(tmp_path: Path) -> None:
    adam = [
        write_trial(tmp_path / str(lr), HOLDS, "adamw", "sensitivity", 0, lr=lr)
        for lr in (1e-3, 5e-3)
    ]
    (bed,), notes = find_beds([write_trial(tmp_path, HOLDS, "ivon", "snr", 0), *adam])
    assert list(bed.arms) == ["ivon snr"]
    assert notes == ["sst2: runs of adam are left out, they differ in lr; give those of one"]


def test_what_only_records_otherwise_is_paired(tmp_path: Path) -> None:
    runs = [
        write_trial(tmp_path, HOLDS, "ivon", "snr", 0, record_every=10, scores=["snr"]),
        write_trial(tmp_path, HOLDS, "ivon", "sensitivity", 0, record_every=1, eval_every=5),
    ]
    (bed,), _ = find_beds(runs)
    assert len(bed.paired("ivon snr", "ivon sensitivity")) == 1


def test_a_setting_that_older_runs_do_not_know_is_said(tmp_path: Path) -> None:
    runs = [
        write_trial(tmp_path, HOLDS, "ivon", "snr", 0),
        write_trial(tmp_path, HOLDS, "ivon", "sensitivity", 0, allocation="budget"),
    ]
    (_,), notes = find_beds(runs)
    assert notes == ["taken for the same, though some runs do not tell: allocation"]


def test_twins_and_the_unfinished_are_left_out_and_said(tmp_path: Path) -> None:
    runs = [
        write_trial(tmp_path / name, HOLDS, "ivon", "snr", 0) for name in ("one", "two", "three")
    ]
    text = (runs[2].path / "run.json").read_text()
    (runs[2].path / "run.json").write_text(text.replace('"finished",', '"running",', 1))
    again = [open_run(run.path) for run in runs]
    assert again[2].manifest.status == "running"
    (bed,), notes = find_beds(again)
    assert len(bed.paired("ivon snr")) == 1
    assert [note.split(" is ")[1].split(":")[0] for note in notes] == ["left out"] * 2


def test_a_seed_answers_once_whatever_it_was_pruned_by(tmp_path: Path) -> None:
    """Before the first pruning runs of one seed are the same run."""
    systems = (("ivon", "snr"), ("ivon", "sensitivity"), ("ivon", "mean_abs"))
    (bed,), _ = find_beds(build(tmp_path, HOLDS, [0, 1], systems))
    assert [trial.system for trial in bed.singles("ivon", "snr")] == ["ivon snr"] * 2
    whole = bed.singles("ivon", "snr", "sensitivity")  # which the run by snr did not record
    assert [trial.system for trial in whole] == ["ivon sensitivity"] * 2


def test_ranks_are_those_of_the_analysis(tmp_path: Path) -> None:
    run = write_trial(tmp_path, HOLDS, "ivon", "snr", 3)
    (bed,), _ = find_beds([run])
    ((trial,),) = bed.paired("ivon snr")
    assert trial.ranks.tolist() == analysis.ranks(run)["rank"].to_list()


def test_no_run_to_judge_by_is_said() -> None:
    with pytest.raises(LogError, match="vilora sweep claims"):
        find_beds([])


@pytest.mark.parametrize("system", [("ivon", "mean_abs"), ("adamw", "sensitivity")])
def test_the_command_that_is_named_trains_what_can_be_compared(
    tmp_path: Path, system: tuple[str, str]
) -> None:
    """Its words are parsed as the command line does, and give the settings of the run there."""
    there = configure(
        task="rte", criterion="snr", steps=90, alpha=16.0, batch_size=4, beta2=0.999, bf16=True
    )
    run = write_trial(tmp_path, HOLDS, "ivon", "snr", 3, **settings_of(there))
    (bed,), _ = find_beds([run])
    name = " ".join(system).replace("adamw", "adam")
    words = shlex.split(provide(bed, "ivon snr", name))
    assert (words[0], words[-2:]) == ("vilora", ["--seed", "3"])
    config = _parse(words[1:])
    assert (config.optimizer, config.criterion, config.seed) == (*system, 3)
    other = write_trial(tmp_path / "other", HOLDS, *system, 3, **settings_of(config))
    (both,), notes = find_beds([run, other])
    assert len(both.paired("ivon snr", name)) == 1
    assert notes == []


def settings_of(config: RunConfig) -> dict[str, object]:
    varied = ("optimizer", "criterion", "seed", "show_config")
    return {name: value for name, value in config.as_dict().items() if name not in varied}
