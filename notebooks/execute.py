"""Execute the notebooks and save them with their outputs: ``python notebooks/execute.py``.

All are executed in one new folder, so that they share the small runs that the first of them train,
and nothing of the machine gets into their outputs.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).parent
NAMES = ("quickstart", "fig1", "correlations", "theory", "own_metric", "logs_at_scale")
SECONDS = 600  # a cell, at most
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
COLOURS = 64
PNG = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/]+=*")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(name: str, folder: Path) -> NotebookNode:
    """Execute a notebook in a folder, and give it with its outputs, cleaned.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    """
    shutil.copy(HERE / "small_run.py", folder)
    notebook = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    environment = {**os.environ, **ENVIRONMENT, "IPYTHONDIR": str(folder / ".ipython")}
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment)
    return cleaned(notebook, folder)


def cleaned(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The same notebook without what differs from machine to machine."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    text = nbformat.writes(notebook).replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    text = PNG.sub(lambda found: _smaller(found[0]), text)
    return nbformat.reads(text, as_version=4)


def _smaller(picture: str) -> str:
    """A drawing in few colours: a quarter of the size, and no difference to be seen."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(COLOURS).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _joined(outputs: list[Any]) -> list[Any]:
    """Streams in one piece, however the kernel happened to cut them."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def main(names: list[str]) -> None:
    """Execute those named, or all, and save them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or NAMES:
            notebook = execute(name, Path(folder))
            nbformat.validate(notebook)
            nbformat.write(notebook, HERE / f"{name}.ipynb")
            print(f"{name}: {(HERE / f'{name}.ipynb').stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
