"""Where the API lists assistants."""

from __future__ import annotations

from puretalk.api.endpoint import Endpoint

ENDPOINT = Endpoint(path="ai-assistants", id_field="assistant_id")
