"""One open database without a person. It works on a copy, which is written again afterwards: free blocks keep bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from puretalk.database import quote_name
from puretalk.endpoints.assistants.flatten import DEVIATES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, hash_text
from puretalk.privacy.persons import Person, remove_forgotten, replace_text, replace_texts
from puretalk.privacy.policy import Policy
from puretalk.schema import INTERNAL_SCHEMA, STORAGE_SCHEMA
from puretalk.warehouse.stored_tables import read_columns, read_stored_policy

#: Tables whose rows are people.
_USERS = (("main", "users"), ("marts", "dim_users"))
#: Tables that tell what was read from records; the next sync reads them all again.
_REMEMBERED = ("page_digests", "record_digests", "shared_objects")
_ROWS = "without_person"


@dataclass(frozen=True)
class Erasure:
    """`policy` holds the hash of the person among its forgotten."""

    person: Person
    policy: Policy

    def erase(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Remove the person from every table of the open database; gives how many values it changed."""
        there = read_columns(connection)
        is_keyed = read_stored_policy(connection) is not None
        connection.begin()
        owned = self._find_owned(connection) if {"assistants", "assistant_versions"} <= there.keys() else set()
        changed = self._delete_users(connection)
        if {"assistants", "assistant_versions"} <= there.keys():
            changed += self._clean_assistants(connection, owned, is_keyed)
        if "rejected_records" in there:
            changed += self._clean_rejected(connection, is_keyed)
        for schema, table, columns in _list_text_columns(connection):
            for column, type_ in columns.items():
                changed += self._clean_column(
                    connection, schema, table, column, type_, owned, "assistant_id" in columns
                )
        if changed:
            for name in _REMEMBERED:
                connection.execute(f"DROP TABLE IF EXISTS {quote_name(INTERNAL_SCHEMA, name)}")
        connection.commit()
        return changed

    def _find_owned(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Ids of the assistants that are or were the person's."""
        rows = connection.execute(
            f"""SELECT assistant_id FROM {STORAGE_SCHEMA}.assistants WHERE user_id IN (SELECT unnest(?::VARCHAR[]))
                UNION SELECT assistant_id FROM {STORAGE_SCHEMA}.assistant_versions
                WHERE json_extract_string(config, '$.user_id') IN (SELECT unnest(?::VARCHAR[]))""",
            [list(self.person.keys)] * 2,
        ).fetchall()
        return {assistant_id for (assistant_id,) in rows}

    def _delete_users(self, connection: duckdb.DuckDBPyConnection) -> int:
        changed = 0
        for schema, table in _USERS:
            if _is_table(connection, schema, table):
                changed += _count(
                    connection,
                    f"DELETE FROM {quote_name(schema, table)} WHERE user_id IN (SELECT unnest(?::VARCHAR[]))",
                    [list(self.person.keys)],
                )
        return changed

    def _clean_assistants(self, connection: duckdb.DuckDBPyConnection, owned: set[str], is_keyed: bool) -> int:
        """Configurations, hashes (`is_keyed`: they stay), owners, and how the person's own texts deviate."""
        keys: list[object] = [list(self.person.keys)]
        assistants, versions = (f"{STORAGE_SCHEMA}.{name}" for name in ("assistants", "assistant_versions"))
        find_any = self._needles("CAST(config AS VARCHAR)")
        found = connection.execute(
            f"SELECT assistant_id, observed_at, content_hash, config FROM {versions} WHERE {find_any}", self._texts()
        ).fetchall()
        rows = []
        for assistant_id, observed_at, before, text in found:
            config: JSONObject = json.loads(text)
            if config.get("user_id") in self.person.keys:
                config["user_id"] = None
            cleaned = self._clean(config, is_own=assistant_id in owned)
            if isinstance(cleaned, dict):
                cleaned["assistant_id"] = assistant_id
            new_text = canonical_json(cleaned)
            after = before if is_keyed else hash_text(new_text)
            if new_text != text:
                rows.append(
                    {"id": assistant_id, "at": observed_at, "before": before, "after": after, "config": new_text}
                )
        if rows:
            connection.register(_ROWS, pa.Table.from_pylist(rows))
            connection.execute(
                f"UPDATE {assistants} AS row SET content_hash = changed.after FROM {_ROWS} AS changed "
                "WHERE row.assistant_id = changed.id AND row.content_hash = changed.before"
            )
            connection.execute(
                f"UPDATE {versions} AS row SET content_hash = changed.after, config = changed.config "
                f"FROM {_ROWS} AS changed WHERE row.assistant_id = changed.id AND row.observed_at = changed.at"
            )
            connection.unregister(_ROWS)
        changed = len(rows)
        for assistant_id, text in connection.execute(
            f"SELECT assistant_id, extra FROM {assistants} WHERE contains(CAST(extra AS VARCHAR), ?)", [DEVIATES]
        ).fetchall():
            extra: JSONObject = json.loads(text)
            deviates = extra.get(DEVIATES)
            if assistant_id in owned and isinstance(deviates, dict) and deviates.pop("user", None) is not None:
                if not deviates:
                    del extra[DEVIATES]
                connection.execute(
                    f"UPDATE {assistants} SET extra = ? WHERE assistant_id = ?",
                    [canonical_json(extra) if extra else None, assistant_id],
                )
                changed += 1
        return changed + _count(
            connection, f"UPDATE {assistants} SET user_id = NULL WHERE user_id IN (SELECT unnest(?::VARCHAR[]))", keys
        )

    def _clean_rejected(self, connection: duckdb.DuckDBPyConnection, is_keyed: bool) -> int:
        table = f"{STORAGE_SCHEMA}.rejected_records"
        changed = 0
        for record_hash, text in connection.execute(
            f"SELECT record_hash, record FROM {table} WHERE {self._needles('CAST(record AS VARCHAR)')}", self._texts()
        ).fetchall():
            record: JSONValue = json.loads(text)
            if isinstance(record, dict):
                record = remove_forgotten(record, self.policy) or record
            new_text = canonical_json(self._clean(record, is_own=False))
            if new_text != text:
                after = record_hash if is_keyed else hash_text(new_text)
                connection.execute(
                    f"UPDATE {table} SET record = ?, record_hash = ? WHERE record_hash = ?",
                    [new_text, after, record_hash],
                )
                changed += 1
        return changed

    def _clean_column(
        self,
        connection: duckdb.DuckDBPyConnection,
        schema: str,
        table: str,
        column: str,
        type_: str,
        owned: set[str],
        has_owner: bool,
    ) -> int:
        """One column of any table. Rows of the person's own assistants lose the name in any case."""
        relation, name = quote_name(schema, table), quote_name(column)
        text = f"CAST({name} AS VARCHAR)"
        changed = 0
        places = (("IN", True), ("NOT IN", False)) if has_owner and column != "assistant_id" else ((None, False),)
        for operator, is_own in places:
            condition = f" AND assistant_id {operator} (SELECT unnest(?::VARCHAR[]))" if operator else ""
            parameters: list[object] = [list(owned)] if operator else []
            found = connection.execute(
                f"SELECT DISTINCT {text} FROM {relation} WHERE {self._needles(text)}{condition}",
                [*self._texts(), *parameters],
            ).fetchall()
            rows = [
                {"before": before, "after": after}
                for (before,) in found
                if (after := self._clean_text(before, type_, is_own=is_own)) != before
            ]
            if rows:
                connection.register(_ROWS, pa.Table.from_pylist(rows))
                changed += _count(
                    connection,
                    f"UPDATE {relation} SET {name} = CAST(changed.after AS {type_}) FROM {_ROWS} AS changed "
                    f"WHERE {text} = changed.before{condition}",
                    parameters,
                )
                connection.unregister(_ROWS)
        return changed

    def _clean_text(self, text: str, type_: str, *, is_own: bool) -> str:
        if type_ == "JSON":
            try:
                return canonical_json(self._clean(json.loads(text), is_own=is_own))
            except ValueError:
                pass
        return replace_text(text, self._find(is_own), self.policy)

    def _clean(self, value: JSONValue, *, is_own: bool) -> JSONValue:
        return replace_texts(value, self._find(is_own), self.policy)

    def _find(self, is_own: bool) -> re.Pattern[str] | None:
        return self.person.find(is_own=is_own)

    def _texts(self) -> list[object]:
        """What a column holds that holds the person: as text, and as JSON writes it."""
        spelled = {
            each.lower()
            for text in self.person.texts
            for each in (text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])
        }
        return [sorted(spelled)]

    def _needles(self, text: str) -> str:
        """SQL: whether the text holds one of `_texts`, in any case."""
        return f"len(list_filter(?::VARCHAR[], lambda one: contains(lower({text}), one))) > 0"


def _list_text_columns(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Schema, table and columns with types of every table, columns of texts only."""
    rows = connection.execute(
        """SELECT columns.schema_name, columns.table_name, columns.column_name, columns.data_type
           FROM duckdb_columns() AS columns
           JOIN duckdb_tables() AS tables USING (database_name, schema_name, table_name)
           WHERE database_name = current_database() AND contains(columns.data_type, 'VARCHAR')
              OR database_name = current_database() AND contains(columns.data_type, 'JSON')
           ORDER BY ALL"""
    ).fetchall()
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, type_ in rows:
        found.setdefault((schema, table), {})[column] = type_
    for (schema, table), columns in found.items():
        yield schema, table, columns


def _is_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [schema, table],
    ).fetchall()
    return bool(found)


def _count(connection: duckdb.DuckDBPyConnection, statement: str, parameters: list[object]) -> int:
    [(changed,)] = connection.execute(statement, parameters).fetchall()
    return int(changed)
