"""The table's columns against a loop over triplets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import adalora, tiny_bert
from tests.fisher.test_example import adapted, naive, padded
from vilora_analysis.errors import ConfigError
from vilora_analysis.fisher import fisher_columns, measure, penalty_gradient
from vilora_analysis.triplets import TripletLayout


def of_triplet(layout: TripletLayout, flat: torch.Tensor, name: str, k: int, factor: str) -> Any:
    """Elements of one factor of one triplet, looked up one by one."""
    return flat[[layout.locate(i) == (name, k, factor) for i in range(layout.n_elements)]]


@pytest.fixture(scope="module")
def measured() -> tuple[Any, TripletLayout, Any, Any]:
    model = adapted(adalora, tiny_bert(layers=1)).eval()
    layout = TripletLayout.from_model(model)
    parts, done = [padded(3), padded(4, seed=5)], []
    found = measure(model, layout, parts, tick=done.append)
    assert done == [3, 4]
    rows = torch.cat([naive(model, layout, *part) for part in parts]).double()
    return found, layout, rows, penalty_gradient(model, layout, *parts[0]).double()


def test_columns_are_means_over_each_triplet(measured: Any) -> None:
    found, layout, rows, penalty = measured
    columns = fisher_columns(found, layout, batch_size=3)
    mean, variance = rows.mean(0), rows.var(0)
    expected = {
        "fisher_example": rows.square().mean(0),
        "fisher_half_1": rows[0::2].square().mean(0),
        "fisher_half_2": rows[1::2].square().mean(0),
        "mean_gradient_squared": mean.square(),
        "gradient_variance": variance,
        "penalty_squared": penalty.square(),
        "predicted_fisher_batch": (mean + penalty).square() + variance * (1 / 3 - 1 / 7),
    }
    assert len(columns["k"]) == 3 * layout.n_triplets
    assert set(columns["examples"]) == {7}
    for at in (0, 4, layout.n_triplets + 2, 2 * layout.n_triplets + 7):
        name, k, factor = columns["module"][at], columns["k"][at], columns["factor"][at]
        for column, flat in expected.items():
            by_hand = float(of_triplet(layout, flat, name, k, factor).mean())
            assert columns[column][at] == pytest.approx(by_hand, rel=1e-4), column


def test_numbers_of_the_log_and_the_posterior_are_taken_over(measured: Any) -> None:
    found, layout, *_ = measured
    n = layout.n_triplets
    sigma = {factor: torch.arange(n) + 100.0 * i for i, factor in enumerate(layout.factors)}
    ks = list(range(50, 50 + n))
    columns = fisher_columns(found, layout, 3, ks=ks, posterior={"sigma": sigma})
    assert columns["k"] == ks * 3
    np.testing.assert_array_equal(columns["sigma"][n : 2 * n], np.arange(n) + 100.0)


def test_too_few_examples_are_refused(model: Any) -> None:
    layout = TripletLayout.from_model(model)
    with pytest.raises(ConfigError, match="needs four of them, got 3"):
        measure(model, layout, [padded(3)])
    with pytest.raises(ConfigError, match="needs four of them, got 0"):
        measure(model, layout, [])
