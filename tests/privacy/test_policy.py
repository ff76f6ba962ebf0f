"""Claims about the policy: under drop, hash or mask, nothing that a run leaves behind holds a text of the group, and
everything that a policy is not about stays as exact as without one."""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.private import BEGIN, EMAIL, NAME, OTHER_EMAIL, TEXTS, Installation, make_account, record
from support.storm import skip_models
from support.traces import find_traces

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.privacy.installation import read_policy
from puretalk.sync.digests import read_digests
from puretalk.sync.options import SyncOptions

pytestmark = pytest.mark.slow


@pytest.fixture
def installation(tmp_path: Path) -> Any:
    account = make_account()
    with DemoApi(account) as api:
        yield Installation(tmp_path / "data", account, api)


@pytest.fixture
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_models(monkeypatch)


@pytest.mark.parametrize("treatment", ["drop", "hash", "mask"])
def test_nothing_that_a_run_leaves_holds_a_hidden_text(
    installation: Installation, treatment: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "puretalk")
    everything = dict.fromkeys(TEXTS, treatment)
    first = installation.sync(SyncOptions(keep_work=True), **everything)
    second = installation.sync(SyncOptions(keep_work=True), **everything)
    hidden = {text for texts in TEXTS.values() for text in texts}
    assert find_traces(installation.data_dir, hidden) == []
    said = (caplog.text + "".join(capfd.readouterr()) + repr((first, second))).lower()
    assert [text for text in hidden if text.lower() in said] == []
    assert (first.run.new, second.run.unchanged, second.run.rows_loaded, second.run.versions) == (3, 3, 0, 0)
    assert first.run.rejected == 1


def test_without_a_policy_the_same_look_finds_every_text(installation: Installation) -> None:
    installation.sync()
    found = "\n".join(find_traces(installation.data_dir, {text for texts in TEXTS.values() for text in texts}))
    assert [text for texts in TEXTS.values() for text in texts if text.lower() not in found] == []
    assert not (installation.data_dir / "privacy.secret").exists()
    assert installation.rows("SELECT privacy_policy FROM snapshot_info") == [(None,)]


@pytest.mark.usefixtures("_without_models")
@pytest.mark.parametrize("group", TEXTS)
def test_a_group_hides_its_texts_and_no_other_group(installation: Installation, group: str) -> None:
    installation.sync(**{group: "drop"})
    hidden = TEXTS[group]
    kept = {text for texts in TEXTS.values() for text in texts} - {*hidden}
    found = "\n".join(find_traces(installation.data_dir, {*hidden, *kept}))
    # Some texts stand in others only: a prompt that is dropped takes the addresses in it along.
    gone = {"prompts": {OTHER_EMAIL}, "user": {OTHER_EMAIL}}.get(group, set())
    assert [text for text in hidden if text.lower() in found] == []
    assert [text for text in kept - gone if text.lower() not in found] == []


@pytest.mark.usefixtures("_without_models")
def test_hashed_texts_join_and_cannot_be_guessed_without_the_secret(installation: Installation) -> None:
    installation.account.edit(record(2)["assistant_id"], user={"name": NAME, "email": f" {EMAIL.lower()}", "dp": None})
    installation.sync(emails="hash", phone_numbers="hash")
    users = installation.rows("SELECT user_id, name, email FROM users")
    assert [(name, email[:6]) for _, name, email in users] == [(NAME, "email_")]
    [(user_id, _, token)] = users
    assert installation.rows("SELECT DISTINCT user_id FROM assistants") == [(user_id,)]
    [(described,)] = installation.rows("SELECT description FROM voices")
    assert described == f"Made by {token}"
    phones = installation.rows("SELECT phone_number FROM assistants WHERE contains(prompt, phone_number)")
    assert len(phones) == 2
    other = Installation(installation.data_dir.parent / "other", installation.account, installation.api)
    other.sync(emails="hash")
    assert other.rows("SELECT email FROM users") != [(token,)]
    assert other.rows("SELECT user_id FROM users") != [(user_id,)]
    assert user_id != derive_user_id(EMAIL)
    assert os.stat(installation.data_dir / "privacy.secret").st_mode & 0o777 == 0o600


