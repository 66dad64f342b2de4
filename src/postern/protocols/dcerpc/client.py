"""The client's machine: bind with a security handshake, calls in any number at once, answers put together.

It reads bytes, and gives `Bound`, `Tokens`, `Reply`, `Fault` and `Failed`. Call ids tell which answer belongs to which call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.protocols.dcerpc import trailer
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.pdu import (
    CALL_HEADER,
    MAX_FRAGMENT,
    MIN_FRAGMENT,
    NDR,
    WHOLE,
    Bind,
    Kind,
    Offer,
    PduError,
    Pfc,
    Result,
    bind_body,
    cut,
    pdu,
    read_bind_answer,
    read_fault,
    uncut,
    with_token,
)
from postern.protocols.dcerpc.protection import Association, Level, Protection
from postern.protocols.dcerpc.receiving import Partial, Received, Splitter, drain

REPLY_LIMIT = 268_435_456
"""Bytes of all unfinished answers together."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bind_ack or alter_context_resp. `accepted` says for each interface that was asked for whether it can be called now."""

    accepted: tuple[bool, ...]
    token: bytes
    group: int = 0
    """The association group that the connection is in."""


@dataclass(frozen=True, slots=True)
class Reply:
    call_id: int
    stub: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in answer to a call. `executed` is false if the server says that it did not begin the call: it may be made
    again."""

    call_id: int
    status: int
    executed: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The bind was refused, or the server broke the protocol. `nak` is bind_nak's reason, -1 if there was none."""

    reason: str
    nak: int = -1


Event = Bound | Reply | Fault | Failed


