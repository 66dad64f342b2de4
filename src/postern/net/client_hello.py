"""The host name that a client asks for before TLS begins (server name indication, RFC 6066 section 3).

A door whose names differ in how clients prove themselves must know the name before it chooses a context: OpenSSL takes another
certificate after the name was read, but goes on asking for a client's certificate as it began. The octets stay in the socket,
where TLS reads them again.
"""

from __future__ import annotations

import asyncio
import socket

MAX_HELLO = 32_768
"""Octets of a ClientHello that are looked at, with the heads of its records. Today's have one or two thousand."""
MAX_RECORDS = 8
"""Records over which a ClientHello may be spread."""
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


async def indicated_name(connection: socket.socket) -> str:
    """Waits for the ClientHello of a connection, and returns the name in it, in small letters; "" if there is none. The socket is
    read by nobody else meanwhile, and nothing is taken from it. The caller limits the time. Raises OSError."""
    needed = _RECORD_HEAD
    try:
        while True:
            # The system wakes us once for so many octets, and not for each octet of a client that sends them one by one.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, needed)
            await _readable(connection)
            octets = connection.recv(MAX_HELLO, socket.MSG_PEEK)
            if len(octets) < needed:
                return ""  # the client is gone, or the system holds no more: TLS says what is wrong
            answer = server_name(octets)
            if isinstance(answer, str):
                return answer
            needed = answer
    finally:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    def tell() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(connection, tell)
    try:
        await arrived
    finally:
        loop.remove_reader(connection)


def server_name(octets: bytes) -> str | int:
    """Reads the name that a ClientHello asks for (RFC 8446 section 4.1.2), in small letters; "" for none, or for what is no
    ClientHello. While it is not whole, returns how many octets are needed, more than there are.

    Bound: linear in the octets; at most 32,768 in 8 records.
    """
    message = bytearray()
    at, size = 0, 0
    for _ in range(MAX_RECORDS):
        head = octets[at : at + _RECORD_HEAD]
        if head[:1] not in (b"", bytes((_HANDSHAKE,))):
            return ""
        end = at + _RECORD_HEAD + (int.from_bytes(head[3:5], "big") if len(head) == _RECORD_HEAD else 0)
        if end > MAX_HELLO:
            return ""
        if len(octets) < end:
            return end
        message += octets[at + _RECORD_HEAD : end]
        at = end
        if len(message) >= _MESSAGE_HEAD:
            if message[0] != _CLIENT_HELLO:
                return ""
            size = _MESSAGE_HEAD + int.from_bytes(message[1:4], "big")
            if len(message) >= size:
                return _name_in(bytes(message[_MESSAGE_HEAD:size]))
    return ""


def _name_in(hello: bytes) -> str:
    try:
        at = 2 + 32  # version and random
        for width in (1, 2, 1):  # session id, cipher suites, compression methods
            at += width + _number(hello, at, width)
        extensions = _block(hello, at, 2)
        at = 0
        while at < len(extensions):
            kind, content = _number(extensions, at, 2), _block(extensions, at + 2, 2)
            if kind == _SERVER_NAME:
                names = _block(content, 0, 2)
                # RFC 6066 section 3: there is one type of name, and one name of it.
                return _block(names, 1, 2).decode("ascii").lower() if _number(names, 0, 1) == _HOST_NAME else ""
            at += 4 + len(content)
    except ValueError:  # UnicodeDecodeError is one
        pass
    return ""


def _number(octets: bytes, at: int, width: int) -> int:
    if len(octets) < at + width:
        raise ValueError("it is cut off")
    return int.from_bytes(octets[at : at + width], "big")


def _block(octets: bytes, at: int, width: int) -> bytes:
    """The octets behind their length, which has `width` octets."""
    begin = at + width
    end = begin + _number(octets, at, width)
    if len(octets) < end:
        raise ValueError("it is cut off")
    return octets[begin:end]
