"""Claims about `puretalk forget`: nothing in the data directory holds the person afterwards, the rest is as before, a
kill at any moment is completed by the next call, and syncs do not bring the person back."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support.forking import fork
from support.private import EMAIL, NAME, OTHER_EMAIL, PICTURE, Installation, make_account, record
from support.storm import skip_models
from support.traces import find_traces

from puretalk.dashboard import write_dashboard
from puretalk.demo import DemoApi
from puretalk.erasure.run import run_forget
from puretalk.errors import UsageError
from puretalk.listener import Listener, Step
from puretalk.operations.runlog import append_event
from puretalk.sync.options import SyncOptions

pytestmark = pytest.mark.slow

#: What names the person.
TRACES = (EMAIL, NAME, PICTURE)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    account = make_account()
    account.put_raw("bystander", record(7, user={"name": "Bo Dane", "email": OTHER_EMAIL}, voice=None))
    with DemoApi(account) as api:
        yield Installation(tmp_path / "data", account, api)


@pytest.fixture
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_models(monkeypatch)


def key_of(installation: Installation) -> str:
    [(key,)] = installation.rows(f"SELECT user_id FROM users WHERE lower(email) = '{EMAIL.lower()}'")
    return str(key)


def leave_everywhere(installation: Installation, **policy: str) -> str:
    """Leave the person in everything that an installation can hold; gives the key of the user."""
    installation.sync(SyncOptions(keep_work=True), **policy)
    installation.account.edit(record(1)["assistant_id"], prompt=f"Ask {NAME}.")
    installation.sync(**policy)
    data_dir = installation.data_dir
    published = (data_dir / "puretalk.duckdb").resolve()
    (data_dir / "failed").mkdir()
    (data_dir / "failed" / "20260301T100000.000000Z-abc.duckdb").write_bytes(published.read_bytes())
    write_dashboard(published, data_dir / "dashboard.html")
    append_event(installation.settings(), "run", {"message": f"a check named {EMAIL} and {NAME}"})
    return key_of(installation) if not policy else ""


def test_nothing_holds_the_person_afterwards_and_the_rest_is_as_before(installation: Installation) -> None:
    key = leave_everywhere(installation)
    assert {trace.partition(": ")[2] for trace in find_traces(installation.data_dir, (*TRACES, key))} == {
        text.lower() for text in (*TRACES, key)
    }
    columns = "assistant_id, name, begin_message, phone_number, model, updated_at, first_seen_at, deleted_at"
    rest = f"SELECT {columns} FROM assistants ORDER BY ALL"
    bystander = "SELECT * FROM users WHERE name = 'Bo Dane'"
    before = installation.rows(rest), installation.rows(bystander)
    versions = installation.rows("SELECT assistant_id, observed_at, updated_at FROM assistant_versions ORDER BY ALL")
    snapshots = len([*(installation.data_dir / "snapshots").iterdir()])
    done = run_forget(installation.settings(), EMAIL.upper())
    assert find_traces(installation.data_dir, (*TRACES, key)) == []
    assert (installation.rows(rest), installation.rows(bystander)) == before
    assert versions == installation.rows(
        "SELECT assistant_id, observed_at, updated_at FROM assistant_versions ORDER BY ALL"
    )
    assert installation.rows("SELECT count(*) FROM assistants WHERE user_id IS NULL") == [(3,)]
    folders = [*(installation.data_dir / "snapshots").iterdir()]
    assert len(folders) == snapshots
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o750}
    told = "\n".join(done.touched)
    assert [
        part for part in ("dashboard.html", "kept/", "logs/", "failed/", "snapshot 2", "current") if part not in told
    ] == []
    assert EMAIL.lower() not in (told + "".join(done.unreachable)).lower()


def test_the_next_syncs_store_nothing_of_the_person_and_say_so_once(installation: Installation) -> None:
    key = leave_everywhere(installation)
    run_forget(installation.settings(), key)
    first, second = installation.sync(), installation.sync()
    assert find_traces(installation.data_dir, (*TRACES, key)) == []
    assert (first.run.versions, first.run.unchanged, first.run.silent) == (0, 4, 0)
    assert (second.run.rows_loaded, second.run.versions) == (0, 0)
    [said] = first.warnings
    # Three assistants are the person's, and one names the person.
    assert "the account still shows a person whom `puretalk forget` removed (4" in said
    assert second.warnings == ()
    installation.account.edit(record(2)["assistant_id"], prompt=f"Now ask {NAME}, {EMAIL}, or {OTHER_EMAIL}.")
    changed = installation.sync()
    assert changed.run.versions == 1
    assert find_traces(installation.data_dir, (*TRACES, key)) == []
    [(prompt,)] = installation.rows("SELECT prompt FROM assistants WHERE contains(prompt, 'Now ask')")
    assert prompt == f"Now ask [forgotten], [forgotten], or {OTHER_EMAIL}."


@pytest.mark.usefixtures("_without_models")
@pytest.mark.parametrize("said", [EMAIL, "key"])
def test_under_a_policy_a_person_is_known_by_address_and_by_key(installation: Installation, said: str) -> None:
    installation.sync(emails="hash", names="mask")
    keys = installation.rows("SELECT user_id FROM users WHERE name <> 'B*** D***'")
    [(key,)] = keys
    run_forget(installation.settings(emails="hash", names="mask"), EMAIL if said == EMAIL else key)
    assert installation.rows("SELECT name FROM users") == [("B*** D***",)]
    outcome = installation.sync(emails="hash", names="mask")
    assert (outcome.run.versions, outcome.run.unchanged) == (0, 4)
    assert installation.rows("SELECT name FROM users") == [("B*** D***",)]
    # Nobody knows the name any more, so it stays where another's text has it.
    assert find_traces(installation.data_dir, (EMAIL, PICTURE, key)) == [f"forgotten.json: {key}"]


@pytest.mark.usefixtures("_without_models")
def test_a_name_is_enough_where_one_user_has_it_and_nobody_is_an_error(installation: Installation) -> None:
    installation.sync()
    with pytest.raises(UsageError, match="no user has the name"):
        run_forget(installation.settings(), "Nobody At All")
    run_forget(installation.settings(), "bo dane")
    assert find_traces(installation.data_dir, ("Bo Dane",)) == []
    assert len(installation.rows("SELECT * FROM users")) == 1


@pytest.mark.usefixtures("_without_models")
def test_a_reader_that_has_a_snapshot_open_keeps_it(installation: Installation) -> None:
    installation.sync()
    link = installation.data_dir / "puretalk.duckdb"
    with closing(duckdb.connect(str(link), read_only=True)) as reader:
        reader.execute("SELECT count(*) FROM users").fetchall()
        run_forget(installation.settings(), EMAIL)
        assert reader.execute("SELECT count(*) FROM users").fetchall() == [(2,)]
    assert installation.rows("SELECT count(*) FROM users") == [(1,)]


@pytest.mark.parametrize("share", [0.5, pytest.param(None, marks=[pytest.mark.storm, pytest.mark.timeout(900)])])
def test_a_kill_is_completed_by_the_next_call(installation: Installation, tmp_path: Path, share: float | None) -> None:
    """`share`: after which part of the steps of a call; None for every other one, up to the last."""
    key = leave_everywhere(installation)
    settings = installation.settings()
    rehearsal = tmp_path / "rehearsal"
    shutil.copytree(installation.data_dir, rehearsal, symlinks=True)
    steps: list[Step] = []
    run_forget(replace(settings, data_dir=rehearsal), EMAIL, listener=Steps(steps))
    assert steps.count(Step.FORGET) >= 4
    numbers = range(len(steps) - 1, -1, -2) if share is None else [int(share * len(steps))]
    for number in numbers:
        data_dir = tmp_path / f"killed-{number}"
        shutil.copytree(installation.data_dir, data_dir, symlinks=True)
        killed = replace(settings, data_dir=data_dir)
        arguments = ["", pickle.dumps(killed).hex(), EMAIL, str(number)]
        process = fork("support.private:forget_and_die", arguments, os.environ, 0, 1, 2)
        assert process.wait(timeout=120) == -signal.SIGKILL, steps[number]
        with closing(duckdb.connect(str((data_dir / "puretalk.duckdb").resolve()), read_only=True)) as reader:
            assert reader.execute("SELECT count(*) FROM assistants").fetchall() == [(4,)]
        run_forget(killed, EMAIL)
        assert find_traces(data_dir, (*TRACES, key)) == [], steps[number]
        assert not (data_dir / "work").exists()


class Steps(Listener):
    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    def on_step(self, step: Step) -> None:
        self._steps.append(step)
