"""What IVON's Hessian becomes if several processes draw noise of their own under DDP.

    torchrun --nproc-per-node 2 benchmarks/noise_under_ddp.py          # the same noise, ours
    torchrun --nproc-per-node 2 benchmarks/noise_under_ddp.py --own    # noise of their own
    python benchmarks/noise_under_ddp.py                               # one process

A linear model with a squared loss, whose Hessian is known; the weights stay where they are.
"""

from __future__ import annotations

import argparse
import os
import sys

import ivon
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import vilora_analysis as va


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true", help="each process draws for itself")
    parser.add_argument("--steps", type=int, default=4000)
    options = parser.parse_args()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        distributed.init_process_group("gloo")
    rank = distributed.get_rank() if processes > 1 else 0
    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(5, 1, bias=False), torch.randn(64, 5), torch.randn(64, 1)
    exact = float(2 * x.square().mean(0).sum())
    torch.manual_seed(100 + rank)
    found = torch.tensor(estimates(model, x[rank::processes], y[rank::processes], options))
    if rank == 0:
        error = float(found.std()) / options.steps**0.5
        print(f"trace of the Hessian: {found.mean():.2f} ± {error:.2f}, exact {exact:.2f}")
    if processes > 1:
        distributed.barrier()
        distributed.destroy_process_group()
        sys.stdout.flush()
        os._exit(0)  # gloo's threads may outlive the interpreter


def estimates(
    model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, options: argparse.Namespace
) -> list[float]:
    """One estimate a step, as IVON makes it of noise and gradient."""
    optimizer = ivon.IVON(model.parameters(), lr=0.0, sync=True, beta2=1.0, ess=10.0, hess_init=1.0)
    parallel = DistributedDataParallel(model) if distributed.is_initialized() else model
    found: list[float] = []
    update = optimizer._update

    def noted() -> None:
        group = optimizer.param_groups[0]
        scale = group["ess"] * (group["hess"] + group["weight_decay"])
        found.append(float((optimizer.state["avg_nxg"] * scale).sum()))
        update()

    optimizer._update = noted
    for _ in range(options.steps):
        drawn = (
            optimizer.sampled_params(train=True)
            if options.own
            else va.sampled_parameters(optimizer)
        )
        with drawn:
            (parallel(x) - y).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return found


if __name__ == "__main__":
    main()
