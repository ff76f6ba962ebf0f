"""One record by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from puretalk.api.client import ApiClient
from puretalk.api.endpoint import Endpoint
from puretalk.errors import PuretalkError
from puretalk.json_values import JSONObject, parse_json

#: Characters of an id that is asked for. httpx refuses URLs of more than 65,536 bytes; a character may take twelve.
LONGEST_ID = 4_000


@dataclass(frozen=True)
class Answer:
    """What the API says about one record: it exists, it does not exist (404), or the answer proves neither.
    `held_key`: the answer held the API key; the record is without it."""

    status: Literal["found", "missing", "unclear"]
    record: JSONObject | None = None
    reason: str = ""
    held_key: bool = False


async def fetch_record(client: ApiClient, endpoint: Endpoint, record_id: str) -> Answer:
    """One record by its id. Never raises a PuretalkError: a doubt about one record is not a reason to stop."""
    if not record_id.strip(".") or len(record_id) > LONGEST_ID:
        return Answer("unclear", reason="the id is not one that a URL can hold")
    try:
        path = f"{endpoint.path}/{quote(record_id, safe='')}"
        reply, answer = await client.ask(
            path, route=f"{endpoint.path}/{{id}}", query={}, read=lambda body: client.redact(parse_json(body), body)
        )
    except UnicodeEncodeError:
        return Answer("unclear", reason="the id is not one that a URL can hold")
    except PuretalkError as error:
        return Answer("unclear", reason=error.message)
    if reply.status == 404:
        return Answer("missing", reason="HTTP 404")
    value, held_key = answer or (None, False)
    record = value.get("results") if isinstance(value, dict) else None
    if not isinstance(record, dict):
        return Answer("unclear", reason=f"the API answered {client.describe(reply)}")
    if record.get(endpoint.id_field) != record_id:
        return Answer("unclear", reason="the API answered with another record")
    return Answer("found", record, held_key=held_key)
