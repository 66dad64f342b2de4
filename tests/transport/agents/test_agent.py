"""What the base of the agents says of a subclass: the moments at which it acts, in people's words."""

from __future__ import annotations

from postern.protocols.smtp.reply import Reply
from postern.transport.agents.agent import Agent, Client, Leaving, Mail
from postern.transport.agents.catalogue import BUILT


class Silent(Agent[None]):
    name = "silent"


class Everywhere(Agent[None]):
    name = "everywhere"

    def at_connection(self, client: Client) -> None: ...

    def at_mail(self, client: Client, sender: str) -> Reply | None: ...

    async def at_rcpt(self, client: Client, address: str) -> Reply | None: ...

    async def at_end(self, mail: Mail) -> Reply | None: ...

    async def at_leaving(self, mail: Leaving) -> bool:
        return True


def test_an_agent_acts_where_it_has_a_method() -> None:
    assert Silent.when() == "" and not Silent.acts("at_end")
    assert Everywhere.when() == "connection, MAIL, RCPT, end, outward"


def test_the_moments_of_those_that_are_built() -> None:
    assert {name: kind.when() for name, kind in BUILT.items()} == {
        "connection-filter": "connection, RCPT",
        "sender-filter": "MAIL, end",
        "recipient-filter": "RCPT",
        "header-firewall": "end, outward",
        **dict.fromkeys(("spf", "sender-id", "dkim-verification", "dmarc", "authentication-results"), "end"),
        "dkim-signing": "outward",
    }
