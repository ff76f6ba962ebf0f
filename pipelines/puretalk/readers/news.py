"""The news: what happened in the account between two moments, read from the marts of a snapshot.

A moment is when a sync saw something (UTC), not when somebody typed it. `since` is outside, `until` is inside: two
news that follow each other tell everything once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from puretalk.readers.explain import FieldChange

#: The newest moment that a snapshot holds, as `marts.fct_finding_history` takes it. It is not the clock.
_NEWEST = """SELECT greatest(
    (SELECT max(valid_from) FROM marts.fct_assistant_versions),
    (SELECT max(deleted_at) FROM marts.dim_assistants),
    (SELECT as_of_at FROM staging.stg_as_of))"""
_EVENTS = """
    SELECT events.assistant_id, assistants.assistant_name, events.version_number, events.event, events.is_silent,
        events.summary
    FROM marts.fct_assistant_events AS events
    JOIN marts.dim_assistants AS assistants ON events.assistant_id = assistants.assistant_id
    WHERE events.observed_at > $since AND events.observed_at <= $until AND events.event <> 'deleted'
    ORDER BY assistants.assistant_name, events.assistant_id, events.version_number"""
_FIELDS = """
    SELECT assistant_id, version_number, area, path, old_value, new_value FROM marts.fct_config_changes
    WHERE observed_at > $since AND observed_at <= $until ORDER BY ALL"""
_GONE = """
    SELECT assistant_id, assistant_name FROM marts.dim_assistants
    WHERE deleted_at > $since AND deleted_at <= $until ORDER BY assistant_name, assistant_id"""
_FOUND = """
    SELECT assistant_id, assistant_name, severity, title, severity_rank, count(*) FROM marts.rpt_config_findings
    WHERE first_seen_at > $since AND first_seen_at <= $until AND NOT is_accepted
    GROUP BY ALL ORDER BY severity_rank, title, assistant_name, assistant_id"""
# The findings of an assistant that is gone are not repaired: it is told as gone.
_RESOLVED = """
    SELECT history.assistant_id, assistants.assistant_name, history.severity, rules.title, rules.severity_rank, count(*)
    FROM marts.fct_finding_history AS history
    JOIN marts.dim_finding_rules AS rules ON history.rule = rules.rule
    JOIN marts.dim_assistants AS assistants ON history.assistant_id = assistants.assistant_id
    WHERE history.resolved_at > $since AND history.resolved_at <= $until AND assistants.is_live
    GROUP BY ALL ORDER BY severity_rank, title, assistant_name, history.assistant_id"""


@dataclass(frozen=True)
class Named:
    """An assistant, with the name that it has now, or had when it was deleted."""

    assistant_id: str
    name: str | None


@dataclass(frozen=True)
class ChangedAssistant:
    """What happened to one assistant. `areas`: changed fields by area, such as {"prompt": 1}; `is_silent`: at least
    one of its `versions` did not move updated_at; `summaries`: what each version that changed a field changed, in
    words; `fields`: what was there and what is, only where asked for."""

    assistant: Named
    versions: int
    is_silent: bool
    areas: dict[str, int]
    summaries: tuple[str, ...] = ()
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class FindingNews:
    """So many findings of one rule in one assistant."""

    assistant: Named
    severity: str
    title: str
    count: int


@dataclass(frozen=True)
class News:
    """What happened after `since`, up to and including `until`. Silent changes come first in `changed`."""

    since: datetime
    until: datetime
    changed: tuple[ChangedAssistant, ...] = ()
    found: tuple[FindingNews, ...] = ()
    resolved: tuple[FindingNews, ...] = ()
    new: tuple[Named, ...] = ()
    gone: tuple[Named, ...] = ()
    returned: tuple[Named, ...] = ()

    @property
    def silent(self) -> tuple[ChangedAssistant, ...]:
        """The assistants that changed without their updated_at."""
        return tuple(one for one in self.changed if one.is_silent)

    @property
    def open(self) -> tuple[ChangedAssistant, ...]:
        """The assistants whose every change moved updated_at."""
        return tuple(one for one in self.changed if not one.is_silent)

    @property
    def is_empty(self) -> bool:
        return not (self.changed or self.found or self.resolved or self.new or self.gone or self.returned)


def read_newest(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The newest moment that the snapshot holds; None when no sync has seen anything."""
    [(newest,)] = connection.execute(_NEWEST).fetchall()
    return newest.astimezone(UTC) if newest is not None else None


def read_news(
    connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime | None = None, *, with_texts: bool = False
) -> News:
    """The news of a snapshot, up to its newest moment unless `until` is given. `with_texts`: the old and new values of
    the changed fields too; the connection must not be redacted then."""
    until = until or read_newest(connection) or since
    span = {"since": since, "until": until}
    fields: dict[tuple[str, int], list[tuple[str, FieldChange]]] = {}
    for assistant_id, version, area, path, old, new in connection.execute(_FIELDS, span).fetchall():
        fields.setdefault((assistant_id, version), []).append((area, FieldChange(path, old, new)))
    changed: dict[str, ChangedAssistant] = {}
    events = connection.execute(_EVENTS, span).fetchall()
    for assistant_id, name, version, event, is_silent, summary in events:
        if event == "new":
            continue
        before = changed.get(assistant_id, ChangedAssistant(Named(assistant_id, name), 0, False, {}))
        parts = fields.get((assistant_id, version), [])
        changed[assistant_id] = ChangedAssistant(
            before.assistant,
            before.versions + 1,
            before.is_silent or is_silent,
            dict(sorted((Counter(before.areas) + Counter(area for area, _ in parts)).items())),
            before.summaries + ((summary,) if summary else ()),
            before.fields + (tuple(change for _, change in parts) if with_texts else ()),
        )
    return News(
        since,
        until,
        changed=tuple(sorted(changed.values(), key=_silent_then_named)),
        found=_findings(connection.execute(_FOUND, span).fetchall()),
        resolved=_findings(connection.execute(_RESOLVED, span).fetchall()),
        new=_unique(Named(key, name) for key, name, _, event, *_ in events if event == "new"),
        gone=_unique(Named(key, name) for key, name in connection.execute(_GONE, span).fetchall()),
        returned=_unique(Named(key, name) for key, name, _, event, *_ in events if event == "returned"),
    )


def _silent_then_named(one: ChangedAssistant) -> tuple[bool, str, str]:
    return not one.is_silent, one.assistant.name or "", one.assistant.assistant_id


def _findings(rows: Iterable[tuple[str, str | None, str, str, int, int]]) -> tuple[FindingNews, ...]:
    return tuple(FindingNews(Named(key, name), severity, title, count) for key, name, severity, title, _, count in rows)


def _unique(assistants: Iterable[Named]) -> tuple[Named, ...]:
    return tuple(dict.fromkeys(assistants))
