"""What reaches the result at some positions only is computed for those positions only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vilora_analysis.probes.replay import Call, Replay, computing

__all__ = ["only_needed"]


@contextmanager
def only_needed(model: nn.Module, replay: Replay, attended: Tensor) -> Iterator[list[str]]:
    """Let modules that work position by position leave out what nobody reads, for the block.

    These are padding (but never the first position, which classifiers read even where it is
    padding), and in the last layer of a classifier that reads the first token all others: they
    serve as keys and values alone. Two trials tell, of any architecture. A module works by
    position if it gives the same for a few positions on their own. Only the first is needed if NaN
    at the others does not reach the result: it spreads to all that is computed from it. That
    nothing depends on padding is for the caller to see, by the result.

    Parameters
    ----------
    model
        The model, in evaluation mode.
    replay
        A recorded pass of it.
    attended
        Where there is no padding; bool, shape (examples, positions).

    Yields
    ------
    list of str
        Paths of the modules that leave something out; they return 0 there.
    """
    first = torch.zeros_like(attended)
    first[:, 0] = True
    attended = attended | first
    chosen: list[str] = []
    closed: tuple[str, ...] = ()  # modules whose parts are not looked at
    only_first_may_do = True
    with ExitStack() as stack, torch.no_grad():
        for name, call in replay.backwards():
            if name.startswith(closed) or not _is_of_texts(call, attended.shape):
                continue
            module: Any = model.get_submodule(name)
            adapted = hasattr(module, "base_layer")
            needed = attended
            if only_first_may_do:
                poisoned = call.output.masked_fill(~first[..., None], torch.nan)
                if _same(replay.run_after(name, poisoned), replay.result):
                    needed = first
                elif replay.encloses(name) and not adapted:
                    # what a whole layer before the last returned is needed as keys and values
                    only_first_may_do = False
            fewer = not bool(needed.all()) and _works_by_position(module, call)
            if fewer:
                stack.enter_context(computing(module, _packed(module.forward, needed)))
                chosen.append(name)
            if fewer or adapted:
                closed += (f"{name}.",)
        yield chosen


def _is_of_texts(call: Call, shape: torch.Size) -> bool:
    """Whether a module makes one tensor (examples, positions, values) of such tensors alone."""
    tensors = [value for value in call.given() if isinstance(value, Tensor)]
    return bool(tensors) and all(
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.ndim == 3
        and value.shape[:2] == shape
        for value in (call.output, *tensors)
    )


def _works_by_position(module: nn.Module, call: Call) -> bool:
    some = torch.zeros(call.output.shape[:2], dtype=torch.bool, device=call.output.device)
    some[[0, -1], [0, -1]] = True
    try:
        found = _packed(module.forward, some)(*call.args, **call.kwargs)
    except Exception:  # whatever an architecture says of a shape that it does not expect
        return False
    return _same(found[some], call.output[some])


def _packed(forward: Callable[..., Tensor], needed: Tensor) -> Callable[..., Tensor]:
    """The same function at the needed positions, which stand as one text; 0 at the others."""
    places = needed.flatten().nonzero()[:, 0]

    def pack(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.flatten(0, 1).index_select(0, places)[None]

    def packed(*args: Any, **kwargs: Any) -> Tensor:
        made = forward(*map(pack, args), **{key: pack(value) for key, value in kwargs.items()})
        whole = made.new_zeros(needed.numel(), made.shape[-1])
        return whole.index_copy_(0, places, made[0]).view(*needed.shape, -1)

    return packed


def _same(found: Tensor, known: Tensor) -> bool:
    return torch.allclose(found, known, rtol=1e-4, atol=1e-5)
