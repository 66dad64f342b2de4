"""The server's machine: binding, fragments, protection, refusals, bounds; and that neither cuts nor garbage matter.

covers: pdu, protection, receiving, server_events, trailer
"""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.protocols.dcerpc import trailer
from postern.protocols.dcerpc.client import Bound, Failed, Fault, Reply
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.pdu import (
    NDR,
    WHOLE,
    Bind,
    Kind,
    Nak,
    Offer,
    Pfc,
    Result,
    Status,
    bind_body,
    cut,
    pdu,
    read_bind_answer,
)
from postern.protocols.dcerpc.protection import Association, Level
from postern.protocols.dcerpc.receiving import Partial
from postern.protocols.dcerpc.server import ServerMachine
from postern.protocols.dcerpc.server_events import AuthStep, Cancel, Closing, Request
from tests.protocols.dcerpc.play import ECHO, OTHER, Pair, Xor, unbound

LEVELS = [Level.NONE, Level.CONNECT, Level.PACKET, Level.INTEGRITY, Level.PRIVACY]

FEATURES = Syntax(UUID("6cb71c2c-9812-4540-ff00-000000000000"), 1)
"""The transfer syntax by which a client asks for all features of bind-time feature negotiation (MS-RPCE 2.2.2.14)."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 1400, 5816, 5840, 250_000])
def test_calls_of_any_size_come_through_at_every_level(level: Level, size: int) -> None:
    pair = Pair(level=level)
    assert isinstance(pair.bound, Bound) and pair.bound.accepted == (True,)
    stub = bytes(i * 7 & 0xFF for i in range(size))
    for opnum in (3, 4):
        request = pair.call(opnum, stub)
        # Where the client adds a verification trailer, the stub keeps the padding in front of it.
        padded = stub + bytes(-size % 4 if level > Level.CONNECT else 0)
        assert (request.opnum, bytes(request.stub), request.syntax) == (opnum, padded, ECHO)
        assert (request.association is None) == (level == Level.NONE)
        pair.server.reply(request, stub[::-1])
        (reply,) = pair.to_client()
        assert isinstance(reply, Reply) and bytes(reply.stub) == stub[::-1]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [0, 15, 5800, 50_000])
def test_a_call_may_say_what_it_is_about(level: Level, size: int) -> None:
    """In each of its fragments, sealed with the rest of their heads."""
    pair = Pair(level=level)
    stub, about = bytes(range(256)) * (size // 256 + 1), UUID(int=7)
    pair.client.call(0, 3, stub[:size], about)
    (request,) = pair.to_server()
    assert isinstance(request, Request) and request.object == about
    assert bytes(request.stub)[:size] == stub[:size]
    assert pair.call(3, b"").object is None


@pytest.mark.parametrize("level", [Level.INTEGRITY, Level.PRIVACY])
def test_what_a_call_is_about_cannot_be_changed_on_the_way(level: Level) -> None:
    pair = Pair(level=level)
    pair.client.call(0, 3, b"stub", UUID(int=7))
    wire = bytearray(pair.client.outgoing())
    wire[24] ^= 1
    (closing,) = pair.to_server(bytes(wire))
    assert isinstance(closing, Closing)


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_of_an_earlier_minor_version_calls_by_its_own(level: Level) -> None:
    """The trailer of its calls names the version that it bound, and not the server's."""
    newer = Syntax(ECHO.uuid, ECHO.major, 2)
    pair = Pair(level=level, served=newer)
    assert isinstance(pair.bound, Bound) and pair.bound.accepted == (True,)
    assert pair.call(1, b"stub").syntax == newer


def test_versions_up_to_the_servers_own_are_accepted() -> None:
    newest = Syntax(ECHO.uuid, ECHO.major, 2)
    pair = Pair(newest.versions(), served=Syntax(ECHO.uuid, ECHO.major, 1))
    assert isinstance(pair.bound, Bound) and pair.bound.accepted == (False, True, True)
    assert pair.call(1, b"", 1).syntax.minor == 1
    assert len(Syntax(ECHO.uuid, 1, 99).versions()) == 16


