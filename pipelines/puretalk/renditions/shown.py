"""A version as one text: its files, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from puretalk.errors import UsageError
from puretalk.renditions.places import Place
from puretalk.renditions.rendering import render_files


def show_place(place: Place, moment: datetime | None = None) -> str:
    """The files of a version, each under a line with its path. `moment`: the one that was asked for."""
    return "".join(_parts(place, moment))


def choose_file(place: Place, path: str) -> bytes:
    """One file of a version. Raises UsageError, which names those that there are."""
    files = render_files(place.config)
    if path not in files:
        raise UsageError(f"this version has no file {path!r}; it has {', '.join(files)}")
    return files[path]


def _parts(place: Place, moment: datetime | None) -> Iterator[str]:
    claim = f", updated_at {place.updated_at:%Y-%m-%d %H:%M:%S}Z" if place.updated_at else ""
    yield f"{place.folder}: observed {place.observed_at:%Y-%m-%d %H:%M:%S}Z{claim}\n"
    if place.ended_at is not None and (moment is None or place.ended_at <= moment):
        yield f"The assistant was found deleted at {place.ended_at:%Y-%m-%d %H:%M:%S}Z.\n"
    for path, content in render_files(place.config).items():
        text = content.decode()
        yield f"\n==> {path} <==\n{text}"
        if text and not text.endswith("\n"):
            yield "\n"
