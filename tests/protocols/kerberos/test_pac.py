"""PACs of a real domain controller (Samba 4.17), and what is none."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.kerberos.pac import MAX_SIZE, PacError, logon_information

DOMAIN = "S-1-5-21-3469822684-4262147487-2122843934"
MACHINE = base64.b64decode("""
BwAAAAAAAAABAAAAuAEAAHgAAAAAAAAACgAAABQAAAAwAgAAAAAAAAwAAAB4AAAASAIAAAAAAAAGAAAAEAAAAMACAAAAAAAABwAA
ABAAAADQAgAAAAAAABAAAAAQAAAA4AIAAAAAAAATAAAAEAAAAPACAAAAAAAAARAIAMzMzMyoAQAAAAAAAAAAAgBcrCToqHvdAf//
//////9//////////3+EutAgp3vdAYR6OktwfN0B/////////38KAAoABAACAAAAAAAIAAIAAAAAAAwAAgAAAAAAEAACAAAAAAAU
AAIAAAAAABgAAgABAAAAUAQAAAMCAAACAAAAHAACACAAAAAAAAAAAAAAAAAAAAAAAAAABgAIACAAAgAIAAoAJAACACgAAgAAAAAA
AAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAACwAAgAAAAAAAAAAAAAAAAAFAAAAAAAAAAUAAABNAEIAWAAx
ACQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAAAAAwIAAAcA
AABVBAAABwAAAAQAAAAAAAAAAwAAAEQAQwAxAAAABQAAAAAAAAAEAAAAQwBPAFIAUAAEAAAAAQQAAAAAAAUVAAAA3ErRzp81C/4e
B4h+AQAAADAAAgAHAAAAAQAAAAEBAAAAAAASAQAAAAAAAACAOR7oqHvdAQoATQBCAFgAMQAkAAAAAAAeABgAEgA4AAMAAAAKAFAA
HABaAAAAAABNAEIAWAAxACQAQABjAG8AcgBwAC4AdABlAHMAdAAAAEMATwBSAFAALgBUAEUAUwBUAAAAAAAAAE0AQgBYADEAJAAB
BQAAAAAABRUAAADcStHOnzUL/h4HiH5QBAAAAAAQAAAA3c2/L+xf4Q5jsoPoEAAAAI9CGI7gRJJ5md+LyxAAAABZ7JS3RgLCL6us
gREQAAAACa5Fbr/g5W+yvDU9
""")
"""Of MBX1$'s ticket, a member of one group beside its primary one."""


def test_a_machine_s_groups() -> None:
    told = logon_information(MACHINE)
    assert (told.name, told.domain, told.sid) == ("MBX1$", "CORP", f"{DOMAIN}-1104")
    assert told.groups == {f"{DOMAIN}-1109", f"{DOMAIN}-515", "S-1-18-1"}


def pac(kind: int = 1, size: int = 20, offset: int = 24, body: bytes = b"", count: int = 1, version: int = 0) -> bytes:
    return struct.pack("<IIIIQ", count, version, kind, size, offset) + body


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0" * 7,
        bytes(MAX_SIZE + 1),
        pac(version=1),
        pac(count=65),
        pac(count=2),
        pac(kind=10, body=bytes(20)),  # no logon information
        pac(offset=25, body=bytes(20)),
        pac(offset=2**63, body=bytes(20)),
        pac(body=bytes(20)),  # no serialization header
        pac(body=bytes.fromhex("01100800cccccccc") + bytes(12)),  # a null pointer
        pac(size=28, body=bytes.fromhex("01100800cccccccc") + bytes(8) + b"\1" * 12),
    ],
)
def test_what_is_no_pac(octets: bytes) -> None:
    with pytest.raises(PacError):
        logon_information(octets)


def test_one_cut_off_anywhere_in_its_logon_information() -> None:
    for end in range(8, 540):
        with pytest.raises(PacError):
            logon_information(MACHINE[:end])


@given(st.integers(0, len(MACHINE) - 1), st.integers(0, 255))
def test_a_changed_octet_is_an_error_or_another_pac(at: int, octet: int) -> None:
    changed = MACHINE[:at] + bytes([octet]) + MACHINE[at + 1 :]
    try:
        logon_information(changed)
    except PacError:
        pass
