"""A mailbox server as the services of a hub see it: the interfaces that they use, and the connection that tracking names."""

from __future__ import annotations

from typing import Protocol

from postern.model.delivery import DeliveryStore, Outbox
from postern.model.folders import FolderStore
from postern.model.items import ImapItems
from postern.model.mailbox import Logon
from postern.services.rpc.client import RpcClient


class OverRpc(Protocol):
    """Something that is reached by remote procedure calls."""

    rpc: RpcClient


class DeliveryServer(OverRpc, Logon, DeliveryStore, Protocol):
    """What the store driver uses: it delivers, and opens a mailbox that gets its first message."""


class OutboxServer(OverRpc, FolderStore, ImapItems, DeliveryStore, Outbox, Protocol):
    """What takes messages out of outboxes uses: it reads and finishes them, and delivers reports to their senders."""
