"""One run in a process of its own: ``python -m vilora_analysis.sweeps.child``, below a worker.

Standard input carries one line of JSON, and then stays open for as long as the parent wants the
run. It closes when the parent dies, however it dies, and then this process ends at once: nothing is
left running that nobody waits for.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from filelock import Timeout

from vilora_analysis.errors import ViloraError
from vilora_analysis.log.lock import is_written, run_lock
from vilora_analysis.log.parts import replace_file
from vilora_analysis.log.state import ERROR_FILE

__all__ = ["EXIT_BUSY", "EXIT_FAILED", "EXIT_UNWANTED", "main", "write_error"]

EXIT_FAILED, EXIT_UNWANTED, EXIT_BUSY = 1, 3, 75

# a process whose parent was killed needs a moment to notice
_PATIENCE_SECONDS = 30.0


def main() -> int:
    """Carry out the run that standard input describes.

    Returns
    -------
    int
        0 if the run is finished, EXIT_BUSY if another process is at it, EXIT_FAILED if it failed;
        why stands in ``error.txt`` in the run directory.
    """
    told = json.loads(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    directory = Path(told["out"])
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with run_lock(directory, _PATIENCE_SECONDS):
            if is_written(directory):  # by hand, outside any sweep
                return EXIT_BUSY
            return _attempt(told["fields"], directory)
    except Timeout:
        return EXIT_BUSY


def write_error(directory: Path, reason: str, details: str = "") -> None:
    """Leave the reason for a failure in the run directory: one line, then the details."""
    replace_file(directory / ERROR_FILE, f"{' '.join(reason.split())}\n{details}")


def _read_line() -> str:
    """First line of standard input, byte by byte: a buffer would hold on to what follows."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(EXIT_UNWANTED)
        line += byte
    return line.decode()


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(EXIT_UNWANTED)


def _attempt(fields: dict[str, Any], directory: Path) -> int:
    (directory / ERROR_FILE).unlink(missing_ok=True)
    try:
        _train(fields, directory)
    except ViloraError as error:
        write_error(directory, str(error), traceback.format_exc())
        return EXIT_FAILED
    except Exception as error:
        write_error(directory, f"{type(error).__name__}: {error}", traceback.format_exc())
        return EXIT_FAILED
    return 0


def _train(fields: dict[str, Any], directory: Path) -> None:
    from vilora_analysis.sweeps.fields import build
    from vilora_analysis.training.run import train

    train(build(fields, out=directory, resume=True), progress=False)


if __name__ == "__main__":
    sys.exit(main())
