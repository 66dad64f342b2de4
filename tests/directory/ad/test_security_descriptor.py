"""Access-control lists: read back by a parser that nobody here wrote, and nothing of others lost."""

from __future__ import annotations

import struct
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.ldap import ldaptypes

from postern.directory.ad import security_descriptor as sd
from postern.directory.ad.security_descriptor import BadDescriptor, Grant

GROUP = bytes.fromhex("010500000000000515000000010000000200000003000000e8030000")
OTHER = bytes.fromhex("010500000000000515000000010000000200000003000000e9030000")
ATTRIBUTE, KIND = uuid4(), UUID("bf967aba-0de6-11d0-a285-00aa003049e2")


def descriptor(*entries: bytes) -> bytes:
    body = b"".join(entries)
    dacl = struct.pack("<BBHHH", 2, 0, 8 + len(body), len(entries), 0) + body
    return struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + dacl


def test_another_parser_reads_what_was_granted() -> None:
    grants = [Grant(sd.WRITE_PROPERTY, ATTRIBUTE, KIND), Grant(sd.READ_PROPERTY, inherited=False, on_itself=True)]
    made = sd.granted(descriptor(), GROUP, grants)
    read = ldaptypes.SR_SECURITY_DESCRIPTOR(data=made)
    first, second = read["Dacl"].aces
    assert first["TypeName"] == "ACCESS_ALLOWED_OBJECT_ACE" and second["TypeName"] == "ACCESS_ALLOWED_ACE"
    assert (first["AceFlags"], second["AceFlags"]) == (0x0A, 0)
    assert UUID(bytes_le=first["Ace"]["ObjectType"]) == ATTRIBUTE
    assert UUID(bytes_le=first["Ace"]["InheritedObjectType"]) == KIND
    assert first["Ace"]["Mask"]["Mask"] == 0x20 and second["Ace"]["Mask"]["Mask"] == 0x10
    assert first["Ace"]["Sid"].formatCanonical() == sd.sid_text(GROUP) == "S-1-5-21-1-2-3-1000"
    assert read["Dacl"]["AclRevision"] == 4


def test_granting_twice_is_granting_once() -> None:
    grants = [Grant(sd.WRITE_PROPERTY, ATTRIBUTE, KIND), Grant(sd.READ_PROPERTY, of_class=KIND)]
    once = sd.granted(descriptor(), GROUP, grants)
    assert sd.granted(once, GROUP, grants) == once
    assert (
        sd.stands(once, GROUP, grants) and not sd.stands(once, GROUP, grants[:1]) and not sd.stands(once, OTHER, grants)
    )
    assert sd.granted(once, GROUP, [])[28:] == descriptor()[28:] == b""


@given(st.lists(st.integers(1, 0x1FF), max_size=6), st.lists(st.integers(1, 0x1FF), max_size=6))
def test_entries_of_others_stay_in_their_order(before: list[int], after: list[int]) -> None:
    theirs = [Grant(rights, on_itself=True).octets(OTHER) for rights in before]
    inherited = bytes([0, sd.CONTAINER_INHERIT | sd.INHERITED]) + Grant(sd.LIST).octets(GROUP)[2:]
    made = sd.granted(descriptor(*theirs, inherited), GROUP, [Grant(rights) for rights in after])
    dacl = made[28:]
    assert dacl.startswith(b"".join(theirs)) and dacl.endswith(inherited)
    assert sd.granted(made, GROUP, []) == descriptor(*theirs, inherited)


@pytest.mark.parametrize("length", range(0, 60, 3))
def test_what_is_cut_off_is_no_descriptor(length: int) -> None:
    whole = sd.granted(descriptor(), GROUP, [Grant(sd.READ_PROPERTY, ATTRIBUTE, KIND)])
    assert length < len(whole)
    with pytest.raises(BadDescriptor):
        sd.stands(whole[:length], GROUP, [])


def test_it_reads_as_sddl() -> None:
    grant = Grant(sd.READ_PROPERTY | sd.READ_CONTROL, of_class=KIND)
    assert grant.sddl("PS") == f"(OA;CIIO;RPRC;;{KIND};PS)"
    assert Grant(sd.LIST, inherited=False, on_itself=True).sddl("PS") == "(A;;LC;;;PS)"


def test_a_sid_comes_back_as_it_was_written() -> None:
    for text in ("S-1-5-21-1-2-3-1000", "S-1-5-32-544", "S-1-281474976710655-4294967295"):
        assert sd.sid_text(sd.sid_octets(text)) == text
    for text in (
        "",
        "S",
        "S-1-5",
        "S-2-5-1",
        "s-1-5-1",
        "S-1-5--1",
        "S-1-5-4294967296",
        "S-1-5-²",
        "S-1-5" + "-1" * 16,
    ):
        assert sd.sid_octets(text) == b"", text
