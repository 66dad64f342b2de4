"""The server's machine answers binds, hands out security handshakes step by step, puts calls together, and cuts answers.

It reads bytes, and gives `AuthStep`, `Request`, `Cancel` and `Closing`. Between an `AuthStep` and its `auth_reply` or
`auth_refused` no event may be pulled, because the next PDUs may be sealed by the result of that step. The service decides whether
a caller may call: a request says under which security context it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from postern.protocols.dcerpc import trailer
from postern.protocols.dcerpc.groups import Context, Group, Groups
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.pdu import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    CALL_HEADER,
    FEATURES_SUPPORTED,
    LIMIT_EXCEEDED,
    MAX_FRAGMENT,
    MIN_FRAGMENT,
    NDR,
    STRANGER_FRAGMENT,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    WHOLE,
    BindAnswer,
    Kind,
    Nak,
    Offer,
    PduError,
    Pfc,
    Result,
    Status,
    bind_answer_body,
    cut,
    fault,
    nak,
    pdu,
    read_bind,
    uncut,
    with_token,
)
from postern.protocols.dcerpc.protection import Association, Level, Protection
from postern.protocols.dcerpc.receiving import Partial, Received, Splitter, drain
from postern.protocols.dcerpc.server_events import AuthStep, Cancel, Closing, Event, PdusHandled, Request

MAX_CONTEXTS = 32
MAX_ASSOCIATIONS = 8
MAX_PARTIAL_CALLS = 16
STEPS = 64
"""PDUs that are taken at most before there is an event."""
FIRST_REQUEST_LIMIT = 16_384
"""Bytes of all unfinished requests together before the caller has authenticated."""


@dataclass(slots=True)
class _Binding:
    """A bind or alter_context (or AUTH3: `answer` None) whose handshake step is being worked on."""

    kind: int
    call_id: int
    answer: BindAnswer | None
    flags: int
    association: Association


class ServerMachine:
    """One connection. `syntaxes` are the interfaces that may be bound; `address` is the secondary address of a bind_ack;
    `groups` are the association groups of the server on the transport of the connection. Both may be set until the bind. The
    owner of the connection calls `ended` at its end.

    `request_limit` bounds the bytes of unfinished requests; the service raises it once the caller is trusted.

    Bound: linear, in whatever pieces it comes; 16 unfinished calls of `request_limit` octets together, 32 contexts, 8
    handshakes.
    """

    def __init__(
        self,
        syntaxes: Iterable[Syntax],
        address: str = "",
        max_fragment: int = MAX_FRAGMENT,
        groups: Groups | None = None,
    ) -> None:
        self._syntaxes = {(syntax.uuid, syntax.major): syntax for syntax in syntaxes}
        self.address = address
        self.group: Group | None = None
        self.groups = groups if groups is not None else Groups()
        self._splitter = Splitter()
        self._max_fragment = max_fragment
        self._max_xmit = STRANGER_FRAGMENT
        self._bound = False
        self._dead = False
        self._sign_header = False
        self._contexts: dict[int, tuple[Syntax, Syntax]] = {}
        """By context id: the interface that is served, and the one that the client named, whose minor version may differ."""
        self._associations: dict[int, Association] = {}
        self._binding: _Binding | None = None
        self._partial: dict[int, Partial] = {}
        self._out: list[bytes] = []
        self.request_limit = FIRST_REQUEST_LIMIT

    def receive(self, data: bytes) -> None:
        if not self._dead:
            self._splitter.receive(data)

    @property
    def held(self) -> int:
        return self._splitter.held

    def outgoing(self) -> bytes:
        return drain(self._out)

    def next_event(self) -> Event | None:
        """The next event; None if more bytes are needed, or an `AuthStep` is still open. Never raises."""
        for _ in range(STEPS):
            if self._dead or self._binding is not None:
                return None
            try:
                received = self._splitter.next()
                if received is None:
                    return None
                event = self._take(received)
            except PduError as error:
                return self._close(str(error))
            if event is not None:
                return event
        return PdusHandled()

    def ended(self) -> list[Context]:
        """Notes the end of the connection. Returns the contexts that must be run down."""
        group, self.group = self.group, None
        return self.groups.leave(group) if group is not None else []

    # Answers

    def reply(self, request: Request, stub: bytes | bytearray) -> None:
        self._out.append(
            cut(
                Kind.RESPONSE,
                request.call_id,
                request.context,
                0,
                stub,
                self._max_xmit,
                request.association,
                self._sign_header,
            )
        )

    def fault(self, request: Request, status: int, executed: bool = False) -> None:
        self._out.append(fault(request.call_id, request.context, status, executed))

    def auth_reply(self, token: bytes, protection: Protection | None) -> None:
        """Goes on with the handshake by `token`; with a `protection` it is complete."""
        binding = self._finish_binding()
        binding.association.protection = protection
        if binding.answer is None:
            return
        kind = Kind.BIND_ACK if binding.kind == Kind.BIND else Kind.ALTER_CONTEXT_RESP
        body = bind_answer_body(binding.answer, self.address if kind == Kind.BIND_ACK else "")
        # A complete SPNEGO handshake may need no token any more; then there is no verifier either.
        verifier, size = b"", 0
        if token:
            body, verifier = with_token(body, binding.association, token)
            size = len(token)
        self._out.append(pdu(kind, binding.flags, binding.call_id, body, verifier, size))

    def auth_refused(self, reason: Nak = Nak.NOT_SPECIFIED) -> None:
        """Refuses the handshake: the bind, or after the last leg, which has no answer, every call under this security context."""
        binding = self._finish_binding()
        binding.association.failed = True
        if binding.kind == Kind.BIND:
            self._out.append(nak(binding.call_id, reason))
            self._dead = True
        elif binding.kind == Kind.ALTER_CONTEXT:
            self._out.append(fault(binding.call_id, 0, Status.ACCESS_DENIED, False))

    @property
    def bound(self) -> list[Syntax]:
        """The interfaces that the client bound, in the order in which it did."""
        return [syntax for syntax, _ in self._contexts.values()]

    @property
    def is_refused(self) -> bool:
        """Whether the bind was refused, after which nothing is answered any more."""
        return self._dead

    def _finish_binding(self) -> _Binding:
        if self._binding is None:
            raise RuntimeError("no handshake step is open")
        binding, self._binding = self._binding, None
        return binding

    # PDUs

    def _take(self, received: Received) -> Event | None:
        kind = received.kind
        if kind == Kind.REQUEST:
            return self._request(received)
        if kind == Kind.BIND:
            if self._bound:
                return self._close("a second bind")
            return self._bind(received)
        if not self._bound:
            return self._close("not bound")
        if kind == Kind.ALTER_CONTEXT:
            return self._bind(received)
        if kind == Kind.AUTH3:
            return self._auth3(received)
        if kind in (Kind.CO_CANCEL, Kind.ORPHANED):
            if kind == Kind.ORPHANED:
                self._partial.pop(received.call_id, None)
            return Cancel(received.call_id, kind == Kind.ORPHANED)
        return self._close("a PDU that no client sends")

    def _bind(self, received: Received) -> Event | None:
        bind = read_bind(received.body)
        if received.kind == Kind.BIND:
            if bind.max_xmit < MIN_FRAGMENT or bind.max_recv < MIN_FRAGMENT:
                self._out.append(nak(received.call_id, Nak.LOCAL_LIMIT))
                return self._close("fragments too small")
            # A client whose group is gone begins another. Newer versions of Samba begin one for it instead.
            self.group = self.groups.join(bind.group)
            if self.group is None:
                self._out.append(nak(received.call_id, Nak.NOT_SPECIFIED))
                return self._close("an association group that is not here")
            self._bound = True
            self._max_xmit = min(bind.max_recv, self._max_fragment)
            self._sign_header = bool(received.flags & Pfc.SIGN_HEADER)
        flags = WHOLE | (received.flags & Pfc.MULTIPLEX) | (Pfc.SIGN_HEADER if self._sign_header else 0)
        receives = min(bind.max_xmit, self._max_fragment)
        results = tuple(self._result(offer) for offer in bind.offers)
        assert self.group is not None
        answer = BindAnswer(self._max_xmit, receives, self.group.id, results)
        verifier = received.verifier()
        association = self._associations.get(verifier.id) if verifier is not None else None
        # When Samba's client only adds an interface it repeats the token of its AUTH3, which changes nothing.
        if verifier is None or (association is not None and association.protection is not None):
            kind = Kind.BIND_ACK if received.kind == Kind.BIND else Kind.ALTER_CONTEXT_RESP
            body = bind_answer_body(answer, self.address if kind == Kind.BIND_ACK else "")
            self._out.append(pdu(kind, flags, received.call_id, body))
            return None
        if association is None and len(self._associations) >= MAX_ASSOCIATIONS:
            return self._close("too many security contexts")
        if association is not None and association.failed:
            self._out.append(fault(received.call_id, 0, Status.ACCESS_DENIED, False))
            return self._close("a handshake that failed")
        if association is None:
            if verifier.level not in Level.__members__.values():
                self._out.append(nak(received.call_id, Nak.AUTH_TYPE))
                return self._close("an unknown level")
            level = Level(verifier.level)
            association = Association(verifier.id, verifier.type, level)
            self._associations[verifier.id] = association
            first = True
        else:
            first = False
        self._binding = _Binding(received.kind, received.call_id, answer, flags, association)
        return AuthStep(association, verifier.token, first)

    def _result(self, offer: Offer) -> tuple[int, int]:
        features = offer.features
        if features is not None:
            return Result.NEGOTIATE_ACK, features & FEATURES_SUPPORTED
        syntax = self._syntaxes.get((offer.abstract.uuid, offer.abstract.major))
        if syntax is None or offer.abstract.minor > syntax.minor:
            return Result.PROVIDER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED
        if not any(transfer.uuid == NDR.uuid and transfer.major == NDR.major for transfer in offer.transfers):
            return Result.PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED
        if offer.id not in self._contexts and len(self._contexts) >= MAX_CONTEXTS:
            return Result.PROVIDER_REJECTION, LIMIT_EXCEEDED
        self._contexts[offer.id] = syntax, offer.abstract
        return Result.ACCEPTED, 0

    def _auth3(self, received: Received) -> Event | None:
        # Four bytes of padding stand between header and verifier: MS-RPCE 2.2.2.10.
        verifier = received.verifier()
        association = self._associations.get(verifier.id) if verifier is not None else None
        if verifier is None or association is None or association.protection is not None or association.failed:
            return self._close("an AUTH3 without its handshake")
        self._binding = _Binding(Kind.AUTH3, received.call_id, None, 0, association)
        return AuthStep(association, verifier.token, False)

    # Requests

    def _request(self, received: Received) -> Event | None:
        data = received.data
        if len(data) < CALL_HEADER.size:
            return self._close("a request that is cut off")
        *_, context, opnum = CALL_HEADER.unpack_from(data)
        body_at, object_ = CALL_HEADER.size, None
        if received.flags & Pfc.OBJECT:
            body_at += 16
            if len(data) < body_at:
                return self._close("a request that is cut off")
            object_ = UUID(bytes_le=bytes(data[CALL_HEADER.size : body_at]))
        association, refusal = self._association(received, body_at)
        if refusal is not None:
            self._out.append(fault(received.call_id, context, refusal, False))
            return self._close("a request without the protection that was agreed")
        piece: bytes | memoryview = data[body_at:]
        verifier = received.verifier(body_at) if association is not None else None
        if association is not None and verifier is not None:
            clear = uncut(data, body_at, verifier, association, self._sign_header)
            if clear is None:
                self._out.append(fault(received.call_id, context, Status.SECURITY, False))
                return self._close("a request that was changed on the way")
            piece = clear
        partial = self._collect(received, piece, (context, opnum, association.id if association else -1))
        if not isinstance(partial, Partial):
            return partial
        return self._whole(received, partial, context, opnum, association, object_)

    def _association(self, received: Received, body_at: int) -> tuple[Association | None, Status | None]:
        """Returns the security context under which a fragment comes. One without a verifier belongs to a CONNECT-level handshake,
        or to none if there was no handshake at all."""
        if not self._bound:
            return None, Status.PROTOCOL
        verifier = received.verifier(body_at)
        if verifier is not None:
            association = self._associations.get(verifier.id)
            if (
                association is None
                or association.protection is None
                or association.failed
                or association.level <= Level.CONNECT
            ):
                return None, Status.ACCESS_DENIED
            return association, None
        if not self._associations:
            return None, None
        for association in self._associations.values():
            if association.level <= Level.CONNECT and association.protection is not None and not association.failed:
                return association, None
        return None, Status.ACCESS_DENIED

    def _collect(self, received: Received, piece: bytes | memoryview, key: tuple[int, ...]) -> Partial | Event | None:
        """Adds a fragment to its call; returns the call once its last fragment is there."""
        call_id = received.call_id
        if received.flags & Pfc.FIRST:
            if call_id in self._partial:
                return self._close("a call that begins twice")
            partial = Partial(key)
            if not received.flags & Pfc.LAST:
                if len(self._partial) >= MAX_PARTIAL_CALLS:
                    return self._close("too many calls at once")
                self._partial[call_id] = partial
        else:
            begun = self._partial.get(call_id)
            if begun is None or begun.key != key:
                return self._close("a fragment of no call")
            partial = begun
        partial.add(piece, bool(received.flags & Pfc.LAST))
        if sum(p.size for p in self._partial.values()) > self.request_limit or partial.size > self.request_limit:
            self._out.append(fault(call_id, key[0], Status.NO_MEMORY, False))
            return self._close("a request too large")
        if not received.flags & Pfc.LAST:
            return None
        self._partial.pop(call_id, None)
        return partial

    def _whole(
        self,
        received: Received,
        partial: Partial,
        context: int,
        opnum: int,
        association: Association | None,
        object_: UUID | None,
    ) -> Event | None:
        bound = self._contexts.get(context)
        if bound is None:
            self._out.append(fault(received.call_id, context, Status.UNKNOWN_INTERFACE, False))
            return None
        syntax, named = bound
        stub = partial.stub()
        if association is not None and association.level > Level.CONNECT:
            kept = trailer.strip(bytes(stub), named, received.call_id, context, opnum, self._sign_header)
            if kept is None:
                self._out.append(fault(received.call_id, context, Status.SECURITY, False))
                return self._close("a verification trailer that contradicts")
            stub = kept
        return Request(received.call_id, context, syntax, opnum, stub, association, named.minor, object_)

    def _close(self, reason: str) -> Closing:
        self._dead = True
        return Closing(reason)
