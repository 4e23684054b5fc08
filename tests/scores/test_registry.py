"""Properties that every registered score must have, and what registration refuses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vilora_analysis import scores
from vilora_analysis.errors import ScoreError
from vilora_analysis.inputs import INPUTS

SIGNED = ("mu", "grad")

every_score = pytest.mark.parametrize("name", scores.names())
every_element_score = pytest.mark.parametrize(
    "name", [name for name in scores.names() if scores.get(name).level == "element"]
)
EXTREMES = [0.0, 1e-37, 1e-30, 1e-20, 1e-8, 1.0, 1e8, 1e20, 1e30, 3e38]


def inputs_for(name: str, numbers: list[float]) -> dict[str, torch.Tensor]:
    """Valid inputs: mu and grad of any sign, the rest positive."""
    base = torch.tensor(numbers)
    drawn = {key: base.roll(i) * (1 + i) for i, key in enumerate(scores.get(name).inputs)}
    return {key: v if key in SIGNED else v.abs() + 1e-3 for key, v in drawn.items()}


numbers = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=12)


@every_element_score
@settings(max_examples=30, deadline=None)
@given(values=numbers)
def test_score_is_finite_and_not_negative(name: str, values: list[float]) -> None:
    result = scores.get(name)(**inputs_for(name, values))
    assert result.isfinite().all()
    assert (result >= 0).all()


@every_element_score
@settings(max_examples=20, deadline=None)
@given(values=numbers)
def test_score_is_elementwise_and_pure(name: str, values: list[float]) -> None:
    inputs = inputs_for(name, values)
    before = {key: value.clone() for key, value in inputs.items()}
    whole = scores.get(name)(**inputs)
    assert whole.shape == (len(values),)
    assert whole.dtype == torch.float32
    one_by_one = [
        scores.get(name)(**{key: value[i : i + 1] for key, value in inputs.items()})
        for i in range(len(values))
    ]
    # vectorised and scalar code paths of exp and erfc may differ in the last digit
    torch.testing.assert_close(whole, torch.cat(one_by_one), rtol=1e-6, atol=0)
    for key, value in inputs.items():
        assert torch.equal(value, before[key])


@every_element_score
def test_extreme_inputs_give_what_twice_the_digits_give(name: str) -> None:
    """Wherever the result lies within the range of float32, no step on the way leaves it."""
    asked = scores.get(name).inputs
    grid = torch.cartesian_prod(*[torch.tensor(EXTREMES)] * len(asked)).reshape(-1, len(asked))
    grid = grid[[all(v > 0 or k in SIGNED for k, v in zip(asked, r, strict=True)) for r in grid]]
    inputs = dict(zip(asked, grid.T, strict=True))
    got = scores.get(name)(**inputs)
    exact = scores.get(name)(**{key: value.double() for key, value in inputs.items()})
    in_range = (exact > 1e-37) & (exact < 3e38)
    torch.testing.assert_close(got.double()[in_range], exact[in_range], rtol=1e-5, atol=0)
    assert (got[exact <= 1e-37] <= 1e-36).all()


@every_element_score
@settings(max_examples=20, deadline=None)
@given(values=numbers, data=st.data())
def test_score_follows_a_permutation_of_its_elements(
    name: str, values: list[float], data: st.DataObject
) -> None:
    order = torch.tensor(data.draw(st.permutations(range(len(values)))))
    inputs = inputs_for(name, values)
    moved = scores.get(name)(**{key: value[order] for key, value in inputs.items()})
    torch.testing.assert_close(moved, scores.get(name)(**inputs)[order], rtol=1e-6, atol=0)


@every_element_score
def test_score_does_not_depend_on_the_sign_of_the_parameter(name: str) -> None:
    inputs = inputs_for(name, [0.5, -2.0, 3.0])
    mirrored = {key: -v if key in SIGNED else v for key, v in inputs.items()}
    assert torch.equal(scores.get(name)(**inputs), scores.get(name)(**mirrored))


@every_score
def test_score_says_what_it_is(name: str) -> None:
    score = scores.get(name)
    assert all((score.label, score.equation, score.source, score.summary))
    assert set(score.inputs) <= set(INPUTS)


def test_the_papers_scores_are_there() -> None:
    expected = {
        "mean_abs", "inverse_std", "snr", "snr_abs", "expected_abs", "sensitivity",
        "sensitivity_raw", "sensitivity_smoothed", "sensitivity_uncertainty",
    }  # fmt: skip
    assert expected <= set(scores.names())


def test_published_names_are_understood() -> None:
    assert {alias: scores.get(alias).name for alias in scores.ALIASES} == scores.ALIASES
    assert scores.get("ipt").name == "sensitivity"


def test_a_new_score_is_found_everywhere_and_can_be_taken_back() -> None:
    @scores.score(label="|g|", equation="|g|", source="test")
    def gradient_size(grad: torch.Tensor) -> torch.Tensor:
        """Size of the gradient."""
        return grad.abs()

    try:
        assert "gradient_size" in scores.names()
        assert scores.requirements(["gradient_size", "snr"]) == {"grad", "mu", "sigma"}
        computed = scores.compute(["gradient_size"], {"grad": torch.tensor([-2.0])})
        assert computed["gradient_size"].tolist() == [2.0]
    finally:
        scores.unregister("gradient_size")
    assert "gradient_size" not in scores.names()


def test_unknown_inputs_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"'odd' asks for variance; .* some of: mu, grad, sigma"):

        @scores.score(label="x", equation="x", source="x")
        def odd(mu: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
            """Odd."""
            return mu / variance


def test_levels_are_checked() -> None:
    def whole(mu: torch.Tensor) -> torch.Tensor:
        """Whole."""
        return mu

    def reduced(mu: torch.Tensor, reduce: object) -> torch.Tensor:
        """Reduced."""
        return mu

    texts = {"label": "x", "equation": "x", "source": "x"}
    with pytest.raises(ScoreError, match="asks for none of reduce, step, triplet"):
        scores.score(**texts, level="triplet")(whole)
    with pytest.raises(ScoreError, match=r"'reduced' asks for reduce; .* some of: mu"):
        scores.score(**texts)(reduced)
    with pytest.raises(ScoreError, match="level 'module'; expected 'element' or 'triplet'"):
        scores.score(**texts, level="module")(whole)  # type: ignore[arg-type]


def test_duplicate_names_and_aliases_are_refused() -> None:
    for name in ("snr", "mag"):

        def again(mu: torch.Tensor) -> torch.Tensor:
            """Again."""
            return mu

        again.__name__ = name
        with pytest.raises(ScoreError, match=f"'{name}' is registered already"):
            scores.score(label="x", equation="x", source="x")(again)


@pytest.mark.parametrize("missing", ["label", "equation", "source", "docstring"])
def test_incomplete_scores_are_refused(missing: str) -> None:
    def bare(mu: torch.Tensor) -> torch.Tensor:
        return mu

    bare.__doc__ = "" if missing == "docstring" else "Documented."
    texts = {key: "" if key == missing else "x" for key in ("label", "equation", "source")}
    with pytest.raises(ScoreError, match=f"lacks its {missing}"):
        scores.score(**texts)(bare)


def test_a_notebook_may_run_its_cell_again() -> None:
    def from_cell(mu: torch.Tensor) -> torch.Tensor:
        """Defined in a cell."""
        return mu

    from_cell.__module__ = "__main__"
    register = scores.score(label="x", equation="x", source="x")
    try:
        register(from_cell)
        register(from_cell)
    finally:
        scores.unregister("from_cell")


def test_missing_inputs_are_named() -> None:
    with pytest.raises(ScoreError, match=r"'snr' needs sigma, .*present: mu"):
        scores.compute(["snr"], {"mu": torch.ones(2)})