def derive_user_id(email: str) -> str:
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "https://puretalk.ai/users"), email.lower()))


@pytest.mark.usefixtures("_without_models")
def test_no_stored_hash_is_that_of_a_text_or_a_record(installation: Installation) -> None:
    """A plain hash tells whoever guesses the content that the guess is right."""
    installation.sync(prompts="drop")
    plain = Installation(installation.data_dir.parent / "plain", installation.account, installation.api)
    plain.sync()
    hashes = """SELECT content_hash FROM assistants UNION ALL SELECT content_hash FROM users
        UNION ALL SELECT content_hash FROM voices UNION ALL SELECT content_hash FROM assistant_versions
        UNION ALL SELECT record_hash FROM rejected_records UNION ALL SELECT hex(digest) FROM _internal.record_digests
        UNION ALL SELECT content_hash FROM _internal.shared_objects"""
    keyed, open_hashes = {*installation.rows(hashes)}, {*plain.rows(hashes)}
    assert len(keyed) == len(open_hashes) == 10
    assert keyed.isdisjoint(open_hashes)


@pytest.mark.usefixtures("_without_models")
def test_what_was_read_under_one_policy_is_not_known_under_another(installation: Installation) -> None:
    """Whoever is hidden or forgotten now may stand in what was read before."""
    installation.sync(prompts="drop")
    policy = read_policy(installation.settings(prompts="drop").privacy, installation.data_dir)
    assert policy is not None
    others = {
        "treatments": replace(policy, treatments={**policy.treatments, "emails": "drop"}),
        "secret": replace(policy, secret=b"another secret of 32 bytes ....."),
        "forgotten": replace(policy, forgotten=frozenset({"0815"})),
        "forgotten texts": replace(policy, forgotten_texts=frozenset({(4, "0815")})),
        "none": None,
    }
    published = (installation.data_dir / "puretalk.duckdb").resolve()
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        assert len(read_digests(connection, policy)) == 3
        known = {name: len(read_digests(connection, other)) for name, other in others.items()}
    assert known == dict.fromkeys(others, 0)


@pytest.mark.usefixtures("_without_models")
def test_hashes_of_pages_are_kept_without_a_policy_only(tmp_path: Path) -> None:
    account = Account.of([record(1), record(2)])
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'page_digests'"
    with DemoApi(account) as api:
        hidden, plain = (Installation(tmp_path / name / "data", account, api) for name in ("hidden", "plain"))
        hidden.sync(names="drop")
        plain.sync()
    assert (hidden.rows(tables), plain.rows(tables)) == ([(0,)], [(1,)])


@pytest.mark.usefixtures("_without_models")
def test_a_hidden_text_that_changes_is_still_a_change(installation: Installation) -> None:
    installation.sync(prompts="drop")
    installation.account.edit(record(1)["assistant_id"], touch=False, prompt="Verbatim instruction 0816")
    outcome = installation.sync(prompts="drop")
    assert (outcome.run.silent, outcome.run.versions, outcome.run.unchanged) == (1, 1, 2)
    assert installation.rows("SELECT DISTINCT prompt FROM assistants") == [(None,)]


HISTORY = "SELECT assistant_id, observed_at, updated_at, is_silent FROM assistant_versions ORDER BY ALL"


def test_a_new_policy_reaches_rows_and_history_and_history_shows_no_change(installation: Installation) -> None:
    gone = installation.account.create(**record(9, assistant_id=None) | {"assistant_id": None})
    installation.sync()
    installation.account.delete(gone)
    installation.account.edit(record(1)["assistant_id"], begin_message=f"{BEGIN} again")
    installation.sync()
    before, changes = installation.rows(HISTORY), installation.rows(CHANGES)
    outcome = installation.sync(**dict.fromkeys(TEXTS, "drop"))
    assert (outcome.run.versions, outcome.run.unchanged, outcome.run.silent, outcome.run.changed) == (0, 3, 0, 0)
    assert outcome.run.is_exact
    assert installation.rows(HISTORY) == before
    assert [row for row in installation.rows(CHANGES) if row not in changes] == []
    installation.remove_old_snapshots()
    assert find_traces(installation.data_dir, {text for texts in TEXTS.values() for text in texts}) == []
    quiet = installation.sync(**dict.fromkeys(TEXTS, "drop"))
    assert (quiet.run.rows_loaded, quiet.run.versions, quiet.run.unchanged) == (0, 0, 3)


