"""What is sent, and when: the news since the last receipt, in one notice, after each publish, until a receipt comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, suppress

from puretalk.dashboard.redaction import open_snapshot
from puretalk.errors import PuretalkError
from puretalk.notices.bodies import BODIES
from puretalk.notices.cursor import Cursor, event_id, read_cursor, write_cursor
from puretalk.notices.delivery import post_notice
from puretalk.operations.runlog import append_event
from puretalk.readers.news import News, read_newest, read_news
from puretalk.settings import Settings
from puretalk.warehouse.lock import try_lock
from puretalk.warehouse.snapshots import SnapshotStore


def note_the_beginning(settings: Settings) -> None:
    """Where there is no cursor yet, it begins with what is published now. Never raises."""
    with suppress(OSError):  # the sync that follows says it
        if SnapshotStore(settings.data_dir).is_published():
            _guarded(settings, _note_the_beginning)


def send_unsent(settings: Settings) -> None:
    """Send what no receipt came for. Never raises."""
    _guarded(settings, _send)


def _guarded(settings: Settings, work: Callable[[Settings], str | None]) -> None:
    trouble: str | None
    try:
        with try_lock(settings.data_dir / "notices.lock") as is_mine:
            trouble = work(settings) if is_mine else None  # the other run sends, or this one's successor
    except PuretalkError as error:
        trouble = error.message
    except Exception as error:  # noqa: BLE001  (a run that published must not fail because of its notice)
        trouble = type(error).__name__
    if trouble:
        append_event(settings, "notice", {"message": f"the notice did not arrive: {trouble}"})


def _note_the_beginning(settings: Settings) -> str | None:
    snapshot = SnapshotStore(settings.data_dir).current()
    if snapshot is None or read_cursor(settings.data_dir) is not None:
        return None
    with closing(open_snapshot(snapshot, include_prompts=False)) as connection:
        newest = read_newest(connection)
    if newest is not None:
        write_cursor(settings.data_dir, Cursor(newest))
    return None


def _send(settings: Settings) -> str | None:
    """Why not everything arrived, or None. A span without a receipt goes first, and as it was: its event id is known to
    the receiver, where it did arrive. All that came since then is one notice more."""
    data_dir, with_texts = settings.data_dir, settings.notice.notify_texts > 0
    cursor, snapshot = read_cursor(data_dir), SnapshotStore(data_dir).current()
    if cursor is None:  # the first publish of this warehouse: everything would be new
        return _note_the_beginning(settings)
    if snapshot is None:
        return None
    with closing(open_snapshot(snapshot, include_prompts=with_texts)) as connection:
        newest = read_newest(connection)
        while newest is not None and cursor.delivered_until < (until := cursor.pending_until or newest) <= newest:
            news = read_news(connection, cursor.delivered_until, until, with_texts=with_texts)
            if not news.is_empty:
                write_cursor(data_dir, Cursor(cursor.delivered_until, until))
                trouble = _deliver(settings, news)
                if trouble:
                    return trouble
            cursor = Cursor(until)
            write_cursor(data_dir, cursor)
    return None


def _deliver(settings: Settings, news: News) -> str | None:
    render = BODIES.get(settings.notice.notify_format)
    if render is None:
        return f"notify_format must be one of {', '.join(BODIES)}"
    name = event_id(news.since, news.until)
    body = json.dumps(render(name, news), ensure_ascii=False).encode(errors="replace")
    notice, ca_bundle = settings.notice, settings.api.ca_bundle
    return post_notice(notice.notify_url, notice.notify_secret, name, body, ca_bundle=ca_bundle)
