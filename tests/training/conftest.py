"""What all trainings of this folder share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def imports_are_no_garbage() -> Iterator[None]:
    """Each Trainer collects garbage; what was imported before need not be looked at for that."""
    gc.freeze()
    yield
    gc.unfreeze()
