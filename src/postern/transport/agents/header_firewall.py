"""The header firewall: fields that speak for this organization are ours alone. On mail of strangers they are taken out, and so
are Authentication-Results that claim to be ours (RFC 8601 section 5); on the way out the organization's own stay at home.
"""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols.authentication.header import Field, without
from postern.protocols.authentication.results import speaks_as

ORGANIZATION = ("x-postern-", "x-ms-exchange-organization-", "x-ms-exchange-forest-", "x-ms-exchange-crosspremises-")


@dataclass(frozen=True, slots=True)
class HeaderFirewallSettings:
    pass


class HeaderFirewall:
    """`names` are the authserv-ids that are ours: our servers' names and our domains, in lower case."""

    def __init__(self, settings: HeaderFirewallSettings, names: frozenset[str]) -> None:
        self.settings = settings
        self._names = names

    def inward(self, header: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The header without them, and what they were called."""
        return without(header, self._is_forged)

    def outward(self, header: bytes) -> tuple[bytes, tuple[str, ...]]:
        return without(header, lambda field: field.name.startswith(ORGANIZATION))

    def _is_forged(self, field: Field) -> bool:
        return field.name.startswith(ORGANIZATION) or speaks_as(field, self._names)
