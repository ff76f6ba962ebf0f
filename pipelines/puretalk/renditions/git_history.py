"""The history as a git repository: one commit for each moment of observation, oldest first; a folder an assistant.

A commit says in trailers what happened and up to where (`Puretalk-History`, the chain of `moments`). So a later run
finds the place from which to go on. Nothing that is in git is ever rewritten: where the warehouse was set back, or a
newer release writes configurations in another way, one commit says so and holds all that is live at that moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from puretalk.endpoints.assistants.versions import CURRENT
from puretalk.errors import GitRefusedError
from puretalk.json_values import JSONObject
from puretalk.readers.areas import describe_areas
from puretalk.renditions.moments import Event, Moment, read_moments, seconds_of
from puretalk.renditions.places import microseconds, read_fleet
from puretalk.renditions.rendering import Files, render_files
from puretalk.renditions.repository import AUTHOR, BRANCH, open_repository
from puretalk.schema import STORAGE_SCHEMA

#: Files are what the API said, byte for byte, on every platform.
_ATTRIBUTES = b"* -text\n"
#: The rules by which a configuration becomes files: those of flattening, of the hash, and of the rendering.
RULES = f"{CURRENT.flattening}.{CURRENT.content_hash}.1"


@dataclass(frozen=True)
class Written:
    """What was written. `set_back`: the commits in git that the warehouse no longer knows."""

    commits: int
    head: str | None
    set_back: int


def write_git_history(connection: duckdb.DuckDBPyConnection, folder: Path, *, with_secrets: bool = False) -> Written:
    """Begin or continue the repository in the folder from the snapshot of the connection.

    Raises the errors of open_repository and read_moments; GitRefusedError also where the repository is of another
    warehouse, and, without `with_secrets`, while the audit has an open finding of a secret in a text.
    """
    moments = read_moments(connection)
    if not with_secrets:
        _refuse_secrets(connection)
    with open_repository(folder) as repository:
        places = {moment.chain: number for number, moment in enumerate(moments)}
        trailers = repository.trailers()
        set_back = next((number for number, (_, chain) in enumerate(trailers) if chain in places), None)
        if trailers and set_back is None:
            raise GitRefusedError(
                f"{repository.folder} was written from another warehouse",
                action="Name another folder, or a data directory whose history this is.",
            )
        start = _Start(-1, 0, True)
        if set_back is not None:
            rules, chain = trailers[set_back]
            start = _Start(places[chain], set_back, rules == RULES)
        count = len(moments) - 1 - start.last + start.is_restated
        if count:
            repository.append(_commands(connection, moments, start, repository.head()))
        return Written(count, repository.head(), start.set_back)


@dataclass(frozen=True)
class _Start:
    """Where a run goes on: after the moment of that number; so many commits of git are unknown to the warehouse."""

    last: int
    set_back: int
    has_same_rules: bool

    @property
    def is_restated(self) -> bool:
        """Whether a commit must first write all that was live at the last moment."""
        return self.set_back > 0 or not self.has_same_rules

    def reason(self, moment: Moment) -> str:
        """The message of that commit, without its trailers."""
        if self.set_back:
            return (
                f"The warehouse was set back to {moment.at:%Y-%m-%d %H:%M:%S}Z\n\n"
                f"The {self.set_back} commits before this one hold versions that the warehouse no longer knows. They "
                "stay in git.\nThis commit holds what the warehouse knew at that moment."
            )
        return (
            "This release of puretalk writes configurations in another way\n\n"
            "The commits before this one stay as they are. This commit holds the same assistants, written anew."
        )


def _refuse_secrets(connection: duckdb.DuckDBPyConnection) -> None:
    [(count, name)] = connection.execute(
        """SELECT count(*), min(assistant_name) FROM marts.rpt_config_findings
           WHERE rule = 'secret_in_text' AND NOT is_accepted"""
    ).fetchall()
    if count:
        raise GitRefusedError(
            f"the audit found what looks like a secret in {count} texts, for example of {name}; git does not forget",
            action="Remove the secrets in PureTalk and replace them; or accept the findings (accepted_findings in "
            "docs/operations.md), or use `puretalk git DIR --with-secrets`.",
        )


def _commands(
    connection: duckdb.DuckDBPyConnection, moments: list[Moment], start: _Start, parent: str | None
) -> Iterator[bytes]:
    """The commands of fast-import for all moments after the last one; `parent` is the commit that the branch is at."""
    if start.is_restated:
        moment = moments[start.last]
        yield from _begin_commit(moment, f"{start.reason(moment)}\n\n{_closing(moment)}", parent)
        yield b"deleteall\n" + _write_file(".gitattributes", _ATTRIBUTES)
        for place in read_fleet(connection, moment.at).values():
            yield from _write_folder(place.folder, render_files(place.config))
        yield b"\n"
        parent = None
    for number, moment in enumerate(moments[start.last + 1 :], start.last + 1):
        yield from _begin_commit(moment, _message(moment), parent)
        parent = None
        if number == 0:
            yield _write_file(".gitattributes", _ATTRIBUTES)
        configs = _read_configs(connection, moment)
        for event in moment.events:
            if event.kind == "deleted":
                yield f"D {event.folder}\n".encode()
        for event in moment.events:
            if event.kind != "deleted":
                yield f"D {event.folder}\n".encode()
                yield from _write_folder(event.folder, render_files(configs[event.assistant_id]))
        yield b"\n"


def _begin_commit(moment: Moment, message: str, parent: str | None) -> Iterator[bytes]:
    """`parent`: for the first commit of a run, the commit that the branch is at."""
    yield f"commit {BRANCH}\ncommitter {AUTHOR} {seconds_of(moment.at)} +0000\n".encode()
    yield _data(message.encode())
    if parent is not None:
        yield f"from {parent}\n".encode()


def _write_folder(folder: str, files: Files) -> Iterator[bytes]:
    for path, content in files.items():
        yield _write_file(f"{folder}/{path}", content)


def _write_file(path: str, content: bytes) -> bytes:
    return f"M 100644 inline {path}\n".encode() + _data(content)


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"


def _read_configs(connection: duckdb.DuckDBPyConnection, moment: Moment) -> dict[str, JSONObject]:
    rows = connection.execute(
        f"""SELECT assistant_id, config::VARCHAR FROM {STORAGE_SCHEMA}.assistant_versions
            WHERE epoch_us(observed_at) = ?""",
        [microseconds(moment.at)],
    ).fetchall()
    return {assistant_id: json.loads(config) for assistant_id, config in rows}


def _message(moment: Moment) -> str:
    lines = [f"- {event.describe()}" for event in moment.events]
    trailers = [f"Puretalk-{event.kind.title()}: {event.folder}" for event in moment.events]
    trailers += [f"Puretalk-Silent: {event.folder}" for event in moment.events if event.is_silent]
    return "\n".join((_subject(moment.events), "", *lines, "", *trailers, _closing(moment)))


def _subject(events: tuple[Event, ...]) -> str:
    if len(events) == 1:
        return events[0].headline() + (", silently" if events[0].is_silent else "")
    parts = []
    for kind, words in (("new", "new"), ("changed", "changed"), ("returned", "back"), ("deleted", "deleted")):
        found = [event for event in events if event.kind == kind]
        if found:
            areas = describe_areas(area for event in found for area in event.areas)
            silent = sum(event.is_silent for event in found)
            parts.append(
                f"{len(found)} {words}" + (f" ({areas})" if areas else "") + (f", {silent} silently" * bool(silent))
            )
    return "Assistants: " + "; ".join(parts)


def _closing(moment: Moment) -> str:
    return (
        f"Puretalk-Moment: {moment.at:%Y-%m-%dT%H:%M:%S.%fZ}\n"
        f"Puretalk-Rules: {RULES}\nPuretalk-History: {moment.chain}\n"
    )
