"""Snapshots for the dashboard's tests, and what a written page holds."""

from __future__ import annotations

import base64
import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.warehouses import observe, open_warehouse

from puretalk.demo import Account
from puretalk.models.build import build_models

SYNCED_AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
LAST_SYNC = "(SELECT max(started_at) FROM marts.rpt_sync_health)"

#: The feed as SQL: what happened since the cut-off, the newest first.
FEED = """
SELECT assistants.assistant_name, events.event, events.summary, assistants.owner_name
FROM marts.fct_assistant_events AS events
JOIN marts.dim_assistants AS assistants USING (assistant_id)
WHERE events.observed_at {since}
ORDER BY events.observed_at DESC, events.event, assistants.assistant_name, events.assistant_id
"""

#: Texts that would do harm where somebody forgets to escape; each tries to set `window.pwned`.
HOSTILE = (
    "<img src=x onerror=\"window.pwned='img'\">",
    "</script><script>window.pwned='script'</script>",
    '"><svg onload="window.pwned=\'svg\'"></svg>',
    "<!--<script>window.pwned='comment'",
    "' onmouseover='window.pwned=1' autofocus onfocus='window.pwned=2' x='",
    "{{ 7 * 7 }} {% for x in y %} ${window.pwned=3}",
    "javascript:window.pwned=4",
)

#: Cells that a spreadsheet would run.
FORMULAS = ('=HYPERLINK("http://example.com","x")', "+1+1", "-2+3", "@SUM(A1)", "\tTab first")


def write_snapshot(path: Path, account: Account, *, syncs: int = 3) -> Path:
    """The account as it is, then changed between syncs a week apart, the last at SYNCED_AT; models built after each."""
    connection = open_warehouse(path)
    before: set[str] = set()
    for number in range(syncs):
        if number:
            account.evolve()
        now = set(account.live_ids())
        moment = SYNCED_AT - timedelta(weeks=syncs - 1 - number)
        observe(connection, moment, account.records(), deleted=sorted(before - now))
        before = now
        build_models(connection)  # each build continues the history of the findings
    connection.close()
    return path


def hostile_account() -> Account:
    """Forty assistants; the first ones carry HOSTILE and FORMULAS in every place that a page shows."""
    account = Account(seed=5, assistants=40, today=datetime(2026, 11, 1, 9, tzinfo=UTC))
    for key, text in zip(account.live_ids(), HOSTILE + FORMULAS, strict=False):
        account.edit(
            key,
            name=f"{text} {key[:4]}" if text in HOSTILE else text,
            prompt=f"You are {text}.\nNever mind.",
            begin_message=text,
            timezone=text,
            model=text if text in HOSTILE[:3] else "puretalk-plg",
            variables=[{"name": text, "value": text}],
            llm_states=[{"state_id": text, "name": text, "prompt": text, "children": [{"name": text}]}],
        )
    return account


def blocks(page: str) -> dict[str, Any]:
    """The packed data blocks of a page, unpacked."""
    found = re.findall(r'<script type="text/plain" id="([\w-]+)">([^<]*)</script>', page)
    return {
        name: json.loads(gzip.decompress(base64.b85decode(text.translate(str.maketrans(",./", "&<>")))))
        for name, text in found
    }


def all_text(page: str) -> str:
    """Everything that can be read out of a page: its HTML, and its data as the script sees it."""
    return page + "\n".join(json.dumps(block, ensure_ascii=False) for block in blocks(page).values())
