"""Entries of a directory, read and asked for."""

from __future__ import annotations

from uuid import UUID

from postern.directory import entries


def test_guids_are_octets_in_a_filter() -> None:
    """RFC 4515 section 3, with the order of octets of MS-DTYP 2.3.4.2."""
    one, other = UUID("00112233-4455-6677-8899-aabbccddeeff"), UUID(int=1)
    assert entries.guid_filter([one]) == (
        "(|(objectGUID=\\33\\22\\11\\00\\55\\44\\77\\66\\88\\99\\aa\\bb\\cc\\dd\\ee\\ff))"
    )
    assert (
        entries.guid_filter([one, other]) == entries.guid_filter([one])[:-1] + "(objectGUID=" + r"\00" * 15 + r"\01))"
    )
