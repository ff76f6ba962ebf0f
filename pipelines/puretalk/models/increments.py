"""The touched assistants: those that changed since the models were last built.

A model may promise that the rows of an assistant follow from what the normalized layer holds of that assistant, and
from nothing else. It can then be built for the touched assistants alone: the same SQL runs in a small warehouse that
holds no other assistants, and its result replaces their rows. An assistant is touched when any row of it in any table
differs from what it was when the models were last built.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_literal, quote_name, transaction
from puretalk.endpoints.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS
from puretalk.schema import INTERNAL_SCHEMA, STORAGE_SCHEMA, Table

#: The column that divides the tables.
KEY = "assistant_id"
#: The tables of the normalized layer whose rows each belong to one assistant.
DIVIDED_TABLES = tuple(table for table in TABLES.values() if table.key[:1] == (KEY,))
#: The table that remembers what the models were last built from.
INPUTS_TABLE = f"{INTERNAL_SCHEMA}.model_inputs"
#: Beyond this share of the assistants, building for all is cheaper.
LARGEST_SHARE = 0.2

_INPUTS_COMMENT = "One row: an assistant, with a hash of what the models were last built from; NULL until they are."
_SMALL = "touched_warehouse"
_TOUCHED = "touched_assistants"
_AMONG = "perhaps_touched_assistants"
_BATCHES = "assistants_in_batches"
#: Bytes of the configurations, in all versions, of the assistants that are in memory at once. The models make several
#: times as much of them.
_BATCH_BYTES = 24 * 2**20


class TouchedAssistants:
    """The assistants that changed since the last build that was settled, in a temporary table of the connection.

    A build calls `mark` before it changes a model and `settle` when all models are built. Between the two, these
    assistants count as touched for any later build, so what a failed build has updated is updated again.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, among: Collection[str] | None = None) -> None:
        """With `among`, ids: only these are looked at, because all others are known to be settled and unchanged."""
        self._connection = connection
        [(self._home,)] = connection.execute("SELECT current_database()").fetchall()
        self.count, self.are_few = 0, True
        if among is not None and not among:
            return
        if among is None:
            self._execute(f"CREATE TABLE IF NOT EXISTS {INPUTS_TABLE} ({KEY} VARCHAR, fingerprint VARCHAR)")
            self._execute(f"COMMENT ON TABLE {INPUTS_TABLE} IS {quote_literal(_INPUTS_COMMENT)}")
            which = ""
        else:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {_AMONG} AS SELECT unnest(?::VARCHAR[]) AS {KEY}", [[*among]]
            )
            which = f"WHERE {KEY} IN (SELECT {KEY} FROM {_AMONG})"
        rows = " UNION ALL ".join(f"{_hash_rows(table)} {which}" for table in DIVIDED_TABLES)
        self._execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {_TOUCHED} AS
            SELECT coalesce(current.{KEY}, last.{KEY}) AS {KEY}, current.fingerprint
            FROM (SELECT {KEY}, CAST(sum(row_hash) AS VARCHAR) AS fingerprint FROM ({rows}) GROUP BY {KEY}) AS current
            FULL JOIN (SELECT * FROM {INPUTS_TABLE} {which}) AS last ON current.{KEY} = last.{KEY}
            WHERE current.fingerprint IS DISTINCT FROM last.fingerprint OR last.fingerprint IS NULL
            """
        )
        [(self.count, known)] = connection.execute(
            f"SELECT (SELECT count(*) FROM {_TOUCHED}), (SELECT count(*) FROM {INPUTS_TABLE})"
        ).fetchall()
        self.are_few = self.count <= LARGEST_SHARE * known

    def mark(self) -> None:
        """Models are about to be built: until `settle`, these assistants are touched."""
        if self.count:
            self._replace(INPUTS_TABLE, f"SELECT {KEY}, NULL FROM {_TOUCHED}")

    def divide(self, *, all_assistants: bool = False) -> int:
        """Put these assistants, or all, into batches that fit into memory; gives the number of batches, at least 1."""
        keys = " UNION ALL ".join(
            f"SELECT {KEY}, {'rowid' if table is ASSISTANTS else 'NULL'} AS place, "
            f"{'strlen(CAST(config AS VARCHAR))' if table is ASSISTANT_VERSIONS else 0} AS weight "
            f"FROM {quote_name(STORAGE_SCHEMA, table.name)}"
            for table in DIVIDED_TABLES
        )
        ids = f"SELECT DISTINCT {KEY} FROM ({keys})" if all_assistants else f"SELECT {KEY} FROM {_TOUCHED}"
        # In the order in which they are stored: a scan for the rows of one batch then skips most of a table.
        self._execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {_BATCHES} AS
            SELECT
                {KEY},
                CAST(floor(
                    (sum(weight) OVER (ORDER BY place, {KEY}) - 1)
                    * ceil(sum(weight) OVER () / {_BATCH_BYTES}) / sum(weight) OVER ()
                ) AS INTEGER) AS batch
            FROM (
                SELECT {KEY}, max(place) AS place, greatest(sum(weight), 1) AS weight
                FROM ({keys} UNION ALL SELECT {KEY}, NULL, 0 FROM ({ids}))
                WHERE {KEY} IN ({ids})
                GROUP BY {KEY}
            )
            """
        )
        [(last,)] = self._connection.execute(f"SELECT max(batch) FROM {_BATCHES}").fetchall()
        return int(last or 0) + 1

    @contextmanager
    def small_warehouse(self, batch: int) -> Iterator[None]:
        """Within it, the current database is one in memory that holds one batch of assistants and nothing else."""
        self._execute(f"ATTACH ':memory:' AS {_SMALL}")
        self._batch = f"SELECT {KEY} FROM {_BATCHES} WHERE batch = {batch}"
        try:
            for table in DIVIDED_TABLES:
                self._execute(
                    f"CREATE TABLE {quote_name(_SMALL, STORAGE_SCHEMA, table.name)} AS "
                    f"SELECT * FROM {quote_name(self._home, STORAGE_SCHEMA, table.name)} "
                    f"WHERE {KEY} IN ({self._batch})"
                )
            self._execute(f"USE {_SMALL}")
            yield
        finally:
            self._execute(f"USE {quote_name(self._home)}")
            self._execute(f"DETACH {_SMALL}")

    def replace_rows(self, relation: str) -> None:
        """The rows that the relation has in the small warehouse replace the rows of the assistants of its batch."""
        schema, _, name = relation.partition(".")
        self._replace(
            quote_name(self._home, schema, name), f"SELECT * FROM {quote_name(_SMALL, schema, name)}", self._batch
        )

    def replace_table(self, relation: str) -> None:
        """The relation becomes what it is in the small warehouse."""
        schema, _, name = relation.partition(".")
        self._execute(
            f"CREATE OR REPLACE TABLE {quote_name(self._home, schema, name)} AS "
            f"SELECT * FROM {quote_name(_SMALL, schema, name)}"
        )

    def settle(self) -> None:
        """All models are built: these assistants are touched again only when they change again."""
        if self.count:
            self._replace(INPUTS_TABLE, f"SELECT {KEY}, fingerprint FROM {_TOUCHED} WHERE fingerprint IS NOT NULL")

    def _replace(self, table: str, rows: str, ids: str = f"SELECT {KEY} FROM {_TOUCHED}") -> None:
        with transaction(self._connection):
            self._execute(f"DELETE FROM {table} WHERE {KEY} IN ({ids})")
            self._execute(f"INSERT INTO {table} {rows}")

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql).fetchall()


def _hash_rows(table: Table) -> str:
    # `config` is left out: it changes exactly when `content_hash` does.
    columns = ", ".join(quote_name(column.name) for column in table.columns if column.name != "config")
    relation = quote_name(STORAGE_SCHEMA, table.name)
    return f"SELECT {KEY}, hash({quote_literal(table.name)}, {columns}) AS row_hash FROM {relation}"
