"""An account with texts of people in every place, and an installation that syncs it under a policy."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.erasure.run import run_forget
from puretalk.listener import Listener, Step
from puretalk.settings import PrivacySettings, Settings
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import SyncOutcome, run_sync

EMAIL, NAME, PICTURE = "Zenobia.Quill@quill-works.example", "Zenobia Quill", "https://pictures.example/zq-4711.png"
PHONE, PROMPT, BEGIN = "+49 30 9018 2044", "Verbatim instruction 0815 for the desk", "Verbatim greeting 4711, hello"
OTHER_EMAIL = "backup.desk@other-works.example"
#: What each group hides, as it stands in the records below.
TEXTS = {
    "emails": (EMAIL, OTHER_EMAIL),
    "names": (NAME, "Zenobia Quillson"),
    "phone_numbers": (PHONE,),
    "prompts": (PROMPT, "Verbatim state 1", "Verbatim draft 2"),
    "begin_messages": (BEGIN,),
    "user": (EMAIL, NAME, "Zenobia Quillson", PICTURE),
}


def record(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "assistant_id": f"00000000-0000-4000-8000-{number:012}",
        "name": f"Desk {number}",
        "user": {"name": NAME, "email": EMAIL, "dp": PICTURE},
        "voice": {"voice_id": "v1", "name": "Ann", "description": f"Made by {EMAIL.lower()}"},
        "phone_number": PHONE,
        "prompt": f"{PROMPT}. Ask {NAME} or write to {OTHER_EMAIL}; call {PHONE}.",
        "begin_message": f"{BEGIN} {number}",
        "variables": [{"name": "owner", "value": NAME}, "city"],
        "llm_states": [{"state_id": "s1", "name": "One", "prompt": "Verbatim state 1", "contact_email": OTHER_EMAIL}],
        "prompt_draft": ["Verbatim draft 2"],
        f"note of {EMAIL}": "an unknown field",
        "updated_at": "2026-03-01T10:00:00Z",
        **fields,
    }


def make_account() -> Account:
    unusable = {"name": "no id", "user": {"name": NAME, "email": EMAIL, "dp": PICTURE}, "prompt": PROMPT, "tel": PHONE}
    other = {"name": "Zenobia Quillson", "email": EMAIL, "dp": PICTURE}  # of a name, a record's own is looked for
    deviating = record(3, user=other, variables=[], prompt=f"{PROMPT}: ask Zenobia Quillson.")
    return Account.of([record(1), record(2, knowledge_base={"email": EMAIL}), deviating, unusable])


class Installation:
    """Syncs of one account in this process under a policy that may change, and a look at what is published."""

    def __init__(self, data_dir: Path, account: Account, api: DemoApi) -> None:
        self.account, self.data_dir, self.api = account, data_dir, api
        self._settings = replace(settings_for(data_dir.parent, api.base_url), data_dir=data_dir)

    def settings(self, **policy: str) -> Settings:
        chosen = {f"privacy_{group}": treatment for group, treatment in policy.items()}
        return replace(self._settings, privacy=PrivacySettings(**chosen))

    def sync(self, options: SyncOptions = SyncOptions(), /, **policy: str) -> SyncOutcome:
        return run_sync(self.settings(**policy), options)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect(str((self.data_dir / "puretalk.duckdb").resolve()), read_only=True)) as connection:
            return connection.execute(query).fetchall()

    def remove_old_snapshots(self) -> None:
        current = (self.data_dir / "puretalk.duckdb").resolve().parent
        for folder in (self.data_dir / "snapshots").iterdir():
            if folder != current:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()


def forget_and_die() -> None:
    """Forget a person, and kill this process at a step. sys.argv: nothing, settings, person, number of the step."""
    settings, person, number = pickle.loads(bytes.fromhex(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    run_forget(settings, person, listener=_Death(number))


class _Death(Listener):
    def __init__(self, number: int) -> None:
        self._steps = itertools.count()
        self._number = number

    def on_step(self, _step: Step) -> None:
        if next(self._steps) == self._number:
            os.kill(os.getpid(), signal.SIGKILL)
