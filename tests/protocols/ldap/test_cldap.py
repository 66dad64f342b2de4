"""The CLDAP ping, held against an answer that Samba gave, and against noise. covers: protocols.ber"""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder

from postern.protocols.ber import OCTETS, SEQUENCE, SET, BerError, element, integer, size, take
from postern.protocols.ldap import cldap

SAMBA = bytes.fromhex(
    "307302014d646e0400306a306804086e65746c6f676f6e315c045a17000000fd130000a0abdd5ca2cebc45acafb266d362a435"
    "04636f7270047465737400c01803646331c01804434f5250000344433100001744656661756c742d46697273742d536974652d4e616d6500"
    "c03705000000ffffffff300c02014d65070a010004000400"
)
"""Samba 4.17's answer to PING."""
PING = bytes.fromhex(
    "304b02014d634604000a01000a0100020100020100010100a027a3160409446e73446f6d61696e0409636f72702e74657374"
    "a30d04054e74566572040404000020300a04084e65746c6f676f6e"
)


def answer(value: bytes, number: int = 5, name: bytes = b"Netlogon") -> bytes:
    attribute = element(SEQUENCE, element(OCTETS, name) + element(SET, element(OCTETS, value)))
    return element(SEQUENCE, integer(number) + element(0x64, element(OCTETS, b"") + element(SEQUENCE, attribute)))


def response(names: bytes, operation: int = 23, flags: int = 0x3FD) -> bytes:
    head = operation.to_bytes(2, "little") + b"\0\0" + flags.to_bytes(4, "little") + bytes(range(16))
    return head + names


def name(*labels: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def test_a_ping_is_what_samba_answered() -> None:
    assert cldap.ping(77, "corp.test") == PING


def test_sambas_answer() -> None:
    pong = cldap.pong(SAMBA, 77)
    assert pong is not None and pong.serves and pong.global_catalogue
    assert (pong.forest, pong.domain, pong.fqdn, pong.netbios) == ("corp.test", "corp.test", "dc1.corp.test", "CORP")
    assert pong.site == pong.client_site == "Default-First-Site-Name"
    assert cldap.pong(SAMBA, 78) is None


def test_names_are_unpacked() -> None:
    forest, pointer = name("corp", "test"), b"\xc0\x18"
    fqdn = b"\x03DC1" + pointer
    names = forest + pointer + fqdn + name("CORP") + name("DC1") + b"\0" + name("Branch") * 2
    pong = cldap.pong(answer(response(names)), 5)
    assert pong == cldap.Pong(
        serves=True,
        flags=0x3FD,
        domain_guid=UUID(bytes_le=bytes(range(16))),
        forest="corp.test",
        domain="corp.test",
        fqdn="dc1.corp.test",
        netbios="CORP",
        site="Branch",
        client_site="Branch",
    )


def test_a_paused_controller_does_not_serve() -> None:
    pong = cldap.pong(answer(response(name("a") * 5 + b"\0" + name("s") * 2, operation=24)), 5)
    assert pong is not None and not pong.serves


@pytest.mark.parametrize(
    "names",
    [
        b"",
        name("a") * 7,
        b"\xc0\x18" + name("a") * 7,  # a pointer to itself
        b"\xc0\x40" + name("a") * 20,  # forwards
        b"\x01a\xc0\x18" + name("a") * 7,  # in a circle
        b"\x80" + name("a") * 7,
        (b"\x3f" + b"x" * 63) * 5 + b"\0" + name("a") * 7,  # longer than a name may be
        b"\xff" * 40,
        b"\x01\xff\0" + name("a") * 7,  # no UTF-8
    ],
)
def test_names_that_are_none(names: bytes) -> None:
    assert cldap.pong(answer(response(names)), 5) is None


def test_other_answers_are_none() -> None:
    good = response(name("a") * 8)
    assert cldap.pong(answer(good), 5) is not None
    assert cldap.pong(answer(good, name=b"supportedControl"), 5) is None
    assert cldap.pong(answer(good[:23]), 5) is None
    assert cldap.pong(answer(response(name("a") * 8, operation=25)), 5) is None
    assert cldap.pong(answer(good)[:-1], 5) is None
    assert cldap.pong(answer(good + b"x" * cldap.MAX_ANSWER), 5) is None
    assert cldap.pong(element(SEQUENCE, integer(5) + element(0x65, b"\n\1\0\4\0\4\0")), 5) is None


@given(st.binary(max_size=300))
def test_noise_is_no_answer(data: bytes) -> None:
    assert cldap.pong(data, 77) is None


@given(st.data())
def test_an_altered_answer_never_raises(data: st.DataObject) -> None:
    octets = bytearray(SAMBA)
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cldap.pong(bytes(octets[: data.draw(st.integers(0, len(octets)))]), 77)


@given(st.binary(max_size=70_000), st.integers(0, 255), st.binary(max_size=4))
def test_an_element_comes_back(content: bytes, tag: int, behind: bytes) -> None:
    octets = element(tag, content)
    assert size(octets) == len(octets)
    assert take(octets + behind, 0, tag) == (content, len(octets))
    with pytest.raises(BerError):
        take(octets[:-1], 0, tag)
    with pytest.raises(BerError):
        take(octets, 0, tag ^ 1)


@given(st.integers(0, 2**40))
def test_a_number_is_another_librarys_number(number: int) -> None:
    assert int(decoder.decode(integer(number))[0]) == number
