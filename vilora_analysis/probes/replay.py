"""Forward passes that begin at a module: nothing that ended before it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vilora_analysis.errors import LayoutError

__all__ = ["Replay"]


@dataclass
class _Call:
    """When a module began and ended in the order of all modules, what it got and returned."""

    start: int
    inputs: Tensor | None = None
    version: int = 0
    end: int = -1
    output: Any = None
    times: int = 1


class Replay:
    """One recorded forward pass, of which any later part can be repeated with other weights.

    The pass is recorded module by module. To repeat it from some module on, the forward of every
    module that had ended before that one began is replaced by what it returned; what lies between
    modules is computed again from there. So the result is what the whole pass would give, for
    every architecture. A module that is called several times is computed from its first call on.

    Parameters
    ----------
    model
        The model, in evaluation mode.
    run
        A forward pass, without arguments, to a tensor.

    Attributes
    ----------
    result
        What the whole pass gave.
    """

    def __init__(self, model: nn.Module, run: Callable[[], Tensor]) -> None:
        if model.training:
            raise LayoutError("a pass can be replayed in evaluation mode only; call model.eval()")
        self._modules = dict(model.named_modules())
        self._run = run
        self._calls: dict[str, _Call] = {}
        self._clock = 0
        with torch.no_grad(), self._recording():
            self.result = run()

    @torch.no_grad()
    def run_from(self, name: str) -> Tensor:
        """Repeat the pass from the beginning of a module.

        Raises
        ------
        LayoutError
            If the module was not called.
        """
        with ExitStack() as stubs:
            for before in self.prefix(name):
                stubs.enter_context(_returning(self._modules[before], self._calls[before].output))
            return self._run()

    @torch.no_grad()
    def run_after(self, name: str, output: Tensor) -> Tensor:
        """Repeat the pass from the end of a module, as if that had returned something else."""
        with _returning(self._modules[name], output):
            return self.run_from(name)

    def once(self, name: str) -> tuple[Tensor, Tensor] | None:
        """The first argument and the output of a module; None unless it was called just once.

        None, too, if that argument is no tensor or was written to later in the pass.
        """
        call = self._calls.get(name)
        if call is None or call.times > 1 or call.inputs is None:
            return None
        if call.inputs._version != call.version or not isinstance(call.output, Tensor):
            return None
        return call.inputs, call.output

    def prefix(self, name: str) -> list[str]:
        """Modules whose outputs stand for all that was computed before a module; the outermost."""
        call = self._calls.get(name)
        if call is None:
            raise LayoutError(f"module {name!r} takes no part in the forward pass")
        taken: list[str] = []
        inside: set[str] = set()
        for other in self._modules:  # parents come before their children
            parent = other.rpartition(".")[0]
            done = self._calls.get(other)
            if parent in inside:
                inside.add(other)
            elif done is not None and done.times == 1 and -1 < done.end < call.start:
                taken.append(other)
                inside.add(other)
        return taken

    @contextmanager
    def _recording(self) -> Iterator[None]:
        hooks = []
        for name, module in self._modules.items():
            hooks.append(module.register_forward_pre_hook(self._begun(name)))
            hooks.append(module.register_forward_hook(self._ended(name)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _begun(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, given: Any) -> None:
            self._clock += 1
            if name in self._calls:
                self._calls[name].times += 1
            elif given and isinstance(given[0], Tensor):
                self._calls[name] = _Call(self._clock, given[0], given[0]._version)
            else:
                self._calls[name] = _Call(self._clock)

        return hook

    def _ended(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._clock += 1
            self._calls[name].end, self._calls[name].output = self._clock, output

        return hook


@contextmanager
def _returning(module: nn.Module, output: Any) -> Iterator[None]:
    """Let a module return what it did, for the block."""
    own = vars(module).get("forward")
    module.forward = lambda *_, **__: output
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
