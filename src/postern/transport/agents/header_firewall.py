"""The header firewall: only this organization may write the fields that speak for it. They are taken out of strangers' mail, as
are Authentication-Results that claim to be ours (RFC 8601 section 5), and out of mail that leaves the organization.
"""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols.authentication.header import without
from postern.protocols.authentication.results import speaks_as
from postern.telemetry.attempts import attempt
from postern.transport.agents.agent import Agent, IncomingMail, LeavingMail

ORGANIZATION = ("x-postern-", "x-ms-exchange-organization-", "x-ms-exchange-forest-", "x-ms-exchange-crosspremises-")


@dataclass(frozen=True, slots=True)
class HeaderFirewallSettings:
    pass


class HeaderFirewall(Agent[HeaderFirewallSettings]):
    """Takes out the fields that strangers may not bring, and those that may not leave."""

    name = "header-firewall"
    says = "fields that only this organization may write"
    doubt = "fails: 451, then 554"
    settings_type = HeaderFirewallSettings
    delays = True

    async def at_end(self, mail: IncomingMail) -> None:
        with attempt(mail.key):
            mail.header, gone = self.inward(mail.header, mail.client.sources.own_names)
        mail.note(self, "removed" if gone else "nothing", ", ".join(gone))

    async def at_leaving(self, mail: LeavingMail) -> bool:
        with attempt(mail.key):
            mail.header, _ = self.outward(mail.header)
        return True

    def inward(self, header: bytes, names: frozenset[str]) -> tuple[bytes, tuple[str, ...]]:
        """Returns the header without these fields, and their names. `names` are our authserv-ids: our servers' names and our
        domains, in lower case."""
        return without(header, lambda field: field.name.startswith(ORGANIZATION) or speaks_as(field, names))

    def outward(self, header: bytes) -> tuple[bytes, tuple[str, ...]]:
        return without(header, lambda field: field.name.startswith(ORGANIZATION))
