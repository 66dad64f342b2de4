"""Finds the addresses of the users and groups to whom something was granted in a mailbox."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from postern.model.address_book import AddressBook
from postern.model.directory import MailboxOwners
from postern.model.folders import ANONYMOUS, EVERYBODY


class GranteeDirectory(MailboxOwners, AddressBook, Protocol):
    """The directory as grantees are looked up in it."""


async def primary_addresses(directory: GranteeDirectory, guids: Collection[UUID]) -> dict[UUID, str]:
    """Returns the primary addresses of grantees; one that the directory has no more is missing. Raises DirectoryUnavailable."""
    asked = [guid for guid in guids if guid not in (EVERYBODY, ANONYMOUS)]
    entries = await directory.address_book_entries(asked) if asked else {}
    addresses = {guid: entry.primary for guid, entry in entries.items()}
    hidden = [guid for guid in asked if guid not in addresses]
    return addresses | (await directory.mailbox_owners(hidden) if hidden else {})
