"""Checkpoints of a run: everything that the rest of it depends on, in one file that is whole."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vilora_analysis.errors import LogError
from vilora_analysis.log.parts import replace_bytes
from vilora_analysis.training import processes

__all__ = [
    "load_checkpoint",
    "random_state",
    "random_states",
    "restore_random_state",
    "restore_random_states",
    "save_checkpoint",
    "weights",
]


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Trained parameters by name, and whatever buffers the model keeps with its state."""
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    buffers = {name for name, _ in model.named_buffers()}
    state = model.state_dict()
    return {k: v.detach().clone() for k, v in state.items() if k in trained or k in buffers}


def save_checkpoint(path: Path, contents: dict[str, Any]) -> None:
    """Write a checkpoint aside and rename it: a killed process leaves the one before.

    Raises
    ------
    LogError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    replace_bytes(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> Any:
    """Read a checkpoint; None if there is none.

    Raises
    ------
    LogError
        If it is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever unpickling finds wrong with it
        raise LogError(
            f"{path} is damaged ({str(error).splitlines()[0]}); delete it to start over"
        ) from None


def random_state() -> dict[str, Any]:
    """State of every generator that training draws from."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - what libraries may draw from
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def random_states() -> list[dict[str, Any]]:
    """That of each process, in their order; all of them must ask."""
    own = io.BytesIO()
    torch.save(random_state(), own)
    known = processes.gathered(own.getvalue())
    return [torch.load(io.BytesIO(state), weights_only=True) for state in known]


def restore_random_states(states: list[dict[str, Any]]) -> bool:
    """Continue as :func:`random_states` saw this process.

    Returns
    -------
    bool
        Whether there were as many processes; of those more than that each goes on as the first.
    """
    rank, count = processes.rank_and_count()
    restore_random_state(states[rank if rank < len(states) else 0])
    return count == len(states)


def restore_random_state(state: dict[str, Any]) -> None:
    """Continue every generator where :func:`random_state` saw it."""
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
