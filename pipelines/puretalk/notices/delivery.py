"""One POST of a notice: https only, or to this machine; signed; never redirected; bounded in time."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time

import httpx

from puretalk.api.origin import is_loopback, trusted_authorities
from puretalk.errors import ConfigurationError
from puretalk.release import VERSION

#: Seconds that one notice may take in total.
NOTICE_SECONDS = 10.0


def post_notice(address: str, secret: str, event_id: str, body: bytes, *, ca_bundle: str = "") -> str | None:
    """The reason when the receiver did not answer 2xx, else None. It never holds the address or the secret.
    `ca_bundle`: the setting.

    httpx bounds each wait, not their sum: a thread bounds the whole."""
    troubles: list[str | None] = []
    headers = sign_notice(secret, event_id, body, int(time.time()))
    thread = threading.Thread(target=lambda: troubles.append(_post(address, headers, body, ca_bundle)), daemon=True)
    thread.start()
    thread.join(NOTICE_SECONDS)
    return troubles[0] if troubles else f"no answer within {NOTICE_SECONDS:g} s"


def sign_notice(secret: str, event_id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers of a notice. The signature is the HMAC-SHA256 of `timestamp.body`; there is none without a secret."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"puretalk/{VERSION}",
        "X-Puretalk-Event": event_id,
        "X-Puretalk-Timestamp": str(timestamp),
    }
    if secret:
        signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers["X-Puretalk-Signature"] = f"sha256={signed}"
    return headers


def _post(address: str, headers: dict[str, str], body: bytes, ca_bundle: str) -> str | None:
    try:
        url = httpx.URL(address)
        is_local = is_loopback(url.host)
        if not url.host or (url.scheme != "https" and not (url.scheme == "http" and is_local)):
            return "notify_url must begin with https://"
        trusted = trusted_authorities(ca_bundle if url.scheme == "https" else "")
        with (
            httpx.Client(
                timeout=NOTICE_SECONDS, follow_redirects=False, trust_env=not is_local, verify=trusted
            ) as client,
            client.stream("POST", url, headers=headers, content=body) as answer,  # what it says is not read
        ):
            return None if answer.is_success else f"HTTP status {answer.status_code}"
    except ConfigurationError as error:
        return error.message
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return type(error).__name__
