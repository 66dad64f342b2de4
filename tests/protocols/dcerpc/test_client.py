"""The client's machine believes no answer that was changed, out of order or too large, and keeps no call that is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.dcerpc import client as module
from postern.protocols.dcerpc.client import Bound, Failed, Fault, Reply
from postern.protocols.dcerpc.pdu import WHOLE, Kind, Nak, Pfc, Status, cut, nak, pdu
from postern.protocols.dcerpc.protection import Association, Level
from tests.protocols.dcerpc.play import ECHO, OTHER, Pair, Xor, unbound


@pytest.mark.parametrize("level", [Level.PACKET, Level.INTEGRITY, Level.PRIVACY])
@pytest.mark.parametrize("at", [4, 12, 16, 20, 26, -1])
def test_a_changed_answer_ends_the_connection(level: Level, at: int) -> None:
    pair = Pair(level=level)
    pair.server.reply(pair.call(1, b"balance?"), b"one hundred")
    wire = bytearray(pair.server.outgoing())
    wire[at] ^= 1
    (failed,) = pair.to_client(bytes(wire))
    assert isinstance(failed, Failed)
    assert pair.to_client(b"more") == []


def test_an_unprotected_answer_on_a_protected_connection_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    request = pair.call(1, b"x")
    (failed,) = pair.to_client(cut(Kind.RESPONSE, request.call_id, 0, 0, b"forged", 5840))
    assert isinstance(failed, Failed)


def test_an_answer_of_another_security_context_is_refused() -> None:
    pair = Pair(level=Level.PRIVACY)
    request = pair.call(1, b"x")
    other = Association(5, 10, Level.PRIVACY, Xor())
    (failed,) = pair.to_client(cut(Kind.RESPONSE, request.call_id, 0, 0, b"forged", 5840, other))
    assert isinstance(failed, Failed)


def test_a_fault_tells_whether_the_call_was_begun() -> None:
    pair = Pair()
    for executed in (True, False):
        request = pair.call(1, b"x")
        pair.server.fault(request, Status.ACCESS_DENIED, executed)
        assert pair.to_client() == [Fault(request.call_id, Status.ACCESS_DENIED, executed)]


def test_a_bind_that_is_refused_says_why() -> None:
    pair = unbound()
    pair.client.bind((ECHO,))
    assert pair.to_client(nak(1, Nak.LOCAL_LIMIT)) == [Failed("the bind was refused", Nak.LOCAL_LIMIT)]


def test_each_interface_has_its_own_result() -> None:
    assert Pair(syntaxes=(OTHER, ECHO)).bound == Bound((False, True), b"", 1)


def test_fragments_out_of_order_end_the_connection() -> None:
    for flags in (0, Pfc.LAST):
        pair = Pair()
        request = pair.call(1, b"x")
        wire = bytearray(cut(Kind.RESPONSE, request.call_id, 0, 0, b"part", 5840))
        wire[3] = flags
        (failed,) = pair.to_client(bytes(wire))
        assert isinstance(failed, Failed)


def test_answers_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLY_LIMIT", 10_000)
    pair = Pair(max_fragment=1432)
    for _ in range(5):  # what came whole is not counted any more
        pair.server.reply(pair.call(1, b"x"), bytes(9000))
        (reply,) = pair.to_client()
        assert isinstance(reply, Reply)
    first, second = pair.call(1, b"x"), pair.call(1, b"x")
    pair.server.reply(first, bytes(9000))
    half = pair.server.outgoing()[:7160]  # five fragments of eight
    pair.server.reply(second, bytes(9000))
    assert isinstance(pair.to_client(half + pair.server.outgoing())[-1], Failed)


def test_a_forgotten_call_frees_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLY_LIMIT", 10_000)
    pair = Pair(max_fragment=1432)
    for _ in range(5):
        request = pair.call(1, b"x")
        pair.server.reply(request, bytes(9000))
        assert pair.to_client(pair.server.outgoing()[:7160]) == []
        pair.client.orphan(request.call_id)
        pair.to_server()
    pair.server.reply(pair.call(1, b"x"), b"fits")
    assert isinstance(pair.to_client()[-1], Reply)


def test_what_no_server_sends_ends_the_connection() -> None:
    for kind in (Kind.REQUEST, Kind.BIND, Kind.AUTH3, Kind.BIND_ACK):
        (failed,) = Pair().to_client(pdu(kind, WHOLE, 1, bytes(40)))
        assert isinstance(failed, Failed)
    assert Pair().to_client(pdu(Kind.SHUTDOWN, WHOLE, 1, b"")) == []


@given(st.lists(st.integers(1, 3000), max_size=20))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    pair = Pair(level=Level.PRIVACY, max_fragment=1432)
    pair.server.reply(pair.call(1, b"x"), b"a" * 5000)
    pair.server.reply(pair.call(2, b"x"), b"b")
    wire = pair.server.outgoing()
    found = []
    for size in [*cuts, len(wire)]:
        found += pair.to_client(wire[:size])
        wire = wire[size:]
    assert [bytes(reply.stub) for reply in found] == [b"a" * 5000, b"b"]
