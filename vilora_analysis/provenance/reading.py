"""What a file carries of where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from vilora_analysis.errors import LogError
from vilora_analysis.provenance.embedding import COMMENT, KEY
from vilora_analysis.provenance.pdf import document_info
from vilora_analysis.provenance.record import MARK, Provenance

__all__ = ["read_provenance"]

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def read_provenance(path: str | Path) -> Provenance | None:
    """Provenance of a file that this package wrote.

    Parameters
    ----------
    path
        A PNG, PDF, SVG or Parquet file, or a text file with a comment (Markdown, HTML, LaTeX).

    Returns
    -------
    Provenance or None
        None if the file carries none, as no CSV does, and no PDF or PNG out of a program that drops
        what it does not know.

    Raises
    ------
    LogError
        If there is no such file, or it is damaged.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    try:
        if not path.is_file():
            raise LogError(f"no file {path}")
        text = read(path) if read else None
    except OSError as error:
        raise LogError(f"{path} is damaged or cannot be read: {error}") from None
    if text is None or not text.startswith(MARK):
        return None
    try:
        return Provenance.from_json(text)
    except LogError as error:
        raise LogError(f"{path}: {error}") from None


def _from_png(path: Path) -> str | None:
    """Of a picture that ends too early the record is read all the same: it stands before."""
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as image:
        text = image.info.get(KEY)
    return text if isinstance(text, str) else None


def _from_pdf(path: Path) -> str | None:
    try:
        info = document_info(path.read_bytes())
    except ValueError as error:
        raise OSError(error) from None
    return info.get("Keywords")


def _from_svg(path: Path) -> str | None:
    from xml.etree.ElementTree import ParseError, iterparse

    try:
        for _, element in iterparse(path):
            if element.tag == _DESCRIPTION:
                return element.text
    except ParseError as error:
        raise OSError(error) from None
    return None


def _from_parquet(path: Path) -> str | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowException as error:
        raise OSError(error) from None
    text: bytes | None = metadata.get(KEY.encode())
    return None if text is None else text.decode("ascii", "replace")


def _from_text(path: Path) -> str | None:
    found = re.findall(rf"{COMMENT} (\{{.*\}})", path.read_text(encoding="utf-8", errors="replace"))
    return found[-1] if found else None


_READERS: dict[str, Callable[[Path], str | None]] = {
    ".png": _from_png,
    ".pdf": _from_pdf,
    ".svg": _from_svg,
    ".parquet": _from_parquet,
    **dict.fromkeys((".md", ".html", ".tex", ".txt"), _from_text),
}
