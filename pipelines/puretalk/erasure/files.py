"""The files of a data directory that are no database: logs, the dashboard, kept work folders."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from puretalk.json_values import JSONValue
from puretalk.privacy.persons import Person, replace_text, replace_texts
from puretalk.privacy.policy import Policy

DASHBOARD_NAME = "dashboard.html"


def clean_logs(folder: Path, person: Person, policy: Policy) -> list[Path]:
    """Write log files that name the person again, without; gives them."""
    find = person.find(is_own=True)
    cleaned = []
    for path in sorted(folder.glob("*.jsonl")):
        before = path.read_text(encoding="utf-8", errors="replace")
        after = "".join(_clean_line(line, find, policy) for line in before.splitlines(keepends=True))
        if after == before:
            continue
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        cleaned.append(path)
    return cleaned


def _clean_line(line: str, find: re.Pattern[str] | None, policy: Policy) -> str:
    try:
        value: JSONValue = json.loads(line)
    except ValueError:
        return replace_text(line, find, policy)
    cleaned = replace_texts(value, find, policy)
    return line if cleaned == value else f"{json.dumps(cleaned, ensure_ascii=False)}\n"


def remove_dashboard(data_dir: Path) -> bool:
    """Remove the dashboard: its texts are compressed, so it is written anew at the end. Whether there was one."""
    path = data_dir / DASHBOARD_NAME
    is_there = path.exists()
    path.unlink(missing_ok=True)
    return is_there


def remove_kept(data_dir: Path) -> list[Path]:
    """Remove the work folders that were kept for a look: they hold what dlt was given to load."""
    folders = sorted((data_dir / "kept").glob("*"))
    for folder in folders:
        shutil.rmtree(folder)
    return folders
