"""A month of changes that the tests of this folder share; they only read it."""

from __future__ import annotations

import pytest
from support.history import Month, live_through_a_month


@pytest.fixture(scope="session")
def month(_empty_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Month:
    return live_through_a_month(tmp_path_factory.mktemp("month") / "puretalk.duckdb")
