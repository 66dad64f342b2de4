"""A client and a server machine joined by a wire in memory, with a protection that is easy to look through."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from postern.protocols.dcerpc.client import ClientMachine
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.protection import Level
from postern.protocols.dcerpc.server import ServerMachine
from postern.protocols.dcerpc.server_events import AuthStep, Event, Request

ECHO = Syntax(UUID("12345678-1234-4234-8234-123456789abc"), 1)
OTHER = Syntax(UUID("22345678-1234-4234-8234-123456789abc"), 2)


class Xor:
    """Seals by turning bits, signs by a hash with a counter in each direction: breaks as a real context would."""

    def __init__(self) -> None:
        self.sent = 0
        self.taken = 0

    def token_size(self, level: Level, size: int) -> int:
        return 16

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        token = _hash(self.sent, head, stub, trailer)
        self.sent += 1
        return _turned(stub) if level == Level.PRIVACY else stub, token

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        clear = _turned(stub) if level == Level.PRIVACY else stub
        good = _hash(self.taken, head, clear, trailer) == token
        self.taken += 1
        return clear if good else None


def _hash(number: int, *parts: bytes) -> bytes:
    return hashlib.md5(b"".join((number.to_bytes(4, "big"), *parts)), usedforsecurity=False).digest()


def _turned(data: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in data)


class Pair:
    """`client` bound to `server`. With a level, the handshake has one token each way and an AUTH3."""

    def __init__(
        self,
        syntaxes: Sequence[Syntax] = (ECHO,),
        level: Level = Level.NONE,
        max_fragment: int = 5840,
        served: Syntax = ECHO,
    ) -> None:
        self.server = ServerMachine([served], "135", max_fragment)
        self.client = ClientMachine(max_fragment)
        self.client.bind(syntaxes, 10 if level > Level.NONE else 0, level, b"hello" if level > Level.NONE else b"")
        self.bound = None
        for event in self.to_server():
            assert isinstance(event, AuthStep) and event.token == b"hello" and event.first
            self.server.auth_reply(b"who?", None)
        events = self.to_client()
        self.bound = events[0] if events else None
        if level > Level.NONE and self.bound is not None:
            self.client.auth3(b"me")
            self.client.secured(Xor())
            (event,) = self.to_server()
            assert isinstance(event, AuthStep) and event.token == b"me"
            self.server.auth_reply(b"", Xor())
        self.server.request_limit = 1_000_000

    def to_server(self, change: bytes | None = None) -> list[Event]:
        data = self.client.outgoing()
        self.server.receive(data if change is None else change)
        return self._events(self.server)

    def to_client(self, change: bytes | None = None) -> list:
        data = self.server.outgoing()
        self.client.receive(data if change is None else change)
        return self._events(self.client)

    @staticmethod
    def _events(machine: ServerMachine | ClientMachine) -> list:
        found = []
        while (event := machine.next_event()) is not None:
            found.append(event)
            if isinstance(event, AuthStep):
                break
        return found

    def call(self, opnum: int, stub: bytes, context: int = 0) -> Request:
        self.client.call(context, opnum, stub)
        (request,) = self.to_server()
        assert isinstance(request, Request), request
        return request


def unbound() -> Pair:
    """A pair that has not said anything yet."""
    pair = Pair.__new__(Pair)
    pair.server, pair.client = ServerMachine([ECHO]), ClientMachine()
    return pair
