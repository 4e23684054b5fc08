"""How many tensor operations a block dispatches: a count, where a time would depend on the day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

_UNCOUNTED = {"detach", "alias", "_unsafe_view", "promote_types"}
_UNCOUNTED |= {"_record_function_enter_new", "_record_function_exit"}  # marks for the profiler


class CountedOperations(TorchDispatchMode):
    """Counts what reaches a kernel; views, which move no number, are left out.

    Attributes
    ----------
    by_name
        How often each operation was dispatched.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_name: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """All of them together."""
        return self.by_name.total()

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note one operation and carry it out."""
        name = operation.overloadpacket.__name__
        if not operation.is_view and name not in _UNCOUNTED:
            self.by_name[name] += 1
        return operation(*args, **(kwargs or {}))


def counted(work: Callable[[], Any]) -> int:
    """Operations that a call dispatches."""
    with CountedOperations() as operations:
        work()
    return operations.total
