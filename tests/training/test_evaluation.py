"""Metrics against the libraries, calibration against a loop, averaged predictions by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

import vilora_analysis as va
from vilora_analysis.posterior import Posterior
from vilora_analysis.training import TASKS
from vilora_analysis.training.evaluation import (
    METRICS,
    calibration_error,
    evaluate,
    predict,
    predict_sampled,
)
from vilora_analysis.training.models import load_pretrained


def test_metrics_are_the_libraries_own() -> None:
    labels, predictions = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 0, 1])
    assert METRICS["accuracy"](labels, predictions) == 0.8
    assert METRICS["f1"](labels, predictions) == metrics.f1_score(labels, predictions)
    assert METRICS["matthews"](labels, predictions) == pytest.approx(
        np.corrcoef(labels, predictions)[0, 1]
    )
    values = np.array([0.1, 0.5, 0.4, 0.0, 2.0])
    assert METRICS["pearson"](labels, values) == stats.pearsonr(labels, values).statistic
    assert METRICS["spearman"](labels, values) == stats.spearmanr(labels, values).statistic
    assert np.isnan(METRICS["pearson"](labels, np.ones(5)))


def naive_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3, bin by bin: I_m = ((m-1)/M, m/M]."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    error = 0.0
    for m in range(1, bins + 1):
        within = [
            i
            for i, value in enumerate(confidence)
            if (m - 1) / bins < value <= m / bins or (m == 1 and value == 0)
        ]
        if within:
            accuracy = np.mean([predicted[i] == labels[i] for i in within])
            error += len(within) / len(labels) * abs(accuracy - confidence[within].mean())
    return error


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 4), st.integers(1, 20))
def test_calibration_error_is_the_loops(seed: int, rows: int, classes: int, bins: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(classes), size=rows)
    labels = generator.integers(classes, size=rows)
    assert calibration_error(labels, probabilities, bins) == pytest.approx(
        naive_calibration_error(labels, probabilities, bins), abs=1e-12
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]], 0.0),  # certain and right
        ([1, 0], [[1.0, 0.0], [0.0, 1.0]], 1.0),  # certain and wrong
        ([0, 1, 0, 1], [[0.5, 0.5]] * 4, 0.0),  # a coin, said to be one
    ],
)
def test_calibration_of_the_certain(
    labels: list[int], probabilities: list[list[float]], expected: float
) -> None:
    assert calibration_error(np.array(labels), np.array(probabilities)) == expected


def sharp_posterior(model: torch.nn.Module, sigma: float) -> Posterior:
    mu = {n: p.detach().clone() for n, p in model.named_parameters()}
    return Posterior(mu, {name: torch.full_like(value, sigma) for name, value in mu.items()})


def test_probabilities_are_averaged_not_logits(encoder_path: Path, glue: Path) -> None:
    task = TASKS["sst2"]
    encoder = load_pretrained(str(encoder_path), task, 24)
    frame = va.training.data.load_splits(task, glue).train
    posterior = sharp_posterior(encoder.model, 0.3)
    averaged = predict_sampled(encoder, task, frame, posterior, samples=4, seed=7)
    generator = torch.Generator().manual_seed(7)
    each = []
    for _ in range(4):
        with posterior.sampled(encoder.model, generator):
            each.append(predict(encoder, task, frame))
    np.testing.assert_allclose(averaged, np.mean(each, axis=0), rtol=1e-6)
    logits = np.exp(np.mean(np.log(each), axis=0))
    assert not np.allclose(averaged, logits / logits.sum(1, keepdims=True), rtol=1e-3)
    np.testing.assert_allclose(averaged.sum(1), 1.0, rtol=1e-6)


def test_without_uncertainty_samples_change_nothing(encoder_path: Path, glue: Path) -> None:
    for name in ("sst2", "stsb"):
        task = TASKS[name]
        encoder = load_pretrained(str(encoder_path), task, 24)
        splits = va.training.data.load_splits(task, glue).validation
        posterior = sharp_posterior(encoder.model, 0.0)
        results = evaluate(encoder, task, splits, posterior, samples=2)
        plain = evaluate(encoder, task, splits)
        for metric, value in plain.items():
            assert results[f"sampled_{metric}"] == pytest.approx(value, nan_ok=True)
            assert results[metric] == pytest.approx(value, nan_ok=True)
