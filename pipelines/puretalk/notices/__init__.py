"""The notice: after a publish, the news go to the address that `notify_url` names.

    begin_notices(settings)   before a run: note where the first notice begins
    send_notices(settings)    after a publish: deliver what is not delivered yet

Neither can make a run fail: what went wrong is a line in the log, and the next run delivers. Without a `notify_url`
nothing is imported.
"""

from __future__ import annotations

from puretalk.settings import Settings


def begin_notices(settings: Settings) -> None:
    """Before a run: the first notice begins with what is published now. Never raises."""
    if settings.notice.notify_url:
        from puretalk.notices.sending import note_the_beginning

        note_the_beginning(settings)


def send_notices(settings: Settings) -> None:
    """After a publish: send what no receipt came for. Never raises."""
    if settings.notice.notify_url:
        from puretalk.notices.sending import send_unsent

        send_unsent(settings)
