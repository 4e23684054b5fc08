"""Two processes train one posterior: alike on both, and that of one process on the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable
from tests.training.test_resume import assert_same
from vilora_analysis.log import check_run
from vilora_analysis.training import processes

STEPS = 30

LOOP = """
import os
import sys
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import vilora_analysis as va
from tests.conftest import adalora, batches, ivon_for, tiny_bert, trainable

kind, out = sys.argv[1:]
distributed.init_process_group("gloo")
rank = distributed.get_rank()
model = adalora(tiny_bert())
optimizer = ivon_for(trainable(model), sync=True)
torch.manual_seed(100 + rank)  # what the processes draw on their own differs
drawn = torch.Generator().manual_seed(7)
if kind == "fixed noise":
    draw = optimizer._sample_params
    def seeded():
        torch.manual_seed(int(torch.randint(10**6, (1,), generator=drawn)))
        return draw()
    optimizer._sample_params = seeded
parallel = DistributedDataParallel(model)
context = va.sampled_parameters if kind != "ivon's own" else (
    lambda o: o.sampled_params(train=True)
)
with va.instrument(parallel, optimizer, out, criterion="snr") as recording:
    for batch in batches(30, size=8):
        with context(optimizer):
            parallel(**{k: v[rank::2] for k, v in batch.items()}).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        recording.log(rank=rank)
group = optimizer.param_groups[0]
torch.save(
    {
        "mu": [p.detach() for p in group["params"]],
        "hess": group["hess"],
        "kept": recording.allocator.kept,
    },
    f"{out}-{rank}.pt",
)
distributed.barrier()
distributed.destroy_process_group()
sys.stdout.flush()
os._exit(0)  # gloo's threads may outlive the interpreter, which then aborts
"""

TRAIN = """
import contextlib
import os
import sys
import torch
from vilora_analysis.training import configure, run as running

encoder, glue, out, batch_size = sys.argv[1:]
prepare, between = running.prepare, running._between

def prepared(*args):
    made = prepare(*args)
    torch.rand(1 + int(os.environ["RANK"]))  # from here on each draws other masks of dropout
    return made

def stopped(parts, recording):
    between(parts, recording)
    if recording.step == 6:
        raise KeyboardInterrupt

def trained(out):
    config = configure(
        task="sst2", model=encoder, data_dir=glue, out=out, steps=12, max_length=24,
        batch_size=int(batch_size), eval_every=6, checkpoint_every=4, resume=True,
    )
    running.train(config, progress=False)

running.prepare = prepared
torch.distributed.init_process_group("gloo")
trained(out)
running._between = stopped
with contextlib.suppress(KeyboardInterrupt):
    trained(out + "-stopped")
running._between = between
torch.distributed.barrier()
trained(out + "-stopped")
sys.stdout.flush()
os._exit(0)  # gloo's threads may outlive the interpreter, which then aborts
"""

TRAINER = """
import os
import sys
import torch
import transformers

import vilora_analysis as va
from tests.conftest import adalora, ivon_for, tiny_bert, trainable
from tests.training.trainers import Rows

out = sys.argv[1]
model = adalora(tiny_bert())
optimizer = ivon_for(trainable(model), sync=True)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
trainer = transformers.Trainer(
    model=model,
    args=transformers.TrainingArguments(
        out + "-trainer", max_steps=30, per_device_train_batch_size=4, save_steps=10,
        gradient_accumulation_steps=2, report_to=[], disable_tqdm=True, use_cpu=True,
        ddp_backend="gloo", ddp_find_unused_parameters=False,
    ),
    train_dataset=Rows(40),
    optimizers=(optimizer, schedule),
    callbacks=[va.VILoRACallback(out)],
)
trainer.train()
rank = torch.distributed.get_rank()
torch.save(optimizer.param_groups[0]["hess"], f"{out}-{rank}.pt")
torch.distributed.barrier()
torch.distributed.destroy_process_group()
os._exit(0)  # gloo's threads may outlive the interpreter, which then aborts
"""

HESSIAN = """
import os
import sys
import ivon
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import vilora_analysis as va

distributed.init_process_group("gloo")
rank = distributed.get_rank()
torch.manual_seed(0)
model, x, y = torch.nn.Linear(5, 1, bias=False), torch.randn(64, 5), torch.randn(64, 1)
optimizer = ivon.IVON(model.parameters(), lr=0.0, sync=True, beta2=1.0, ess=10.0, hess_init=1.0)
parallel = DistributedDataParallel(model)
torch.manual_seed(100 + rank)
estimates, update = [], optimizer._update
def noted():
    group = optimizer.param_groups[0]
    scale = group["ess"] * (group["hess"] + group["weight_decay"])
    estimates.append(float((optimizer.state["avg_nxg"] * scale).sum()))
    update()
optimizer._update = noted
context = va.sampled_parameters if sys.argv[1] == "ours" else (
    lambda o: o.sampled_params(train=True)
)
for _ in range(1500):
    with context(optimizer):
        (parallel(x[rank::2]) - y[rank::2]).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
