"""Forward passes that begin at a module: nothing that ended before it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vilora_analysis.errors import LayoutError

__all__ = ["Call", "Replay", "computing"]


@dataclass
class Call:
    """When a module began and ended in the order of all modules, what it got and returned."""

    start: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    version: int
    end: int = -1
    output: Any = None
    times: int = 1

    def given(self) -> list[Any]:
        """All arguments."""
        return [*self.args, *self.kwargs.values()]


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
        self._calls: dict[str, Call] = {}
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
        return self._run_with(self.prefix(name), {})

    @torch.no_grad()
    def run_after(self, name: str, output: Tensor) -> Tensor:
        """Repeat the pass from the end of a module, as if that had returned something else."""
        return self._run_with([*self.prefix(name), *self.beside(name)], {name: output})

    def _run_with(self, recorded: list[str], outputs: dict[str, Tensor]) -> Tensor:
        with ExitStack() as stubs:
            for name, output in ({n: self._calls[n].output for n in recorded} | outputs).items():
                stubs.enter_context(_returning(self._modules[name], output))
            return self._run()

    def once(self, name: str) -> tuple[Tensor, Tensor] | None:
        """The first argument and the output of a module; None unless it was called just once.

        None, too, if that argument is no tensor or was written to later in the pass.
        """
        call = self._calls.get(name)
        if call is None or call.times > 1 or not call.args or not isinstance(call.args[0], Tensor):
            return None
        if call.args[0]._version != call.version or not isinstance(call.output, Tensor):
            return None
        return call.args[0], call.output

    def backwards(self) -> Iterator[tuple[str, Call]]:
        """Modules that were called just once, with their calls; the last that ended first."""
        once = [item for item in self._calls.items() if item[1].times == 1 and item[1].end > -1]
        return iter(sorted(once, key=lambda item: -item[1].end))

    def encloses(self, name: str) -> bool:
        """Whether other modules were called within a module."""
        return self._calls[name].end > self._calls[name].start + 1

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

    def beside(self, name: str) -> list[str]:
        """Modules that came after one and got just what that had got: keys, beside queries."""
        known = self.once(name)
        if known is None:
            return []
        end = self._calls[name].end
        return [
            other
            for other, call in self._calls.items()
            if call.start > end and call.times == 1 and _got_only(call, known[0])
        ]

    @contextmanager
    def _recording(self) -> Iterator[None]:
        hooks: list[Any] = []
        for name, module in self._modules.items():
            begun = module.register_forward_pre_hook(self._begun(name), with_kwargs=True)
            hooks += [begun, module.register_forward_hook(self._ended(name))]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _begun(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, args: Any, kwargs: Any) -> None:
            self._clock += 1
            if name in self._calls:
                self._calls[name].times += 1
                return
            version = args[0]._version if args and isinstance(args[0], Tensor) else 0
            self._calls[name] = Call(self._clock, args, kwargs, version)

        return hook

    def _ended(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._clock += 1
            self._calls[name].end, self._calls[name].output = self._clock, output

        return hook


@contextmanager
def computing(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Let a module compute something else, for the block."""
    own = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own


def _returning(module: nn.Module, output: Any) -> AbstractContextManager[None]:
    return computing(module, lambda *_, **__: output)


def _got_only(call: Call, tensor: Tensor) -> bool:
    plain = (bool, int, float, str, type(None))
    return any(value is tensor for value in call.given()) and all(
        value is tensor or isinstance(value, plain) for value in call.given()
    )
