"""Whether a mailbox has room, asked before a message is taken: who sends it then hears so himself, and nobody gets a report.

Asks the mailbox server over hub-to-mailbox-mapi and remembers the answer for a while. A mailbox server that does not answer says
nothing against a message: it is taken and queued, and delivery has the last word.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from postern.model.directory import Recipient
from postern.model.mailbox import MailboxError
from postern.services.mailbox_client import MailboxClient

_ROOMY = 67_108_864
"""Octets: a mailbox with more room than this is not asked about again for a long time."""
_REMEMBERED_ROOMY, _REMEMBERED = 300.0, 10.0
"""Seconds. That a mailbox is full is never believed for longer than the second: its owner may have made room."""
_GRUDGE = 10.0
"""Seconds in which a mailbox server that did not answer is not asked."""
_MOST = 20_000
"""Mailboxes that are remembered."""


class MailboxRoom:
    """One a process. `server` finds a mailbox server's client by its name, None where none is called from here; `quota` is what a
    mailbox may hold, in octets, where the directory grants its owner none of his own: 0 for no bound."""

    def __init__(
        self,
        server: Callable[[str], MailboxClient | None],
        quota: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._quota = quota
        self._clock = clock
        self._known: dict[UUID, tuple[int, float]] = {}
        self._away: dict[str, float] = {}

    def full(self, recipient: Recipient, size: int) -> bool | Awaitable[bool]:
        """Whether a message of `size` octets (0: nobody said) does not fit into the mailbox of `recipient`. An answer at once
        where nothing must be asked: thousands of recipients a second are."""
        limit = recipient.quota or self._quota
        if not limit or not recipient.home_server or (recipient.forward_to and not recipient.deliver_and_forward):
            return False
        now = self._clock()
        used, at = self._known.get(recipient.guid, (0, -_REMEMBERED_ROOMY))
        fits = used + max(size, 1) <= limit
        if now - at < (_REMEMBERED_ROOMY if fits and limit - used > _ROOMY else _REMEMBERED):
            return not fits
        client = self._server(recipient.home_server)
        if client is None or now < self._away.get(recipient.home_server, now):
            return False
        return self._ask(client, recipient, limit - max(size, 1))

    async def _ask(self, client: MailboxClient, recipient: Recipient, most: int) -> bool:
        try:
            (used,) = await client.used([recipient.guid])
        except MailboxError:
            self._away[recipient.home_server] = self._clock() + _GRUDGE
            return False
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[recipient.guid] = used, self._clock()
        return used > most
