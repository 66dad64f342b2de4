"""The directory as an edge's processes need it, answered by the edge's own directory. It knows recipients by hashes, and nobody
logs on there.

Reads what EdgeSync wrote (`replica`). `protocols.edge.hashes` makes the hashes of addresses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal
from uuid import UUID

from postern.directory import entries
from postern.directory.adam import layout
from postern.directory.adam.client import AdamClient, by_ntlm, by_peer
from postern.directory.adam.state import read_state
from postern.directory.ldap.client import BASE, ONE_LEVEL, Entry
from postern.directory.recipient_cache import MAX_BATCH, RecipientCache
from postern.model.directory import (
    Account,
    CertificateNames,
    DirectoryUnavailable,
    Recipient,
    RecipientType,
    TrustedCertificate,
    Unknown,
)
from postern.model.domains import fold
from postern.model.edge import HubServer
from postern.model.organization import AcceptedDomain, DomainType, Role, SendConnector
from postern.model.security import Mechanism
from postern.paths.row import Path
from postern.protocols.edge.hashes import address_hash
from postern.telemetry.observed import Observed

_COMPLETE_FOR = 5.0
"""Seconds for which it is remembered that this edge was fully synchronized."""
_RECIPIENT = ("cn", "posternAddressHash", "posternMaxReceive")


class AdamDirectory:
    """Implements `model.directory.Directory`, `DirectoryPolicy` and `Certificates`. Reads what was replicated of
    the organization."""

    def __init__(self, client: AdamClient, cache_known: float = 5.0, cache_unknown: float = 2.0) -> None:
        self._client = client
        self._complete_until = 0.0
        self._cache = RecipientCache(self._fetch, cache_known, cache_unknown)

    @staticmethod
    def open(
        row: Path,
        socket_uri: str,
        uri: str,
        certificate: Callable[[], bytes],
        password: str,
        observed: Observed | None = None,
    ) -> AdamDirectory:
        """Opens the directory on the row `edge-adam`: over the unix socket where the row has it, else by NTLM on `uri` (50389),
        whose TLS must show the certificate that the edge has now."""
        if Mechanism.PEER in row.supported_auth:
            return AdamDirectory(AdamClient(row, socket_uri, by_peer(), Mechanism.PEER, observed=observed))
        bind = by_ntlm("postern", password)
        return AdamDirectory(AdamClient(row, uri, bind, Mechanism.NTLM, certificate, observed=observed))

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return await self._cache.get(addresses)

    async def recipient(self, address: str) -> Recipient | None:
        answer = self._cache.peek(address)
        if isinstance(answer, Unknown):
            return (await self._cache.get((address,))).get(address)
        return answer

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        return self._cache.peek(address)

    async def account(self, name: str) -> Account | None:
        """Returns None, for nobody logs on at an edge."""
        return None

    async def account_of_certificate(self, names: CertificateNames) -> Account | None:
        return None

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        return {}

    async def verifier(self, account: Account, kind: str) -> str | None:
        return None

    async def enabled_verifiers(self) -> frozenset[str]:
        return frozenset()

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        matches = await self._client.search(
            layout.DOMAINS, ONE_LEVEL, "(objectClass=acceptedDomain)", ("cn", "posternDomainType")
        )
        domains = (
            AcceptedDomain(_text(entry, "cn"), DomainType(_text(entry, "posternDomainType"))) for entry in matches
        )
        return tuple(sorted(domains, key=lambda domain: domain.name))

    async def trusted_certificates(self) -> tuple[TrustedCertificate, ...]:
        return tuple(
            TrustedCertificate(hub.name, hub.fqdn, Role.HUB, der)
            for hub in await self.hubs()
            for der in hub.certificates
        )

    async def hubs(self) -> tuple[HubServer, ...]:
        """Returns the hubs of the subscription's site, by name."""
        matches = await self._client.search(
            layout.HUBS,
            ONE_LEVEL,
            "(objectClass=posternHubServer)",
            ("cn", "posternFqdn", "posternSite", "posternAddress", "posternCertificate"),
        )
        hubs = (
            HubServer(
                _text(entry, "cn"),
                _text(entry, "posternFqdn"),
                _text(entry, "posternSite"),
                in_order(entry, "posternAddress"),
                tuple(entry.attributes.get("posternCertificate", ())),
            )
            for entry in matches
        )
        return tuple(sorted(hubs, key=lambda hub: hub.name))

    async def send_connectors(self) -> tuple[SendConnector, ...]:
        matches = await self._client.search(
            layout.CONNECTORS,
            ONE_LEVEL,
            "(objectClass=posternSendConnector)",
            ("cn", "posternAddressSpace", "posternSmartHost", "posternSourceServer"),
        )
        connectors = (
            SendConnector(
                _text(entry, "cn"),
                tuple(sorted(value.decode() for value in entry.attributes.get("posternAddressSpace", ()))),
                in_order(entry, "posternSmartHost"),
                _text(entry, "posternSourceServer"),
            )
            for entry in matches
        )
        return tuple(sorted(connectors, key=lambda connector: connector.name))

    async def internal_servers(self) -> tuple[str, ...]:
        matches = await self._client.search(layout.TRANSPORT_SETTINGS, BASE, "(objectClass=*)", ("posternAddress",))
        return in_order(matches[0], "posternAddress") if matches else ()

    async def close(self) -> None:
        await self._client.close()

    async def _fetch(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        """Asks slapd. `addresses` are folded, and few enough for one filter."""
        by_hash = {address_hash(address): address for address in addresses}
        answer: dict[str, Recipient] = {}
        for entry in await self._matching(list(by_hash), _RECIPIENT):
            for value in entry.attributes["posternAddressHash"]:
                if (address := by_hash.get(value)) is not None:
                    answer[address] = _recipient(entry, address)
        if len(answer) < len(addresses):
            await self._be_complete()
        return answer

    async def _be_complete(self) -> None:
        """Raises DirectoryUnavailable before the first full synchronization has ended: until then, a recipient that is missing
        here may exist."""
        now = time.monotonic()
        if now < self._complete_until:
            return
        matches = await self._client.search(layout.STATE, BASE, "(objectClass=*)", ("posternState",))
        if not matches or not read_state(_text(matches[0], "posternState")).full:
            raise DirectoryUnavailable(f"{self._client.row.id}: nothing was replicated to this edge yet")
        self._complete_until = now + _COMPLETE_FOR

    async def _matching(self, hashes: Sequence[bytes], names: Sequence[str]) -> list[Entry]:
        matches: list[Entry] = []
        for start in range(0, len(hashes), MAX_BATCH):
            which = "".join(_equals(value) for value in hashes[start : start + MAX_BATCH])
            matches += await self._client.search(layout.RECIPIENTS, ONE_LEVEL, f"(|{which})", names)
        return matches


def _recipient(entry: Entry, address: str) -> Recipient:
    """Makes a recipient of all that an edge knows of one, which is no name, no other address and no server."""
    address = fold(address)
    return Recipient(
        guid=UUID(hex=_text(entry, "cn")),
        type=RecipientType.USER,
        display_name="",
        primary=address,
        addresses=(address,),
        max_receive=entries.number(entry.attributes, "posternMaxReceive"),
    )


def in_order(entry: Entry, name: str) -> tuple[str, ...]:
    """Returns the values of an attribute that are kept as "0 first", "1 second", for LDAP's values have no order of their own."""
    pairs = (value.decode().partition(" ") for value in entry.attributes.get(name, ()))
    return tuple(rest for _, rest in sorted((int(number), rest) for number, _, rest in pairs))


def ordered(values: Sequence[str]) -> list[bytes]:
    """Returns values in the form that `in_order` reads."""
    return [f"{number} {value}".encode() for number, value in enumerate(values)]


def _equals(value: bytes) -> str:
    """Returns a filter for one hash (RFC 4515 section 3: octets are written in hexadecimal)."""
    return "(posternAddressHash=" + "".join([f"\\{octet:02x}" for octet in value]) + ")"


def _text(entry: Entry, name: str) -> str:
    return entries.text(entry.attributes, name)
