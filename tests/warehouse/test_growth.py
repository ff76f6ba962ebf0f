"""Claims about years of syncs: the file does not grow with their number. Figures: `make bench-growth`."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.models import build
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

SYNCS = 25
BLOCK = 256 * 1024  # what DuckDB's files are made of


@pytest.mark.parametrize("is_quiet", [True, pytest.param(False, marks=pytest.mark.storm)])
def test_the_snapshot_does_not_grow_with_the_number_of_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_quiet: bool
) -> None:
    """Without the models, which each run writes again: what dlt's merges, its own tables and sync_runs leave."""
    monkeypatch.setattr(build, "build_models", lambda *_, **__: None)
    account = Account(assistants=30)
    sizes = []
    with DemoApi(account) as api:
        for number in range(SYNCS):
            sizes.append(run_sync(settings_for(tmp_path, api.base_url)).snapshot.stat().st_size)
            if not is_quiet:
                account.edit(account.live_ids()[number % 30], prompt=f"Be brief, for the {number}th time.")
    # A load needs a few blocks more than it frees, so the size varies. A leak would add a block in each sync.
    assert max(sizes[10:]) <= max(sizes[:10]) + 5 * BLOCK
