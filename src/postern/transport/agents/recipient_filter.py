"""The recipient filter: refuses recipients that take no mail from outside, and delays callers that try one unknown recipient
after the other to learn which exist (a tarpit against directory harvesting).

At a hub the receive connector itself refuses unknown recipients (550 5.1.1); at an edge this agent does, which asks the edge's
own directory. At both it decides how long the answer is delayed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from postern.model.domains import fold
from postern.protocols.smtp.reply import Reply
from postern.transport.agents.agent import LETS_PASS, Agent, Stranger
from postern.transport.agents.sender_filter import Addresses, checked_sender
from postern.transport.agents.settings import setting

REMEMBERED = 10_000
"""Addresses of callers that are counted. The one unseen for longest is forgotten first."""
WINDOW = 600.0
"""Seconds after which a caller's count begins anew."""

_BLOCKED = Reply(550, "5.7.1", "This recipient takes no mail from outside")


@dataclass(frozen=True, slots=True)
class RecipientFilterSettings:
    block: tuple[str, ...] = setting((), "addresses and domains that take no mail from strangers", checked_sender)
    validate: bool = setting(True, "refuse recipients of our domains that the directory does not know")
    tarpit: float = setting(5.0, "seconds to wait before an unknown recipient is refused (0: none)", high=60)
    after: int = setting(3, "unknown recipients that one connection may ask for without waiting", high=1000)
    after_per_address: int = setting(
        20, "the same for one address, over all its connections of ten minutes", high=100_000
    )


class RecipientFilter(Agent[RecipientFilterSettings]):
    """Counts unknown recipients by caller for the life of its process."""

    name = "recipient-filter"
    says = "recipients closed to strangers, tarpit against harvesting"
    doubt = LETS_PASS
    settings_type = RecipientFilterSettings
    passed = "the directory was not asked"

    def __init__(self, settings: RecipientFilterSettings) -> None:
        super().__init__(settings)
        self._block = Addresses(settings.block)
        self._callers: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def at_rcpt(self, client: Stranger, address: str) -> Reply | None:
        address = fold(address)
        refusal = self.rcpt(address)
        if refusal is not None or client.sources.refused_recipient is None or not self.settings.validate:
            return refusal
        return await client.sources.refused_recipient(address)

    def at_unknown(self, client: Stranger) -> float:
        return self.unknown(client.host, client.unknown, client.sources.clock())

    def rcpt(self, recipient: str) -> Reply | None:
        return _BLOCKED if self._block and self._block.holds(recipient) else None

    def unknown(self, caller: str, on_connection: int, now: float) -> float:
        """Seconds to wait. `on_connection` counts this caller's unknown recipients on its connection, this one included."""
        began, count = self._callers.get(caller, (now, 0))
        if now - began > WINDOW:
            began, count = now, 0
        self._callers[caller] = began, count + 1
        self._callers.move_to_end(caller)
        if len(self._callers) > REMEMBERED:
            self._callers.popitem(last=False)
        slow = on_connection > self.settings.after or count + 1 > self.settings.after_per_address
        return self.settings.tarpit if slow else 0.0

    def take_over(self, former: Agent[RecipientFilterSettings]) -> None:
        if isinstance(former, RecipientFilter):
            self._callers = former._callers
