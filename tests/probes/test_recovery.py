"""Recovery against a loop of one's own, and a model that is left as it was."""

from __future__ import annotations

import pytest
import torch

import vilora_analysis as va
from tests.conftest import trainable
from tests.probes.test_replay import adapted, some_batch
from vilora_analysis.probes.recovery import recover


@pytest.mark.parametrize("name", ["bert", "lora"])
def test_what_is_removed_stays_removed_and_the_rest_is_trained(name: str) -> None:
    model, batch = adapted(name), some_batch()
    layout = va.TripletLayout.from_model(model)
    gone = [0, 4, 5]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    loss, right = recover(model, layout, gone, [batch] * 3, [batch], lr=0.01)
    assert not model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())

    factor = "E" if "E" in layout.factors else "A"
    live = dict(model.named_parameters())
    rows = [(m, k) for m in layout.modules for k in range(m.rank) if m.first + k in gone]
    optimizer = torch.optim.AdamW(trainable(model), lr=0.01, weight_decay=0.0)
    model.train()  # no dropout in the tiny models
    for step in range(4):
        with torch.no_grad():
            for module, k in rows:
                live[module.parameters[factor]][k] = 0.0
        if step < 3:
            model(**batch.inputs, labels=batch.labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        logits = model(**batch.inputs).logits
    expected = torch.nn.functional.cross_entropy(logits, batch.labels)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    assert right == pytest.approx(float((logits.argmax(-1) == batch.labels).float().mean()))
