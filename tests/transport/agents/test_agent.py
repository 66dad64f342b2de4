"""What the base of the agents says of a subclass: the moments at which it acts, in people's words."""

from __future__ import annotations

import pytest

from postern.protocols.smtp.reply import Reply
from postern.transport.agents.agent import Agent, IncomingMail, LeavingMail, Stranger
from postern.transport.agents.catalogue import BUILT


class Silent(Agent[None]):
    name = "silent"


class Everywhere(Agent[None]):
    name = "everywhere"

    def at_connection(self, client: Stranger) -> None: ...

    def at_mail(self, client: Stranger, sender: str) -> Reply | None: ...

    async def at_rcpt(self, client: Stranger, address: str) -> Reply | None: ...

    async def at_end(self, mail: IncomingMail) -> Reply | None: ...

    async def at_leaving(self, mail: LeavingMail) -> bool:
        return True


def test_an_agent_acts_where_it_has_a_method() -> None:
    assert Silent.when() == "" and not Silent.acts("at_end")
    assert Everywhere.when() == "connection, MAIL, RCPT, end, outward"


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("connection-filter", "connection, RCPT"),
        ("sender-filter", "MAIL, end"),
        ("recipient-filter", "RCPT"),
        ("header-firewall", "end, outward"),
        *((name, "end") for name in ("spf", "sender-id", "dkim-verification", "dmarc", "authentication-results")),
        ("dkim-signing", "outward"),
    ],
)
def test_the_moments_of_those_that_are_built(name: str, when: str) -> None:
    assert BUILT[name].when() == when
