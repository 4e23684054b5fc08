"""``vilora``: train, record, analyse and check from the command line."""

from vilora_analysis.cli.main import main, script

__all__ = ["main", "script"]
