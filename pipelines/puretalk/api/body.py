"""The body of an answer: unpacked as it comes, and looked at before anything parses it.

A few kilobytes can unpack to gigabytes, and a few megabytes of `[],` are gigabytes of Python lists. So both the bytes
and the values of a body are bounded while it is still small.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

#: What we ask for. Others unpack further for each byte, or need a library.
ACCEPTED_ENCODING = "gzip"

_GZIP_ONLY = 31  # zlib's window bits for gzip with its header and checksum, and nothing else
#: A page of assistants has at least so many bytes for each value, and for each record: their documented names alone
#: take more. A value of a page takes up to 100 bytes in memory.
BYTES_PER_VALUE = 8
BYTES_PER_RECORD = 256
_PART = 2**20  # bytes that are looked at together


class BodyTooLargeError(Exception):
    """The body has more bytes than the limit, packed or unpacked."""


class BrokenBodyError(Exception):
    """The body is not what its head says. Another request may bring it whole."""


def is_readable(encoding: str) -> bool:
    """Whether `read_body` can read a body with this Content-Encoding: a plain one, or gzip, once."""
    return encoding.strip().lower() in ("", "identity", "gzip", "x-gzip")


async def read_body(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The body in these chunks, as they come from the network, unpacked; at most `limit` bytes. Raises
    BodyTooLargeError as soon as there are more, and BrokenBodyError."""
    if encoding.strip().lower() in ("", "identity"):
        return await _read_plain(chunks, limit)
    body = bytearray()
    received = 0
    unpacker = zlib.decompressobj(_GZIP_ONLY)
    async for chunk in chunks:
        received += len(chunk)
        while chunk:
            if unpacker.eof:  # gzip may be several streams, one after the other
                unpacker = zlib.decompressobj(_GZIP_ONLY)
            try:
                # One byte beyond the limit, so that the limit itself is allowed.
                body += unpacker.decompress(chunk, limit + 1 - len(body))
            except zlib.error:
                raise BrokenBodyError("it is not gzip") from None
            if max(len(body), received) > limit:
                raise BodyTooLargeError
            chunk = unpacker.unused_data
    if received and not unpacker.eof:  # a redirect may name an encoding, and have no body
        raise BrokenBodyError("its gzip stream has no end")
    return bytes(body)


async def _read_plain(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    parts: list[bytes] = []
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit:
            raise BodyTooLargeError
        parts.append(chunk)
    return b"".join(parts)


def has_more_values(body: bytes, most: int) -> bool:
    """Whether a JSON text holds more than `most` values. Names count too; what a string holds does not."""
    if len(body) <= most:
        return False
    # Without escaped quotation marks, each one that is left begins or ends a string.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    values, is_inside = 1, 0
    for start in range(0, len(plain), _PART):
        parts = plain[start : start + _PART].split(b'"')
        outside = b"".join(parts[is_inside::2])
        values += outside.count(b",") + outside.count(b":") + outside.count(b"[") + outside.count(b"{")
        if values > most:
            return True
        is_inside = (is_inside + len(parts) - 1) % 2
    return False
