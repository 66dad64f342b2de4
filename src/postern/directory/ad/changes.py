"""Finds what changed in Active Directory since the last look: by DirSync for whoever keeps a copy (EdgeSync), by update sequence
numbers for a cache of recipients.

DirSync (MS-ADTS 3.1.1.3.4.1.3) gives a cookie that any controller of the domain takes. It tells of removals only to accounts that
may read the deleted objects. Servers' accounts may not by default: they compare with `present` now and then. Update sequence
numbers (MS-ADTS 3.1.1.1.9) belong to one controller, and cost nothing to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ldap.controls import KNOWN_RESPONSE_CONTROLS, RequestControl, ResponseControl

from postern.directory import entries
from postern.directory.ad.client import DomainClient
from postern.directory.ldap.client import BASE, SUBTREE, Refused
from postern.model.directory import DirectoryUnavailable
from postern.protocols.ber import INTEGER, OCTETS, SEQUENCE, BerError, element, integer, take

DIRSYNC = "1.2.840.113556.1.4.841"
OBJECT_SECURITY = 0x1
"""DirSync tells only what the account may read, so no right to replicate is needed (MS-ADTS 3.1.1.3.4.1.3)."""
RECIPIENTS = "(|(objectClass=user)(objectClass=group)(objectClass=contact))"
MAX_BYTES = 1_048_576
"""Octets of one page."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One changed entry. `attributes` holds those that changed, with all their values: [] where none is left. In a first listing
    it holds all attributes."""

    guid: UUID
    dn: str
    attributes: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Changes:
    """One page. `cookie` is for the next request; with `more` that request should follow at once. With `afresh` the former cookie
    is of no use any more, and the page begins a listing of everything: what the listing lacks is gone. `deleted` holds the
    deleted entries that the account may see."""

    changed: tuple[Changed, ...]
    deleted: frozenset[UUID]
    cookie: bytes
    more: bool
    afresh: bool


class DomainChanges:
    """Changes of the entries below `base` (a whole naming context) that match `filter_text`, by DirSync."""

    def __init__(
        self,
        client: DomainClient,
        base: str,
        attributes: Sequence[str] = entries.RECIPIENT_ATTRIBUTES,
        filter_text: str = RECIPIENTS,
    ) -> None:
        self._client = client
        self._base = base
        self._attributes = tuple(dict.fromkeys(("objectGUID", "isDeleted", *attributes)))
        self._filter = filter_text

    async def changes(self, cookie: bytes) -> Changes:
        """Returns a page of what changed since `cookie`; b"" begins with all there is. Raises DirectoryUnavailable, Refused."""
        try:
            return await self._page(cookie, not cookie)
        except Refused:
            if not cookie:
                raise
            return await self._page(b"", True)  # the cookie is of another database, or too old

    async def present(self) -> frozenset[UUID]:
        """Returns all entries that are there now: what a copy has beyond these was removed. Raises DirectoryUnavailable."""
        guids: set[UUID] = set()
        async for page in self._client.pages(self._base, SUBTREE, self._filter, ("objectGUID",), size=1000):
            guids.update(entries.guid_of(entry.attributes) for entry in page)
        return frozenset(guids)

    async def _page(self, cookie: bytes, afresh: bool) -> Changes:
        control = DirSyncRequest(cookie)
        matches, answers = await self._client.search_with(
            (control,), self._base, SUBTREE, self._filter, self._attributes
        )
        answer = next((response for response in answers if isinstance(response, DirSyncAnswer)), None)
        if answer is None:
            raise DirectoryUnavailable(self._client.row.id)
        changed: list[Changed] = []
        deleted: set[UUID] = set()
        for entry in matches:
            guid = entries.guid_of(entry.attributes)
            if entries.flag(entry.attributes, "isDeleted"):
                deleted.add(guid)
            else:
                changed.append(Changed(guid, entry.dn, entry.attributes))
        return Changes(tuple(changed), frozenset(deleted), answer.cookie, answer.more, afresh)


@dataclass(frozen=True, slots=True)
class Touched:
    """Recipients that changed, and the addresses that they have now."""

    guids: frozenset[UUID]
    addresses: frozenset[str]


class RecentChanges:
    """Finds the recipients that changed since the last `poll`, by asking the controller that its client uses."""

    def __init__(self, client: DomainClient, base: str) -> None:
        self._client = client
        self._base = base
        self._controller = ""
        self._last = 0

    async def poll(self) -> Touched | None:
        """Returns what changed, and None the first time and whenever another controller serves: anything may have changed then.
        Raises DirectoryUnavailable."""
        root = await self._client.search("", BASE, "(objectClass=*)", ("highestCommittedUSN", "dsServiceName"))
        values = root[0].attributes if root else {}
        controller, highest = entries.text(values, "dsServiceName"), entries.number(values, "highestCommittedUSN")
        if controller != self._controller:
            self._controller, self._last = controller, highest
            return None
        if highest == self._last:
            return Touched(frozenset(), frozenset())
        which = f"(&(uSNChanged>={self._last + 1}){RECIPIENTS})"
        self._last = highest
        guids: set[UUID] = set()
        addresses: set[str] = set()
        async for page in self._client.pages(self._base, SUBTREE, which, ("objectGUID", "proxyAddresses")):
            for entry in page:
                guids.add(entries.guid_of(entry.attributes))
                addresses.update(entries.addresses_of(entry.attributes))
        return Touched(frozenset(guids), frozenset(addresses))


class DirSyncRequest(RequestControl):  # type: ignore[misc]  # python-ldap has no types
    """SEQUENCE { flags, maximum bytes, cookie }; critical."""

    def __init__(self, cookie: bytes, flags: int = OBJECT_SECURITY, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(DIRSYNC, True)
        self._cookie, self._flags, self._max_bytes = cookie, flags, max_bytes

    def encodeControlValue(self) -> bytes:
        return element(SEQUENCE, integer(self._flags) + integer(self._max_bytes) + element(OCTETS, self._cookie))


class DirSyncAnswer(ResponseControl):  # type: ignore[misc]  # python-ldap has no types
    """SEQUENCE { more results, unused, cookie }."""

    controlType = DIRSYNC
    more = False
    cookie = b""

    def decodeControlValue(self, encoded: bytes | None) -> None:
        try:
            value, _ = take(encoded or b"", 0, SEQUENCE)
            more, at = take(value, 0, INTEGER)
            _, at = take(value, at, INTEGER)
            cookie, _ = take(value, at, OCTETS)
        except BerError:
            return  # no cookie: the page counts as not answered
        self.more, self.cookie = any(more), cookie


KNOWN_RESPONSE_CONTROLS[DIRSYNC] = DirSyncAnswer
