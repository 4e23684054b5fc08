"""The table in Markdown and in LaTeX; whatever a name holds, it is shown and does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from vilora_analysis.analysis.table import Layout, Line, Shown

__all__ = ["latex", "latex_text", "markdown", "markdown_text"]

_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    # after the end of a row they would be read as its arguments
    **{sign: f"{{{sign}}}" for sign in "[]*"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "→": r"$\to$",
    "↓": r"$\downarrow$",
    "μ": r"$\mu$",
    "σ": r"$\sigma$",
    "θ": r"$\theta$",
}
_FORMULAS = {
    "|μ|/σ": r"$|\mu|/\sigma$",
    "SNR(|θ|)": r"SNR($|\theta|$)",
    "|μ|": r"$|\mu|$",
    "1/σ": r"$1/\sigma$",
}
_LATIN = 0x180  # what every LaTeX can set; others stop a plain pdflatex


def markdown_text(text: str) -> str:
    r"""Escape what Markdown or HTML would read.

    Examples
    --------
    >>> print(markdown_text("|μ|_<b>"))
    \|μ\|\_\<b\>
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&]|:(?=//))", r"\\\1", text)


def latex_text(text: str) -> str:
    r"""Escape what LaTeX would read; letters that it cannot set become a question mark.

    Examples
    --------
    >>> print(latex_text("50% of_x^2"), latex_text("1/σ"))
    50\% of\_x\textasciicircum{}2 $1/\sigma$
    """
    signs = (_LATEX.get(sign, sign if ord(sign) < _LATIN else "?") for sign in text)
    return _FORMULAS.get(text) or "".join(signs)


def markdown(layouts: Sequence[Layout], notes: Sequence[str]) -> str:
    """Tables in GitHub's Markdown, the notes as a list below."""
    blocks = ["\n".join(_markdown_table(layout)) for layout in layouts]
    return "\n\n".join([*blocks, "\n".join(f"- {markdown_text(note)}" for note in notes)]) + "\n"


def _markdown_table(layout: Layout) -> Iterator[str]:
    heads = [*layout.heads, *(" ".join(column) for column in layout.columns)]
    rules = ["---"] * len(layout.heads) + ["--:"] * len(layout.columns)
    yield f"**{markdown_text(layout.title)}**\n"
    yield _bars([markdown_text(head) for head in heads])
    yield _bars(rules)
    for section in layout.sections:
        yield _bars([f"*{markdown_text(section.title)}*", *[""] * (len(rules) - 1)])
        for line in section.lines:
            yield _bars(_cells(line, markdown_text, lambda text: f"**{text}**"))


def _bars(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def latex(layouts: Sequence[Layout], notes: Sequence[str]) -> str:
    """Tables for LaTeX with booktabs, and adjustbox to fit the page; the notes below."""
    lines = [r"% \usepackage{booktabs,adjustbox}"]
    for layout in layouts:
        lines += _latex_table(layout, notes if layout is layouts[-1] else [])
    return "\n".join(lines) + "\n"


def _latex_table(layout: Layout, notes: Sequence[str]) -> Iterator[str]:
    labels, columns = len(layout.heads), len(layout.columns)
    blank = [""] * labels
    yield from (r"\begin{table*}", r"\centering", f"\\caption{{{latex_text(layout.title)}}}")
    yield r"\begin{adjustbox}{max width=\textwidth}"
    yield f"\\begin{{tabular}}{{{'l' * labels}{'r' * columns}}}"
    yield r"\toprule"
    yield _row([*map(latex_text, layout.heads), *(latex_text(name) for name, _ in layout.columns)])
    yield _row([*blank, *(latex_text(metric) for _, metric in layout.columns)])
    for section in layout.sections:
        yield r"\midrule"
        title = latex_text(section.title)
        yield f"\\multicolumn{{{labels + columns}}}{{l}}{{\\emph{{{title}}}}} \\\\"
        for line in section.lines:
            yield _row(_cells(line, latex_text, lambda text: f"\\textbf{{{text}}}"))
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}")
    if notes:
        yield r"\par\smallskip\raggedright\footnotesize"
        yield from (f"{latex_text(note)}\\par" for note in notes)
    yield r"\end{table*}"


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cells(line: Line, escape: Callable[[str], str], bold: Callable[[str], str]) -> list[str]:
    def show(cell: Shown) -> str:
        return bold(escape(cell.text)) if cell.bold else escape(cell.text)

    return [*map(escape, line.labels), *map(show, line.cells)]
