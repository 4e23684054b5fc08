"""What is known of a run survives the way to disk and back, or is refused with a reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.log.synthetic import manifest
from vilora_analysis.errors import LogError
from vilora_analysis.log import SCHEMA_VERSION, Manifest

plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def described(directory: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    return loaded


def write(directory: Path, **changes: Any) -> None:
    """Write a manifest with some of its entries changed, or left out if ``...``."""
    manifest().save(directory)
    raw = {**described(directory), **changes}
    text = json.dumps({key: value for key, value in raw.items() if value is not ...})
    (directory / "run.json").write_text(text, encoding="utf-8")


def test_a_manifest_comes_back_equal(tmp_path: Path) -> None:
    known = manifest(criterion=None, results={"loss": 1e-17}, status="failed", finished="now")
    known.save(tmp_path)
    assert Manifest.load(tmp_path) == known
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", ".run.json.spare"}


@settings(max_examples=30, deadline=None)
@given(config=st.dictionaries(st.text(), plain_json, max_size=4))
def test_any_plain_configuration_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("manifest")
    known = manifest(config=config)
    known.save(directory)
    assert Manifest.load(directory) == known


def test_saving_again_replaces_the_whole(tmp_path: Path) -> None:
    manifest(config={"long": "x" * 5000}).save(tmp_path)
    known = manifest(config={})
    known.save(tmp_path)
    assert Manifest.load(tmp_path) == known


def test_other_scripts_stay_readable(tmp_path: Path) -> None:
    manifest(config={"name": "σ ∝ 1/√h"}).save(tmp_path)
    assert "σ ∝ 1/√h" in (tmp_path / "run.json").read_text(encoding="utf-8")


@dataclass
class Settings:
    rate: float
    where: Path


class Odd:
    def __str__(self) -> str:
        return "an odd thing"

    def __deepcopy__(self, memo: object) -> Odd:
        raise TypeError("cannot be copied")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Path("/data/glue"), "/data/glue"),
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (np.float32("nan"), "nan"),
        ([1.0, float("inf")], [1.0, "inf"]),
        ({("a", 1): 2}, {"('a', 1)": 2}),
        ({3: {4: 5}}, {"3": {"4": 5}}),
        (Settings(0.1, Path("here")), {"rate": 0.1, "where": "here"}),
        (Odd(), "an odd thing"),
        (Settings, "<class 'tests.log.test_manifest.Settings'>"),
        (np.float32, "<class 'numpy.float32'>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_say_is_written_as_near_as_it_can(
    tmp_path: Path, value: object, written: object
) -> None:
    manifest(config={"it": value}, results={"it": value}).save(tmp_path)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    read = json.loads(text, parse_constant=refuse)
    assert read["config"]["it"] == read["results"]["it"] == written
    assert type(read["config"]["it"]) is type(written)
    assert Manifest.load(tmp_path).config["it"] == written


def test_rows_of_a_step_are_the_sum_of_ranks() -> None:
    assert manifest().n_triplets == 6 * 3 + 2
    assert manifest(()).n_triplets == 0


def test_no_manifest_is_said_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=re.escape(f"no run in {tmp_path}: there is no run.json")):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"not json"])
def test_what_is_not_json_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(LogError, match=re.escape(f"{tmp_path / 'run.json'} cannot be read: ")):
        Manifest.load(tmp_path)


def test_a_folder_called_run_json_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(LogError, match=r"cannot be read: .*directory"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("version", [0, 2, 999, "1", None])
def test_another_schema_version_is_refused_with_both_versions(
    tmp_path: Path, version: object
) -> None:
    write(tmp_path, schema_version=version)
    expected = f"run.json has schema version {version}; this version of vilora_analysis reads "
    with pytest.raises(LogError, match=re.escape(expected + str(SCHEMA_VERSION))):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "3", '"run"', "null", "{}"])
def test_other_json_has_no_schema_version(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(LogError, match="has schema version None"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modules": ...}, "KeyError('modules')"),
        ({"results": ...}, "KeyError('results')"),
        ({"modules": [{"name": "a"}]}, "missing 3 required positional arguments"),
        ({"modules": [{"name": "a", "matrix": "W", "layer": 0, "rank": 1, "x": 2}]}, "'x'"),
        ({"modules": ["a"]}, "AttributeError"),
        ({"modules": None}, "TypeError"),
        ({"scores": [{"name": "snr"}]}, "missing 4 required positional arguments"),
        ({"every": 0}, "every or the rank of a module"),
        ({"every": True}, "every or the rank of a module"),
        (
            {"modules": [{"name": "a", "matrix": "W", "layer": 0, "rank": "3"}]},
            "every or the rank of a module",
        ),
        (
            {"modules": [{"name": "a", "matrix": "W", "layer": "first", "rank": 3}]},
            "the layer of a module",
        ),
        (
            {"modules": [{"name": "a", "matrix": "W", "layer": 0, "rank": 3}] * 2},
            "a module or a score that is there twice",
        ),
        ({"config": [1], "optimizer": "IVON"}, "optimizer, config cannot be understood"),
    ],
)
def test_entries_that_make_no_manifest_are_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write(tmp_path, **changes)
    expected = rf"run\.json is not a manifest of a run: .*{re.escape(said)}"
    with pytest.raises(LogError, match=expected):
        Manifest.load(tmp_path)


def test_entries_of_a_later_patch_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, mood="good")
    assert Manifest.load(tmp_path) == replace(manifest())


def test_scores_of_older_logs_are_scores_of_elements(tmp_path: Path) -> None:
    manifest().save(tmp_path)
    raw = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    for score in raw["scores"]:
        del score["level"]
    (tmp_path / "run.json").write_text(json.dumps(raw), encoding="utf-8")
    assert {score.level for score in Manifest.load(tmp_path).scores} == {"element"}


@pytest.mark.parametrize("name", ["snr@median", "@sum", "", 3])
def test_a_score_whose_name_cannot_be_read_is_refused(tmp_path: Path, name: object) -> None:
    manifest().save(tmp_path)
    raw = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    raw["scores"][0]["name"] = name
    (tmp_path / "run.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(LogError, match="the name of a score cannot be understood"):
        Manifest.load(tmp_path)
