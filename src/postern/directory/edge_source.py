"""Reads the private directory's recipients as an edge may know them: hashes of addresses, lists, nothing else.

Changes are found by entryCSN, the stamp that slapd puts on every write. Recipients that the edge has and the directory has not
were deleted. `ad.edge_source` finds the changes in Active Directory.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from uuid import UUID

from postern.directory import entries
from postern.directory.ldap.client import SUBTREE, Client, Entry
from postern.model.edge import Delta, EdgeRecipient
from postern.protocols.edge.hashes import address_hash

ATTRIBUTES = (
    *("objectGUID", "proxyAddresses", "msExchRequireAuthToSendTo", "delivContLength"),
    *("msExchSafeSendersHash", "msExchSafeRecipientsHash", "msExchBlockedSendersHash"),
)
_PAGE = 5000
_OVERLAP = datetime.timedelta(minutes=1)
"""The last stretch of time that is looked at again, for writes may end in another order than their stamps have."""
_STAMP = re.compile(r"(\d{14})\.\d{6}Z#")


class SlapdRecipients:
    """Implements `model.edge.RecipientSource`."""

    def __init__(self, client: Client, suffix: str) -> None:
        self._client = client
        self._suffix = suffix

    async def read(self, cookie: bytes, known: frozenset[UUID]) -> Delta:
        since = _before(cookie)
        which = f"(&(objectGUID=*)(entryCSN>={since}))" if since else "(objectGUID=*)"
        changed: list[EdgeRecipient] = []
        gone: set[UUID] = set()
        newest = cookie.decode("ascii", "replace") if since else ""
        names = (*ATTRIBUTES, "entryCSN")
        async for page in self._client.pages(self._suffix, SUBTREE, which, names, _PAGE):
            newest = max(newest, *(entries.text(entry.attributes, "entryCSN") for entry in page)) if page else newest
            _sort(page, changed, gone)
        if since:
            present: set[UUID] = set()
            async for page in self._client.pages(self._suffix, SUBTREE, "(objectGUID=*)", ("objectGUID",), _PAGE):
                present.update(entries.guid_of(entry.attributes) for entry in page)
            gone |= known - present
        return Delta(tuple(changed), frozenset(gone), newest.encode(), complete=not since)


def eligible(values: entries.Values) -> bool:
    """Returns whether outside senders may write to this entry: it has an address, and takes mail from strangers."""
    return bool(entries.addresses_of(values)) and not entries.flag(values, "msExchRequireAuthToSendTo")


def edge_recipient(values: entries.Values) -> EdgeRecipient:
    def octets(name: str) -> bytes:
        return bytes((values.get(name) or [b""])[0])

    return EdgeRecipient(
        guid=entries.guid_of(values),
        hashes=tuple(sorted({address_hash(address) for address in entries.addresses_of(values)})),
        safe_senders=octets("msExchSafeSendersHash"),
        safe_recipients=octets("msExchSafeRecipientsHash"),
        blocked_senders=octets("msExchBlockedSendersHash"),
        max_receive=entries.number(values, "delivContLength") * 1024,
    )


def _sort(page: Iterable[Entry], changed: list[EdgeRecipient], gone: set[UUID]) -> None:
    for entry in page:
        if eligible(entry.attributes):
            changed.append(edge_recipient(entry.attributes))
        else:
            gone.add(entries.guid_of(entry.attributes))


def _before(cookie: bytes) -> str:
    """Returns a stamp that is one overlap before the cookie; "" for what is no stamp (draft-ietf-ldup-model section 5.1)."""
    match = _STAMP.match(cookie.decode("ascii", "replace"))
    if match is None:
        return ""
    try:
        moment = datetime.datetime.strptime(match[1], "%Y%m%d%H%M%S") - _OVERLAP
    except (ValueError, OverflowError):
        return ""
    return moment.strftime("%Y%m%d%H%M%S") + ".000000Z#000000#000#000000"