def test_sealed_means_that_the_stub_is_not_on_the_wire() -> None:
    pair = Pair(level=Level.PRIVACY)
    pair.client.call(0, 1, b"a secret of some length")
    assert b"secret" not in pair.client.outgoing()


def test_answers_may_come_in_another_order() -> None:
    pair = Pair()
    first, second = pair.call(1, b"a"), pair.call(2, b"b")
    pair.server.reply(second, b"B")
    pair.server.reply(first, b"A")
    replies = pair.to_client()
    assert [(r.call_id, bytes(r.stub)) for r in replies] == [(second.call_id, b"B"), (first.call_id, b"A")]


def test_fragments_of_two_calls_may_alternate() -> None:
    pair = Pair(max_fragment=1432)
    pair.client.call(0, 1, b"a" * 3000)
    pair.client.call(0, 2, b"b" * 3000)
    data = pair.client.outgoing()
    pieces = []
    while data:
        size = struct.unpack_from("<H", data, 8)[0]
        pieces.append(data[:size])
        data = data[size:]
    half = len(pieces) // 2
    mixed = b"".join(piece for both in zip(pieces[:half], pieces[half:], strict=True) for piece in both)
    found = [(r.opnum, bytes(r.stub)) for r in pair.to_server(mixed) if isinstance(r, Request)]
    assert found == [(1, b"a" * 3000), (2, b"b" * 3000)]


# Binding


def _bind(*offers: Offer, machine: ServerMachine | None = None, flags: int = WHOLE) -> tuple[ServerMachine, bytes]:
    machine = machine or ServerMachine([ECHO], "135")
    machine.receive(pdu(Kind.BIND, flags, 1, bind_body(Bind(5840, 5840, 0, offers))))
    assert machine.next_event() is None
    return machine, machine.outgoing()


def test_interfaces_and_syntaxes_that_are_not_here_are_refused_one_by_one() -> None:
    ndr64 = Syntax(UUID("71710533-beba-4937-8319-b5dbef9ccc36"), 1)
    newer = Syntax(ECHO.uuid, 1, 1)
    _, answer = _bind(
        Offer(0, ECHO, (NDR,)),
        Offer(1, OTHER, (NDR,)),
        Offer(2, ECHO, (ndr64,)),
        Offer(3, newer, (NDR,)),
        Offer(4, ECHO, (ndr64, NDR)),
        Offer(5, ECHO, (FEATURES,)),
    )
    assert answer[2] == Kind.BIND_ACK
    results = read_bind_answer(memoryview(answer)[16:]).results
    assert results == ((0, 0), (2, 1), (2, 2), (2, 1), (0, 0), (Result.NEGOTIATE_ACK, 3))


def test_the_smaller_fragment_size_counts() -> None:
    machine = ServerMachine([ECHO], "135", 4000)
    machine.receive(pdu(Kind.BIND, WHOLE, 1, bind_body(Bind(2000, 3000, 0, (Offer(0, ECHO, (NDR,)),)))))
    assert machine.next_event() is None
    answer = read_bind_answer(memoryview(machine.outgoing())[16:])
    assert (answer.max_xmit, answer.max_recv) == (3000, 2000)
    machine.receive(cut(Kind.REQUEST, 2, 0, 0, b"x", 2000))
    request = machine.next_event()
    assert isinstance(request, Request)
    machine.reply(request, bytes(9000))
    data = machine.outgoing()
    assert max(_sizes(data)) <= 3000 < len(data)


def _sizes(data: bytes) -> list[int]:
    found = []
    while data:
        found.append(struct.unpack_from("<H", data, 8)[0])
        data = data[found[-1] :]
    return found


def test_too_small_fragments_are_a_nak() -> None:
    machine = ServerMachine([ECHO])
    machine.receive(pdu(Kind.BIND, WHOLE, 1, bind_body(Bind(100, 100, 0, (Offer(0, ECHO, (NDR,)),)))))
    assert isinstance(machine.next_event(), Closing)
    assert machine.outgoing()[2] == Kind.BIND_NAK


