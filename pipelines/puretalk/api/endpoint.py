"""What the client has to know about a list of the API: its address and its records' id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """The list `{base URL}/{path}`, whose records lie at `{base URL}/{path}/{id}` and hold their id in `id_field`."""

    path: str
    id_field: str
