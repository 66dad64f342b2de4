"""Finds the account that a Kerberos ticket belongs to: from a principal of our own realm, and the PAC in its ticket.

In a domain a principal's name is the account's sAMAccountName; in a realm of our own directory it is the first part of the
account's userPrincipalName. The directory is asked each time: a ticket lives for hours, an account may be disabled now.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from postern.model.directory import Account, Directory
from postern.protocols.kerberos.pac import PacError, logon_information

_PAC = b"urn:mspac:"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The content of an accepted ticket. `name` is the principal without its realm; `groups` and `sam` (the sAMAccountName) come
    from its PAC."""

    name: str
    realm: str
    sam: str = ""
    groups: frozenset[str] = frozenset()


def ticket_of(context: Any) -> Ticket:
    """Reads the ticket of a complete acceptor's context (gssapi.SecurityContext)."""
    name, _, realm = str(context.initiator_name).rpartition("@")
    name = name.replace("\\@", "@")  # an enterprise name: RFC 6806 section 5
    logon = None
    with contextlib.suppress(KeyError, PacError, AttributeError, NotImplementedError):
        attribute = context.initiator_name.attributes[_PAC]
        # libkrb5 has checked the PAC's signature by our own key, and that it belongs to this ticket.
        if attribute.authenticated:
            logon = logon_information(next(iter(attribute.values)))
    if logon is None:
        return Ticket(name, realm)
    return Ticket(name, realm, logon.name, logon.groups)


class Principals:
    """Finds accounts by tickets. `domain` is the NetBIOS domain where the directory is Active Directory, else ""."""

    def __init__(self, directory: Directory, realm: str, domain: str = "") -> None:
        self._directory = directory
        self._realm = realm
        self._domain = domain

    async def account(self, ticket: Ticket) -> Account | None:
        """Returns the account of a ticket; None for another realm, a service's principal or a name that nobody has. Raises
        DirectoryUnavailable."""
        if ticket.realm != self._realm or not ticket.name or "/" in ticket.name:
            return None
        if not self._domain:
            full = f"{ticket.name}@{ticket.realm.lower()}"
            return await self._directory.account(full) or await self._directory.account(ticket.name)
        if ticket.sam or "@" not in ticket.name:
            return await self._directory.account(f"{self._domain}\\{ticket.sam or ticket.name}")
        return await self._directory.account(ticket.name)

    def names(self, ticket: Ticket) -> tuple[str, ...]:
        """Returns the names that the ticket's owner may call itself, in small letters."""
        return ticket.name.lower(), f"{ticket.name}@{ticket.realm}".lower()
