"""The endpoint mapper's answers, as its own codec reads them and as impacket's NDR does.

covers: protocols.dcerpc.interfaces.endpoint
"""

from __future__ import annotations

import asyncio
import dataclasses
import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.dcerpc.v5 import epm

from postern.model.organization import Role
from postern.model.security import NOBODY, Peer
from postern.protocols.dcerpc.groups import Group
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.dcerpc.interfaces.endpoint import (
    NOT_REGISTERED,
    Endpoint,
    Tower,
    map_request,
    read_lookup,
    read_map,
    read_map_reply,
    read_tower,
    tower_bytes,
)
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_assistants import MAILBOX_ASSISTANTS
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.protocols.dcerpc.ndr import NdrError
from postern.protocols.dcerpc.pdu import NDR
from postern.services.rpc.call import Call, Caller
from postern.services.rpc.endpoint_mapper import EndpointMapper, endpoints, rpc_port
from tests.services.rpc_parts import SERVER, organization

GROUP = Group(1)
ANYONE = Caller(NOBODY, Peer("192.0.2.9", 1), Peer("192.0.2.1", 135), None, None)
KNOWN = [Endpoint(MAILBOX_ACCESS.syntax, 20000, "one"), Endpoint(MAILBOX_DELIVERY.syntax, 20001, "two")]


def asked(opnum: int, stub: bytes, known: list[Endpoint] = KNOWN) -> bytes:
    procedure = EndpointMapper(known).procedure(opnum)
    assert procedure is not None
    return bytes(asyncio.run(procedure(Call(stub, ANYONE, GROUP))))


def lookup(
    inquiry: int = 0, syntax: Syntax | None = None, option: int = 1, handle: bytes = bytes(20), most: int = 10
) -> bytes:
    stub = struct.pack("<II", inquiry, 0)
    if syntax is None:
        stub += struct.pack("<I", 0)
    else:
        stub += struct.pack("<I", 1) + syntax.uuid.bytes_le + struct.pack("<HH", syntax.major, syntax.minor)
    return asked(2, stub + struct.pack("<I", option) + handle + struct.pack("<I", most))


def test_a_map_finds_the_port() -> None:
    towers = read_map_reply(asked(3, map_request(MAILBOX_DELIVERY.syntax)))
    assert towers == [Tower(MAILBOX_DELIVERY.syntax, NDR, 20001, bytes([192, 0, 2, 1]))]
    answer = epm.ept_mapResponse(asked(3, map_request(MAILBOX_DELIVERY.syntax)))
    tower = epm.EPMTower(b"".join(answer["ITowers"][0]["Data"]["tower_octet_string"]))
    assert epm.PrintStringBinding(tower["Floors"]) == "ncacn_ip_tcp:192.0.2.1[20001]"


def test_what_is_not_there_is_not_registered() -> None:
    for syntax in (
        MAIL_SUBMISSION.syntax,
        Syntax(MAILBOX_ACCESS.syntax.uuid, 2),
        Syntax(MAILBOX_ACCESS.syntax.uuid, 1, 1),
    ):
        answer = asked(3, map_request(syntax))
        assert read_map_reply(answer) == [] and struct.unpack("<I", answer[-4:])[0] == NOT_REGISTERED


def test_a_lookup_goes_on_where_it_stopped() -> None:
    ports, handle = [], bytes(20)
    while True:
        data = lookup(handle=handle, most=1)
        answer = epm.ept_lookupResponse(data)
        for entry in answer["entries"]:
            tower = epm.EPMTower(b"".join(entry["tower"]["tower_octet_string"]))
            ports.append(epm.PrintStringBinding(tower["Floors"]))
        handle = data[:20]
        if handle == bytes(20):
            break
    assert ports == ["ncacn_ip_tcp:192.0.2.1[20000]", "ncacn_ip_tcp:192.0.2.1[20001]"]


@pytest.mark.parametrize(
    ("inquiry", "version", "option", "count"),
    [
        (0, (9, 9), 1, 2),
        (1, (9, 9), 1, 1),
        (1, (1, 0), 2, 1),
        (1, (1, 1), 2, 0),
        (1, (1, 0), 3, 1),
        (1, (1, 1), 3, 0),
        (1, (1, 7), 4, 1),
        (1, (2, 0), 4, 0),
        (1, (2, 0), 5, 1),
        (1, (0, 9), 5, 0),
        (2, (1, 0), 1, 0),
    ],
)
def test_version_options(inquiry: int, version: tuple[int, int], option: int, count: int) -> None:
    answer = lookup(inquiry, Syntax(MAILBOX_ACCESS.syntax.uuid, *version), option)
    assert struct.unpack_from("<I", answer, 20)[0] == count
    assert struct.unpack("<I", answer[-4:])[0] == (0 if count else NOT_REGISTERED)


def test_ports_have_their_fixed_places_in_the_range() -> None:
    whole = organization()
    assert [(one.syntax, one.port) for one in endpoints(whole, SERVER)] == [
        (MAILBOX_ACCESS.syntax, 20000),
        (MAILBOX_DELIVERY.syntax, 20000),
        (MAILBOX_ITEMS.syntax, 20000),
        (MAILBOX_ASSISTANTS.syntax, 20000),
        (MAILBOX_AVAILABILITY.syntax, 20000),
        (MAIL_SUBMISSION.syntax, 20001),
    ]
    assert rpc_port(whole, Role.HUB) == 20001
    with pytest.raises(ValueError, match="no place"):
        rpc_port(dataclasses.replace(whole, rpc_ports=(20000, 20000)), Role.HUB)


@given(
    st.uuids(), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535), st.binary(min_size=4, max_size=4)
)
def test_towers_come_back(uuid: UUID, major: int, minor: int, port: int, address: bytes) -> None:
    tower = Tower(Syntax(uuid, major, minor), NDR, port, address)
    assert read_tower(tower_bytes(tower)) == tower


@given(st.binary(max_size=300))
def test_garbage_is_an_ndr_error(data: bytes) -> None:
    valid = map_request(MAILBOX_ACCESS.syntax)
    for stub in (data, valid[: len(data)] + data, valid[:16] + data):
        for read in (read_map, read_lookup, read_map_reply, read_tower):
            try:
                read(stub)
            except NdrError:
                pass
