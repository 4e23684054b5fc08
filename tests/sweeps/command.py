"""The command line as a module, for processes that workers can be spawned from."""

from __future__ import annotations

import sys

from vilora_analysis.cli import main

if __name__ == "__main__":
    sys.exit(main())
