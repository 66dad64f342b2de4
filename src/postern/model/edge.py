"""The edge and the organization behind it: subscriptions, the data that EdgeSync replicates, and the interfaces of their stores.

Times are seconds since 1970 (UTC). A certificate is DER. `protocols.edge.hashes` computes the hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from postern.model.organization import AcceptedDomain, SendConnector

BOOTSTRAP_LIFE = 1440 * 60.0
"""Seconds that a subscription file and its account are good for."""


@dataclass(frozen=True, slots=True)
class SubscriptionFile:
    """A subscription file, which `postern edge subscription new` writes on an edge, with Exchange's fields. `password` belongs to
    the bootstrap account: a person who has the file can write the edge's replica until `effective + duration`."""

    server_name: str
    server_fqdn: str
    certificate: bytes
    username: str
    """The account's distinguished name in the edge's directory."""
    password: str
    effective: float
    duration: float
    ssl_port: int
    product_id: str = ""
    version: str = ""
    serial: str = ""

    def __repr__(self) -> str:
        return f"SubscriptionFile({self.server_fqdn})"  # a password reaches no trace back


@dataclass(frozen=True, slots=True)
class EdgeCredential:
    """A hub's account on an edge. `for_hub` is its password, sealed to the hub's key; `for_edge` is the same, sealed to
    the edge's key. `trust.certificates.sealed_secrets` seals and opens them.
    """

    hub: str
    username: str
    effective: float
    expires: float
    for_hub: bytes
    for_edge: bytes = b""
    bootstrap: bool = False

    def valid(self, now: float) -> bool:
        return self.effective <= now < self.expires


@dataclass(frozen=True, slots=True)
class Subscription:
    """An edge as the organization's directory knows it. `hub_keys` are the public keys (DER, SubjectPublicKeyInfo) that
    passwords are sealed to, by hub."""

    name: str
    fqdn: str
    site: str
    certificate: bytes
    ssl_port: int
    credentials: tuple[EdgeCredential, ...] = ()
    hub_keys: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class HubServer:
    """A hub as an edge knows it: where to send mail, and by which certificates direct trust recognises it."""

    name: str
    fqdn: str
    site: str
    addresses: tuple[str, ...]
    certificates: tuple[bytes, ...] = ()


class SubscriptionStore(Protocol):
    """Subscriptions and hubs' certificates in the organization's directory. Every method raises DirectoryUnavailable."""

    async def subscriptions(self) -> tuple[Subscription, ...]: ...

    async def publish(self, subscription: Subscription) -> None:
        """Adds the subscription, or replaces that of the edge of this name together with its credentials and keys."""
        ...

    async def remove(self, name: str) -> bool:
        """Removes the subscription of this edge, and tells whether there was one."""
        ...

    async def add_credential(self, name: str, credential: EdgeCredential) -> None: ...

    async def drop_credential(self, name: str, credential: EdgeCredential) -> None: ...

    async def add_hub_key(self, name: str, hub: str, key: bytes) -> None:
        """Replaces the key that this hub had."""
        ...

    async def publish_hub(self, hub: str, certificate: bytes) -> None:
        """Adds a certificate of this hub beside the one it had before: peers may still meet either."""
        ...

    async def hub_certificates(self) -> Mapping[str, tuple[bytes, ...]]:
        """The certificates of the hubs, by the hub's name."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeRecipient:
    """A recipient as an edge may know it, without addresses and names. `hashes` are the SHA-256 of its addresses (lower case). In
    each list, the first four bytes of the SHA-256 of every sender or recipient stand one after the other."""

    guid: UUID
    hashes: tuple[bytes, ...]
    safe_senders: bytes = b""
    safe_recipients: bytes = b""
    blocked_senders: bytes = b""
    max_receive: int = 0
    """Bytes; 0: the organization's limit."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Changes of recipients since an earlier read. With `complete`, `changed` has all recipients: one that is not among them is
    gone."""

    changed: tuple[EdgeRecipient, ...]
    gone: frozenset[UUID]
    cookie: bytes
    complete: bool = False


class RecipientSource(Protocol):
    """The organization's recipients, as EdgeSync reads them."""

    async def read(self, cookie: bytes, known: frozenset[UUID]) -> Delta:
        """The changes since `cookie`. `known` has the recipients that the edge has. For b"", or a cookie that the directory no
        longer understands, the answer is complete. Raises DirectoryUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeConfiguration:
    """The organization as it is replicated to an edge, besides recipients. `internal_servers` are the addresses of our servers:
    agents look past their Received lines."""

    domains: tuple[AcceptedDomain, ...]
    connectors: tuple[SendConnector, ...] = ()
    internal_servers: tuple[str, ...] = ()
    hubs: tuple[HubServer, ...] = ()
