"""Writes into an edge's directory as a hub: the lease, recipients, configuration, the state of replication, and requests to the
edge's keeper of accounts.

Additions and changes are written before deletions, and the state is written last: a hub that fails in between leaves the edge
with too many recipients for a while, never with too few.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from postern.directory import entries
from postern.directory.adam import layout
from postern.directory.adam.adapter import ordered
from postern.directory.adam.client import AdamClient, Add, Delete, Modify, Write
from postern.directory.adam.state import Lease, State, read_lease, read_state, write_lease, write_state
from postern.directory.ldap.client import (
    ADD,
    BASE,
    DELETE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    NoSuchEntry,
    escape_rdn,
)
from postern.model.domains import a_labels
from postern.model.edge import EdgeConfiguration, EdgeRecipient

BATCH = 500
"""Writes after which the lease is checked and progress reported."""
_LISTS = ("msExchSafeSendersHash", "msExchSafeRecipientsHash", "msExchBlockedSendersHash")
_WRITTEN = ("posternAddressHash", "posternContent", "posternMaxReceive", *_LISTS)

Values = Mapping[str, Sequence[bytes]]


class EdgeReplica:
    """The copy in one edge's directory. Every method may raise DirectoryUnavailable; BindRefused and WrongCertificate are kinds
    of it."""

    def __init__(self, client: AdamClient) -> None:
        self._client = client

    # The lease and the state

    async def lease_and_state(self) -> tuple[Lease | None, State]:
        matches = await self._client.search(layout.STATE, BASE, "(objectClass=*)", ("posternLease", "posternState"))
        values = matches[0].attributes if matches else {}
        return read_lease(entries.text(values, "posternLease")), read_state(entries.text(values, "posternState"))

    async def exchange_lease(self, former: Lease | None, new: Lease) -> bool:
        """Replaces the lease, unless somebody else changed it meanwhile. Returns whether it did."""
        changes: list[tuple[int, str, Sequence[bytes] | None]] = [(ADD, "posternLease", [write_lease(new)])]
        if former is not None:
            changes.insert(0, (DELETE, "posternLease", [write_lease(former)]))
        try:
            await self._client.modify(layout.STATE, changes)
        except (NoSuchEntry, AlreadyThere):
            return False
        return True

    async def write_state(self, state: State) -> None:
        await self._client.modify(layout.STATE, [(REPLACE, "posternState", [write_state(state)])])

    # Recipients

    async def known(self) -> dict[UUID, str]:
        """Returns the recipients that the edge has, each with the digest of its content."""
        digests: dict[UUID, str] = {}
        async for page in self._client.pages(
            layout.RECIPIENTS, ONE_LEVEL, "(posternContent=*)", ("posternContent",), 5000
        ):
            for entry in page:
                digests[UUID(hex=entry.dn[3:35])] = entry.attributes["posternContent"][0].decode()
        return digests

    async def write(self, new: Sequence[EdgeRecipient], changed: Sequence[EdgeRecipient]) -> AsyncIterator[int]:
        """Writes recipients batch by batch; yields the number of each batch."""
        writes: list[Write] = [Add(layout.recipient_dn(recipient.guid), _entry(recipient)) for recipient in new]
        writes += [Modify(layout.recipient_dn(recipient.guid), _changes(recipient)) for recipient in changed]
        for start in range(0, len(writes), BATCH):
            batch = writes[start : start + BATCH]
            await self._client.write_all(batch)
            yield len(batch)

    async def delete(self, gone: Sequence[UUID]) -> AsyncIterator[int]:
        for start in range(0, len(gone), BATCH):
            batch = [Delete(layout.recipient_dn(guid)) for guid in gone[start : start + BATCH]]
            await self._client.write_all(batch)
            yield len(batch)

    # Configuration

    async def configure(self, configuration: EdgeConfiguration) -> int:
        """Makes this the edge's configuration, and deletes last; returns the number of entries that changed."""
        wanted = _entries(configuration)
        have = {
            entry.dn.lower(): entry
            for entry in await self._client.search(layout.CONFIGURATION, SUBTREE, "(!(objectClass=container))", ())
        }
        writes: list[Write] = []
        for dn, values in wanted.items():
            former = have.pop(dn.lower(), None)
            if former is None:
                writes.append(Add(dn, values))
                continue
            names = {*values, *former.attributes} - {"objectClass", "cn"}
            changes = [
                (REPLACE, name, list(values.get(name, ())) or None)
                for name in sorted(names)
                if sorted(values.get(name, ())) != sorted(former.attributes.get(name, ()))
            ]
            if changes:
                writes.append(Modify(dn, changes))
        await self._client.write_all(writes)
        await self._client.write_all([Delete(entry.dn) for entry in have.values()])
        return len(writes) + len(have)

    # Requests to the edge's keeper of accounts

    async def ask_account(self, account: str, hub: str, not_before: float, not_after: float, secret: bytes) -> None:
        """Asks for an account for a hub; `secret` is its password, sealed to the edge's key."""
        await self._ask(account, hub, {"posternSecret": [secret]}, not_before, not_after)

    async def ask_end(self, account: str, hub: str) -> None:
        """Asks for the end of an account: of this hub's own, or of the bootstrap account."""
        await self._ask(account, hub, {}, 0.0, 0.0)

    async def _ask(self, account: str, hub: str, more: Values, not_before: float, not_after: float) -> None:
        name = hashlib.sha256(f"{account} {bool(more)}".encode()).hexdigest()[:32]
        values: dict[str, Sequence[bytes]] = {
            "objectClass": [b"posternCredentialRequest"],
            "cn": [name.encode()],
            "description": [account.encode()],
            "posternHub": [hub.encode()],
            "posternNotBefore": [str(int(not_before)).encode()],
            "posternNotAfter": [str(int(not_after)).encode()],
            **more,
        }
        try:
            await self._client.add(f"cn={name},{layout.REQUESTS}", values)
        except AlreadyThere:
            pass  # asked already, and not done yet

    async def close(self) -> None:
        await self._client.close()


