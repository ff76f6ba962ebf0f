"""A warehouse with a story: three syncs of eight assistants, and what happened between them.

changed before the second sync: loud, fixed, and silent without a new updated_at; gone and back were deleted, new
was created. Before the third: loud, nasty, broken; back returned.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

from support.storm import settings_for

from puretalk.dashboard.redaction import open_snapshot
from puretalk.demo import Account, DemoApi
from puretalk.readers.news import read_newest
from puretalk.settings import Settings
from puretalk.sync.run import run_sync

#: A name that is markup, a link, a mention and an escape sequence of terminals.
NASTY = "Front\ndesk <b>[x](http://a.example)</b> `code` @channel\x1b[31m"
#: A sentence of two prompts.
SECRET = "Only the owners of the prompt may read this sentence."


@dataclass(frozen=True)
class Told:
    """`moments` and `snapshots`: the newest moment, and the id, after each sync. `ids` by the part that each plays."""

    settings: Settings
    moments: list[datetime]
    snapshots: list[str]
    ids: SimpleNamespace


def tell(folder: Path) -> Told:
    """Sync three times into `folder`/data."""
    account = Account(assistants=8)
    names = ("quiet", "loud", "silent", "nasty", "gone", "back", "fixed", "broken")
    ids = SimpleNamespace(**dict(zip(names, account.live_ids(), strict=True)))
    account.edit(ids.fixed, voice=None)
    account.edit(ids.nasty, name=NASTY)
    with DemoApi(account) as api:
        told = Told(settings_for(folder, api.base_url), [], [], ids)
        _sync(told)
        account.edit(ids.loud, prompt=SECRET, model="puretalk-plg-9")
        account.edit(ids.silent, touch=False, begin_message=SECRET)
        account.edit(ids.fixed, voice=account.record(ids.quiet)["voice"])
        account.delete(ids.gone)
        account.delete(ids.back)
        ids.new = account.create(name="Newcomer")
        _sync(told)
        account.edit(ids.loud, prompt="Be brief.")
        account.edit(ids.nasty, timezone="Europe/Lisbon")
        account.edit(ids.broken, voice=None)
        account.restore(ids.back)
        _sync(told)
    return told


def _sync(told: Told) -> None:
    outcome = run_sync(told.settings)
    with closing(open_snapshot(outcome.snapshot, include_prompts=False)) as connection:
        newest = read_newest(connection)
    assert newest is not None
    told.moments.append(newest)
    told.snapshots.append(outcome.snapshot_id)
