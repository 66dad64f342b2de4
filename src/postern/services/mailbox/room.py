"""Whether a mailbox has room, asked before a message is taken: who sends it then hears so himself, and nobody gets a report.

Asks the mailbox server over hub-to-mailbox-mapi and remembers the answer for a while. A mailbox server that does not answer says
nothing against a message: it is taken and queued, and delivery has the last word.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import Enum
from uuid import UUID

from postern.model.delivery import DeliveryStore
from postern.model.directory import Recipient
from postern.model.mailbox import MailboxError
from postern.services.mailbox.peer import MailboxPeer

PLENTY = 67_108_864
"""Octets: a mailbox with more room than this is not asked about again for a long time."""
_REMEMBERED_ROOMY, _REMEMBERED = 300.0, 10.0
"""Seconds. That a mailbox is full is never believed for longer than the second: its owner may have made room."""
_GRUDGE = 10.0
"""Seconds in which a mailbox server that did not answer is not asked."""
_MOST = 20_000
"""Mailboxes that are remembered."""


class Space(Enum):
    """What a mailbox has for a message. ENOUGH also where that could not be found out."""

    FULL = "full"
    ENOUGH = "enough"
    PLENTY = "plenty"
    """For any message of up to PLENTY octets, whatever was announced."""


class MailboxRoom:
    """One a process. `peer` finds the mailbox server that has a database now; `quota` is what a
    mailbox may hold, in octets, where the directory grants its owner none of his own: 0 for no bound."""

    def __init__(
        self,
        peer: Callable[[str], MailboxPeer[DeliveryStore] | None],
        quota: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peer = peer
        self._quota = quota
        self._clock = clock
        self._known: dict[UUID, tuple[int, float]] = {}
        self._away: dict[str, float] = {}

    def space(self, recipient: Recipient, size: int) -> Space | Awaitable[Space]:
        """Whether a message of `size` octets (0: nobody said) fits into the mailbox of `recipient`. An answer at once
        where nothing must be asked: thousands of recipients a second are."""
        limit = recipient.quota or self._quota
        if not limit or not recipient.database or (recipient.forward_to and not recipient.deliver_and_forward):
            return Space.PLENTY
        now = self._clock()
        used, at = self._known.get(recipient.guid, (0, -_REMEMBERED_ROOMY))
        found = _space(limit - used, size)
        if now - at < (_REMEMBERED_ROOMY if found is Space.PLENTY else _REMEMBERED):
            return found
        peer = self._peer(recipient.database)
        if peer is None or now < self._away.get(peer.server, now):
            return Space.ENOUGH
        return self._ask(peer, recipient, limit, size)

    async def _ask(self, peer: MailboxPeer[DeliveryStore], recipient: Recipient, limit: int, size: int) -> Space:
        try:
            (used,) = await peer.mailboxes.used([recipient.guid])
        except MailboxError:
            self._away[peer.server] = self._clock() + _GRUDGE
            return Space.ENOUGH
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[recipient.guid] = used, self._clock()
        return _space(limit - used, size)


def _space(left: int, size: int) -> Space:
    if max(size, 1) > left:
        return Space.FULL
    return Space.PLENTY if left > PLENTY and size <= PLENTY else Space.ENOUGH
