"""LDAP's bind by GSSAPI and its sealed packets, however the octets are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from impacket.ldap.ldapasn1 import LDAPMessage
from pyasn1.codec.ber import decoder

from postern.protocols.ber import ENUMERATED, OCTETS, SEQUENCE, element, integer
from postern.protocols.ldap.bind import (
    IN_PROGRESS,
    MAX_ANSWER,
    MAX_PACKET,
    BindAnswer,
    BindAnswers,
    Packets,
    bind_request,
    chosen_layer,
    packet,
)


def answer(number: int, code: int, text: bytes = b"", credentials: bytes | None = None) -> bytes:
    content = integer(code, ENUMERATED) + element(OCTETS, b"") + element(OCTETS, text)
    if credentials is not None:
        content += element(0x87, credentials)
    return element(SEQUENCE, integer(number) + element(0x61, content))


def test_a_request_is_what_another_library_reads_as_one() -> None:
    message, rest = decoder.decode(bind_request(300, b"t" * 200), asn1Spec=LDAPMessage())
    assert not rest and int(message["messageID"]) == 300
    bind = message["protocolOp"]["bindRequest"]
    assert (int(bind["version"]), bytes(bind["name"])) == (3, b"")
    sasl = bind["authentication"]["sasl"]
    assert (bytes(sasl["mechanism"]), bytes(sasl["credentials"])) == (b"GSSAPI", b"t" * 200)


@given(st.integers(1, 2**31 - 1), st.integers(0, 90), st.binary(max_size=300), st.data())
def test_an_answer_is_read_however_it_is_cut(number: int, code: int, credentials: bytes, data: st.DataObject) -> None:
    octets = answer(number, code, b"words", credentials)
    answers = BindAnswers()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=4)))
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        assert answers.next_answer(number) is None
        answers.feed(octets[start:end])
    assert answers.next_answer(number) == BindAnswer(code, "words", credentials)
    assert answers.next_answer(number) is None


def test_an_answer_without_credentials() -> None:
    answers = BindAnswers()
    answers.feed(answer(2, 49, b"no"))
    assert answers.next_answer(2) == BindAnswer(49, "no", b"")


def test_what_is_no_answer_to_this_message_says_so() -> None:
    for octets in (answer(3, 0), b"\x30\x80\0\0", b"0\3\2\1\1", b"0\x84\xff\xff\xff\xff", b"HTTP/1.1 400 "):
        answers = BindAnswers()
        answers.feed(octets)
        found = answers.next_answer(2)
        assert found is not None and found.code == -1, octets


def test_an_answer_has_its_bound() -> None:
    answers = BindAnswers()
    answers.feed(b"\x30\x84" + (MAX_ANSWER + 1).to_bytes(4, "big"))
    found = answers.next_answer(1)
    assert found is not None and found.code == -1


@given(st.binary(max_size=400))
def test_nothing_that_comes_raises(octets: bytes) -> None:
    answers = BindAnswers()
    answers.feed(octets)
    answers.next_answer(1)
    answers = BindAnswers()
    answers.feed(answer(1, IN_PROGRESS, b"", octets)[: len(octets)])
    answers.next_answer(1)


def test_only_a_server_that_encrypts_is_taken() -> None:
    assert chosen_layer(bytes.fromhex("07a00000")) == (b"\4" + MAX_PACKET.to_bytes(3, "big"), 0xA00000)
    for offer in (bytes.fromhex("03a00000"), bytes.fromhex("01000000"), b"", b"\7\0\0", b"\7\0\0\0\0"):
        assert chosen_layer(offer) is None


@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_packets_come_as_they_were_sent(bodies: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(packet(body) for body in bodies)
    packets, found = Packets(), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=5)))
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        packets.feed(octets[start:end])
        while (one := packets.next_packet()) is not None:
            found.append(one)
    assert found == bodies and not packets.broken


def test_a_packet_larger_than_agreed_ends_it() -> None:
    packets = Packets()
    packets.feed((MAX_PACKET + 1).to_bytes(4, "big") + b"x" * 10)
    assert packets.next_packet() is None and packets.broken
