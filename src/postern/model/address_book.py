"""The global address list as people search it: everybody with an address who is not hidden from address lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from postern.model.directory import RecipientType

MAX_ENTRIES = 1_000
"""Entries that one search finds at most; Active Directory answers with no more either (MS-ADTS section 3.1.1.3.4.6)."""


@dataclass(frozen=True, slots=True)
class AddressBookEntry:
    """A recipient as others see it. `guid` is objectGUID; the addresses are lower case, the primary one first. The texts behind
    are as people wrote them, "" where there is none: givenName, sn, title, company, department, physicalDeliveryOfficeName,
    telephoneNumber and mobile."""

    guid: UUID
    type: RecipientType
    display_name: str
    addresses: tuple[str, ...]
    given_name: str = ""
    surname: str = ""
    title: str = ""
    company: str = ""
    department: str = ""
    office: str = ""
    telephone: str = ""
    mobile: str = ""

    @property
    def primary(self) -> str:
        return self.addresses[0] if self.addresses else ""


class AddressBook(Protocol):
    """The directory as an address book. Raises DirectoryUnavailable."""

    async def resolve(self, text: str, most: int = 100) -> list[AddressBookEntry]:
        """Ambiguous name resolution: the entries of which a name or an address begins with this text, in any case, in the order
        of their display names. A name is the display name, the given name or the surname; of several words each must begin one of
        them. With "" every entry matches. If more than `most` (1,000 at most) match, which of them are told is not defined."""
        ...

    async def address_book_entries(self, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
        """The entries of these objectGUIDs; one that is hidden or has no address is missing."""
        ...

    def everybody(self, page: int = 500) -> AsyncGenerator[list[AddressBookEntry], None]:
        """All entries, in no order, up to `page` of them at a time. An entry that comes or goes meanwhile may be told or not.
        The iterator holds a connection: close it (`contextlib.aclosing`)."""
        ...

    async def rooms(self, most: int = 100) -> list[AddressBookEntry]:
        """The rooms, in the order of their display names; no equipment. If there are more than `most` (1,000 at most), which of
        them are told is not defined."""
        ...
