"""What the client has to know about a list of the API: its address and the field with a record's id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """The list `{base URL}/{path}`. A record is at `{base URL}/{path}/{id}`, and its `id_field` holds its id."""

    path: str
    id_field: str
