"""Where the published single-precision SNR(|θ|) breaks down, against the stable form."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from vilora_analysis import scores

LARGEST = torch.finfo(torch.float32).max


def published(ratio: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Element by element, as if each were a value E of its own."""

    def alone(values: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {"E": values}

    return scores.get("snr_abs_float32").function(mu=ratio * sigma, sigma=sigma, reduce=alone)


def stable(ratio: torch.Tensor) -> torch.Tensor:
    return scores.get("snr_abs")(mu=ratio, sigma=torch.ones_like(ratio))


def drawn(low: float, high: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ratio = low * (high / low) ** torch.rand(4000, generator=generator)
    return ratio, 10 ** (-3 * torch.rand(4000, generator=generator))


def test_the_two_forms_agree_where_little_cancels() -> None:
    ratio, sigma = drawn(1e-2, 30)
    torch.testing.assert_close(published(ratio, sigma), stable(ratio), rtol=1e-3, atol=0)


def test_percents_are_lost_at_a_thousand() -> None:
    ratio, sigma = drawn(900, 1100)
    off = (published(ratio, sigma) / stable(ratio) - 1).abs()
    assert 0.003 < off.median() < 0.05


def test_beyond_ten_thousand_everything_ties_at_the_top() -> None:
    ratio, sigma = drawn(1e4, 1e6)
    assert (published(ratio, sigma) == LARGEST).all()


def test_a_triplet_of_infinite_elements_ties_with_the_others() -> None:
    def parts(values: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {"E": values[0], "A": values[1:].mean(0), "B": values[1:].mean(0)}

    sigma = torch.ones(3, 2)
    mu = torch.tensor([[1e6, 1.0], [1.0, 1e6], [1.0, 1.0]])
    found = scores.get("snr_abs_float32").function(mu=mu, sigma=sigma, reduce=parts)
    assert found.tolist() == [LARGEST, LARGEST]