if rank == 0:
    found = torch.tensor(estimates)
    exact = 2 * x.square().mean(0).sum()
    print(float(found.mean()), float(found.std()) / len(found) ** 0.5, float(exact))
distributed.barrier()
distributed.destroy_process_group()
sys.stdout.flush()
os._exit(0)  # gloo's threads may outlive the interpreter, which then aborts
"""


def torchrun(code: str, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(folder / "script.py"), *map(str, words)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)


def trained(kind: str, folder: Path) -> list[dict[str, torch.Tensor]]:
    done = torchrun(LOOP, kind, folder / "run", folder=folder)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"run-{rank}.pt") for rank in (0, 1)]


def test_both_agree_to_the_bit_and_one_writes(tmp_path: Path) -> None:
    """Each would draw noise of its own; the context gives both the same."""
    first, second = trained("ours", tmp_path)
    assert torch.equal(first["hess"], second["hess"])
    assert torch.equal(first["kept"], second["kept"])
    assert all(torch.equal(a, b) for a, b in zip(first["mu"], second["mu"], strict=True))
    run = va.open_run(tmp_path / "run")
    assert check_run(run.path) == []
    assert run.steps.tolist() == list(range(1, STEPS + 1))
    assert set(run.metrics()["rank"]) == {0.0}
    assert run.triplets(["kept"], -1)["kept"].tolist() == first["kept"].tolist()


def test_with_the_noise_fixed_it_is_one_process_on_the_whole_batch(tmp_path: Path) -> None:
    first, _ = trained("fixed noise", tmp_path)
    model = adalora(tiny_bert())
    optimizer = ivon_for(trainable(model))
    drawn, draw = torch.Generator().manual_seed(7), optimizer._sample_params

    def seeded() -> object:
        torch.manual_seed(int(torch.randint(10**6, (1,), generator=drawn)))
        return draw()

    optimizer._sample_params = seeded
    with va.instrument(model, optimizer, tmp_path / "alone", criterion="snr") as recording:
        for batch in batches(STEPS, size=8):
            with va.sampled_parameters(optimizer):
                model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    assert recording.allocator is not None
    torch.testing.assert_close(
        first["hess"], optimizer.param_groups[0]["hess"], rtol=1e-4, atol=1e-6
    )
    for got, expected in zip(first["mu"], trainable(model), strict=True):
        torch.testing.assert_close(got, expected.detach(), rtol=1e-3, atol=1e-5)
    assert torch.equal(first["kept"], recording.allocator.kept)
    shared, alone = va.open_run(tmp_path / "run"), va.open_run(tmp_path / "alone")
    for column in ("grad_A", "score.snr", "fisher_batch_B"):
        np.testing.assert_allclose(
            shared.triplets([column])[column], alone.triplets([column])[column], rtol=2e-3
        )


@pytest.mark.parametrize(("kind", "share"), [("ours", 1.0), ("ivon's own", 0.5)])
def test_the_hessian_is_not_shrunk_by_sharing(tmp_path: Path, kind: str, share: float) -> None:
    """With noise of its own each process estimates half of it: DDP has averaged the gradients."""
    done = torchrun(HESSIAN, kind, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found, error, exact = map(float, done.stdout.split())
    assert abs(found - share * exact) < 4 * error
    assert 12 * error < exact  # so the two are told apart


def test_the_trainer_shares_a_run(tmp_path: Path) -> None:
    done = torchrun(TRAINER, tmp_path / "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run = va.open_run(tmp_path / "run")
    assert check_run(run.path) == []
    assert run.steps.tolist() == list(range(1, STEPS + 1))
    assert run.triplets(["kept"], -1)["kept"].sum() == 26
    first, second = (torch.load(tmp_path / f"run-{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    assert (tmp_path / "run-trainer" / "checkpoint-20" / "vilora.pt").exists()


def test_a_run_is_shared(dropout_encoder: Path, glue: Path, tmp_path: Path) -> None:
    done = torchrun(TRAIN, dropout_encoder, glue, tmp_path / "run", 6, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run = va.open_run(tmp_path / "run")
    assert check_run(run.path) == []
    assert run.manifest.status == "finished"
    assert len(run.steps) == 12
    assert (run.path / "adapter-best" / "posterior.safetensors").exists()
    assert not (run.path / "checkpoint").exists()
    assert_same(run.path, tmp_path / "run-stopped")  # with the random numbers of each process
    done = torchrun(TRAIN, dropout_encoder, glue, tmp_path / "odd", 5, folder=tmp_path)
    assert done.returncode != 0
    assert "batch_size 5 cannot be shared evenly by 2 processes" in done.stderr


def test_alone_a_batch_is_whole() -> None:
    rows = np.arange(5)
    assert processes.share(rows) is rows
    assert processes.is_main()
    assert processes.mean(torch.tensor(2.5)) == 2.5
