"""The process environment in which a sync's dlt runs. dlt reads its settings there, so nothing else can isolate it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: What dlt reads as its settings, by the name of the variable.
SETTINGS: Final = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # Neither the schema nor the cursor of the run before is needed: both follow from the rows of this run.
    "RESTORE_FROM_DESTINATION": "false",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "1000",  # rows that dlt keeps in memory for each table
}


@contextmanager
def isolated_dlt(folder: Path, *, project_dir: Path | None = None) -> Iterator[None]:
    """While it lasts, dlt finds no settings but these, sends nothing, and writes nothing outside of `folder`. With a
    `project_dir`, it finds the settings in its .dlt/ too.

    The .dlt/ of the folder or the HOME that a scheduler starts in is not meant for a sync. Enter it before dlt is
    imported. The environment of the caller is restored at the end.
    """
    ours = {
        "DLT_PROJECT_DIR": str(project_dir or folder),
        "DLT_DATA_DIR": str(folder),
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # Arrow's own keeps memory that it does not use
        **SETTINGS,
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
