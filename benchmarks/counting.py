"""How many tensor operations a block dispatches, views left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

_UNCOUNTED = {"detach", "alias", "_unsafe_view", "promote_types"}
_UNCOUNTED |= {"_record_function_enter_new", "_record_function_exit"}  # marks for the profiler


class _Counted(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operation.overloadpacket.__name__
        self.total += not operation.is_view and name not in _UNCOUNTED
        return operation(*args, **(kwargs or {}))


def counted(work: Callable[[], Any]) -> int:
    """Operations that a call dispatches."""
    with _Counted() as operations:
        work()
    return operations.total
