"""What the time was taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from vilora_analysis.cores import available_cores

__all__ = ["describe_machine", "load_average"]


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Names and numbers of a machine that a time depends on, plain values.

    Returns
    -------
    dict
        ``device`` and its name, ``cpu``, ``cores`` that this process may use, ``threads`` that
        torch computes with, ``system``, and the versions of Python and of the libraries.
    """
    libraries = {name: version(name) for name in ("torch", "transformers", "peft", "ivon-opt")}
    return {
        "device": device.type if device.type == "cpu" else _accelerator(device),
        "cpu": _cpu(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **libraries,
    }


def load_average() -> float:
    """Processes that ran or waited over the last minute; not a number where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _accelerator(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()
