"""ClientHellos as clients write them, and as nobody should."""

from __future__ import annotations

import contextlib
import ssl


def hello_of(name: str | None) -> bytes:
    """What Python's own client, which is OpenSSL, sends first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return to_server.read()


def records(message: bytes, size: int) -> bytes:
    """A message of the handshake in records of so many octets."""
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def hello(extensions: bytes) -> bytes:
    """The message ClientHello with these extensions."""
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(extensions).to_bytes(2, "big")
    body += extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content
