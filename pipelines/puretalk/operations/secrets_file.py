"""Who else can read or change .dlt/secrets.toml, in which the API key may be."""

from __future__ import annotations

import os
import stat

from puretalk.settings import Settings


def find_exposed_secrets(settings: Settings) -> str | None:
    """A sentence where every user of the machine can read the file, or others can write to it; None otherwise."""
    path = settings.project_dir / ".dlt" / "secrets.toml"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if os.name == "nt" or not mode & 0o026:
        return None
    can = "read" if not mode & 0o022 else "change"
    return f"other users of this machine can {can} {path} (mode {mode:04o}): type `chmod 600 {path}`"