class ClientMachine:
    """One connection with at most one security context (id 0).

    Bound: linear, in whatever pieces it comes; unfinished answers have REPLY_LIMIT octets together.
    """

    def __init__(self, max_fragment: int = MAX_FRAGMENT) -> None:
        self._max_fragment = max_fragment
        self._max_xmit = max_fragment
        self._splitter = Splitter()
        self._syntaxes: tuple[Syntax, ...] = ()
        self._group = 0
        self._association: Association | None = None
        self._sign_header = False
        self._call_id = 1
        self._calls: dict[int, Partial | None] = {}
        self._binding = False
        self._dead = False
        self._size = 0
        self._out: list[bytes] = []

    def receive(self, data: bytes) -> None:
        if not self._dead:
            self._splitter.receive(data)

    def outgoing(self) -> bytes:
        return drain(self._out)

    def next_event(self) -> Event | None:
        """The next event; None if more bytes are needed. Never raises."""
        while not self._dead:
            try:
                received = self._splitter.next()
                if received is None:
                    return None
                event = self._take(received)
            except PduError as error:
                return self._fail(str(error))
            if event is not None:
                return event
        return None

    # Requests

    def bind(
        self,
        syntaxes: Sequence[Syntax],
        auth_type: int = 0,
        level: Level = Level.NONE,
        token: bytes = b"",
        group: int = 0,
    ) -> None:
        """Asks for these interfaces (context ids are their positions); with a token, under a security context. `group` is the
        association group of another connection to the same server, 0 for one of its own."""
        self._syntaxes = tuple(syntaxes)
        self._group = group
        flags = WHOLE | Pfc.MULTIPLEX
        if token:
            self._association = Association(0, auth_type, level)
            flags |= Pfc.SIGN_HEADER
        self._send_bind(Kind.BIND, flags, token)

    def alter_context(self, token: bytes) -> None:
        """Sends the next leg of a handshake that goes on by alter_context (SPNEGO)."""
        self._send_bind(Kind.ALTER_CONTEXT, WHOLE | (Pfc.SIGN_HEADER if self._sign_header else 0), token)

    def auth3(self, token: bytes) -> None:
        """Sends the last leg of a handshake with three legs (raw NTLM, Kerberos); the server does not answer it."""
        assert self._association is not None
        body, verifier = with_token(bytes(4), self._association, token)
        self._out.append(pdu(Kind.AUTH3, WHOLE, self._call_id, body, verifier, len(token)))

    def secured(self, protection: Protection) -> None:
        """Ends the handshake: PDUs are signed or sealed from now on."""
        assert self._association is not None
        self._association.protection = protection

    def call(self, context: int, opnum: int, stub: bytes | bytearray, object_: UUID | None = None) -> int:
        """Sends a request; returns the call id, which its answer bears. `object_` names the object that it is about, if the
        server has several."""
        self._call_id = self._call_id % 0x7FFFFFFF + 1
        call_id = self._call_id
        self._calls[call_id] = None
        association = self._association
        if association is not None and association.level > Level.CONNECT:
            stub = trailer.append(stub, self._syntaxes[context], call_id, context, opnum)
        self._out.append(
            cut(
                Kind.REQUEST,
                call_id,
                context,
                opnum,
                stub,
                self._max_xmit,
                association,
                self._sign_header,
                object_.bytes_le if object_ is not None else b"",
            )
        )
        return call_id

    def orphan(self, call_id: int) -> None:
        """Tells the server that an answer is no longer wanted. If it comes nevertheless, it is dropped."""
        if self._forget(call_id):
            self._out.append(pdu(Kind.ORPHANED, WHOLE, call_id, b""))

    def _forget(self, call_id: int) -> bool:
        if call_id not in self._calls:
            return False
        partial = self._calls.pop(call_id)
        self._size -= partial.size if partial is not None else 0
        return True

    # PDUs

    def _send_bind(self, kind: Kind, flags: int, token: bytes) -> None:
        offers = tuple(Offer(i, syntax, (NDR,)) for i, syntax in enumerate(self._syntaxes))
        body = bind_body(Bind(self._max_fragment, self._max_fragment, self._group, offers))
        verifier = b""
        if token:
            assert self._association is not None
            body, verifier = with_token(body, self._association, token)
        self._out.append(pdu(kind, flags, self._call_id, body, verifier, len(token)))
        self._binding = True

    def _take(self, received: Received) -> Event | None:
        kind = received.kind
        if kind == Kind.RESPONSE:
            return self._response(received)
        if kind == Kind.FAULT:
            return self._fault(received)
        if self._binding and kind in (Kind.BIND_ACK, Kind.ALTER_CONTEXT_RESP):
            return self._bound(received)
        if self._binding and kind == Kind.BIND_NAK:
            reason = int.from_bytes(received.body[:2], "little")
            self._fail("")
            return Failed("the bind was refused", reason)
        if kind == Kind.SHUTDOWN:
            return None
        return self._fail("a PDU that no server sends now")

    def _bound(self, received: Received) -> Event:
        self._binding = False
        answer = read_bind_answer(received.body)
        if received.kind == Kind.BIND_ACK:
            if answer.max_recv < MIN_FRAGMENT:
                return self._fail("fragments too small")
            self._max_xmit = min(answer.max_recv, self._max_fragment)
            self._sign_header = self._association is not None and bool(received.flags & Pfc.SIGN_HEADER)
        verifier = received.verifier()
        if verifier is not None and (self._association is None or verifier.id != self._association.id):
            return self._fail("a verifier for another security context")
        accepted = tuple(result == Result.ACCEPTED for result, _ in answer.results)
        self._group = answer.group
        return Bound(accepted, verifier.token if verifier is not None else b"", answer.group)

    def _response(self, received: Received) -> Event | None:
        data, call_id = received.data, received.call_id
        if len(data) < CALL_HEADER.size:
            return self._fail("a response that is cut off")
        piece: bytes | memoryview = data[CALL_HEADER.size :]
        association = self._association
        if association is not None and association.level > Level.CONNECT:
            verifier = received.verifier(CALL_HEADER.size)
            clear = None
            if verifier is not None and verifier.id == association.id:
                clear = uncut(data, CALL_HEADER.size, verifier, association, self._sign_header)
            if clear is None:
                return self._fail("a response that was changed on the way")
            piece = clear
        if call_id not in self._calls:
            return None
        partial = self._calls[call_id]
        if bool(received.flags & Pfc.FIRST) != (partial is None):
            return self._fail("a fragment out of its order")
        partial = partial or Partial(())
        self._calls[call_id] = partial
        partial.add(piece, bool(received.flags & Pfc.LAST))
        if not received.flags & Pfc.LAST:
            self._size += len(piece)
            return self._fail("an answer too large") if self._size > REPLY_LIMIT else None
        del self._calls[call_id]
        self._size -= partial.size - len(piece)
        return Reply(call_id, partial.stub())

    def _fault(self, received: Received) -> Event | None:
        status = read_fault(received.body)
        if self._binding:
            return self._fail(f"the bind was refused with fault {status:#x}")
        if not self._forget(received.call_id):
            return None
        return Fault(received.call_id, status, not received.flags & Pfc.DID_NOT_EXECUTE)

    def _fail(self, reason: str) -> Failed:
        self._dead = True
        return Failed(reason)
