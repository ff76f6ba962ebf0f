"""Claims about the deadline of a run: it ends whatever it waits for, publishes nothing, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support.publishing import find_leftovers
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import RetryLaterError
from puretalk.settings import OperationsSettings
from puretalk.sync.deadline import Deadline
from puretalk.sync.run import run_sync

#: A query that would take hours.
ENDLESS = "SELECT count(*) FROM range(100000000) AS one, range(100000000) AS other WHERE one.range + other.range = 3"


@pytest.mark.slow
def test_a_run_that_waits_for_the_api_ends_at_its_deadline_and_publishes_nothing(
    account: Account, tmp_path: Path
) -> None:
    with DemoApi(account) as api:
        api.fail("hang", times=None)
        settings = settings_for(tmp_path, api.base_url, timeout=60.0, retry_budget=600.0)
        settings = replace(settings, operations=OperationsSettings(run_deadline=0.3))
        with pytest.raises(RetryLaterError, match=r"stopped after 0\.3 seconds \(run_deadline\)"):
            run_sync(settings)
    assert not (settings.data_dir / "puretalk.duckdb").exists()
    assert find_leftovers(settings.data_dir) == []


def test_a_query_that_never_ends_is_interrupted_at_the_deadline() -> None:
    with duckdb.connect() as connection:
        with pytest.raises(RetryLaterError) as caught, Deadline(0.1).limit(connection):
            connection.execute(ENDLESS)
        assert isinstance(caught.value.__cause__, duckdb.InterruptException)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_an_error_before_the_deadline_stays_what_it_is() -> None:
    with duckdb.connect() as connection, pytest.raises(ZeroDivisionError), Deadline(60).limit(connection):
        raise ZeroDivisionError


def test_zero_seconds_are_no_deadline() -> None:
    assert Deadline(0).remaining is None
    with duckdb.connect() as connection, Deadline(0).limit(connection):
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
