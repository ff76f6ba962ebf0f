"""Where the API key may go: to one origin, over TLS, and over plain http only to this machine.

The addresses that are checked here are the objects that are sent later (`httpx.URL`): a second parser could read the
same text in another way.
"""

from __future__ import annotations

import ipaddress
import ssl

import httpx

from puretalk.errors import ConfigurationError


def check_key(key: str) -> None:
    """Raises ConfigurationError, without quoting the key, when a header cannot hold it."""
    # h11 would refuse some of these too, and quote the key in its message.
    if not key:
        raise ConfigurationError("there is no API key", action="Set PURETALK_API_KEY.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            "the API key contains a space, a line break or a character that is not ASCII",
            action="Copy the key again and set PURETALK_API_KEY to nothing but the key.",
        )


def check_base_url(text: str) -> httpx.URL:
    """The base URL without a slash at its end. Raises ConfigurationError when the key must not be sent to it."""
    try:
        url = httpx.URL(text.rstrip("/"))
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError("the base URL is not a URL") from None
    if url.userinfo or "?" in text or "#" in text:
        raise ConfigurationError("the base URL must not contain a user, a password, a query or a fragment")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError("the base URL has to begin with https:// and name a host")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigurationError(
            f"{origin_of(url)} would receive the API key unencrypted: http is for this machine only",
            action="Begin the base URL with https://.",
        )
    return url


def origin_of(url: httpx.URL) -> str:
    """`https://host:port`, always with the port, so that equal origins are equal strings."""
    port = url.port or (80 if url.scheme == "http" else 443)
    host = url.raw_host.decode()
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine: `localhost`, or a loopback address of IPv4 or IPv6."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trusted_authorities(ca_bundle: str) -> ssl.SSLContext:
    """Whom TLS trusts: the public certificate authorities, and that of `ca_bundle`, a PEM file or "". Raises
    ConfigurationError where it is no such file."""
    trusted = httpx.create_ssl_context()
    if ca_bundle:
        try:
            trusted.load_verify_locations(cafile=ca_bundle)
        except OSError as error:
            raise ConfigurationError(
                f"ca_bundle is {ca_bundle}, which is no file of certificates (PEM): {type(error).__name__}"
            ) from None
    return trusted
