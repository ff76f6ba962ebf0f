"""The log of runs: JSON lines, one file a day (UTC).

    {data dir}/logs/puretalk-2026-11-22.jsonl
    {"time": "2026-11-22T12:15:03.120345Z", "event": "run", "command": "sync", "outcome": "published", "exit_code": 0,
…}

A log that cannot be written (disk full, read-only) does not make a run fail.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from puretalk.settings import Settings, scrubber_of
from puretalk.warehouse.places import make_data_dir, open_own_file

_NAME = re.compile(r"puretalk-(\d{4}-\d{2}-\d{2})\.jsonl\Z")


def log_folder(data_dir: Path) -> Path:
    """The folder of the log files."""
    return data_dir / "logs"


def append_event(settings: Settings, event: str, content: Mapping[str, Any], *, now: datetime | None = None) -> None:
    """Append one line to the log of the day and remove the files of days that are no longer kept. Never raises."""
    now = now or datetime.now(UTC)
    line = {"time": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}", "event": event, **content}
    # No caller passes a secret on purpose: this is the last defence.
    text = json.dumps(scrubber_of(settings).hide_deeply(line), ensure_ascii=False, default=str)
    with contextlib.suppress(OSError):
        folder = log_folder(settings.data_dir)
        if folder.is_symlink():
            return
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
        folder.mkdir(mode=0o700, exist_ok=True)
        _append_line(folder / f"puretalk-{now:%Y-%m-%d}.jsonl", text)
        _remove_old(folder, now.date() - timedelta(days=min(settings.operations.log_days, 36500)))


def _append_line(path: Path, text: str) -> None:
    """In one write, so that the lines of simultaneous runs do not mix."""
    descriptor = open_own_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.lseek(descriptor, size - 1, os.SEEK_SET) and os.read(descriptor, 1) != b"\n":
            text = f"\n{text}"  # the disk became full in the middle of the previous line
        os.write(descriptor, f"{text}\n".encode(errors="backslashreplace"))
    finally:
        os.close(descriptor)


def _remove_old(folder: Path, oldest: date) -> None:
    for path in folder.glob("puretalk-*.jsonl"):
        match = _NAME.match(path.name)
        with contextlib.suppress(ValueError):
            if match and date.fromisoformat(match[1]) < oldest:
                path.unlink(missing_ok=True)
