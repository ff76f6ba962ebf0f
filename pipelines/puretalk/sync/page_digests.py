"""The account as the last sync read it: the digest of each page, and those of its records.

A walk that shows the same pages again says what it said then, so nothing has to be compared. Kept in the warehouse file
only where that sync was one complete walk whose every record it believed, and used only by the release that wrote it.
Under a policy it is not kept: whoever guesses what a record says could find out whether that is right.
"""

from __future__ import annotations

import duckdb

from puretalk.api.pages import KnownPage
from puretalk.catalogue import SYNC_RUNS
from puretalk.database import quote_name
from puretalk.privacy.policy import Policy
from puretalk.schema import INTERNAL_SCHEMA, STORAGE_SCHEMA
from puretalk.sync import digests
from puretalk.sync.decision import Decision
from puretalk.sync.known import KnownAccount
from puretalk.sync.sync_run import parse_drift

_PAGES = f"{INTERNAL_SCHEMA}.page_digests"
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {_PAGES} (
    number BIGINT, digest BLOB, records BLOB[], list_count BIGINT, has_next BOOLEAN, read_by VARCHAR
);
COMMENT ON TABLE {_PAGES} IS 'One row: a page of the API as the last sync read it, with keyed hashes of its records.';
"""
#: A page without digests of all its records would hide them. There is none; a file that was changed by hand may have.
_IS_WHOLE = f"""
SELECT NOT EXISTS (
    FROM (SELECT unnest(records) AS digest FROM {_PAGES}) ANTI JOIN {digests.DIGESTS_TABLE} USING (digest)
)
"""


def read_account(connection: duckdb.DuckDBPyConnection) -> KnownAccount | None:
    """The account as this release read it in the last sync; None where that sync did not keep it."""
    if not _has_table(connection):
        return None
    rows = connection.execute(
        f"SELECT number, digest, records, list_count, has_next FROM {_PAGES} WHERE read_by = ? ORDER BY number",
        [digests.READ_BY],
    ).fetchall()
    pages = {
        number: KnownPage(digest, tuple(records), count, has_next) for number, digest, records, count, has_next in rows
    }
    if not pages or connection.execute(_IS_WHOLE).fetchall() != [(True,)]:
        return None
    runs = connection.execute(
        f"SELECT drift FROM {quote_name(STORAGE_SCHEMA, SYNC_RUNS.name)} ORDER BY run_id DESC LIMIT 1"
    ).fetchall()
    return KnownAccount(pages, parse_drift(runs[0][0])) if runs else None


def write_account(connection: duckdb.DuckDBPyConnection, decision: Decision, policy: Policy | None = None) -> None:
    """Keep the account as this sync read it, or keep none. The digests of its records have to be written before."""
    if decision.same_as is not None:
        return
    pages = decision.walks[-1].seen if policy is None and _is_worth_keeping(decision) else []
    if not pages and not _has_table(connection):
        return
    for statement in filter(str.strip, _CREATE.split(";\n")):
        connection.execute(statement)
    connection.begin()
    connection.execute(f"DELETE FROM {_PAGES}")
    connection.execute(
        f"INSERT INTO {_PAGES} SELECT unnest(?::BIGINT[]), unnest(?::BLOB[]), unnest(?::BLOB[][]), "
        "unnest(?::BIGINT[]), unnest(?::BOOLEAN[]), ?",
        [
            [*range(1, len(pages) + 1)],
            [page.digest for page in pages],
            [[*page.records] for page in pages],
            [page.count for page in pages],
            [page.has_next for page in pages],
            digests.READ_BY,
        ],
    )
    connection.commit()


def _is_worth_keeping(decision: Decision) -> bool:
    """Whether the next sync may conclude from the same pages that nothing changed."""
    comparison = decision.comparison
    [*_, walk] = decision.walks
    return (
        decision.is_exact
        and decision.is_complete
        and 0 < decision.received == walk.records == len(comparison.standing)
        and all(all(page.records) for page in walk.seen)
    )


def _has_table(connection: duckdb.DuckDBPyConnection) -> bool:
    schema, _, name = _PAGES.partition(".")
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() "
        "AND schema_name = ? AND table_name = ?",
        [schema, name],
    ).fetchall()
    return bool(found != [(0,)])
