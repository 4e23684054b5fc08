"""Where the commands print: text goes out as it is, whoever reads it and in whatever encoding."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from vilora_analysis.cli.streams import stop_output
from vilora_analysis.text import inert

__all__ = ["Terminal", "inert"]


class _Console(Console):
    """Falls silent when its reader has seen enough (``| head``); the command works to its end."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        stop_output()

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Take the sting out of every piece of text, those in the cells of a table too."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.replace("\n", "").isprintable():
                yield segment
            else:
                lines = map(inert, text.split("\n"))
                yield Segment("\n".join(lines), segment.style)


class Terminal:
    """Standard output, where brackets and colons in names are what they are."""

    def __init__(self) -> None:
        self._console: Console = _Console(markup=False, emoji=False, highlight=False)

    def line(self, text: str) -> None:
        """Print one line, however long: a path that is cut in two cannot be copied."""
        self._console.print(inert(text), soft_wrap=True)

    def print(self, shown: RenderableType) -> None:
        """Print a table, or text broken into lines."""
        self._console.print(shown)
