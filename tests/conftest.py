"""What runs first: the files that take minutes, lest one core is idle while the other ends them."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # on a shared machine time says nothing
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whatever is marked ``long`` first; the rest keeps its order, as the Makefile has xdist do too."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