def test_header_signing_is_agreed_only_if_asked() -> None:
    for flags in (WHOLE, WHOLE | Pfc.SIGN_HEADER):
        _, answer = _bind(Offer(0, ECHO, (NDR,)), flags=flags)
        assert answer[3] & Pfc.SIGN_HEADER == flags & Pfc.SIGN_HEADER


def test_a_refused_handshake_is_a_nak_and_the_end() -> None:
    pair = unbound()
    pair.client.bind((ECHO,), 10, Level.PRIVACY, b"hello")
    (step,) = pair.to_server()
    assert isinstance(step, AuthStep)
    pair.server.auth_refused(Nak.AUTH_TYPE)
    (failed,) = pair.to_client()
    assert isinstance(failed, Failed) and failed.nak == Nak.AUTH_TYPE
    pair.server.receive(cut(Kind.REQUEST, 2, 0, 0, b"x", 5840))
    assert pair.server.next_event() is None


def test_nothing_is_pulled_while_a_handshake_step_is_open() -> None:
    pair = unbound()
    pair.client.bind((ECHO,), 10, Level.PRIVACY, b"hello")
    assert len(pair.to_server()) == 1
    pair.server.receive(b"\xff" * 100)
    assert pair.server.next_event() is None


# Refusals


def _refused(pair: Pair, wire: bytes) -> tuple[Status, str]:
    """The fault and the reason for closing that these bytes lead to."""
    pair.server.receive(wire)
    event = pair.server.next_event()
    assert isinstance(event, Closing)
    out = pair.server.outgoing()
    return Status(struct.unpack_from("<I", out, 24)[0]), event.reason


@pytest.mark.parametrize("level", [Level.PACKET, Level.INTEGRITY, Level.PRIVACY])
@pytest.mark.parametrize("at", [4, 9, 12, 16, 24, 30, -10])
def test_a_changed_byte_anywhere_ends_the_connection(level: Level, at: int) -> None:
    pair = Pair(level=level)
    pair.client.call(0, 1, b"transfer 100 to bob")
    wire = bytearray(pair.client.outgoing())
    wire[at] ^= 1
    pair.server.receive(bytes(wire))
    pair.server.receive(bytes(300))
    event = pair.server.next_event()
    assert isinstance(event, Closing)


def test_a_repeated_request_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    pair.client.call(0, 1, b"once")
    wire = pair.client.outgoing()
    assert isinstance(pair.to_server(wire)[0], Request)
    assert _refused(pair, wire)[0] is Status.SECURITY


def test_an_unprotected_request_on_a_protected_connection_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    assert _refused(pair, cut(Kind.REQUEST, 9, 0, 1, b"x", 5840))[0] is Status.ACCESS_DENIED


def test_a_request_at_a_lower_level_than_agreed_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    lower = Association(0, 10, Level.INTEGRITY, Xor())
    assert _refused(pair, cut(Kind.REQUEST, 9, 0, 1, b"x", 5840, lower))[0] is Status.SECURITY


def test_a_request_of_an_unknown_security_context_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    other = Association(7, 10, Level.PRIVACY, Xor())
    assert _refused(pair, cut(Kind.REQUEST, 9, 0, 1, b"x", 5840, other))[0] is Status.ACCESS_DENIED


def test_before_a_handshake_is_complete_nothing_can_be_called() -> None:
    pair = unbound()
    pair.client.bind((ECHO,), 10, Level.CONNECT, b"hello")
    assert len(pair.to_server()) == 1
    pair.server.auth_reply(b"who?", None)
    pair.server.outgoing()
    assert _refused(pair, cut(Kind.REQUEST, 9, 0, 1, b"x", 5840))[0] is Status.ACCESS_DENIED


def test_a_context_that_was_not_accepted_is_an_unknown_interface() -> None:
    pair = Pair(syntaxes=(ECHO, OTHER))
    assert pair.bound.accepted == (True, False)
    call_id = pair.client.call(1, 0, b"")
    assert pair.to_server() == []
    assert pair.to_client() == [Fault(call_id, Status.UNKNOWN_INTERFACE, False)]


