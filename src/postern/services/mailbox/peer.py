"""A mailbox server as a hub's services reach it: the interfaces that each of them uses, and the names for tracking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from postern.model.delivery import DeliveryStore, Outbox
from postern.model.folders import FolderStore
from postern.model.items import ImapItems
from postern.model.mailbox import Logon
from postern.services.mailbox.client import MailboxClient


class DeliveryMailboxes(Logon, DeliveryStore, Protocol):
    """The interfaces that the store driver uses: it delivers, and opens a mailbox that gets its first message."""


class OutboxMailboxes(FolderStore, ImapItems, DeliveryStore, Outbox, Protocol):
    """The interfaces that the outbox taker uses: it reads and finishes messages, and delivers reports to their senders."""


class Proof(NamedTuple):
    """Authentication and encryption of the last connection to a server, in the words of message tracking."""

    mechanism: str = ""
    cipher: str = ""


M_co = TypeVar("M_co", covariant=True)


class MailboxPeer(NamedTuple, Generic[M_co]):
    """One mailbox server and its mailboxes, on the row whose id is `path`. `proof` is asked after a call."""

    server: str
    fqdn: str
    path: str
    mailboxes: M_co
    proof: Callable[[], Proof] = Proof


def peer_of(server: str, client: MailboxClient) -> MailboxPeer[MailboxClient]:
    """Makes the peer of this name, whose mailboxes `client` calls."""
    rpc = client.rpc

    def proof() -> Proof:
        return Proof(rpc.mechanism, rpc.seal.cipher if rpc.seal is not None else "")

    return MailboxPeer(server, rpc.target.fqdn, rpc.target.row.id, client, proof)
