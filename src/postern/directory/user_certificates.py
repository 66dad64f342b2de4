"""The certificates that an administrator gives to users of the private directory, as altSecurityIdentities (MS-ADA1 2.61).

Active Directory has the same attribute, and tools of its own that write it.
"""

from __future__ import annotations

from postern.directory import entries
from postern.directory.ldap.client import ADD, DELETE, SUBTREE, AlreadyThere, Client, Entry, NoSuchEntry
from postern.directory.settings import AdministrationError, NotFound
from postern.model.directory import Account

_ATTRIBUTE = "altSecurityIdentities"


class UserCertificates:
    """Reads and writes them. A certificate is the value that `trust.certificates.client_certificates.issuer_and_serial` makes.
    Every method may raise DirectoryUnavailable, and AdministrationError for what cannot be done."""

    def __init__(self, client: Client, suffix: str) -> None:
        self._client = client
        self._suffix = suffix

    async def of(self, account: Account) -> tuple[str, ...]:
        """The certificates of an account."""
        entry = await self._entry(account)
        return tuple(sorted(value.decode() for value in entry.attributes.get(_ATTRIBUTE, ())))

    async def add(self, account: Account, certificate: str) -> None:
        entry = await self._entry(account)
        try:
            await self._client.modify(entry.dn, [(ADD, _ATTRIBUTE, [certificate.encode()])])
        except AlreadyThere:
            held = certificate.lower() in (value.decode().lower() for value in entry.attributes.get(_ATTRIBUTE, ()))
            owner = account.name if held else "another account"
            raise AdministrationError(f"{owner} has this certificate already: nothing was changed") from None

    async def remove(self, account: Account, certificate: str) -> None:
        entry = await self._entry(account)
        try:
            await self._client.modify(entry.dn, [(DELETE, _ATTRIBUTE, [certificate.encode()])])
        except NoSuchEntry:
            raise NotFound(f"{account.name} does not have this certificate: nothing was changed") from None

    async def _entry(self, account: Account) -> Entry:
        matches = await self._client.search(self._suffix, SUBTREE, entries.guid_filter([account.guid]), (_ATTRIBUTE,))
        if not matches:
            raise NotFound(f"{account.name} is there no more: nothing was changed")
        return matches[0]
