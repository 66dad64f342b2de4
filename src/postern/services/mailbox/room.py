"""Tells whether a mailbox has room before a message is taken, so that the sender gets a refusal instead of a report.

It asks the mailbox server over hub-to-mailbox-mapi and remembers the answer for a while. If the server does not answer, the
message is taken and queued, and delivery decides.
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
"""Octets of room. A mailbox with more is not asked about again for `_REMEMBERED_ROOMY` seconds."""
_REMEMBERED_ROOMY, _REMEMBERED = 300.0, 10.0
"""Seconds that an answer is remembered. An answer "full" gets the shorter time: the owner may have made room."""
_GRUDGE = 10.0
"""Seconds in which a mailbox server that did not answer is not asked."""
_MOST = 20_000
"""Mailboxes that are remembered."""


class Space(Enum):
    """The room that a mailbox has for a message. It is ENOUGH, too, where the server could not be asked."""

    FULL = "full"
    ENOUGH = "enough"
    PLENTY = "plenty"
    """There is room for any message of up to PLENTY octets, whatever size was announced."""


class MailboxRoom:
    """Knows the room of mailboxes; a process has one. `peer` finds the mailbox server that has a database now. `quota` is the
    size that a mailbox may have, in octets, where the directory has no quota for its owner; 0: no limit."""

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
        """Tells whether a message of `size` octets (0: not announced) fits into the mailbox of `recipient`. It returns the answer
        itself where no server must be asked: it is called for thousands of recipients a second."""
        limit = recipient.quota or self._quota
        if not limit or not recipient.database or (recipient.forward_to and not recipient.deliver_and_forward):
            return Space.PLENTY
        now = self._clock()
        used, at = self._known.get(recipient.guid, (0, -_REMEMBERED_ROOMY))
        space = _space(limit - used, size)
        if now - at < (_REMEMBERED_ROOMY if space is Space.PLENTY else _REMEMBERED):
            return space
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