CHANGES = "SELECT assistant_id, version_number, field, change_kind FROM marts.fct_config_changes ORDER BY ALL"


@pytest.mark.usefixtures("_without_models")
def test_a_policy_becomes_stricter_and_is_given_up_without_a_version(installation: Installation) -> None:
    installation.sync(emails="hash")
    [(token,)] = installation.rows("SELECT email FROM users")
    stricter = installation.sync(emails="hash", names="drop", prompts="mask")
    assert (stricter.run.versions, stricter.run.unchanged) == (0, 3)
    assert installation.rows("SELECT name, email FROM users") == [(None, token)]
    installation.remove_old_snapshots()
    assert find_traces(installation.data_dir, [*TEXTS["emails"], *TEXTS["names"], *TEXTS["prompts"]]) == []
    given_up = installation.sync()
    assert (given_up.run.versions, given_up.run.unchanged, given_up.run.silent) == (0, 3, 0)
    fresh = Installation(installation.data_dir.parent / "fresh", installation.account, installation.api)
    fresh.sync()
    rows = "SELECT * EXCLUDE first_seen_at FROM assistants ORDER BY ALL"
    assert installation.rows(rows) == fresh.rows(rows)
    versions = "SELECT assistant_id, content_hash, config FROM assistant_versions ORDER BY ALL"
    assert installation.rows(versions) == fresh.rows(versions)
    assert installation.rows("SELECT privacy_policy FROM snapshot_info") == [(None,)]
    quiet = installation.sync()
    assert (quiet.run.rows_loaded, quiet.run.versions) == (0, 0)


@pytest.mark.usefixtures("_without_models")
def test_another_secret_is_refused_until_a_full_refresh(installation: Installation) -> None:
    installation.sync(emails="hash")
    (installation.data_dir / "privacy.secret").unlink()
    with pytest.raises(ConfigurationError, match="the secret is another"):
        installation.sync(emails="hash")
    outcome = installation.sync(SyncOptions(full_refresh=True), emails="hash")
    assert (outcome.run.silent, outcome.run.versions) == (3, 3)
    assert installation.sync(emails="hash").run.rows_loaded == 0


@pytest.mark.usefixtures("_without_models")
def test_a_given_secret_needs_no_file(installation: Installation) -> None:
    given = {"emails": "hash", "secret": "correct horse battery staple"}
    installation.sync(**given)
    assert not (installation.data_dir / "privacy.secret").exists()
    with pytest.raises(ConfigurationError, match="privacy_secret has fewer than 16 characters"):
        installation.sync(emails="hash", secret="short")


@pytest.mark.usefixtures("_without_models")
def test_a_looser_policy_brings_current_rows_back_and_not_what_is_gone(installation: Installation) -> None:
    installation.sync(emails="drop", prompts="drop")
    installation.account.edit(record(1)["assistant_id"], prompt="Verbatim instruction 0816", begin_message="x")
    installation.sync(emails="drop", prompts="drop")
    looser = installation.sync(emails="hash")
    assert (looser.run.versions, looser.run.unchanged, looser.run.users_changed) == (0, 3, 0)
    [(email,)] = installation.rows("SELECT email FROM users")
    assert email.startswith("email_")
    prompts = installation.rows(
        "SELECT config ->> 'prompt' FROM assistant_versions WHERE right(assistant_id, 1) = '1' ORDER BY observed_at"
    )
    assert prompts == [(None,), ("Verbatim instruction 0816",)]