def test_a_stripped_header_signing_is_noticed_by_the_trailer() -> None:
    stub = trailer.append(b"abcd", ECHO, 5, 0, 1)
    assert trailer.strip(stub, ECHO, 5, 0, 1, True) == b"abcd"
    assert trailer.strip(stub, ECHO, 5, 0, 1, False) is None
    assert trailer.strip(stub, OTHER, 5, 0, 1, True) is None
    assert trailer.strip(stub, ECHO, 6, 0, 1, True) is None
    assert trailer.strip(stub, ECHO, 5, 1, 1, True) is None
    assert trailer.strip(stub, ECHO, 5, 0, 2, True) is None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_parameter_that_holds_the_trailers_magic_is_left_alone(before: bytes, behind: bytes) -> None:
    """Our client's own trailer stands behind it, so what a message contains cannot break a call."""
    stub = before + bytes.fromhex("8ae3137102f43671") + behind
    padded = stub + bytes(-len(stub) % 4)
    assert trailer.strip(trailer.append(stub, ECHO, 5, 0, 1), ECHO, 5, 0, 1, True) == padded


# Bounds


def test_requests_are_bounded_together() -> None:
    pair = Pair(max_fragment=1432)
    pair.server.request_limit = 5000
    pair.client.call(0, 0, bytes(6000))
    event = pair.to_server()[-1]
    assert isinstance(event, Closing)
    (fault, *_) = pair.to_client()
    assert fault.status == Status.NO_MEMORY


def test_many_unfinished_calls_are_bounded() -> None:
    pair = Pair()
    for call_id in range(2, 30):
        first = cut(Kind.REQUEST, call_id, 0, 0, b"x", 5840)
        pair.server.receive(first[:3] + bytes([Pfc.FIRST]) + first[4:])
    events = []
    while (event := pair.server.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], Closing)


def test_cancel_and_orphaned_are_told() -> None:
    pair = Pair()
    request = pair.call(1, b"")
    pair.client.orphan(request.call_id)
    assert pair.to_server() == [Cancel(request.call_id, True)]
    pair.server.reply(request, b"late")
    assert pair.to_client() == []
    pair.server.receive(pdu(Kind.CO_CANCEL, WHOLE, 77, b""))
    assert pair.server.next_event() == Cancel(77, False)


# Cuts and garbage


def _conversation() -> bytes:
    """What a client sends in a whole conversation with PACKET-level signatures and several fragments."""
    pair = Pair(level=Level.PRIVACY, max_fragment=1432)
    pair.client.call(0, 1, b"a" * 4000)
    pair.client.call(0, 2, b"bbbb")
    return pair.client.outgoing()


@given(st.lists(st.integers(1, 2000), max_size=30))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    pair = Pair(level=Level.PRIVACY, max_fragment=1432)
    wire = _conversation()
    found = []
    for size in [*cuts, len(wire)]:
        pair.server.receive(wire[:size])
        wire = wire[size:]
        while (event := pair.server.next_event()) is not None:
            found.append((event.opnum, bytes(event.stub)))
    assert found == [(1, b"a" * 4000), (2, b"bbbb")]


@given(st.binary(max_size=300), st.sampled_from(list(Kind)), st.integers(0, 255), st.booleans())
@settings(max_examples=300)
def test_garbage_never_raises(body: bytes, kind: Kind, flags: int, protected: bool) -> None:
    for machine in (Pair(level=Level.PRIVACY if protected else Level.NONE), None):
        for data in (body, pdu(kind, flags, 2, body), pdu(kind, flags, 2, body, b"", min(len(body), 40))):
            for end in (machine.server, machine.client) if machine else (ServerMachine([ECHO]),):
                end.receive(data)
                for _ in range(50):
                    event = end.next_event()
                    if event is None:
                        break
                    if isinstance(event, AuthStep):
                        end.auth_refused()
                end.outgoing()


def test_a_fragment_that_waits_keeps_nothing_else_alive() -> None:
    partial = Partial(())
    received = bytes(65_536)
    partial.add(memoryview(received)[:1], last=False)
    partial.add(memoryview(received)[:0], last=False)
    assert partial.parts == [b"\0"] and type(partial.parts[0]) is bytes
    partial.add(memoryview(received)[:2], last=True)
    assert partial.stub() == bytes(3)
