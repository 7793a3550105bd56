"""What `tests.corrections.test_moderated_stateful` does, on PostgreSQL; in its own file, to run beside it."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.corrections.places import Databases
from tests.corrections.test_moderated_stateful import MORE, SETTINGS, Moderated
from tests.corrections.test_moderated_stateful import pytestmark as pytestmark


class OnPostgres(Moderated):
    """The same on PostgreSQL."""

    where = Databases()


TestModeratedOnPostgres = pytest.mark.usefixtures("server")(OnPostgres.TestCase)
TestModeratedOnPostgres.settings = settings(SETTINGS, max_examples=SETTINGS.max_examples if MORE else 3)