def content_of(recipient: EdgeRecipient) -> str:
    """Returns a digest of all that an edge has of a recipient: equal digests need no write."""
    digest = hashlib.sha256()
    lists = (recipient.safe_senders, recipient.safe_recipients, recipient.blocked_senders)
    for part in (*sorted(recipient.hashes), b"|", *lists, str(recipient.max_receive).encode()):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()[:32]


def _entry(recipient: EdgeRecipient) -> dict[str, Sequence[bytes]]:
    return {"objectClass": [b"posternEdgeRecipient"], "cn": [recipient.guid.hex.encode()], **_values(recipient)}


def _changes(recipient: EdgeRecipient) -> list[tuple[int, str, Sequence[bytes] | None]]:
    values = _values(recipient)
    return [(REPLACE, name, values.get(name) or None) for name in _WRITTEN]


def _values(recipient: EdgeRecipient) -> dict[str, Sequence[bytes]]:
    lists = (recipient.safe_senders, recipient.safe_recipients, recipient.blocked_senders)
    return {
        "posternAddressHash": list(recipient.hashes),
        "posternContent": [content_of(recipient).encode()],
        "posternMaxReceive": [str(recipient.max_receive).encode()] if recipient.max_receive else [],
        **{name: [value] if value else [] for name, value in zip(_LISTS, lists, strict=True)},
    }


def _entries(configuration: EdgeConfiguration) -> dict[str, dict[str, Sequence[bytes]]]:
    wanted: dict[str, dict[str, Sequence[bytes]]] = {}

    def put(container: str, kind: bytes, name: str, values: Mapping[str, Sequence[bytes]]) -> None:
        present = {key: list(held) for key, held in values.items() if held}
        wanted[f"cn={escape_rdn(name)},{container}"] = {"objectClass": [kind], "cn": [name.encode()], **present}

    for domain in configuration.domains:
        put(layout.DOMAINS, b"acceptedDomain", a_labels(domain.name), {"posternDomainType": [domain.type.encode()]})
    for connector in configuration.connectors:
        put(
            layout.CONNECTORS,
            b"posternSendConnector",
            connector.name,
            {
                "posternAddressSpace": [name.encode() for name in connector.domains],
                "posternSmartHost": ordered(connector.smart_hosts),
                "posternSourceServer": [connector.server.encode()] if connector.server else [],
            },
        )
    for hub in configuration.hubs:
        put(
            layout.HUBS,
            b"posternHubServer",
            hub.name,
            {
                "posternFqdn": [hub.fqdn.encode()],
                "posternSite": [hub.site.encode()],
                "posternAddress": ordered(hub.addresses),
                "posternCertificate": list(hub.certificates),
            },
        )
    settings = {"posternAddress": ordered(configuration.internal_servers)}
    name = layout.TRANSPORT_SETTINGS.partition(",")[0][3:]
    put(layout.CONFIGURATION, b"posternTransportSettings", name, settings)
    return wanted
