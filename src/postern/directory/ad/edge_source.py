"""Reads Active Directory's recipients as an edge may know them: all of them once, then those that DirSync says to have changed.

DirSync tells only the attributes that changed, so each changed entry is read whole again. It does not tell a server's account of
deletions: now and then the recipients that are there are compared with those that the edge has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from postern.directory import entries
from postern.directory.ad.changes import RECIPIENTS, Changed, DomainChanges
from postern.directory.ad.client import DomainClient
from postern.directory.ad.values import base_of
from postern.directory.edge_source import ATTRIBUTES, edge_recipient, eligible
from postern.directory.ldap.client import SUBTREE
from postern.model.edge import Delta, EdgeRecipient

COMPARE_EVERY = 1800.0
"""Seconds between two searches for deletions, each of which lists the whole domain."""


class DomainRecipients:
    """Implements `model.edge.RecipientSource`."""

    def __init__(self, client: DomainClient, domain: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._base = base_of(domain)
        self._changes = DomainChanges(client, self._base, ATTRIBUTES)
        self._clock = clock
        self._compared = -COMPARE_EVERY

    async def read(self, cookie: bytes, known: frozenset[UUID]) -> Delta:
        seen: dict[UUID, Changed] = {}
        gone: set[UUID] = set()
        complete = False
        while True:
            page = await self._changes.changes(cookie)
            cookie = page.cookie
            if page.afresh:
                complete = True
                seen.clear()
            seen.update((entry.guid, entry) for entry in page.changed)
            gone |= page.deleted
            if not page.more:
                break
        if complete:
            recipients = [edge_recipient(entry.attributes) for entry in seen.values() if eligible(entry.attributes)]
            return Delta(
                tuple(recipient for recipient in recipients if recipient.guid not in gone),
                frozenset(),
                cookie,
                complete=True,
            )
        changed = await self._whole(sorted(seen))
        gone |= seen.keys() - {recipient.guid for recipient in changed}
        if self._clock() - self._compared >= COMPARE_EVERY:
            gone |= known - await self._changes.present()
            self._compared = self._clock()
        return Delta(tuple(changed), frozenset(gone), cookie)

    async def _whole(self, guids: Sequence[UUID]) -> list[EdgeRecipient]:
        recipients: list[EdgeRecipient] = []
        for which in entries.guid_filters(guids):
            for entry in await self._client.search(self._base, SUBTREE, f"(&{RECIPIENTS}{which})", ATTRIBUTES):
                if eligible(entry.attributes):
                    recipients.append(edge_recipient(entry.attributes))
        return recipients
