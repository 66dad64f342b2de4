"""The edge and the organization behind it: what a subscription is, what EdgeSync replicates, and who keeps either.

Times are seconds since 1970 (UTC). A certificate is DER. What hashes are made of is `protocols.edge.hashes`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from postern.model.organization import AcceptedDomain, SendConnector

BOOTSTRAP_LIFE = 1440 * 60.0
"""Seconds that a subscription file and its account are good for."""


@dataclass(frozen=True, slots=True)
class SubscriptionFile:
    """What `postern edge subscription new` writes on an edge, field by field as Exchange names them. The password is the
    bootstrap account's; whoever has the file can write the edge's replica until `effective + duration`."""

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
    """A hub's account on an edge. `for_hub` and `for_edge` are the password sealed to either's key.

    `trust.certificates.sealed_secrets` seals and opens them.
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
        """Adds it, or replaces what was known of the edge of this name, its credentials and keys too."""
        ...

    async def remove(self, name: str) -> bool:
        """Whether there was one."""
        ...

    async def add_credential(self, name: str, credential: EdgeCredential) -> None: ...

    async def drop_credential(self, name: str, credential: EdgeCredential) -> None: ...

    async def add_hub_key(self, name: str, hub: str, key: bytes) -> None:
        """Replaces the key that this hub had."""
        ...

    async def publish_hub(self, hub: str, certificate: bytes) -> None:
        """This hub's certificate, beside the one it had before: peers may still meet either."""
        ...

    async def hub_certificates(self) -> Mapping[str, tuple[bytes, ...]]:
        """By the hub's name."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeRecipient:
    """What an edge may know of a recipient: no address, no name. `hashes` are SHA-256 of its addresses (lower case), the
    lists SHA-256's first four bytes, one after the other."""

    guid: UUID
    hashes: tuple[bytes, ...]
    safe_senders: bytes = b""
    safe_recipients: bytes = b""
    blocked_senders: bytes = b""
    max_receive: int = 0
    """Bytes; 0: the organization's limit."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed among recipients. With `complete` it is all of them, and who is not among `changed` is gone."""

    changed: tuple[EdgeRecipient, ...]
    gone: frozenset[UUID]
    cookie: bytes
    complete: bool = False


class RecipientSource(Protocol):
    """The organization's recipients, as EdgeSync reads them."""

    async def read(self, cookie: bytes, known: frozenset[UUID]) -> Delta:
        """What changed since `cookie` (b"": everything, complete). `known` is what the edge has. A cookie that the
        directory no longer understands gives everything. Raises DirectoryUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeConfiguration:
    """What an edge is told of the organization besides recipients. `internal_servers` are addresses whose Received lines
    are ours (agents look past them)."""

    domains: tuple[AcceptedDomain, ...]
    connectors: tuple[SendConnector, ...] = ()
    internal_servers: tuple[str, ...] = ()
    hubs: tuple[HubServer, ...] = ()


@dataclass(frozen=True, slots=True)
class SenderLists:
    """A recipient's own lists as an edge has them; `hash4` of a sender (or of "@domain") is looked up in them."""

    safe: frozenset[bytes] = frozenset()
    safe_recipients: frozenset[bytes] = frozenset()
    blocked: frozenset[bytes] = frozenset()


class EdgePolicy(Protocol):
    """What the edge reads besides `Directory`, `DirectoryPolicy` and `Certificates`. Raises DirectoryUnavailable."""

    async def sender_lists(self, addresses: Sequence[str]) -> Mapping[str, SenderLists]:
        """By the addresses as given; who has no lists, or is nobody, is missing."""
        ...

    async def send_connectors(self) -> tuple[SendConnector, ...]: ...

    async def hubs(self) -> tuple[HubServer, ...]: ...

    async def internal_servers(self) -> tuple[str, ...]: ...
