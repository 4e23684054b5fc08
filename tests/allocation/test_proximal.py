"""The proximal step against a brute-force minimiser, and the metric against real steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ivon
import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, lora, tiny_bert, trainable
from vilora_analysis.allocation import Allocation, ProximalAllocator, soft_threshold
from vilora_analysis.errors import ConfigError, LayoutError
from vilora_analysis.triplets import Binding, TripletLayout

PENALTY = 4e-6


def brute_force(value: float, width: float, penalty: float) -> float:
    """Minimiser of width/2 (x - value)^2 + penalty |x|, among 0 and the minimum of each side."""

    def objective(x: float) -> float:
        return 0.5 * width * (x - value) ** 2 + penalty * abs(x)

    reach = abs(value) + 1e-12
    options = {"xatol": 1e-12 * max(1.0, reach)}
    sides = [(-reach, 0.0), (0.0, reach)]
    found = [
        float(minimize_scalar(objective, bounds=side, method="bounded", options=options).x)
        for side in sides
    ]
    return min([0.0, *found], key=objective)


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.0)


def amsgrad(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=5e-3, amsgrad=True)


def clipped(parameters: Any) -> ivon.IVON:
    return ivon_for(parameters, clip_radius=1e-4)


def plain_ivon(parameters: Any) -> ivon.IVON:
    """Another published form of the step: no rescaled learning rate, no debiasing."""
    return ivon_for(parameters, lr=0.1, rescale_lr=False, debias=False)


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.5)


OPTIMIZERS = [adamw, amsgrad, ivon_for, clipped, plain_ivon, sgd]


class Watched:
    """A model trained under a penalty, with E and momentum of each step around it."""

    def __init__(self, make: Callable[..., Any], steps: int = 20, **options: Any) -> None:
        self.model = adalora(tiny_bert())
        self.optimizer = make(trainable(self.model))
        self.before: list[np.ndarray] = []
        self.stepped: list[np.ndarray] = []
        self.after: list[np.ndarray] = []
        self.momentum: list[np.ndarray] = []
        self.kept: list[np.ndarray] = []
        self.decisions: list[Allocation | None] = []
        self.step_sizes: list[np.ndarray] = []
        self.optimizer.register_step_pre_hook(lambda *_: self.before.append(self.values()))
        # registered before the instrument's, so it sees the values before the penalty
        self.optimizer.register_step_post_hook(lambda *_: self.look())
        torch.manual_seed(3)
        settings = {"allocation": "l1", "l1_penalty": PENALTY, **options}
        with va.instrument(self.model, self.optimizer, **settings) as recording:
            allocator = recording.allocator
            assert isinstance(allocator, ProximalAllocator)
            for batch in batches(steps):
                with va.sampled_parameters(self.optimizer):
                    self.model(**batch).loss.backward()
                self.optimizer.step()
                self.after.append(self.values())
                self.kept.append(allocator.kept.numpy().copy())
                self.decisions.append(allocator.last)
                self.step_sizes.append(allocator._step_sizes().numpy())
                self.optimizer.zero_grad()

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return {n: p for n, p in self.model.named_parameters() if "lora_E" in n}

    def values(self) -> np.ndarray:
        return np.concatenate([p.detach().numpy().ravel() for p in self.parameters().values()])

    def look(self) -> None:
        self.stepped.append(self.values())
        self.momentum.append(
            np.concatenate([self.momentum_of(p) for p in self.parameters().values()])
        )

    def momentum_of(self, parameter: torch.nn.Parameter) -> np.ndarray:
        """What the optimizer stepped along, read parameter by parameter."""
        optimizer: Any = self.optimizer
        group = optimizer.param_groups[0]
        if "hess" in group:
            at = 0
            for other in group["params"]:
                if other is parameter:
                    break
                at += other.numel()
            flat = group["momentum"][at : at + parameter.numel()]
            debias = 1 - group["beta1"] ** optimizer.current_step if optimizer.debias else 1.0
            return (flat / debias + group["weight_decay"] * parameter.flatten()).detach().numpy()
        state = optimizer.state[parameter]
        if "exp_avg" in state:
            flat = state["exp_avg"] / (1 - group["betas"][0] ** float(state["step"]))
            return flat.numpy().ravel().copy()
        return state["momentum_buffer"].numpy().ravel().copy()


@pytest.fixture(scope="module", params=OPTIMIZERS, ids=lambda make: make.__name__)
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(request.param)


def test_soft_threshold_minimises_the_objective() -> None:
    generator = np.random.default_rng(0)
    values = torch.tensor([*generator.normal(size=20), 0.0, 0.5, -0.5], dtype=torch.float64)
    widths = torch.tensor([*np.exp(generator.normal(size=20)), 1.0, 1.0, 1.0], dtype=torch.float64)
    got = soft_threshold(values, 0.5 / widths)
    for value, width, x in zip(values.tolist(), widths.tolist(), got.tolist(), strict=True):
        assert x == pytest.approx(brute_force(value, width, 0.5), abs=1e-7)
    assert 3 < int((got == 0).sum()) < 20
    assert not torch.signbit(got[got == 0]).any()


def test_a_step_minimises_the_penalised_problem_in_the_optimizers_metric(watched: Watched) -> None:
    """The metric from outside: gradient over displacement, as the optimizer really moved."""
    compared = 0
    for t in range(5, 20, 4):
        moved = watched.before[t] - watched.stepped[t]
        for i in np.flatnonzero(np.abs(moved) > 1e-6 + 1e-3 * np.abs(watched.before[t]))[::3]:
            width = watched.momentum[t][i] / moved[i]
            value = float(watched.stepped[t][i])
            expected = brute_force(value, float(width), PENALTY)
            assert watched.after[t][i] == pytest.approx(expected, rel=5e-3, abs=2e-8)
            compared += 1
    assert compared > 10


def test_a_zero_comes_back_exactly_where_its_momentum_exceeds_the_penalty(watched: Watched) -> None:
    """The same rule under every optimizer: this is what the metric is for."""
    stayed = revived = 0
    for t in range(6, 20):
        size = np.abs(watched.momentum[t])
        for i in np.flatnonzero(watched.before[t] == 0):
            if abs(size[i] - PENALTY) < 1e-3 * PENALTY:
                continue  # within the rounding of the threshold
            assert (watched.after[t][i] != 0) == (size[i] > PENALTY)
            stayed += size[i] < PENALTY
            revived += size[i] > PENALTY
    assert stayed > 5
    assert revived > 5


def test_nothing_happens_before_tinit(watched: Watched) -> None:
    for t in range(5):
        assert (watched.after[t] == watched.stepped[t]).all()
        assert watched.kept[t].all()
        assert watched.decisions[t] is None
    assert (watched.after[5] != watched.stepped[5]).any()


def test_kept_is_what_is_not_zero_and_a_decision_is_a_change(watched: Watched) -> None:
    before = watched.kept[4]
    for t in range(5, 20):
        kept, decision = watched.kept[t], watched.decisions[t]
        assert (kept == (watched.after[t] != 0)).all()
        if t > 5:  # the first is always said
            assert (decision is not None) == (kept != before).any()
        if decision is not None:
            zeroed = np.abs(watched.stepped[t][~kept])
            assert (decision.step, decision.budget) == (t + 1, kept.sum())
            assert decision.threshold == (zeroed.max() if zeroed.size else None)
        before = kept


@pytest.mark.parametrize("make", [adamw, ivon_for])
def test_the_euclidean_threshold_is_lr_times_penalty(make: Any) -> None:
    watched = Watched(make, steps=8, l1_metric="euclidean", l1_penalty=1e-3)
    lr = watched.optimizer.param_groups[0]["lr"]
    for t in range(5, 8):
        for value, x in zip(watched.stepped[t], watched.after[t], strict=True):
            assert x == pytest.approx(brute_force(float(value), 1 / lr, 1e-3), abs=1e-7)


def test_groups_may_differ_in_learning_rate() -> None:
    def two_groups(parameters: Any) -> torch.optim.Optimizer:
        half = len(parameters) // 2
        groups = [{"params": parameters[:half]}, {"params": parameters[half:], "lr": 1e-2}]
        return torch.optim.SGD(groups, lr=1e-3)

    model = adalora(tiny_bert())
    optimizer = two_groups(trainable(model))
    layout = TripletLayout.from_model(model)
    allocator = ProximalAllocator(Binding.create(layout, model, optimizer), 0.1)
    first = {id(p) for p in optimizer.param_groups[0]["params"]}
    expected = [1e-3 if id(p) in first else 1e-2 for p in allocator.values.parameters]
    got = allocator._step_sizes().tolist()
    assert got == pytest.approx([lr for lr in expected for _ in range(3)])
    assert set(expected) == {1e-3, 1e-2}


def instrumented(**settings: Any) -> None:
    model = adalora(tiny_bert())
    va.instrument(model, ivon_for(trainable(model)), **{"allocation": "l1", **settings}).close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"l1_penalty": 0.0}, "l1_penalty = 0.0: must be greater than 0"),
        ({"l1_penalty": float("inf")}, "must be greater than 0 and finite"),
        ({"l1_penalty": 1e-3, "criterion": "snr"}, "criterion must be None .* got 'snr'"),
        ({"l1_penalty": 1e-3, "l1_metric": "adam"}, "'adam' is neither 'optimizer' nor"),
        ({"l1_penalty": 1e-3, "allocation": "l2"}, "'l2' is neither 'budget' nor 'l1'"),
        ({"l1_penalty": 1e-3, "allocation": "budget"}, "goes with allocation='l1'"),
        ({"l1_penalty": 1e-3, "metrics_only": True}, "no triplets to prune by 'l1'"),
    ],
)
def test_mistakes_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        instrumented(**settings)


def test_an_optimizer_of_unknown_steps_is_refused_but_for_the_euclidean_metric() -> None:
    model = adalora(tiny_bert())
    optimizer = torch.optim.RMSprop(trainable(model))
    with pytest.raises(ConfigError, match=r"RMSprop steps is not known.*l1_metric='euclidean'"):
        va.instrument(model, optimizer, allocation="l1", l1_penalty=1e-3)
    va.instrument(model, optimizer, allocation="l1", l1_penalty=1e-3, l1_metric="euclidean").close()


def test_a_second_allocator_and_lora_are_refused() -> None:
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    with (
        va.instrument(model, optimizer, allocation="l1", l1_penalty=1e-3),
        pytest.raises(LayoutError, match="allocated already"),
    ):
        va.instrument(model, optimizer, criterion="snr")
    model = lora(tiny_bert())
    with pytest.raises(LayoutError, match="allocation 'l1' prunes an AdaLoRA adapter"):
        va.instrument(model, ivon_for(trainable(model)), allocation="l1", l1_penalty=1e-3)
